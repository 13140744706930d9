/*
 * test_positions_files.c - the file of a position is torn, forged, foreign, or its setter is killed
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "format.h"
#include "segment/hash.h"
#include "test_threads_support.h"

#define FILE_BYTES 1024

static struct logstore_position at_number(uint64_t number)
{
        return (struct logstore_position){
                .struct_bytes = sizeof(struct logstore_position),
                .number = number,
        };
}

static int set_number(struct logstore *where, const char *name, uint64_t number)
{
        struct logstore_position position = at_number(number);

        return logstore_position_set(where, name, &position);
}

static int try_get(const char *name, uint64_t *ret_number)
{
        struct logstore_position position = at_number(0);
        int r = logstore_position_get(store, name, &position);

        if (r == 0)
                *ret_number = position.number;
        return r;
}

static void expect_number(const char *name, uint64_t number)
{
        uint64_t got = 0;
        int r = try_get(name, &got);

        ck_assert_msg(r == 0, "get %s: %s: %s", name, logstore_error_text(r), logstore_detail());
        ck_assert_uint_eq(got, number);
}

static const char *path_of(const char *name)
{
        return scratch("store/positions/%s", name);
}

static void begin_filled(unsigned records)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(records);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

/* ---- torn ------------------------------------------------------------------------------- */

/* A set stores one slot. Whatever a crash leaves of it, the old position or the new one counts. */
START_TEST(a_torn_slot_leaves_the_old_position)
{
        struct bytes before, after;

        begin_filled(100);
        for (uint64_t number = 1; number <= (uint64_t)_i + 1; number++)
                ck_assert_int_eq(set_number(store, "a", number), 0);
        before = load_file(path_of("a"));
        ck_assert_uint_eq(before.size, FILE_BYTES);
        ck_assert_int_eq(set_number(store, "a", 50), 0);
        after = load_file(path_of("a"));
        for (size_t cut = 0; cut <= FILE_BYTES; cut += 8) {
                struct bytes torn = load_file(path_of("a"));
                uint64_t got = 0;

                memcpy(torn.data, after.data, cut);
                memcpy(torn.data + cut, before.data + cut, FILE_BYTES - cut);
                save_file(path_of("a"), torn.data, FILE_BYTES);
                ck_assert_int_eq(try_get("a", &got), 0);
                ck_assert(got == 50 || got == (uint64_t)_i + 1);
                /* it can be set again, too */
                ck_assert_int_eq(set_number(store, "a", 60), 0);
                expect_number("a", 60);
                save_file(path_of("a"), after.data, FILE_BYTES);
                free(torn.data);
        }
}
END_TEST

START_TEST(one_good_slot_is_enough)
{
        begin_filled(9);
        ck_assert_int_eq(set_number(store, "a", 3), 0);
        ck_assert_int_eq(set_number(store, "a", 4), 0);
        zero_range(path_of("a"), 0, 512); /* generation 2 */
        expect_number("a", 3);
        ck_assert_int_eq(set_number(store, "a", 5), 0);
        expect_number("a", 5);
        flip_byte(path_of("a"), 100);
        expect_number("a", 3);
        flip_byte(path_of("a"), 600);
        expect_failure(try_get("a", &(uint64_t){ 0 }), -EBADMSG);
        ck_assert_int_eq(set_number(store, "a", 6), 0); /* what is damaged is replaced */
        expect_number("a", 6);
}
END_TEST

/* ---- hostile ---------------------------------------------------------------------------- */

static int count_errors(void *context, const struct logstore_position *position)
{
        *(int *)context = position->error;
        ck_assert_str_eq(position->name, "a");
        return 0;
}

static void forge(void (*change)(struct position_slot *slot))
{
        struct bytes file = load_file(path_of("a"));
        struct position_slot *slots = (struct position_slot *)file.data;

        for (int i = 0; i < 2; i++) {
                if (slots[i].generation == 0)
                        continue;
                change(&slots[i]);
                slots[i].check = hash_seeded(0, &slots[i], 504);
        }
        save_file(path_of("a"), file.data, file.size);
}

static void other_store(struct position_slot *slot)
{
        slot->uuid[3] ^= 1;
}

static void other_name(struct position_slot *slot)
{
        slot->name[0] = 'b';
}

static void no_end_of_name(struct position_slot *slot)
{
        memset(slot->name, 'a', sizeof(slot->name));
}

static void other_version(struct position_slot *slot)
{
        slot->version = 2;
}

static void other_flags(struct position_slot *slot)
{
        slot->flags = 0x80000000;
}

static void great_generation(struct position_slot *slot)
{
        slot->generation = UINT64_MAX;
}

static void great_number(struct position_slot *slot)
{
        slot->number = UINT64_MAX;
}

static void no_number(struct position_slot *slot)
{
        slot->number = 0;
}

static void great_id(struct position_slot *slot)
{
        slot->segment_id = UINT64_MAX;
}

static void great_offset(struct position_slot *slot)
{
        slot->offset = UINT64_MAX - 7;
}

static void odd_offset(struct position_slot *slot)
{
        slot->offset++;
}

