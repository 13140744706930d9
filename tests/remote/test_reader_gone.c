/*
 * test_reader_gone.c - readers whose log is cut, trimmed, removed, damaged, or written meanwhile
 */
#include <pthread.h>

#include "reader_support.h"
#include "remote/ship_private.h"

static struct logstore_remote *remote;

static void expect_gone(int got, int want, const char *says)
{
        ck_assert_msg(got == want && strstr(logstore_remote_detail(), says), "%d, not %d: %s", got,
                      want, logstore_remote_detail());
}

/* ---- cut ---- */

static const uint64_t cuts[] = { 199, 150, 100, 1, 0 };

START_TEST(a_log_that_was_cut_is_read_as_it_is_now)
{
        open_store(64 << 10);
        append_many(200);
        ship();
        remote = open_remote(0);
        expect_same_log(remote);
        ck_assert_int_eq(logstore_truncate_after(store, cuts[_i], 0), 0);
        ship();
        expect_ok(logstore_remote_look(remote));
        expect_same_log(remote);
        append_many(50);
        ship();
        expect_ok(logstore_remote_look(remote));
        expect_same_log(remote);
        logstore_remote_close(remote);
        end();
}
END_TEST

/* The numbers are there again, with other records. */
START_TEST(a_cursor_behind_a_cut_is_stale_and_one_before_it_goes_on)
{
        struct logstore_remote_cursor *before, *behind;
        struct logstore_record record;

        open_store(64 << 10);
        append_many(200);
        ship();
        remote = open_remote(0);
        before = open_cursor(remote);
        behind = open_cursor(remote);
        expect_ok(logstore_remote_cursor_seek(before, 90));
        expect_ok(logstore_remote_cursor_seek(behind, 110));
        expect_ok(logstore_remote_cursor_next(behind, &record));
        ck_assert_int_eq(logstore_truncate_after(store, 100, 0), 0);
        append_many(100);
        ship();
        expect_ok(logstore_remote_look(remote));
        expect_gone(logstore_remote_cursor_next(behind, &record), -ESTALE, "cut off");
        expect_gone(logstore_remote_cursor_prev(behind, &record), -ESTALE, "cut off");
        ck_assert_uint_eq(logstore_remote_cursor_position(behind), 111);
        for (uint64_t number = 90; number <= 200; number++) {
                expect_ok(logstore_remote_cursor_next(before, &record));
                ck_assert_uint_eq(record.number, number);
        }
        expect(logstore_remote_cursor_next(before, &record), -EAGAIN);
        expect_ok(logstore_remote_cursor_seek(behind, 150));
        expect_ok(logstore_remote_cursor_prev(behind, &record));
        ck_assert_uint_eq(record.number, 149);
        logstore_remote_cursor_close(before);
        logstore_remote_cursor_close(behind);
        logstore_remote_close(remote);
        end();
}
END_TEST

/* The checkpoint has what was cut off behind it. A list alone must show that. */
START_TEST(what_was_cut_behind_a_checkpoint_is_not_given)
{
        char buffer[4000];
        struct logstore_record record;

        open_store(64 << 10);
        for (int i = 0; i < 100; i++) {
                append_many(20);
                ship();
        }
        ck_assert_uint_ge(shipper->last.checkpoint_number, 1000);
        ck_assert_int_eq(logstore_truncate_after(store, 900, 0), 0);
        ship();
        if (_i == 1) {
                append(7, 'n');
                ck_assert_int_eq(logstore_sync(store, 0), 0);
                ship();
        }
        remote = open_remote(0);
        if (_i == 0) {
                expect_gone(logstore_remote_get(remote, 901, buffer, sizeof(buffer), &record),
                            -EAGAIN, "no record 901");
        } else {
                expect_ok(logstore_remote_get(remote, 901, buffer, sizeof(buffer), &record));
                ck_assert_uint_eq(record.size, 7);
        }
        logstore_remote_close(remote);
        remote = open_remote(0);
        expect_same_log(remote);
        logstore_remote_close(remote);
        end();
}
END_TEST

/* ---- removed ---- */

static void age(const char *folder)
{
        const struct timespec old[2] = { { time(NULL) - 10000, 0 }, { time(NULL) - 10000, 0 } };
        DIR *names = opendir(path("bucket/%s", folder));
        struct dirent *name;

        ck_assert_ptr_nonnull(names);
        while ((name = readdir(names)))
                utimensat(dirfd(names), name->d_name, old, 0);
        closedir(names);
}

static void remove_old(void)
{
        age("c");
        age("seg");
        shipper->collect_ns = 0;
        append_many(1);
        ship();
}

