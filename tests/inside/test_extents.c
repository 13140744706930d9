/*
 * test_extents.c - what is told as durable is there, stays as it is, and makes a store elsewhere
 *
 * Each promise is asked of the writer's handle and of a reading one.
 */
#include <sys/stat.h>

#include "chain/chain.h"
#include "test_threads_support.h"

#define EXTENTS_MAX 512
#define RECORD_BYTES 1000
#define FRAMES_BEGIN 4224 /* where the first record of a segment begins */

static struct logstore_extent extents[EXTENTS_MAX];
static size_t count;
static struct logstore *reader;

static uint64_t briefs_read;
int __real_segment_brief_read(int directory, const uint8_t uuid[16], uint64_t id,
                              struct segment_brief *ret);
int __wrap_segment_brief_read(int directory, const uint8_t uuid[16], uint64_t id,
                              struct segment_brief *ret);
int __wrap_segment_brief_read(int directory, const uint8_t uuid[16], uint64_t id,
                              struct segment_brief *ret)
{
        briefs_read++;
        return __real_segment_brief_read(directory, uuid, id, ret);
}

static void (*before_look)(void); /* once, behind the look at what the writer has changed */

int __real_chain_extent_after(struct chain *chain, bool follows, uint64_t after, uint64_t number,
                              struct chain_extent *ret);
int __wrap_chain_extent_after(struct chain *chain, bool follows, uint64_t after, uint64_t number,
                              struct chain_extent *ret);
int __wrap_chain_extent_after(struct chain *chain, bool follows, uint64_t after, uint64_t number,
                              struct chain_extent *ret)
{
        void (*call)(void) = before_look;

        before_look = NULL;
        if (call)
                call();
        return __real_chain_extent_after(chain, follows, after, number, ret);
}

static int collect(void *context, const struct logstore_extent *extent)
{
        (void)context;
        must(count < EXTENTS_MAX && extent->struct_bytes == sizeof(*extent));
        extents[count++] = *extent;
        return 0;
}

static int ask(struct logstore *where, uint64_t from_id)
{
        count = 0;
        return logstore_extents(where, from_id, collect, NULL);
}

/* Each follows the one before, by numbers and by its link. */
static void expect_chain(void)
{
        for (size_t i = 0; i < count; i++) {
                const struct logstore_extent *one = &extents[i];

                ck_assert_uint_ge(one->end, FRAMES_BEGIN);
                ck_assert_uint_ge(one->last_number + 1, one->first_number);
                if (i == 0)
                        continue;
                ck_assert_uint_eq(one->previous_id, one[-1].id);
                ck_assert_uint_eq(one->previous_salt, one[-1].salt);
                ck_assert_uint_eq(one->previous_end, one[-1].end);
                ck_assert_uint_eq(one->first_number, one[-1].last_number + 1);
                ck_assert_uint_eq(one->previous_records,
                                  one[-1].last_number + 1 - one[-1].first_number);
        }
}

/* Ask both handles: they tell the same. Returns the last durable number. */
static uint64_t expect_both(void)
{
        static struct logstore_extent told[EXTENTS_MAX];
        size_t told_count;

        ck_assert_msg(ask(store, 0) == 0, "writer: %s", logstore_detail());
        expect_chain();
        told_count = count;
        memcpy(told, extents, sizeof(told));
        if (!reader)
                ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_msg(ask(reader, 0) == 0, "reader: %s", logstore_detail());
        ck_assert_uint_eq(count, told_count);
        ck_assert_mem_eq(extents, told, count * sizeof(told[0]));
        return count ? extents[count - 1].last_number : 0;
}

static void fill(unsigned records)
{
        for (unsigned i = 0; i < records; i++)
                append_filled(RECORD_BYTES, (unsigned char)i);
}

static void begin_filled(unsigned records)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        fill(records);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

static void close_reader(void)
{
        ck_assert_int_eq(logstore_close(reader), 0);
        reader = NULL;
}

START_TEST(a_tail_that_is_not_durable_is_not_told)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        fill(3);
        ck_assert_uint_eq(expect_both(), 0);
        ck_assert_uint_eq(extents[0].end, FRAMES_BEGIN);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_uint_eq(expect_both(), 3);
        fill(200);
        ck_assert_uint_lt(expect_both(), 203);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_uint_eq(expect_both(), 203);
        close_reader();
}
END_TEST

struct states {
        size_t sealed, all;
};

static int count_sealed(void *context, const struct logstore_segment_info *info)
{
        struct states *states = context;

        states->all++;
        states->sealed += info->state == LOGSTORE_SEGMENT_SEALED;
        return 0;
}

