/*
 * test_ship.c - what is shipped is fetched, whatever replies are lost and whoever else ships
 *
 * Linked with --wrap of bucket_put_new and bucket_get, to lose requests and replies, and to let
 * something happen before a commit is created; and of logstore_extents, to let it happen between
 * two looks.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <time.h>

#include "logstore-remote.h"
#include "remote/ship_private.h"
#include "segment/hash.h"
#include "support.h"

int __real_bucket_put_new(struct bucket *bucket, const char *name,
                          const struct bucket_source *source, struct bucket_reply *ret_reply);
int __wrap_bucket_put_new(struct bucket *bucket, const char *name,
                          const struct bucket_source *source, struct bucket_reply *ret_reply);
int __real_bucket_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                      const struct bucket_sink *sink, struct bucket_reply *ret_reply);
int __wrap_bucket_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                      const struct bucket_sink *sink, struct bucket_reply *ret_reply);

int __real_logstore_extents(struct logstore *reader, uint64_t from_id,
                            int (*each)(void *context, const struct logstore_extent *),
                            void *context);
int __wrap_logstore_extents(struct logstore *reader, uint64_t from_id,
                            int (*each)(void *context, const struct logstore_extent *),
                            void *context);

int __real_bucket_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
                      struct bucket_reply *ret_reply);
int __wrap_bucket_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
                      struct bucket_reply *ret_reply);

static struct logstore *store;
static void (*before_commit)(void);       /* the next one; once */
static unsigned lose_request, lose_reply; /* each so many creations; 0: none */
static void (*before_put)(void);          /* of the next object; once */
static bool no_puts;                      /* they get no answer */
static bool versioned;                    /* creates again what is there */
static _Atomic int gets_left = -1;        /* until one is refused; -1: none is */

int __wrap_bucket_put_new(struct bucket *bucket, const char *name,
                          const struct bucket_source *source, struct bucket_reply *ret_reply)
{
        static unsigned calls;
        int r;

        if (before_commit && strncmp(name, COMMIT_PREFIX, strlen(COMMIT_PREFIX)) == 0) {
                void (*happen)(void) = before_commit;

                before_commit = NULL;
                happen();
        }
        calls++;
        if (lose_request && calls % lose_request == 0)
                return remote_detail(-EAGAIN, "the request was lost");
        if (versioned)
                bucket_remove(bucket, name, NULL);
        r = __real_bucket_put_new(bucket, name, source, ret_reply);
        if (lose_reply && calls % lose_reply == 0)
                return remote_detail(-EAGAIN, "the reply was lost");
        return r;
}

int __wrap_bucket_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
                      struct bucket_reply *ret_reply)
{
        void (*happen)(void) = before_put;

        before_put = NULL;
        if (happen)
                happen();
        if (no_puts)
                return remote_detail(-EAGAIN, "the request was lost");
        return __real_bucket_put(bucket, name, source, ret_reply);
}

int __wrap_bucket_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                      const struct bucket_sink *sink, struct bucket_reply *ret_reply)
{
        if (gets_left >= 0 && gets_left-- == 0)
                return remote_detail(-EACCES, "%s: no more", name);
        return __real_bucket_get(bucket, name, offset, size, sink, ret_reply);
}

static void (*after_look)(void); /* at one segment */
static int (*each_extent)(void *context, const struct logstore_extent *extent);

static int watch_extent(void *context, const struct logstore_extent *extent)
{
        int r = each_extent(context, extent);

        if (after_look)
                after_look();
        return r;
}

int __wrap_logstore_extents(struct logstore *reader, uint64_t from_id,
                            int (*each)(void *context, const struct logstore_extent *),
                            void *context)
{
        each_extent = each;
        return __real_logstore_extents(reader, from_id, watch_extent, context);
}

/* ---- a store and its records ---- */

static void open_store(const char *name)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = UINT64_C(64) << 10;
        ck_assert_int_eq(logstore_open(path("%s", name), &options, &store), 0);
}

static void append(size_t size, char with)
{
        char *bytes = malloc(size + 1);

        memset(bytes, with, size);
        ck_assert_int_eq(logstore_append(store, bytes, size, NULL), 0);
        free(bytes);
}

static void append_many(unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                append(i * 37 % 3000, (char)('a' + i % 26));
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

/* Both logs have the same numbers, times and bytes, voids too. */
static void expect_same(const char *left, const char *right)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        static const char *const empty = "";
        struct logstore *stores[2];
        struct logstore_cursor *cursors[2];
        struct logstore_record records[2];
        int r[2];

        options.flags = LOGSTORE_READ_ONLY;
        for (int i = 0; i < 2; i++) {
                ck_assert_int_eq(logstore_open(i ? right : left, &options, &stores[i]), 0);
                ck_assert_int_eq(logstore_cursor_open(stores[i], 0, &cursors[i]), 0);
        }
        do {
                for (int i = 0; i < 2; i++) {
                        r[i] = logstore_cursor_next(cursors[i], &records[i]);
                        if (r[i] == 0 && records[i].size == 0)
                                records[i].data = empty;
                }
                ck_assert_msg(r[0] == r[1], "%d and %d: %s", r[0], r[1], logstore_detail());
                if (r[0] == 0) {
                        ck_assert_uint_eq(records[0].number, records[1].number);
                        ck_assert_int_eq(records[0].time_ns, records[1].time_ns);
                        ck_assert_uint_eq(records[0].size, records[1].size);
                        ck_assert_mem_eq(records[0].data, records[1].data, records[0].size);
                }
        } while (r[0] == 0);
        ck_assert_int_eq(r[0], -EAGAIN);
        for (int i = 0; i < 2; i++) {
                logstore_cursor_close(cursors[i]);
                ck_assert_int_eq(logstore_close(stores[i]), 0);
        }
}

