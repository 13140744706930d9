/*
 * ship_support.h - a store, its bucket in a directory, and shippers to whom things happen
 *
 * Linked with --wrap of bucket_put_new, bucket_put and bucket_get, to lose requests and replies,
 * and to let something happen before a commit is created; and of logstore_extents, to let it happen
 * between two looks.
 */
#ifndef TEST_SHIP_SUPPORT_H
#define TEST_SHIP_SUPPORT_H

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
static bool too_late;                     /* for commits */
static bool no_puts;                      /* they get no answer */
static unsigned slow_ms;                  /* each takes so long at least */
static uint64_t refused_id;               /* the object of this segment is refused */
static _Atomic unsigned puts_now, puts_most;
static bool versioned;             /* creates again what is there */
static _Atomic int gets_left = -1; /* until one is refused; -1: none is */

/* A creation of a commit that is still on its way when its shipper is gone. */
static bool delay_commit; /* the next one */
static char delayed_name[BUCKET_NAME_MAX + 1];
static void *delayed_bytes;
static size_t delayed_size;

static inline int delay(const char *name, const struct bucket_source *source)
{
        delay_commit = false;
        snprintf(delayed_name, sizeof(delayed_name), "%s", name);
        free(delayed_bytes);
        delayed_bytes = malloc(source->size);
        delayed_size = source->size;
        memcpy(delayed_bytes, source->bytes, source->size);
        return remote_detail(-EAGAIN, "the request takes long");
}

int __wrap_bucket_put_new(struct bucket *bucket, const char *name,
                          const struct bucket_source *source, struct bucket_reply *ret_reply)
{
        static _Atomic unsigned all_calls;
        unsigned calls;
        int r;

        if (before_commit && strncmp(name, COMMIT_PREFIX, strlen(COMMIT_PREFIX)) == 0) {
                void (*happen)(void) = before_commit;

                before_commit = NULL;
                happen();
        }
        if (delay_commit && strncmp(name, COMMIT_PREFIX, strlen(COMMIT_PREFIX)) == 0)
                return delay(name, source);
        calls = atomic_fetch_add(&all_calls, 1) + 1;
        if (too_late && strncmp(name, COMMIT_PREFIX, strlen(COMMIT_PREFIX)) == 0)
                return remote_detail(-ESTALE, "%s: too late", name);
        if (lose_request && calls % lose_request == 0)
                return remote_detail(-EAGAIN, "the request was lost");
        if (versioned)
                bucket_remove(bucket, name, NULL);
        r = __real_bucket_put_new(bucket, name, source, ret_reply);
        if (lose_reply && calls % lose_reply == 0)
                return remote_detail(-EAGAIN, "the reply was lost");
        return r;
}

/* Any thread may. */
static inline int put_slowly(struct bucket *bucket, const char *name,
                             const struct bucket_source *source, struct bucket_reply *ret_reply)
{
        struct timespec pause = { 0, slow_ms * 1000000L };
        unsigned now = atomic_fetch_add(&puts_now, 1) + 1, most = puts_most;
        uint64_t id = 0;
        int r;

        while (now > most && !atomic_compare_exchange_weak(&puts_most, &most, now))
                ;
        nanosleep(&pause, NULL);
        if (refused_id && sscanf(name, SEGMENT_OBJECT_PREFIX "%" SCNu64, &id) == 1 &&
            id == refused_id)
                r = remote_detail(-EACCES, "%s: not this one", name);
        else
                r = __real_bucket_put(bucket, name, source, ret_reply);
        atomic_fetch_sub(&puts_now, 1);
        return r;
}

int __wrap_bucket_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
                      struct bucket_reply *ret_reply)
{
        void (*happen)(void) = before_put;

        if (happen) {
                before_put = NULL;
                happen();
        }
        if (no_puts)
                return remote_detail(-EAGAIN, "the request was lost");
        return put_slowly(bucket, name, source, ret_reply);
}

int __wrap_bucket_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                      const struct bucket_sink *sink, struct bucket_reply *ret_reply)
{
        if (gets_left >= 0 && gets_left-- == 0)
                return remote_detail(-EACCES, "%s: no more", name);
        return __real_bucket_get(bucket, name, offset, size, sink, ret_reply);
}