START_TEST(a_sealed_segment_is_told_as_sealed)
{
        struct states states = { 0 };
        size_t sealed = 0;

        begin_filled(400);
        ck_assert_uint_eq(expect_both(), 400);
        ck_assert_int_eq(logstore_segments(store, count_sealed, &states), 0);
        ck_assert_uint_eq(count, states.all);
        while (sealed < count && extents[sealed].sealed)
                sealed++;
        ck_assert_uint_eq(sealed, states.sealed);
        ck_assert_uint_gt(sealed, 2);
        ck_assert_uint_gt(extents[0].greatest_ns, 0);
        ck_assert_uint_eq(extents[0].segment_bytes, SMALL_SEGMENT_BYTES);
        ck_assert_str_eq(extents[0].name, "0000000001.log");
        close_reader();
}
END_TEST

/* A seal that is stored, but perhaps not synced, has neither an index nor a seal behind it. */
START_TEST(a_seal_alone_does_not_prove_itself)
{
        size_t sealed = 0;

        begin_filled(400);
        expect_both();
        while (sealed < count && extents[sealed].sealed)
                sealed++;
        ck_assert_int_eq(unlink(scratch("store/%010" PRIu64 ".idx", extents[sealed - 1].id)), 0);
        ck_assert_int_eq(unlink(scratch("store/%010" PRIu64 ".idx", extents[0].id)), 0);
        expect_both();
        ck_assert_uint_eq(extents[sealed - 1].sealed, 0);
        ck_assert_uint_eq(extents[sealed - 1].greatest_ns, 0);
        ck_assert_uint_eq(extents[0].sealed, 1);
        close_reader();
}
END_TEST

START_TEST(what_was_cut_is_not_told)
{
        struct logstore_extent before[EXTENTS_MAX];

        begin_filled(400);
        expect_both();
        memcpy(before, extents, sizeof(before));
        ck_assert_int_eq(logstore_truncate_after(store, before[1].first_number + 9, 0), 0);
        ck_assert_uint_eq(expect_both(), before[1].first_number + 9);
        ck_assert_uint_eq(count, 3);
        ck_assert_uint_eq(extents[1].salt, before[1].salt);
        ck_assert_uint_lt(extents[1].end, before[1].end);
        ck_assert_uint_eq(extents[1].sealed, 0); /* the new seal is not known to be durable */
        ck_assert_uint_eq(extents[2].previous_end, extents[1].end);
        ck_assert_uint_gt(extents[2].epoch, before[1].epoch);
        fill(200);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_uint_eq(expect_both(), before[1].first_number + 209);
        ck_assert_uint_eq(extents[1].sealed, 1);
        ck_assert_int_eq(logstore_truncate_after(store, 0, 5000), 0);
        fill(1);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_uint_eq(expect_both(), 5000);
        ck_assert_uint_eq(count, 1);
        ck_assert_uint_eq(extents[0].previous_id, 0);
        close_reader();
}
END_TEST

