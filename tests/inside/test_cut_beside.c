/*
 * test_cut_beside.c - a look beside a cut or a trim never calls a sound store damaged
 *
 * Linked with --wrap of chain_pin and os_stat_name, to let something happen right before the look,
 * of chain_add, to let a look happen in the middle of a truncation, and of chain_slot, to let
 * something happen right behind the look at the mark.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "read/follower.h"
#include "test_threads_support.h"

void __real_chain_add(struct chain *chain, struct segment *segment);
void __wrap_chain_add(struct chain *chain, struct segment *segment);
int __real_chain_pin(struct chain *chain, uint64_t number, struct segment **ret);
int __wrap_chain_pin(struct chain *chain, uint64_t number, struct segment **ret);
int __real_chain_refresh(struct chain *chain);
int __wrap_chain_refresh(struct chain *chain);
void __real_chain_slot(struct chain *chain, struct control_slot *ret);
void __wrap_chain_slot(struct chain *chain, struct control_slot *ret);
int __real_os_stat_name(int directory, const char *name, struct os_stat *ret);
int __wrap_os_stat_name(int directory, const char *name, struct os_stat *ret);

static uint64_t cut_after, go_on; /* before the pin that is so many pins away, if not 0 */
static _Atomic unsigned pins_left;
static _Atomic uint64_t trim_beside, cut_beside; /* before the next look at a file */
static void (*at_refresh)(void);                 /* before the next look at the chain */
static void (*behind_slot)(struct chain *chain); /* behind the next look at the mark */

int __wrap_chain_pin(struct chain *chain, uint64_t number, struct segment **ret)
{
        if (pins_left > 0 && --pins_left == 0)
                ck_assert_int_eq(logstore_truncate_after(store, cut_after, go_on), 0);
        return __real_chain_pin(chain, number, ret);
}

int __wrap_os_stat_name(int directory, const char *name, struct os_stat *ret)
{
        uint64_t trim = atomic_exchange(&trim_beside, 0), cut = atomic_exchange(&cut_beside, 0);

        if (trim)
                ck_assert_int_eq(logstore_trim_before(store, trim, NULL), 0);
        if (cut)
                ck_assert_int_eq(logstore_truncate_after(store, cut, 0), 0);
        return __real_os_stat_name(directory, name, ret);
}

int __wrap_chain_refresh(struct chain *chain)
{
        void (*happen)(void) = at_refresh;

        at_refresh = NULL;
        if (happen)
                happen();
        return __real_chain_refresh(chain);
}

void __wrap_chain_slot(struct chain *chain, struct control_slot *ret)
{
        void (*happen)(struct chain * chain) = behind_slot;

        behind_slot = NULL;
        __real_chain_slot(chain, ret);
        if (happen)
                happen(chain);
}

/* Six segments with ten records of 6,000 bytes each, the last one active and begun. */
static void make_six(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (unsigned i = 0; i < 53; i++)
                append_filled(6000, (unsigned char)i);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

/* ---- one record ---- */

static void *look(void *unused);
static pthread_t looker;
static _Atomic bool looked;
static int look_at, looked_at_it; /* 1: before the new head is on the chain; 2: behind */

/* As far as it comes while the truncation is where it is. */
static void look_now(int where)
{
        if (look_at != where)
                return;
        ck_assert_int_eq(pthread_create(&looker, NULL, look, NULL), 0);
        for (int ms = 0; ms < 20 && !atomic_load(&looked); ms++)
                sleep_ms(1);
}

void __wrap_chain_add(struct chain *chain, struct segment *segment)
{
        look_now(1);
        __real_chain_add(chain, segment);
        look_now(2);
}

static int by_get(void)
{
        char buffer[6000];
        struct logstore_record record;

        return logstore_get(store, 53, buffer, sizeof(buffer), &record);
}

static int by_cursor(bool back)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        int r = logstore_cursor_open(store, 0, &cursor);

        if (r < 0)
                return r;
        r = logstore_cursor_seek(cursor, 53);
        if (r == 0)
                r = back ? logstore_cursor_prev(cursor, &record)
                         : logstore_cursor_next(cursor, &record);
        logstore_cursor_close(cursor);
        return r;
}