static void negative_limit(struct position_slot *slot)
{
        slot->limit_ns = -1;
}

static void number_elsewhere(struct position_slot *slot)
{
        slot->number = 5000;
        slot->segment_id = 1;
}

static const struct {
        void (*change)(struct position_slot *slot);
        int error;
} forged[] = {
        { other_store, -EMEDIUMTYPE },
        { other_name, -EMEDIUMTYPE },
        { no_end_of_name, -EMEDIUMTYPE },
        { other_version, -EPROTONOSUPPORT },
        { other_flags, -EPROTONOSUPPORT },
        { great_generation, -EBADMSG },
        { great_number, -EBADMSG },
        { no_number, -EBADMSG },
        { great_id, -EBADMSG },
        { great_offset, -EBADMSG },
        { odd_offset, -EBADMSG },
        { negative_limit, -EBADMSG },
        { number_elsewhere, -EBADMSG },
};

START_TEST(a_forged_slot_is_not_believed)
{
        int error = 0;

        begin_filled(2000);
        ck_assert_int_eq(set_number(store, "a", 10), 0);
        forge(forged[_i].change);
        expect_failure(try_get("a", &(uint64_t){ 0 }), forged[_i].error);
        ck_assert_int_eq(logstore_position_list(store, count_errors, &error), 0);
        ck_assert_int_eq(error, forged[_i].error);
        if (forged[_i].error != -EBADMSG)
                expect_failure(set_number(store, "a", 11), forged[_i].error);
        ck_assert_int_eq(logstore_position_remove(store, "a"), 0);
        ck_assert_int_eq(set_number(store, "a", 12), 0);
        expect_number("a", 12);
}
END_TEST

/* A file that another store's position was copied to. */
START_TEST(a_position_of_another_store_is_told)
{
        struct logstore *other;
        struct bytes file;

        begin_filled(9);
        ck_assert_int_eq(set_number(store, "b", 3), 0);
        ck_assert_int_eq(logstore_open(scratch("other"),
                                       &(struct logstore_options){
                                               .struct_bytes = sizeof(struct logstore_options),
                                               .flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD },
                                       &other),
                         0);
        ck_assert_int_eq(set_number(other, "a", 1), 0);
        ck_assert_int_eq(logstore_close(other), 0);
        file = load_file(scratch("other/positions/a"));
        save_file(path_of("a"), file.data, file.size);
        expect_failure(try_get("a", &(uint64_t){ 0 }), -EMEDIUMTYPE);
}
END_TEST

enum put {
        PUT_NOTHING,
        PUT_GARBAGE,
        PUT_HUGE,
        PUT_SYMLINK,
        PUT_FIFO,
        PUT_DIRECTORY,
        PUT_LINK,
        PUT_COUNT,
};

static const struct {
        int get, set, remove;
} answers[PUT_COUNT] = {
        [PUT_NOTHING] = { -EMEDIUMTYPE, -EMEDIUMTYPE, 0 },
        [PUT_GARBAGE] = { -EMEDIUMTYPE, -EMEDIUMTYPE, 0 },
        [PUT_HUGE] = { -EMEDIUMTYPE, -EMEDIUMTYPE, 0 },
        [PUT_SYMLINK] = { -EPERM, -EPERM, 0 },
        [PUT_FIFO] = { -EPERM, -EPERM, 0 },
        [PUT_DIRECTORY] = { -EPERM, -EPERM, -EISDIR },
        [PUT_LINK] = { 0, -EPERM, 0 },
};

static void put(enum put what)
{
        unsigned char garbage[3000];

        memset(garbage, 0xa5, sizeof(garbage));
        ck_assert_int_eq(set_number(store, "a", 3), 0);
        if (what == PUT_LINK) {
                ck_assert_int_eq(link(path_of("a"), scratch("second")), 0);
                return;
        }
        ck_assert_int_eq(rename(path_of("a"), scratch("real")), 0);
        if (what == PUT_SYMLINK)
                ck_assert_int_eq(symlink(scratch("real"), path_of("a")), 0);
        else if (what == PUT_FIFO)
                ck_assert_int_eq(mkfifo(path_of("a"), 0600), 0);
        else if (what == PUT_DIRECTORY)
                ck_assert_int_eq(mkdir(path_of("a"), 0700), 0);
        else
                save_file(path_of("a"), garbage, what == PUT_NOTHING ? 0 : sizeof(garbage));
        if (what == PUT_HUGE)
                ck_assert_int_eq(truncate(path_of("a"), INT64_C(1) << 40), 0);
}