static void (*after_look)(void); /* at one segment */
static _Thread_local int (*each_extent)(void *context, const struct logstore_extent *extent);

static inline int watch_extent(void *context, const struct logstore_extent *extent)
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

static inline void open_store(const char *name)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = UINT64_C(64) << 10;
        ck_assert_int_eq(logstore_open(path("%s", name), &options, &store), 0);
}

static inline void append(size_t size, char with)
{
        char *bytes = malloc(size + 1);

        memset(bytes, with, size + 1);
        ck_assert_int_eq(logstore_append(store, bytes, size, NULL), 0);
        free(bytes);
}

static inline void append_many(unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                append(i * 37 % 3000, (char)('a' + i % 26));
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

/* Both logs have the same numbers, times and bytes, voids too. */
static inline void expect_same(const char *left, const char *right)
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

static inline const char *url(void)
{
        static char text[600];

        snprintf(text, sizeof(text), "file:%s", path("bucket"));
        return text;
}

/* Of shippers that are opened. */
static uint64_t max_lag_bytes;
static uint32_t level;

static inline struct logstore_ship *open_ship(const char *name)
{
        struct logstore_ship_options options = LOGSTORE_SHIP_OPTIONS_INIT;
        struct logstore_ship *ship = NULL;
        int r;

        options.flags = LOGSTORE_SHIP_TAKEOVER;
        options.max_lag_bytes = max_lag_bytes;
        options.compress = level;
        r = logstore_ship_open(path("%s", name), url(), NULL, &options, &ship);
        ck_assert_msg(r == 0, "%d: %s", r, logstore_remote_detail());
        return ship;
}

static inline int ship(const char *name)
{
        struct logstore_ship *shipper = open_ship(name);
        int r = logstore_ship_start(shipper);

        if (r == 0)
                r = logstore_ship_round(shipper);
        logstore_ship_close(shipper);
        return r;
}

/* What was delayed arrives after all. */
static inline void arrive(void)
{
        const struct bucket_source source = { .bytes = delayed_bytes, .size = delayed_size };
        struct bucket *bucket;

        expect_ok(bucket_open(url(), &(struct bucket_options){ 0 }, &bucket));
        expect_ok(__real_bucket_put_new(bucket, delayed_name, &source, NULL));
        bucket_close(bucket);
}

static inline int fetch(const char *name, struct logstore_fetch_report *ret)
{
        struct logstore_fetch_report report = { .struct_bytes = sizeof(report) };
        int r = logstore_fetch(url(), path("%s", name), NULL, NULL, &report);

        if (ret)
                *ret = report;
        return r;
}

static inline void expect_fetched_same(const char *store_name, const char *name)
{
        expect_ok(fetch(name, NULL));
        ck_assert_int_eq(logstore_verify(path("%s", name), NULL, NULL), 0);
        expect_same(path("%s", store_name), path("%s", name));
}

static inline unsigned count_objects(const char *folder)
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

static inline void make_bucket(void)
{
        ck_assert_int_eq(mkdir(path("bucket"), 0700), 0);
}

/* ---- harm ---- */

static inline void copy_store(const char *from, const char *to)
{
        char command[1200];

        snprintf(command, sizeof(command), "cp -a %s %s", path("%s", from), path("%s", to));
        ck_assert_int_eq(system(command), 0);
}

static inline void age_by(const char *folder, time_t seconds)
{
        const time_t at = time(NULL) - seconds;
        const struct timespec old[2] = { { at, 0 }, { at, 0 } };
        DIR *names = opendir(path("bucket/%s", folder));
        struct dirent *name;

        ck_assert_ptr_nonnull(names);
        while ((name = readdir(names)))
                utimensat(dirfd(names), name->d_name, old, 0);
        closedir(names);
}

/* Hours pass. What segments are in came before the commits and checkpoints. */
static inline void age(const char *folder)
{
        age_by(folder, strcmp(folder, "seg") == 0 ? 20000 : 10000);
}

static inline void spoil(const char *folder, bool remove_it)
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
                off_t middle = lseek(fd, 0, SEEK_END) / 2;
                char byte;

                ck_assert_int_eq(pread(fd, &byte, 1, middle), 1);
                byte = (char)~byte;
                ck_assert_int_eq(pwrite(fd, &byte, 1, middle), 1);
                close(fd);
        }
}

#endif