/* Tails become objects, and then go. */
START_TEST(what_was_removed_since_the_look_is_found_anew)
{
        struct logstore_remote_cursor *cursor;
        struct logstore_record record;
        unsigned gone = 0;

        open_store(64 << 10);
        append_many(3);
        ship();
        for (int i = 0; i < 5; i++) { /* tails */
                append_many(3);
                ship();
        }
        remote = open_remote(0);
        cursor = open_cursor(remote);
        expect_ok(logstore_remote_cursor_next(cursor, &record));
        for (int i = 0; i < 150; i++) {
                append_many(20);
                ship();
        }
        remove_old();
        for (int i = 0; i < 17; i++) {
                expect_ok(logstore_remote_cursor_next(cursor, &record));
                ck_assert_uint_eq(record.number, (uint64_t)i + 2);
        }
        for (uint64_t seq = 1; seq < 8; seq++) {
                char name[COMMIT_NAME_BYTES];

                commit_name(name, seq);
                gone += access(path("bucket/%s", name), F_OK) != 0;
        }
        ck_assert_uint_ge(gone, 5);
        logstore_remote_cursor_close(cursor);
        expect_same_log(remote);
        logstore_remote_close(remote);
        end();
}
END_TEST

/* ---- damaged ---- */

static const struct {
        const char *folder;
        bool missing;
        const char *says;
} harms[] = {
        { "seg", false, "record" },
        { "seg", true, "seg/" },
        { "c", false, "c/" },
        { "c", true, "c/" },
};

/* The oldest object; of commits the newest tail but one. */
static void harm(int which)
{
        char name[300];

        if (strcmp(harms[which].folder, "seg") == 0)
                pick("seg", 0, name);
        else
                snprintf(name, sizeof(name), "c/%016" PRIu64,
                         COMMIT_SEQ_MAX - (shipper->last.seq - 1));
        if (harms[which].missing)
                ck_assert_int_eq(unlink(path("bucket/%s", name)), 0);
        else
                spoil(name, strcmp(harms[which].folder, "seg") == 0 && !compress ? 5000 : 900);
}

START_TEST(damage_is_told_and_all_else_is_read)
{
        struct logstore_remote_cursor *cursor;
        struct logstore_record record;
        uint64_t given = 0, refused = 0;
        int r = 0;

        open_store(64 << 10);
        append_many(200);
        ship();
        append_many(8);
        ship();
        append_many(8);
        ship();
        harm(_i);
        remote = open_remote(0);
        cursor = open_cursor(remote);
        while (r == 0)
                r = logstore_remote_cursor_next(cursor, &record);
        expect_gone(r, -EBADMSG, harms[_i].says);
        expect_gone(logstore_remote_cursor_next(cursor, &record), -EBADMSG, harms[_i].says);
        for (uint64_t number = 1; number <= 216; number++) {
                r = logstore_remote_cursor_get(cursor, number, &record);
                ck_assert_msg(r == 0 || r == -EBADMSG, "%d: %s", r, logstore_remote_detail());
                *(r == 0 ? &given : &refused) += 1;
        }
        ck_assert_uint_ge(given, 80);
        ck_assert_uint_ge(refused, 1);
        logstore_remote_cursor_close(cursor);
        logstore_remote_close(remote);
        end();
}
END_TEST

static const char *first_object(void)
{
        static char name[300];
        struct dirent **names;
        int count = scandir(path("bucket/seg"), &names, NULL, alphasort);

        ck_assert_int_gt(count, 2);
        snprintf(name, sizeof(name), "seg/%s", names[2]->d_name);
        while (count > 0)
                free(names[--count]);
        free(names);
        return name;
}

struct told {
        unsigned faults;
        uint64_t number;
        char file[300], what[500];
};

static void take_fault(void *context, const struct logstore_fault *fault)
{
        struct told *told = context;

        told->faults++;
        told->number = fault->number;
        snprintf(told->file, sizeof(told->file), "%s", fault->file);
        snprintf(told->what, sizeof(told->what), "%s", fault->what);
}

START_TEST(verify_tells_what_is_wrong)
{
        struct told told = { 0 };
        const struct logstore_verify_hooks hooks = { .fault = take_fault, .context = &told };
        struct logstore_verify_report report = { 0 };
        bool quick = _i >= CASES(harms);
        int which = _i % CASES(harms);

        open_store(64 << 10);
        append_many(200);
        add_voids();
        ship();
        append_many(8);
        ship();
        append_many(8);
        ship();
        remote = open_remote(0);
        expect_ok(
                logstore_remote_verify(remote, quick ? LOGSTORE_REMOTE_QUICK : 0, &hooks, &report));
        ck_assert_uint_eq(told.faults, 0);
        ck_assert_uint_eq(report.records, quick ? 0 : 216);
        ck_assert_uint_eq(report.voids, quick ? 0 : 3);
        harm(which);
        logstore_remote_close(remote); /* with what it has in its cache */
        remote = open_remote(0);
        if (quick && !harms[which].missing) {
                expect_ok(logstore_remote_verify(remote, LOGSTORE_REMOTE_QUICK, &hooks, NULL));
        } else {
                expect(logstore_remote_verify(remote, quick ? LOGSTORE_REMOTE_QUICK : 0, &hooks,
                                              &report),
                       -EBADMSG);
                ck_assert_msg(told.faults == 1 && told.number > 0 &&
                                      strncmp(told.file, harms[which].folder,
                                              strlen(harms[which].folder)) == 0,
                              "%u faults: %s: %" PRIu64 ": %s", told.faults, told.file, told.number,
                              told.what);
        }
        logstore_remote_close(remote);
        end();
}
END_TEST