static void cut_all_but_one(void)
{
        ck_assert_int_eq(logstore_truncate_after(store, 1, 0), 0);
        fill(200);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

/* The control page is newer than the chain that the reading process knows. */
START_TEST(what_was_cut_between_two_looks_is_not_told)
{
        begin_filled(400);
        expect_both();
        before_look = cut_all_but_one;
        ck_assert_int_eq(ask(reader, 0), 0);
        expect_chain();
        ck_assert_uint_eq(extents[0].last_number, 1);
        ck_assert_uint_eq(extents[count - 1].last_number, 201);
        close_reader();
}
END_TEST

START_TEST(what_was_trimmed_is_not_told)
{
        uint64_t first;

        begin_filled(400);
        expect_both();
        ck_assert_int_eq(logstore_trim_before(store, 200, &first), 0);
        ck_assert_uint_eq(expect_both(), 400);
        ck_assert_uint_eq(extents[0].first_number, first);
        ck_assert_uint_gt(first, 1);
        close_reader();
}
END_TEST

/* A recovery goes on in a new segment. What was told before stays a prefix. */
START_TEST(after_a_crash_the_same_is_told_and_more)
{
        struct logstore_extent before;
        size_t before_count;

        begin_filled(150);
        fill(7);
        expect_both();
        close_reader();
        before_count = count;
        before = extents[count - 1];
        crash_store();
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(expect_both(), 157);
        ck_assert_uint_eq(count, before_count + 1);
        ck_assert_uint_eq(extents[before_count - 1].salt, before.salt);
        ck_assert_uint_ge(extents[before_count - 1].end, before.end);
        close_reader();
}
END_TEST

/* A hundred segments are not looked at to tell the last two. */
START_TEST(near_the_end_little_is_read)
{
        begin_filled(60 * 60);
        expect_both();
        ck_assert_uint_gt(count, 50);
        briefs_read = 0;
        ck_assert_int_eq(ask(reader, extents[count - 2].id), 0);
        ck_assert_uint_eq(count, 2);
        ck_assert_uint_le(briefs_read, 8);
        ck_assert_int_eq(ask(reader, extents[count - 1].id + 1), 0);
        ck_assert_uint_eq(count, 0);
        close_reader();
}
END_TEST

static int stop(void *context, const struct logstore_extent *extent)
{
        (void)extent;
        return ++*(int *)context == 2 ? -ENOENT : 0;
}

START_TEST(each_may_stop_it)
{
        int calls = 0;

        begin_filled(400);
        ck_assert_int_eq(logstore_extents(store, 0, stop, &calls), -ENOENT);
        ck_assert_int_eq(calls, 2);
        expect_failure(logstore_extents(store, 0, NULL, NULL), -EINVAL);
        expect_failure(logstore_extents(NULL, 0, stop, NULL), -EINVAL);
}
END_TEST

START_TEST(damage_is_told_behind_what_is_before_it)
{
        begin_filled(400);
        expect_both();
        close_reader();
        close_store();
        zero_range(scratch("store/0000000003.log"), 0, 512);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        expect_failure(ask(reader, 0), -EBADMSG);
        ck_assert_uint_le(count, 2);
        ck_assert_ptr_nonnull(strstr(logstore_detail(), "0000000003.log"));
        expect_failure(ask(reader, 3), -EBADMSG);
        ck_assert_int_eq(ask(reader, 4), -EBADMSG);
        ck_assert_int_eq(ask(reader, 5), 0);
        close_reader();
}
END_TEST

/* The mark of an old copy is lower, or stands where no frame ends. */
START_TEST(an_old_control_file_tells_no_more_than_its_mark)
{
        struct bytes old;

        begin_filled(30);
        old = load_file(scratch("store/control"));
        fill(370);
        close_store();
        save_file(scratch("store/control"), old.data, old.size);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(ask(reader, 0), 0);
        expect_chain();
        ck_assert_uint_le(extents[count - 1].last_number, 400);
        close_reader();
}
END_TEST

/* ---- copies ----------------------------------------------------------------------------- */

static void copy_extents(struct logstore *where)
{
        struct bytes control = load_file(scratch("store/control"));

        ck_assert_int_eq(ask(where, 0), 0);
        ck_assert_int_eq(mkdir(scratch("copy"), 0700), 0);
        for (size_t i = 0; i < count; i++) {
                struct bytes file = load_file(scratch("store/%s", extents[i].name));

                ck_assert_uint_ge(file.size, extents[i].end);
                if (!extents[i].sealed)
                        memset(file.data + 512, 0, 512);
                save_file(scratch("copy/%s", extents[i].name), file.data, extents[i].end);
        }
        save_file(scratch("copy/control"), control.data, control.size);
}

static const struct {
        const char *when;
        unsigned records, unsynced;
        uint64_t trim_before, truncate_after;
        bool closed;
} copies[] = {
        { "empty", 0, 0, 0, 0, false },
        { "a few", 20, 5, 0, 0, false },
        { "several segments", 300, 9, 0, 0, false },
        { "trimmed", 300, 9, 150, 0, false },
        { "truncated", 300, 0, 0, 130, false },
        { "trimmed and truncated", 300, 0, 100, 199, false },
        { "closed", 300, 0, 0, 0, true },
};

START_TEST(a_copy_of_what_was_told_is_a_store)
{
        struct logstore_verify_report report = { 0 };
        struct logstore_bounds bounds;
        struct logstore *copy;

        begin_filled(copies[_i].records);
        if (copies[_i].trim_before)
                ck_assert_int_eq(logstore_trim_before(store, copies[_i].trim_before, NULL), 0);
        if (copies[_i].truncate_after)
                ck_assert_int_eq(logstore_truncate_after(store, copies[_i].truncate_after, 0), 0);
        fill(copies[_i].unsynced);
        if (copies[_i].closed)
                close_store();
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        bounds = bounds_of(reader);
        copy_extents(reader);
        ck_assert_msg(logstore_verify(scratch("copy"), NULL, &report) == 0, "%s: %s",
                      copies[_i].when, logstore_detail());
        ck_assert_uint_eq(report.torn_bytes, 0);
        ck_assert_int_eq(logstore_open(scratch("copy"), NULL, &copy), 0);
        ck_assert_uint_eq(bounds_of(copy).tail, bounds.durable);
        ck_assert_uint_eq(bounds_of(copy).first, bounds.first);
        for (uint64_t number = bounds.first; number <= bounds.durable; number++) {
                struct logstore_record a, b;
                char one[RECORD_BYTES], other[RECORD_BYTES];

                ck_assert_int_eq(logstore_get(reader, number, one, sizeof(one), &a), 0);
                ck_assert_int_eq(logstore_get(copy, number, other, sizeof(other), &b), 0);
                ck_assert_int_eq(a.time_ns, b.time_ns);
                ck_assert_mem_eq(one, other, a.size);
        }
        ck_assert_int_eq(logstore_close(copy), 0);
        close_reader();
}
END_TEST

/* ---- beside a writer -------------------------------------------------------------------- */

#define STRESS_MS 4000

static void write_wildly(unsigned seed)
{
        int64_t until = clock_ms() + STRESS_MS;

        must(try_open(LOGSTORE_CREATE, &store) == 0);
        while (clock_ms() < until) {
                struct logstore_bounds bounds = bounds_of(store);
                char data[3000];

                seed = seed * 1103515245 + 12345;
                memset(data, (int)(seed >> 8), sizeof(data));
                switch (seed >> 16 & 63) {
                case 0:
                        must(logstore_trim_before(store,
                                                  bounds.first + (bounds.tail - bounds.first) / 2,
                                                  NULL) == 0);
                        break;
                case 1:
                        if (bounds.tail >= bounds.first + 20)
                                must(logstore_truncate_after(store, bounds.tail - (seed >> 24) % 20,
                                                             0) == 0);
                        break;
                case 2:
                case 3:
                case 4:
                        must(logstore_sync(store, 0) == 0);
                        break;
                default:
                        must(logstore_append(store, data, (seed >> 20) % sizeof(data), NULL) == 0);
                }
        }
        must(logstore_close(store) == 0);
        _exit(0);
}

/* What was told of each segment, with its bytes. */
static struct {
        uint64_t id, salt, end;
        bool sealed;
        unsigned char *bytes;
} seen[1 << 16];
static uint64_t seen_bytes;

/* The file may be gone by now. What is left of it is as it was. */
static void compare(const struct logstore_extent *extent)
{
        size_t at = extent->id % (1 << 16);
        FILE *file = fopen(scratch("store/%s", extent->name), "rb");
        unsigned char *bytes = malloc(extent->end);
        uint64_t old = seen[at].id == extent->id ? seen[at].end : 0;
        size_t got;

        if (!file) {
                free(bytes);
                return;
        }
        got = fread(bytes, 1, extent->end, file);
        fclose(file);
        ck_assert_uint_eq(got, extent->end);
        if (old > extent->end)
                old = extent->end;
        if (old) {
                ck_assert_uint_eq(seen[at].salt, extent->salt);
                ck_assert_mem_eq(bytes, seen[at].bytes, 512);
                ck_assert_int_eq(memcmp(bytes + 1024, seen[at].bytes + 1024, old - 1024), 0);
                /* A truncation may have stored the seal anew since it was told. */
                if (seen[at].sealed && extent->sealed && memcmp(bytes + 528, &seen[at].end, 8) == 0)
                        ck_assert_mem_eq(bytes + 512, seen[at].bytes + 512, 512);
        }
        seen_bytes += old;
        free(seen[at].bytes);
        seen[at].id = extent->id;
        seen[at].salt = extent->salt;
        seen[at].end = extent->end;
        seen[at].sealed = extent->sealed;
        seen[at].bytes = bytes;
}

START_TEST(what_was_told_never_changes)
{
        pid_t writer = fork();
        unsigned looks = 0;
        int status = 0, r;

        if (writer == 0)
                write_wildly(77);
        while (!file_exists(scratch("store/0000000001.log")) ||
               try_open(LOGSTORE_READ_ONLY, &reader) < 0)
                sleep_ms(1);
        while (waitpid(writer, &status, WNOHANG) == 0) {
                r = ask(reader, 0);
                ck_assert_msg(r == 0, "extents: %s: %s", logstore_error_text(r), logstore_detail());
                for (size_t i = 0; i < count; i++)
                        compare(&extents[i]);
                looks++;
        }
        ck_assert_int_eq(status, 0);
        ck_assert_uint_gt(looks, 10);
        ck_assert_uint_gt(seen_bytes, 1 << 20);
        for (size_t at = 0; at < 1 << 16; at++)
                free(seen[at].bytes);
        close_reader();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_tail_that_is_not_durable_is_not_told, 0 },
                { a_sealed_segment_is_told_as_sealed, 0 },
                { a_seal_alone_does_not_prove_itself, 0 },
                { what_was_cut_is_not_told, 0 },
                { what_was_cut_between_two_looks_is_not_told, 0 },
                { what_was_trimmed_is_not_told, 0 },
                { after_a_crash_the_same_is_told_and_more, 0 },
                { near_the_end_little_is_read, 0 },
                { each_may_stop_it, 0 },
                { damage_is_told_behind_what_is_before_it, 0 },
                { an_old_control_file_tells_no_more_than_its_mark, 0 },
                { a_copy_of_what_was_told_is_a_store, sizeof(copies) / sizeof(copies[0]) },
                { what_was_told_never_changes, 0 },
        };

        return RUN_TESTS("extents", tests);
}