static const struct {
        uint64_t after, next;
} cuts[] = {
        { 52, 0 }, { 51, 0 }, { 50, 0 }, { 12, 0 }, { 0, 1 }, { 0, 53 }, { 0, 54 }, { 0, 100 }
};
#define CUTS (sizeof(cuts) / sizeof(cuts[0]))

static int look_in_way(unsigned way)
{
        return way == 0 ? by_get() : by_cursor(way == 2);
}

static void expect_sound(int r)
{
        ck_assert_msg(r == 0 || r == -EAGAIN || r == -ESTALE, "%d: %s", r, logstore_detail());
}

START_TEST(a_record_that_is_cut_before_a_pin_is_not_called_damaged)
{
        make_six();
        cut_after = cuts[_i % CUTS].after;
        go_on = cuts[_i % CUTS].next;
        pins_left = (unsigned)_i / CUTS % 3 + 1;
        expect_sound(look_in_way((unsigned)_i / CUTS / 3));
}
END_TEST

static unsigned look_way;
static char look_detail[300];

static void *look(void *unused)
{
        looked_at_it = look_in_way(look_way);
        snprintf(look_detail, sizeof(look_detail), "%s", logstore_detail());
        atomic_store(&looked, true);
        return unused;
}

START_TEST(a_record_that_is_being_cut_is_not_called_damaged)
{
        unsigned way = (unsigned)_i / CUTS / 2;

        make_six();
        look_way = way;
        look_at = _i / CUTS % 2 + 1;
        ck_assert_int_eq(
                logstore_truncate_after(store, cuts[_i % CUTS].after, cuts[_i % CUTS].next), 0);
        look_at = 0;
        pthread_join(looker, NULL);
        ck_assert_msg(looked_at_it == 0 || looked_at_it == -EAGAIN || looked_at_it == -ESTALE,
                      "%d: %s", looked_at_it, look_detail);
}
END_TEST

/* ---- a void that is cut while a cursor steps over it ---- */

static void add_void(void)
{
        struct logstore_claim claim;

        ck_assert_int_eq(logstore_claim(store, 0, &claim), 0);
        ck_assert_int_eq(logstore_abort(store, &claim), 0);
}

static void replace_behind_3(void)
{
        ck_assert_int_eq(logstore_truncate_after(store, 3, 0), 0);
        append_text("anew");
        append_text("anew");
}

/* A cursor of a reading process that gave records 1 to 3. */
static struct logstore_cursor *read_3(struct logstore **ret)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;

        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, ret), 0);
        ck_assert_int_eq(logstore_cursor_open(*ret, 0, &cursor), 0);
        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        return cursor;
}

/* The cursor goes on and gives all up to @number. */
static void read_to(struct logstore_cursor *cursor, uint64_t number)
{
        struct logstore_record record = { 0 };

        while (record.number < number)
                ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
}

/* It stands at the end of a sound log. */
static void expect_end(struct logstore_cursor *cursor, struct logstore *other)
{
        struct logstore_record record;

        ck_assert_msg(logstore_cursor_next(cursor, &record) == -EAGAIN, "%s", logstore_detail());
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(other), 0);
}

static void expect_4(struct logstore_cursor *cursor, struct logstore *other)
{
        struct logstore_record record;
        int r = logstore_cursor_next(cursor, &record);

        ck_assert_msg(r == 0, "%d: %s", r, logstore_detail());
        ck_assert_uint_eq(record.number, 4);
        ck_assert_ptr_null(at_refresh);
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(other), 0);
}

/* The cursor stands before the void 4. While it steps over that, the log is cut behind 3 and goes
 * on. Nothing that the cursor gave was cut. */
START_TEST(a_cursor_that_steps_over_a_void_that_is_cut_is_not_stale)
{
        struct logstore_cursor *cursor;
        struct logstore *other;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int i = 0; i < 3; i++)
                append_text("x");
        add_void();
        if (_i) { /* behind the void the log goes on in another segment */
                append_text("y");
                ck_assert_int_eq(logstore_truncate_after(store, 4, 0), 0);
        }
        cursor = read_3(&other);
        at_refresh = replace_behind_3;
        expect_4(cursor, other);
}
END_TEST