/* Whatever is damaged or missing, objects and tails: afterwards all is well again. */
START_TEST(a_shipper_puts_again_what_is_damaged)
{
        struct logstore_ship_options options = LOGSTORE_SHIP_OPTIONS_INIT;
        struct logstore_ship_report report = { .struct_bytes = sizeof(report) };
        int r;

        compress = _i / CASES(harms) * 3u;
        open_store(64 << 10);
        append_many(200);
        ship();
        append_many(8);
        ship();
        append_many(8);
        ship();
        harm(_i % CASES(harms));
        remote = open_remote(0);
        expect(logstore_remote_verify(remote, 0, NULL, NULL), -EBADMSG);
        logstore_remote_close(remote);
        logstore_ship_close(shipper);
        options.flags = LOGSTORE_SHIP_REPAIR;
        options.compress = compress;
        expect_ok(logstore_ship_open(path("store"), url(), NULL, &options, &shipper));
        expect_ok(logstore_ship_start(shipper));
        r = logstore_ship_round(shipper);
        ck_assert_msg(r == 0, "%d: %s", r, logstore_remote_detail());
        expect_ok(logstore_ship_tell(shipper, &report));
        ck_assert_uint_eq(report.damaged, 1);
        remote = open_remote(0);
        expect_ok(logstore_remote_verify(remote, 0, NULL, NULL));
        expect_same_log(remote);
        logstore_remote_close(remote);
        append_many(3);
        ship();
        end();
}
END_TEST

START_TEST(what_is_damaged_there_and_trimmed_here_is_told)
{
        struct logstore_ship_options options = LOGSTORE_SHIP_OPTIONS_INIT;
        char name[300];

        open_store(64 << 10);
        append_many(300);
        ship();
        ck_assert_int_eq(logstore_trim_before(store, 200, NULL), 0);
        pick("seg", 0, name);
        spoil(name, 5000); /* of a segment that is here */
        snprintf(name, sizeof(name), "%s", first_object());
        spoil(name, 5000); /* of one that is not */
        logstore_ship_close(shipper);
        options.flags = LOGSTORE_SHIP_REPAIR;
        expect_ok(logstore_ship_open(path("store"), url(), NULL, &options, &shipper));
        expect_ok(logstore_ship_start(shipper));
        expect_gone(logstore_ship_round(shipper), -ENODATA, "segment 1, records 1..");
        remote = open_remote(0);
        expect(logstore_remote_verify(remote, 0, NULL, NULL), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(logstore_remote_detail(), " 1 faults"));
        logstore_remote_close(remote);
        end();
}
END_TEST

/* No frame is there, so no reader cares. A fetch would. */
START_TEST(verify_sees_damage_between_the_frames)
{
        struct told told = { 0 };
        const struct logstore_verify_hooks hooks = { .fault = take_fault, .context = &told };
        char name[300];

        open_store(64 << 10);
        append_many(200);
        ship();
        pick("seg", 0, name);
        spoil(name, 2000);
        remote = open_remote(0);
        expect(logstore_remote_verify(remote, 0, &hooks, NULL), -EBADMSG);
        ck_assert_uint_eq(told.faults, 1);
        ck_assert_str_eq(told.file, name);
        ck_assert_ptr_nonnull(strstr(told.what, "checksum"));
        logstore_remote_close(remote);
        end();
}
END_TEST