/* ---- ship and fetch ---- */

static const char *url(void)
{
        static char text[600];

        snprintf(text, sizeof(text), "file:%s", path("bucket"));
        return text;
}

static struct logstore_ship *open_ship(const char *name)
{
        struct logstore_ship_options options = LOGSTORE_SHIP_OPTIONS_INIT;
        struct logstore_ship *ship = NULL;
        int r;

        options.flags = LOGSTORE_SHIP_TAKEOVER;
        r = logstore_ship_open(path("%s", name), url(), NULL, &options, &ship);
        ck_assert_msg(r == 0, "%d: %s", r, logstore_remote_detail());
        return ship;
}

static int ship(const char *name)
{
        struct logstore_ship *shipper = open_ship(name);
        int r = logstore_ship_start(shipper);

        if (r == 0)
                r = logstore_ship_round(shipper);
        logstore_ship_close(shipper);
        return r;
}

static int fetch(const char *name, struct logstore_fetch_report *ret)
{
        struct logstore_fetch_report report = { .struct_bytes = sizeof(report) };
        int r = logstore_fetch(url(), path("%s", name), NULL, NULL, &report);

        if (ret)
                *ret = report;
        return r;
}

static void expect_fetched_same(const char *store_name, const char *name)
{
        expect_ok(fetch(name, NULL));
        ck_assert_int_eq(logstore_verify(path("%s", name), NULL, NULL), 0);
        expect_same(path("%s", store_name), path("%s", name));
}

static unsigned count_objects(const char *folder)
{
        DIR *names = opendir(path("bucket/%s", folder));
        unsigned count = 0;

        if (names)
                while (readdir(names))
                        count++;
        if (names)
                closedir(names);
        return count ? count - 2 : 0;
}

static void make_bucket(void)
{
        ck_assert_int_eq(mkdir(path("bucket"), 0700), 0);
}

/* ---- the same log ---- */

static void add_voids(void)
{
        struct logstore_claim claim;

        for (int i = 0; i < 3; i++) {
                ck_assert_int_eq(logstore_claim(store, 100, &claim), 0);
                ck_assert_int_eq(logstore_abort(store, &claim), 0);
        }
}

static void add_batch(void)
{
        struct logstore_entry entries[50];

        for (int i = 0; i < 50; i++)
                entries[i] = (struct logstore_entry){ "batch", 5, 1000 + i };
        ck_assert_int_eq(logstore_append_batch(store, entries, 50, NULL), 0);
}