static void go_on_and_trim(void)
{
        for (int i = 0; i < 30; i++)
                append_filled(6000, 'x');
        ck_assert_int_eq(logstore_trim_before(store, 25, NULL), 0);
        ck_assert_uint_gt(bounds_of(store).first, 4);
}

/* The cursor finds nothing behind record 3. Before it looks why, the log goes on and is trimmed.
 * The record is in the segment that the cursor pins, and is given. */
START_TEST(a_record_that_comes_and_is_trimmed_at_once_is_given)
{
        struct logstore_cursor *cursor;
        struct logstore *other;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int i = 0; i < 3; i++)
                append_text("x");
        cursor = read_3(&other);
        at_refresh = go_on_and_trim;
        expect_4(cursor, other);
}
END_TEST

/* ---- a mark that is cut ---- */

static void make_22(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int i = 0; i < 22; i++)
                append_text("x");
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

/* Another thread of the reading process looks at the chain meanwhile. */
static void cut_mark(struct chain *chain)
{
        ck_assert_int_eq(logstore_truncate_after(store, 15, 0), 0);
        append_text("16");
        ck_assert_int_eq(logstore_sync(store, append_text("17")), 0);
        ck_assert_int_eq(chain_refresh(chain), 0);
}

/* A reading process knows the mark, which is then cut. The chain that it looks for the mark in is
 * one from behind the cut. The mark's record is not missing. */
START_TEST(a_mark_that_is_cut_before_it_is_looked_for_is_not_missed)
{
        struct logstore_cursor *cursor;
        struct logstore *other;
        uint64_t tail;

        make_22();
        cursor = read_3(&other);
        read_to(cursor, 15);
        ck_assert_int_eq(logstore_truncate_after(store, 21, 0), 0);
        behind_slot = cut_mark;
        ck_assert_int_eq(follower_find_tail(other, &tail), 0);
        ck_assert_ptr_null(behind_slot);
        read_to(cursor, 17);
        expect_end(cursor, other);
}
END_TEST

/* Zero the header of a frame in the first segment. All before it have one byte each. */
static void spoil(uint64_t number)
{
        static const char none[FRAME_HEADER_BYTES];
        char path[4096];
        int fd;

        snprintf(path, sizeof(path), "%s/" SEGMENT_NAME_FORMAT, store_path(), UINT64_C(1));
        fd = open(path, O_WRONLY);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(pwrite(fd, none, sizeof(none),
                                (off_t)(FRAMES_OFFSET + (number - 1) * (FRAME_HEADER_BYTES + 8))),
                         sizeof(none));
        close(fd);
}

/* What really was missing was then cut off. Of the log that goes on nothing is missing. */
START_TEST(a_missing_record_that_is_cut_off_is_not_missed_any_more)
{
        struct logstore_cursor *cursor;
        struct logstore *other;
        uint64_t tail;

        make_22();
        spoil(11);
        spoil(22);
        cursor = read_3(&other);
        read_to(cursor, 10);
        ck_assert_int_eq(follower_find_tail(other, &tail), 0);
        ck_assert(follower_missed(other, 22));
        ck_assert_int_eq(logstore_truncate_after(store, 10, 0), 0);
        ck_assert_int_eq(logstore_sync(store, append_text("11")), 0);
        read_to(cursor, 11);
        expect_end(cursor, other);
}
END_TEST

/* ---- the same by chance ---- */

static _Atomic bool reading;

static void *read_on(void *count)
{
        char buffer[100];
        struct logstore_record record;

        while (atomic_load(&reading)) {
                struct logstore_cursor *cursor;
                uint64_t tail = bounds_of(store).tail;
                int r = logstore_get(store, tail, buffer, sizeof(buffer), &record);

                must(r == 0 || r == -EAGAIN || r == -ESTALE);
                must(logstore_cursor_open(store, 0, &cursor) == 0);
                r = logstore_cursor_seek(cursor, tail);
                if (r == 0)
                        r = logstore_cursor_next(cursor, &record);
                must(r == 0 || r == -EAGAIN || r == -ESTALE);
                logstore_cursor_close(cursor);
                ++*(unsigned *)count;
        }
        return NULL;
}