START_TEST(what_is_no_position_is_left_alone)
{
        struct bytes before = { 0 }, after;
        int r;

        begin_filled(9);
        put(_i);
        if (_i == PUT_SYMLINK)
                before = load_file(scratch("real"));
        r = try_get("a", &(uint64_t){ 0 });
        ck_assert_int_eq(r, answers[_i].get);
        expect_failure(set_number(store, "a", 4), answers[_i].set);
        if (_i == PUT_SYMLINK) {
                after = load_file(scratch("real"));
                ck_assert_mem_eq(before.data, after.data, before.size);
        }
        ck_assert_int_eq(set_number(store, "other", 4), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        ck_assert_int_eq(logstore_position_remove(store, "a"), answers[_i].remove);
}
END_TEST

START_TEST(a_folder_that_is_none_is_told)
{
        begin_filled(9);
        if (_i == 0)
                save_file(scratch("store/positions"), "x", 1);
        else
                ck_assert_int_eq(symlink("/tmp", scratch("store/positions")), 0);
        expect_failure(set_number(store, "a", 4), -EPERM);
        expect_failure(try_get("a", &(uint64_t){ 0 }), -EPERM);
        expect_failure(logstore_position_remove(store, "a"), -EPERM);
        reopen_store();
        append_text("more");
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

/* Names that no position has, and what a killed setter left. */
START_TEST(other_names_in_the_folder_are_ignored)
{
        int error = 1;

        begin_filled(9);
        ck_assert_int_eq(set_number(store, "a", 4), 0);
        save_file(path_of(".new.b"), "x", 1);
        save_file(path_of("with space"), "x", 1);
        ck_assert_int_eq(logstore_position_list(store, count_errors, &error), 0);
        ck_assert_int_eq(error, 0);
        ck_assert_int_eq(set_number(store, "c", 4), 0);
        ck_assert(!file_exists(path_of(".new.b")));
        ck_assert(file_exists(path_of("with space")));
}
END_TEST

/* ---- killed setters --------------------------------------------------------------------- */

struct progress {
        _Atomic uint64_t trying, done;
};

static void set_until_killed(struct progress *progress)
{
        struct logstore *own;
        char name[32];

        must(try_open(LOGSTORE_READ_ONLY, &own) == 0);
        for (uint64_t number = atomic_load(&progress->done) + 1;; number++) {
                atomic_store(&progress->trying, number);
                snprintf(name, sizeof(name), "fresh%d", (int)(number % 8));
                must(set_number(own, "a", number) == 0);
                must(set_number(own, name, number) == 0);
                if (number % 3 == 0)
                        must(logstore_position_remove(own, name) == 0);
                atomic_store(&progress->done, number);
        }
}

static int check_one(void *context, const struct logstore_position *position)
{
        const struct progress *progress = context;

        ck_assert_int_eq(position->error, 0);
        ck_assert_uint_le(position->number, progress->trying);
        return 0;
}

/* What was acknowledged is there; what was not is there as a whole or not at all. */
START_TEST(a_killed_setter_leaves_a_whole_position)
{
        struct progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
                                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        uint64_t killed_at_work = 0;

        ck_assert(progress != MAP_FAILED);
        begin_filled(40000);
        ck_assert_int_eq(set_number(store, "a", 1), 0);
        progress->done = progress->trying = 1;
        for (unsigned i = 0; i < 300; i++) {
                pid_t child = fork();
                uint64_t number = 0;
                int status;

                if (child == 0)
                        set_until_killed(progress);
                for (int wait = 0; progress->trying == progress->done && wait < 5000; wait++)
                        sleep_ms(1); /* until it has begun */
                usleep(i * 37 % 3000);
                kill(child, SIGKILL);
                ck_assert_int_eq(waitpid(child, &status, 0), child);
                ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%#x", status);
                killed_at_work += progress->trying > progress->done;
                ck_assert_msg(try_get("a", &number) == 0, "kill %u: %s", i, logstore_detail());
                ck_assert_uint_ge(number, progress->done);
                ck_assert_uint_le(number, progress->trying);
                ck_assert_int_eq(logstore_position_list(store, check_one, progress), 0);
                progress->done = progress->trying = number;
        }
        ck_assert_uint_gt(killed_at_work, 50);
}
END_TEST

/* The writer's end, too, does not hurt a position. */
START_TEST(a_killed_writer_leaves_a_whole_position)
{
        for (uint64_t number = 2; number < 30; number++) {
                pid_t writer = fork();

                if (writer == 0) {
                        must(try_open(LOGSTORE_CREATE | LOGSTORE_NO_THREAD, &store) == 0);
                        must(logstore_append(store, "x", 1, NULL) == 0);
                        must(set_number(store, "a", number) == 0);
                        kill(getpid(), SIGKILL);
                }
                waitpid(writer, NULL, 0);
                open_store(LOGSTORE_READ_ONLY);
                expect_number("a", number);
                close_store();
        }
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_torn_slot_leaves_the_old_position, 3 },
                { one_good_slot_is_enough, 0 },
                { a_forged_slot_is_not_believed, sizeof(forged) / sizeof(forged[0]) },
                { a_position_of_another_store_is_told, 0 },
                { what_is_no_position_is_left_alone, PUT_COUNT },
                { a_folder_that_is_none_is_told, 2 },
                { other_names_in_the_folder_are_ignored, 0 },
                { a_killed_setter_leaves_a_whole_position, 0 },
                { a_killed_writer_leaves_a_whole_position, 0 },
        };

        return RUN_TESTS("positions_files", tests);
}