/* Whatever bytes are other ones: no record is given that was not appended. */
START_TEST(a_hostile_bucket_gives_no_wrong_record)
{
        unsigned seed = (unsigned)_i * 7919 + 1;
        struct logstore_cursor *here;
        static const char *const folders[] = { "c", "seg" };

        compress = _i % 2 * 3u;
        open_store(64 << 10);
        for (int i = 0; i < 25; i++) {
                append_many(40);
                ship();
        }
        ck_assert_int_eq(logstore_cursor_open(store, 0, &here), 0);
        for (int i = 0; i < 10; i++) {
                char name[300];
                struct stat st;
                struct logstore_remote_cursor *cursor;
                struct logstore_record left, right;
                off_t at;

                pick(folders[rand_r(&seed) % 2], (unsigned)rand_r(&seed) % 10, name);
                ck_assert_int_eq(stat(path("bucket/%s", name), &st), 0);
                at = rand_r(&seed) % (rand_r(&seed) % 2 || st.st_size < 632 ? st.st_size : 632);
                spoil(name, at);
                if (logstore_remote_open(url(), NULL, NULL, &remote) == 0) {
                        cursor = open_cursor(remote);
                        while (logstore_remote_cursor_next(cursor, &right) == 0) {
                                ck_assert_int_eq(logstore_cursor_get(here, right.number, &left), 0);
                                expect_same(&left, &right);
                        }
                        logstore_remote_cursor_seek(cursor, UINT64_MAX);
                        while (logstore_remote_cursor_prev(cursor, &right) == 0) {
                                ck_assert_int_eq(logstore_cursor_get(here, right.number, &left), 0);
                                expect_same(&left, &right);
                        }
                        logstore_remote_verify(remote, 0, NULL, NULL);
                        logstore_remote_cursor_close(cursor);
                        logstore_remote_close(remote);
                }
                spoil(name, at); /* back again */
        }
        logstore_cursor_close(here);
        end();
}
END_TEST

/* ---- beside a shipper ---- */

static void *ship_on(void *context)
{
        (void)context;
        for (int i = 0; i < 100; i++) {
                append_many(7);
                ship();
        }
        return NULL;
}

START_TEST(a_follower_has_each_record_once)
{
        struct logstore_remote_cursor *cursor;
        struct logstore_record record;
        pthread_t thread;

        open_store(64 << 10);
        append_many(1);
        ship();
        remote = open_remote(0);
        cursor = open_cursor(remote);
        ck_assert_int_eq(pthread_create(&thread, NULL, ship_on, NULL), 0);
        for (uint64_t number = 1; number <= 701;) {
                int r = logstore_remote_cursor_next(cursor, &record);

                if (r == -EAGAIN) {
                        expect_ok(logstore_remote_cursor_wait(cursor, 10000));
                        continue;
                }
                expect_ok(r);
                ck_assert_uint_eq(record.number, number++);
        }
        pthread_join(thread, NULL);
        expect(logstore_remote_cursor_wait(cursor, 20), -ETIMEDOUT);
        logstore_remote_cursor_close(cursor);
        expect_same_log(remote);
        logstore_remote_close(remote);
        end();
}
END_TEST

START_TEST(an_empty_bucket_and_an_empty_log_are_told_apart)
{
        struct logstore_remote_cursor *cursor;
        struct logstore_record record;
        struct logstore_bounds bounds;

        mkdir(path("bucket"), 0700);
        expect(logstore_remote_open(url(), NULL, NULL, &remote), -ENODATA);
        open_store(64 << 10);
        ship();
        remote = open_remote(0);
        cursor = open_cursor(remote);
        expect_ok(logstore_remote_bounds(remote, &bounds));
        ck_assert_uint_eq(bounds.first, 1);
        ck_assert_uint_eq(bounds.tail, 0);
        expect(logstore_remote_cursor_next(cursor, &record), -EAGAIN);
        expect(logstore_remote_cursor_prev(cursor, &record), -EAGAIN);
        expect_ok(logstore_remote_cursor_seek_time(cursor, 5));
        append_many(3);
        ship();
        expect_ok(logstore_remote_cursor_wait(cursor, 1000));
        expect_ok(logstore_remote_cursor_next(cursor, &record));
        ck_assert_uint_eq(record.number, 1);
        logstore_remote_cursor_close(cursor);
        logstore_remote_close(remote);
        end();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_log_that_was_cut_is_read_as_it_is_now, CASES(cuts) },
                { a_cursor_behind_a_cut_is_stale_and_one_before_it_goes_on, 0 },
                { what_was_cut_behind_a_checkpoint_is_not_given, 2 },
                { what_was_removed_since_the_look_is_found_anew, 0 },
                { damage_is_told_and_all_else_is_read, CASES(harms) },
                { verify_tells_what_is_wrong, 2 * CASES(harms) },
                { a_shipper_puts_again_what_is_damaged, 2 * CASES(harms) },
                { what_is_damaged_there_and_trimmed_here_is_told, 0 },
                { verify_sees_damage_between_the_frames, 0 },
                { a_hostile_bucket_gives_no_wrong_record, 10 },
                { a_follower_has_each_record_once, 0 },
                { an_empty_bucket_and_an_empty_log_are_told_apart, 0 },
        };

        return RUN_TESTS("reader_gone", tests);
}