START_TEST(beside_truncations_nothing_is_called_damaged)
{
        unsigned looks = 0;
        pthread_t thread;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_RING);
        for (int i = 0; i < 20; i++)
                append_text("x");
        atomic_store(&reading, true);
        ck_assert_int_eq(pthread_create(&thread, NULL, read_on, &looks), 0);
        for (int i = 0; i < 300; i++) {
                uint64_t last = append_text("y");

                ck_assert_int_eq(i % 2 ? logstore_truncate_after(store, 0, last + 100)
                                       : logstore_truncate_after(store, last - 1, 0),
                                 0);
        }
        atomic_store(&reading, false);
        pthread_join(thread, NULL);
        ck_assert_uint_gt(looks, 0);
}
END_TEST

/* The log goes on in another segment, and the one that the mark was in is trimmed. */
static void trim_the_mark(struct chain *chain)
{
        uint64_t first;

        (void)chain;
        for (unsigned i = 0; i < 20; i++)
                append_filled(6000, (unsigned char)i);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_trim_before(store, 64, &first), 0);
        ck_assert_uint_gt(first, 54);
}

/* The first look tells what is durable, the next one where to begin. */
static void at_the_next(struct chain *chain)
{
        (void)chain;
        behind_slot = trim_the_mark;
}

START_TEST(the_end_is_told_where_its_segment_is_trimmed_meanwhile)
{
        struct logstore_bounds bounds;
        struct logstore *other;

        make_six();
        append_filled(6000, 54); /* readers see it behind the mark */
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &other), 0);
        behind_slot = at_the_next;
        ck_assert_int_eq(logstore_bounds(other, &bounds), 0);
        ck_assert_ptr_null(behind_slot);
        ck_assert_uint_ge(bounds.tail, 54);
        ck_assert_int_eq(logstore_close(other), 0);
}
END_TEST

/* ---- segments ---- */

static int note(void *context, const struct logstore_segment_info *info)
{
        unsigned *counts = context;

        counts[info->state == LOGSTORE_SEGMENT_DAMAGED]++;
        return 0;
}

START_TEST(a_segment_that_is_let_go_of_meanwhile_is_left_out)
{
        unsigned counts[2] = { 0 };
        struct logstore *other = NULL;

        make_six();
        if (_i >= 2) /* a reading process */
                ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &other), 0);
        *(_i % 2 ? &cut_beside : &trim_beside) = _i % 2 ? 12 : 35;
        ck_assert_int_eq(logstore_segments(other ? other : store, note, counts), 0);
        ck_assert_uint_eq(counts[true], 0);
        ck_assert_uint_eq(counts[false], 3);
        if (other)
                ck_assert_int_eq(logstore_close(other), 0);
}
END_TEST

static void fault(void *context, const struct logstore_fault *fault)
{
        (void)context;
        ck_abort_msg("%s: offset %" PRIu64 ": %s", fault->file, fault->offset, fault->what);
}

START_TEST(verify_does_not_miss_what_is_let_go_of_meanwhile)
{
        const struct logstore_verify_hooks hooks = { fault, NULL, NULL };

        make_six();
        *(_i ? &cut_beside : &trim_beside) = _i ? 12 : 35;
        ck_assert_int_eq(logstore_verify(store_path(), &hooks, NULL), 0);
        ck_assert_uint_eq(trim_beside + cut_beside, 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_record_that_is_cut_before_a_pin_is_not_called_damaged, 3 * 3 * CUTS },
                { a_record_that_is_being_cut_is_not_called_damaged, 3 * 2 * CUTS },
                { a_cursor_that_steps_over_a_void_that_is_cut_is_not_stale, 2 },
                { a_record_that_comes_and_is_trimmed_at_once_is_given, 0 },
                { a_mark_that_is_cut_before_it_is_looked_for_is_not_missed, 0 },
                { a_missing_record_that_is_cut_off_is_not_missed_any_more, 0 },
                { beside_truncations_nothing_is_called_damaged, 0 },
                { the_end_is_told_where_its_segment_is_trimmed_meanwhile, 0 },
                { a_segment_that_is_let_go_of_meanwhile_is_left_out, 4 },
                { verify_does_not_miss_what_is_let_go_of_meanwhile, 2 },
        };

        return RUN_TESTS("cut_beside", tests);
}