START_TEST(what_is_shipped_is_fetched)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(200);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (int i = 0; i < 20; i++) { /* sealed, begun, nothing new */
                expect_ok(logstore_ship_round(shipper));
                if (i % 3 == 0)
                        add_voids();
                if (i % 4 == 0)
                        add_batch();
                if (i % 2 == 0)
                        append_many(17);
                ck_assert_int_eq(logstore_sync(store, 0), 0);
        }
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* A batch that no tail can hold. */
START_TEST(a_large_record_goes_as_an_object)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        make_bucket();
        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        ck_assert_int_eq(logstore_open(path("store"), &options, &store), 0);
        append(100, 'x');
        append((size_t)9 << 20, 'y');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        expect_ok(ship("store"));
        append(100, 'z');
        append((size_t)3 << 20, 'y'); /* more than a window */
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        expect_ok(ship("store"));
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(what_is_not_durable_is_not_shipped)
{
        struct logstore_fetch_report report;

        make_bucket();
        open_store("store");
        append_many(10);
        append(10, 'x');
        expect_ok(ship("store"));
        expect_ok(fetch("copy", &report));
        ck_assert_uint_eq(report.end.number, 10);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static const struct {
        unsigned request, reply;
} losses[] = { { 2, 0 }, { 0, 2 }, { 3, 0 }, { 0, 3 }, { 3, 5 } };

START_TEST(lost_requests_and_replies_lose_and_double_nothing)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(60);
        lose_request = losses[_i].request;
        lose_reply = losses[_i].reply;
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (int i = 0; i < 5; i++) {
                expect_ok(logstore_ship_round(shipper));
                append_many(7);
        }
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- two shippers ---- */

START_TEST(who_is_overtaken_stops_and_says_so)
{
        struct logstore_ship *first, *second;

        make_bucket();
        open_store("store");
        append_many(30);
        first = open_ship("store");
        second = open_ship("store");
        expect_ok(logstore_ship_start(first));
        expect_ok(logstore_ship_round(first));
        expect_ok(logstore_ship_start(second));
        append_many(3);
        expect(logstore_ship_round(first), -EPIPE);
        ck_assert_ptr_nonnull(strstr(logstore_remote_detail(), "has taken over"));
        expect_ok(logstore_ship_round(second));
        expect_ok(logstore_ship_start(first)); /* and back again */
        append_many(3);
        expect(logstore_ship_round(second), -EPIPE);
        expect_ok(logstore_ship_round(first));
        logstore_ship_close(first);
        logstore_ship_close(second);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static struct logstore_ship *other;

static void other_takes_over(void)
{
        expect_ok(logstore_ship_start(other));
        append_many(20);
        expect_ok(logstore_ship_round(other));
}

/* The name that the sleeper is about to create was used and removed meanwhile. */
static void other_goes_far_beyond(void)
{
        other_takes_over();
        for (uint64_t seq = 1; seq < other->last.seq; seq++) {
                char name[COMMIT_NAME_BYTES];

                commit_name(name, seq);
                unlink(path("bucket/%s", name));
        }
}

/* The first shipper sleeps right before its commit is created, and wakes to another's log. */
START_TEST(a_sleeper_is_told)
{
        struct logstore_ship *sleeper;
        struct logstore_ship_report report = { .struct_bytes = sizeof(report) };
        int r;

        make_bucket();
        open_store("store");
        append_many(30);
        sleeper = open_ship("store");
        other = open_ship("store");
        expect_ok(logstore_ship_start(sleeper));
        expect_ok(logstore_ship_round(sleeper));
        append_many(1);
        before_commit = _i == 0 ? other_takes_over : other_goes_far_beyond;
        if (_i == 1) /* as the server's clock would tell */
                sleeper->confirmed.server_ns -= 2 * CONFIRMED_SERVER_NS;
        r = logstore_ship_round(sleeper);
        expect_ok(logstore_ship_tell(sleeper, &report));
        if (_i == 0)
                expect(r, -EPIPE);
        else /* what it created does not count: it looks anew, and takes over in earnest */
                ck_assert_msg(r == 0 && report.term > other->last.term, "%d: %s", r,
                              logstore_remote_detail());
        expect_ok(ship("store"));
        logstore_ship_close(sleeper);
        logstore_ship_close(other);
        if (_i == 0)
                expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- refused ---- */

START_TEST(a_bucket_that_creates_twice_is_refused)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(3);
        shipper = open_ship("store");
        if (_i == 0) {
                versioned = true;
                expect(logstore_ship_start(shipper), -EOPNOTSUPP);
        } else { /* switched on later: the second creation of the claim shows it */
                expect_ok(logstore_ship_start(shipper));
                versioned = true;
                expect(ship_take_over(shipper), -EOPNOTSUPP);
        }
        ck_assert_ptr_nonnull(strstr(logstore_remote_detail(), "twice"));
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(another_stores_log_is_refused)
{
        make_bucket();
        open_store("store");
        append_many(3);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("second");
        append_many(3);
        expect(ship("second"), -EMEDIUMTYPE);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static void copy_store(const char *from, const char *to)
{
        char command[1200];

        snprintf(command, sizeof(command), "cp -a %s %s", path("%s", from), path("%s", to));
        ck_assert_int_eq(system(command), 0);
}

/* Two copies of one store go on by themselves. The second one may be the shorter or the longer. */
START_TEST(a_diverged_copy_is_refused)
{
        make_bucket();
        open_store("store");
        append_many(40);
        if (_i % 2)
                expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
        copy_store("store", "copy");
        open_store("store");
        append_many(_i / 2 ? 3 : 50);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("copy");
        append_many(20);
        expect(ship("copy"), -EILSEQ);
        ck_assert_ptr_nonnull(strstr(logstore_remote_detail(), "diverged"));
        if (_i == 2) /* nor does a cut excuse it: that end was never this copy's */
                ck_assert_int_eq(logstore_truncate_after(store, 30, 0), 0);
        expect(ship("copy"), -EILSEQ);
        ck_assert_int_eq(logstore_close(store), 0);
        expect_fetched_same("store", "fetched");
}
END_TEST

/* ---- truncated and trimmed ---- */

static const uint64_t cuts[] = { 199, 190, 100, 1, 0 };

START_TEST(a_truncated_log_is_shipped_from_the_cut_on)
{
        struct logstore_ship *shipper = NULL;

        make_bucket();
        open_store("store");
        append_many(200);
        if (_i % 2) { /* while it ships, or by one who comes later */
                shipper = open_ship("store");
                expect_ok(logstore_ship_start(shipper));
                expect_ok(logstore_ship_round(shipper));
        } else {
                expect_ok(ship("store"));
        }
        ck_assert_int_eq(logstore_truncate_after(store, cuts[_i / 2], 0), 0);
        append_many(33);
        expect_ok(shipper ? logstore_ship_round(shipper) : ship("store"));
        append_many(5);
        expect_ok(shipper ? logstore_ship_round(shipper) : ship("store"));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(nothing_is_trimmed_before_it_is_shipped)
{
        struct logstore_bounds bounds;

        make_bucket();
        open_store("store");
        append_many(100);
        expect_ok(ship("store"));
        append_many(200);
        ck_assert_int_eq(logstore_trim_before(store, 250, NULL), -EBUSY);
        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        ck_assert_uint_eq(bounds.first, 1);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_trim_before(store, 250, NULL), 0);
        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        ck_assert_uint_gt(bounds.first, 200);
        append_many(10);
        expect_ok(ship("store")); /* what was trimmed here stays there */
        expect_ok(fetch("copy", NULL));
        ck_assert_int_eq(logstore_verify(path("copy"), NULL, NULL), 0);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- checkpoints, and what is removed ---- */

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

START_TEST(what_nobody_needs_is_removed)
{
        struct logstore_ship *shipper;
        unsigned commits;

        make_bucket();
        open_store("store");
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (int i = 0; i < 150; i++) {
                append_many(20);
                expect_ok(logstore_ship_round(shipper));
        }
        ck_assert_uint_ne(shipper->last.checkpoint_seq, 0);
        commits = count_objects("c");
        age("c");
        age("seg");
        shipper->collect_ns = 0;
        append_many(1);
        expect_ok(logstore_ship_round(shipper));
        ck_assert_uint_lt(count_objects("c"), commits - 50);
        expect_fetched_same("store", "copy");
        logstore_ship_close(shipper);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- fetches ---- */

START_TEST(a_fetch_that_ended_early_goes_on)
{
        struct logstore_fetch_report report;

        make_bucket();
        open_store("store");
        append_many(300);
        expect_ok(ship("store"));
        gets_left = 5;
        expect(fetch("copy", NULL), -EACCES);
        gets_left = -1;
        ck_assert_int_ne(access(path("copy"), F_OK), 0);
        expect_ok(fetch("copy", &report));
        ck_assert_uint_gt(report.kept_bytes, 0);
        ck_assert_int_eq(logstore_verify(path("copy"), NULL, NULL), 0);
        expect_same(path("store"), path("copy"));
        expect(fetch("copy", NULL), -EEXIST);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static void spoil(const char *folder, bool remove_it)
{
        DIR *names = opendir(path("bucket/%s", folder));
        struct dirent *name;
        char victim[300] = "";

        ck_assert_ptr_nonnull(names);
        while ((name = readdir(names)))
                if (name->d_name[0] != '.' && strcmp(name->d_name, victim) > 0)
                        snprintf(victim, sizeof(victim), "%s", name->d_name);
        closedir(names);
        if (remove_it) {
                ck_assert_int_eq(unlink(path("bucket/%s/%s", folder, victim)), 0);
        } else {
                int fd = open(path("bucket/%s/%s", folder, victim), O_RDWR);
                char byte;

                ck_assert_int_eq(pread(fd, &byte, 1, 5000), 1);
                byte = (char)~byte;
                ck_assert_int_eq(pwrite(fd, &byte, 1, 5000), 1);
                close(fd);
        }
}

START_TEST(a_damaged_or_missing_object_is_told)
{
        make_bucket();
        open_store("store");
        append_many(200);
        expect_ok(ship("store"));
        spoil("seg", _i);
        expect(fetch("copy", NULL), -EBADMSG);
        ck_assert_msg(strstr(logstore_remote_detail(), _i ? "missing" : "checksum"), "%s",
                      logstore_remote_detail());
        ck_assert_int_ne(access(path("copy"), F_OK), 0);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(two_fetches_to_one_place_do_not_mix)
{
        int fd;

        make_bucket();
        open_store("store");
        append_many(20);
        expect_ok(ship("store"));
        ck_assert_int_eq(mkdir(path("copy.fetch"), 0700), 0);
        fd = open(path("copy.fetch"), O_RDONLY | O_DIRECTORY);
        ck_assert_int_eq(flock(fd, LOCK_EX), 0); /* as a fetch at work */
        expect(fetch("copy", NULL), -EBUSY);
        close(fd);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(an_empty_bucket_has_no_log)
{
        make_bucket();
        expect(fetch("copy", NULL), -ENODATA);
}
END_TEST

/* ---- cut, and nothing behind it ---- */

START_TEST(a_cut_without_records_behind_it_is_fetched)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(200);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        ck_assert_int_eq(logstore_truncate_after(store, cuts[_i / 3], 0), 0);
        if (_i % 3 == 0)
                expect_ok(logstore_ship_round(shipper));
        else if (_i % 3 == 1)
                expect_ok(ship("store"));
        else /* it claims, and is killed */
                expect_ok(logstore_ship_start(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(an_emptied_log_goes_on_elsewhere)
{
        make_bucket();
        open_store("store");
        append_many(200);
        expect_ok(ship("store"));
        copy_store("store", "before");
        ck_assert_int_eq(logstore_truncate_after(store, 0, 1000), 0);
        if (_i)
                append_many(10);
        expect_ok(ship("store"));
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("copy"); /* which goes on */
        append_many(2);
        expect_ok(ship("copy"));
        ck_assert_int_eq(logstore_close(store), 0);
        expect_fetched_same("copy", "copy of the copy");
        open_store("before");
        append_many(2);
        expect(ship("before"), -EILSEQ);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(what_is_trimmed_before_the_first_commit_is_not_missed)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        if (_i)
                append_many(50);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        append_many(300);
        ck_assert_int_eq(logstore_trim_before(store, 200, NULL), 0);
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- a log that changes between two looks ---- */

static unsigned looks;

static void go_on_between(void)
{
        if (looks++ < 20)
                append_many(50);
}

static void fetch_now_and_then(void)
{
        char name[32];

        snprintf(name, sizeof(name), "copy.%u", looks++);
        expect_ok(fetch(name, NULL));
        ck_assert_int_eq(logstore_verify(path("%s", name), NULL, NULL), 0);
        before_commit = fetch_now_and_then;
}

START_TEST(a_log_that_goes_on_between_two_looks_has_no_gap)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(10);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        after_look = go_on_between;
        before_commit = fetch_now_and_then;
        expect_ok(logstore_ship_round(shipper));
        after_look = NULL;
        before_commit = NULL;
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- checkpoints that no commit names ---- */

/* A run that makes one commit puts a checkpoint behind it, which the next run's commits name. */
START_TEST(a_checkpoint_that_commits_name_is_not_removed)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (int i = 0; i < 40; i++) {
                append_many(60);
                expect_ok(logstore_ship_round(shipper));
        }
        ck_assert_uint_ne(shipper->last.checkpoint_seq, 0);
        logstore_ship_close(shipper);
        append_many(100);
        expect_ok(ship("store"));
        for (int i = 0; i < 80; i++) {
                append_many(1);
                expect_ok(ship("store"));
                age("c");
        }
        expect_fetched_same("store", "copy");
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        ck_assert_uint_lt(shipper->since_count, 70);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(no_commit_has_more_entries_than_it_can_hold)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(1);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        shipper->since_count = COMMIT_ENTRIES_MAX; /* as if no checkpoint could be put for long */
        no_puts = true;
        append_many(1);
        expect(logstore_ship_round(shipper), -EAGAIN);
        no_puts = false;
        expect_ok(logstore_ship_round(shipper));
        ck_assert_uint_le(shipper->since_count, 1);
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* A few bytes that unpack to 480 GiB, as their counts say. */
START_TEST(a_checkpoint_of_impossible_size_is_damage)
{
        uint8_t bytes[2 * SECTOR_BYTES] = { 0 };
        uint8_t *frame = bytes + sizeof(struct checkpoint_header);
        const struct bucket_source source = { .bytes = bytes, .size = sizeof(bytes) };
        struct checkpoint_header header = { .magic = CHECKPOINT_MAGIC,
                                            .version = REMOTE_VERSION,
                                            .entry_count = UINT32_MAX,
                                            .seq = 7,
                                            .packed_bytes = SECTOR_BYTES };
        struct table table = { 0 };
        struct bucket *bucket;
        char name[COMMIT_NAME_BYTES];

        make_bucket();
        header.raw_bytes = header.entry_count * sizeof(struct remote_entry);
        memcpy(frame, "\x28\xb5\x2f\xfd\xe0", 5); /* zstd: one segment, its size in 8 bytes */
        memcpy(frame + 5, &header.raw_bytes, 8);
        header.packed_check = hash_seeded(header.seq, frame, header.packed_bytes);
        header.check = hash_seeded(0, &header, offsetof(struct checkpoint_header, check));
        memcpy(bytes, &header, sizeof(header));
        expect_ok(bucket_open(url(), &(struct bucket_options){ 0 }, &bucket));
        checkpoint_name(name, header.seq, 0);
        expect_ok(bucket_put(bucket, name, &source, NULL));
        expect(table_read(bucket, header.uuid, header.seq, 0, &table), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "counts"));
        bucket_close(bucket);
}
END_TEST

/* ---- a seal that came later ---- */

static void seal_further_on(void)
{
        append(100, 'y');
        append(100, 'z');
        ck_assert_int_eq(logstore_truncate_after(store, 2, 0), 0);
}

START_TEST(a_seal_is_not_fetched_without_its_records)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        make_bucket();
        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        ck_assert_int_eq(logstore_open(path("store"), &options, &store), 0);
        append((size_t)9 << 20, 'x');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        before_put = seal_further_on;
        expect_ok(ship("store"));
        expect_ok(fetch("copy", NULL));
        ck_assert_int_eq(logstore_verify(path("copy"), NULL, NULL), 0);
        expect_ok(ship("store"));
        expect_fetched_same("store", "later");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- two copies that go on alike ---- */

static void first_ships(void)
{
        expect_ok(ship("store"));
}

static void append_alike(struct logstore *to, char with)
{
        char bytes[100];

        memset(bytes, with, sizeof(bytes));
        for (int i = 0; i < 10; i++)
                ck_assert_int_eq(logstore_append(to, bytes, sizeof(bytes), NULL), 0);
        ck_assert_int_eq(logstore_sync(to, 0), 0);
}

/* Both copies are opened after a clean close, so both go on in the same segment. What the second
 * one tried to ship ends where the first one's records do. */
START_TEST(a_cut_does_not_excuse_what_another_copy_shipped)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_ship *shipper;
        struct logstore *second;

        make_bucket();
        open_store("store");
        append_many(40);
        ck_assert_int_eq(logstore_close(store), 0);
        copy_store("store", "copy");
        open_store("store");
        options.flags = LOGSTORE_NO_THREAD;
        ck_assert_int_eq(logstore_open(path("copy"), &options, &second), 0);
        shipper = open_ship("copy");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        append_alike(store, 'a');
        append_alike(second, 'b');
        before_commit = first_ships;
        expect(logstore_ship_round(shipper), -EPIPE);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_truncate_after(second, 45, 0), 0);
        expect(ship("copy"), -EILSEQ);
        ck_assert_int_eq(logstore_close(second), 0);
        expect_fetched_same("store", "fetched");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(a_fetched_log_may_be_cut_before_it_ships)
{
        make_bucket();
        open_store("store");
        append_many(100);
        expect_ok(ship("store"));
        expect_ok(fetch("copy", NULL));
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("copy");
        ck_assert_int_eq(logstore_truncate_after(store, 90, 0), 0);
        append_many(3);
        expect_ok(ship("copy"));
        expect_fetched_same("copy", "copy of the copy");
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("store"); /* the old one comes back */
        append_many(3);
        expect(ship("store"), -EILSEQ);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- a slow network ---- */

static unsigned uploads;

static void take_long(void)
{
        ck_assert_uint_lt(uploads++, 100);
        other->confirmed.sent_ns -= 2 * CONFIRMED_NS;
        before_put = take_long;
}

/* Each object takes longer than a confirmation lasts. */
START_TEST(objects_that_take_long_are_sent_once)
{
        uint64_t term;

        make_bucket();
        open_store("store");
        append_many(200);
        other = open_ship("store");
        expect_ok(logstore_ship_start(other));
        term = other->last.term;
        before_put = take_long;
        expect_ok(logstore_ship_round(other));
        before_put = NULL;
        ck_assert_uint_eq(other->last.term, term);
        ck_assert_uint_eq(other->report.objects, count_objects("seg"));
        logstore_ship_close(other);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- whatever happens ---- */

static unsigned dice_state;
static bool has_floor; /* a copy has none until it ships: then what is trimmed is missed */

static unsigned dice(unsigned sides)
{
        dice_state = dice_state * 1103515245 + 12345;
        return (dice_state >> 16) % sides;
}

static void change_log(void)
{
        struct logstore_bounds bounds;

        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        switch (dice(8)) {
        case 0:
                if (bounds.tail >= bounds.first)
                        logstore_truncate_after(
                                store,
                                bounds.first + dice((unsigned)(bounds.tail - bounds.first + 1)), 0);
                break;
        case 1:
                if (has_floor)
                        logstore_trim_before(store, bounds.first + dice(60), NULL);
                break;
        case 2:
                add_voids();
                break;
        case 3:
                add_batch();
                break;
        case 4:
                if (dice(5) == 0)
                        logstore_truncate_after(store, 0, dice(2) ? bounds.tail + 1 + dice(9) : 0);
                break;
        default:
                append_many(1 + dice(30));
        }
        logstore_sync(store, 0);
}

static void change_now_and_then(void)
{
        if (dice(3) == 0)
                change_log();
}

static unsigned copies;

static void fetch_or_change(void)
{
        char name[32];
        int r;

        if (dice(4) == 0) {
                snprintf(name, sizeof(name), "copy.%u", copies++);
                r = fetch(name, NULL);
                ck_assert_msg(r == 0 || r == -ENODATA, "fetch: %d: %s", r, remote_detail_line());
                if (r == 0)
                        ck_assert_msg(logstore_verify(path("%s", name), NULL, NULL) == 0, "%s: %s",
                                      name, logstore_detail());
        }
        if (dice(6) == 0)
                change_log();
        before_commit = fetch_or_change;
}

/* The local log is what the copy ends with. */
static void expect_same_end(const char *copy)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_cursor *cursors[2];
        struct logstore_record records[2];
        struct logstore_bounds bounds;
        struct logstore *other_store;
        int r[2];

        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        options.flags = LOGSTORE_READ_ONLY;
        ck_assert_int_eq(logstore_open(path("%s", copy), &options, &other_store), 0);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursors[0]), 0);
        ck_assert_int_eq(logstore_cursor_open(other_store, 0, &cursors[1]), 0);
        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(logstore_cursor_seek(cursors[i], bounds.first), 0);
        do {
                for (int i = 0; i < 2; i++)
                        r[i] = logstore_cursor_next(cursors[i], &records[i]);
                ck_assert_msg(r[0] == r[1], "%d and %d: %s", r[0], r[1], logstore_detail());
                if (r[0] == 0) {
                        ck_assert_uint_eq(records[0].number, records[1].number);
                        ck_assert_int_eq(records[0].time_ns, records[1].time_ns);
                        ck_assert_uint_eq(records[0].size, records[1].size);
                        if (records[0].size)
                                ck_assert_mem_eq(records[0].data, records[1].data, records[0].size);
                }
        } while (r[0] == 0);
        for (int i = 0; i < 2; i++)
                logstore_cursor_close(cursors[i]);
        ck_assert_int_eq(logstore_close(other_store), 0);
}

/* The machine crashes, or another one goes on with what was fetched. */
static void go_on_with(const char *copy)
{
        struct logstore *dead = store;
        char command[1400];

        if (copy) {
                ck_assert_int_eq(logstore_close(store), 0);
                dead = NULL;
                has_floor = false;
        } else {
                copy_store("store", "crashed");
        }
        snprintf(command, sizeof(command), "rm -rf %s && mv %s %s", path("store"),
                 path("%s", copy ? copy : "crashed"), path("store"));
        ck_assert_int_eq(system(command), 0);
        open_store("store");
        if (dead)
                logstore_close(dead); /* its directory is gone */
}

START_TEST(whatever_happens_the_log_is_fetched)
{
        struct logstore_ship *shipper = NULL;
        char name[32], command[700];

        dice_state = (unsigned)_i * 7919 + (getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : 1);
        make_bucket();
        open_store("store");
        for (int i = 0; i < 40; i++) {
                int r;

                for (unsigned j = dice(4); j > 0; j--)
                        change_log();
                if (dice(3) == 0) { /* reopened */
                        ck_assert_int_eq(logstore_close(store), 0);
                        open_store("store");
                }
                if (dice(4) == 0 && shipper) {
                        logstore_ship_close(shipper);
                        shipper = NULL;
                }
                if (!shipper) {
                        shipper = open_ship("store");
                        expect_ok(logstore_ship_start(shipper));
                }
                has_floor = true;
                if (dice(4) == 0) {
                        age("c");
                        if (access(path("bucket/seg"), F_OK) == 0)
                                age("seg");
                        shipper->collect_ns = 0;
                }
                after_look = dice(2) ? change_now_and_then : NULL;
                before_commit = dice(2) ? fetch_or_change : NULL;
                r = logstore_ship_round(shipper);
                after_look = before_commit = NULL;
                ck_assert_msg(r == 0, "round %d: %d: %s", i, r, remote_detail_line());
                expect_ok(logstore_ship_round(shipper));
                snprintf(name, sizeof(name), "copy.%u", copies++);
                expect_ok(fetch(name, NULL));
                ck_assert_msg(logstore_verify(path("%s", name), NULL, NULL) == 0, "%s: %s", name,
                              logstore_detail());
                expect_same_end(name);
                if (dice(6) == 0) {
                        logstore_ship_close(shipper);
                        shipper = NULL;
                        go_on_with(dice(2) ? name : NULL);
                }
                snprintf(command, sizeof(command), "rm -rf %s/copy.*", directory);
                ck_assert_int_eq(system(command), 0);
        }
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- stories that the model told (tests/remote/model) ---- */

static void stop_and_lose(void)
{
        logstore_ship_stop(other);
        lose_request = 1;
}

/* A shipper is killed before it notes what it shipped. That is cut, and the next one is killed
 * before its first or its second commit is there. Whoever comes then still knows the end. */
START_TEST(a_cut_is_known_to_the_third_shipper)
{
        struct logstore_position before = { .struct_bytes = sizeof(before) };
        struct logstore_ship *shipper;
        char name[40];

        make_bucket();
        open_store("store");
        append_many(10);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        snprintf(name, sizeof(name), "%s", shipper->shipped_name);
        ck_assert_int_eq(logstore_position_get(store, name, &before), 0);
        append_many(5);
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_position_set(store, name, &before), 0);
        ck_assert_int_eq(logstore_truncate_after(store, 10, 0), 0);
        append_many(2);

        other = open_ship("store");
        if (_i == 1)
                expect_ok(logstore_ship_start(other));
        before_commit = stop_and_lose;
        expect(_i == 1 ? logstore_ship_round(other) : logstore_ship_start(other), -ECANCELED);
        lose_request = 0;
        logstore_ship_close(other);
        expect_ok(ship("store"));
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(a_log_is_cut_twice_before_it_goes_on)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(30);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (uint64_t cut = 20; cut >= 10; cut -= 5) {
                expect_ok(logstore_ship_round(shipper));
                ck_assert_int_eq(logstore_truncate_after(store, cut, 0), 0);
        }
        append_many(3);
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* The last checkpoint was put, and no commit has named it. It lets nothing go that is named. */
START_TEST(a_checkpoint_that_no_commit_names_removes_nothing)
{
        struct logstore_ship *shipper;
        uint64_t first = 0;

        make_bucket();
        open_store("store");
        append_many(100);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (int i = 0; i < 1000; i++) {
                append_many(2);
                expect_ok(logstore_ship_round(shipper));
                if (shipper->last.checkpoint_seq != shipper->last.seq)
                        continue;
                if (first != 0)
                        break;
                first = shipper->last.seq;
                append_many(150); /* so that no tail from before it is needed */
        }
        ck_assert_uint_gt(shipper->last.seq, first);
        ck_assert_uint_eq(shipper->last.checkpoint_seq, shipper->last.seq);
        logstore_ship_close(shipper);
        age("c");
        age("seg");
        expect_ok(ship("store"));
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static void fetch_now(void)
{
        expect_ok(fetch("copy", NULL));
}

static void fetch_before_the_next(void)
{
        before_commit = fetch_now;
}

/* A segment is shipped as a cut has left it, and what followed it before is still there. */
START_TEST(a_log_that_was_cut_is_fetched_before_it_goes_on)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(80);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_truncate_after(store, 10, 0), 0);
        append_many(
                250); /* the new segment has a seal, which tells that the cut one's is durable */
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        before_commit = fetch_before_the_next;
        expect_ok(logstore_ship_round(shipper));
        ck_assert_ptr_null(before_commit);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_verify(path("copy"), NULL, NULL), 0);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* What one copy shipped and cut has greater ids than that with which the other one goes on. */
START_TEST(a_copy_goes_on_from_the_others_cut)
{
        make_bucket();
        open_store("store");
        append_many(30);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
        copy_store("store", "copy");
        open_store("store");
        append_many(100);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_truncate_after(store, 30, 0), 0);
        append_many(1);
        ck_assert_int_eq(logstore_truncate_after(store, 30, 0), 0);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("copy");
        append_many(10);
        if (ship("copy") == 0) /* or it is refused, and the log stays as it was */
                expect_fetched_same("copy", "fetched");
        else
                expect_ok(fetch("fetched", NULL));
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* Copies go on in the same segment. The other's record lies where ours was, which never arrived. */
START_TEST(anothers_record_in_our_place_is_no_cut_of_ours)
{
        struct logstore_ship *ours;

        make_bucket();
        open_store("store");
        append_many(5);
        ck_assert_int_eq(logstore_close(store), 0);
        copy_store("store", "copy");
        ours = open_ship("copy");
        expect_ok(logstore_ship_start(ours));
        expect_ok(logstore_ship_round(ours));

        open_store("store");
        append(100, 'a');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);

        open_store("copy");
        append(100, 'b');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        expect(logstore_ship_round(ours), -EPIPE);
        logstore_ship_close(ours);
        ck_assert_int_eq(logstore_truncate_after(store, 5, 0), 0);
        append_many(3);
        expect(ship("copy"), -EILSEQ);
        ck_assert_int_eq(logstore_close(store), 0);
        expect_fetched_same("store", "fetched");
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { what_is_shipped_is_fetched, 0 },
                { a_large_record_goes_as_an_object, 0 },
                { what_is_not_durable_is_not_shipped, 0 },
                { lost_requests_and_replies_lose_and_double_nothing, CASES(losses) },
                { who_is_overtaken_stops_and_says_so, 0 },
                { a_sleeper_is_told, 2 },
                { a_bucket_that_creates_twice_is_refused, 2 },
                { another_stores_log_is_refused, 0 },
                { a_diverged_copy_is_refused, 4 },
                { a_truncated_log_is_shipped_from_the_cut_on, 2 * CASES(cuts) },
                { nothing_is_trimmed_before_it_is_shipped, 0 },
                { what_nobody_needs_is_removed, 0 },
                { a_fetch_that_ended_early_goes_on, 0 },
                { a_damaged_or_missing_object_is_told, 2 },
                { two_fetches_to_one_place_do_not_mix, 0 },
                { an_empty_bucket_has_no_log, 0 },
                { a_cut_without_records_behind_it_is_fetched, 3 * CASES(cuts) },
                { an_emptied_log_goes_on_elsewhere, 2 },
                { what_is_trimmed_before_the_first_commit_is_not_missed, 2 },
                { a_log_that_goes_on_between_two_looks_has_no_gap, 0 },
                { a_checkpoint_that_commits_name_is_not_removed, 0 },
                { no_commit_has_more_entries_than_it_can_hold, 0 },
                { a_checkpoint_of_impossible_size_is_damage, 0 },
                { objects_that_take_long_are_sent_once, 0 },
                { a_seal_is_not_fetched_without_its_records, 0 },
                { a_cut_does_not_excuse_what_another_copy_shipped, 0 },
                { a_fetched_log_may_be_cut_before_it_ships, 0 },
                { whatever_happens_the_log_is_fetched, 8 },
                { a_cut_is_known_to_the_third_shipper, 2 },
                { a_log_is_cut_twice_before_it_goes_on, 0 },
                { a_checkpoint_that_no_commit_names_removes_nothing, 0 },
                { a_log_that_was_cut_is_fetched_before_it_goes_on, 0 },
                { a_copy_goes_on_from_the_others_cut, 0 },
                { anothers_record_in_our_place_is_no_cut_of_ours, 0 },
        };

        return RUN_TESTS("ship", tests);
}
