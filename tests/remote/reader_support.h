/*
 * reader_support.h - a store, its log in a bucket, and readers of both, for tests
 *
 * Linked with --wrap of bucket_get and bucket_list, to count requests and to let something happen
 * between them.
 */
#ifndef TEST_READER_SUPPORT_H
#define TEST_READER_SUPPORT_H

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <time.h>

#include "logstore-remote.h"
#include "remote/commit.h"
#include "support.h"

int __real_bucket_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                      const struct bucket_sink *sink, struct bucket_reply *ret_reply);
int __wrap_bucket_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                      const struct bucket_sink *sink, struct bucket_reply *ret_reply);
int __real_bucket_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
                       int (*each)(void *context, const struct bucket_listed *listed),
                       void *context, struct bucket_reply *ret_reply);
int __wrap_bucket_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
                       int (*each)(void *context, const struct bucket_listed *listed),
                       void *context, struct bucket_reply *ret_reply);

static struct logstore *store;
static struct logstore_ship *shipper;
static _Atomic unsigned requests;
static _Atomic unsigned fail_each; /* each so many requests get no answer; 0: none */
static void (*before_get)(void);   /* once */
static uint32_t compress;          /* level of zstd; 0: segments go as they are */

int __wrap_bucket_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                      const struct bucket_sink *sink, struct bucket_reply *ret_reply)
{
        unsigned count = ++requests;

        if (before_get) {
                void (*happen)(void) = before_get;

                before_get = NULL;
                happen();
        }
        if (fail_each && count % fail_each == 0)
                return remote_detail(-EAGAIN, "the reply was lost");
        return __real_bucket_get(bucket, name, offset, size, sink, ret_reply);
}

int __wrap_bucket_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
                       int (*each)(void *context, const struct bucket_listed *listed),
                       void *context, struct bucket_reply *ret_reply)
{
        requests++;
        return __real_bucket_list(bucket, prefix, after, most, each, context, ret_reply);
}

/* ---- a store ---- */

static inline void open_store(uint64_t segment_bytes)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = segment_bytes;
        ck_assert_int_eq(logstore_open(path("store"), &options, &store), 0);
}

static inline void append(size_t size, char with)
{
        char *bytes = malloc(size + 1);

        memset(bytes, with, size);
        ck_assert_int_eq(logstore_append(store, bytes, size, NULL), 0);
        free(bytes);
}

static inline void append_many(unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                append(i * 37 % 3000, (char)('a' + i % 26));
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

static inline void add_voids(void)
{
        struct logstore_claim claim;

        for (int i = 0; i < 3; i++) {
                ck_assert_int_eq(logstore_claim(store, 100, &claim), 0);
                ck_assert_int_eq(logstore_abort(store, &claim), 0);
        }
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

static inline void add_batch(size_t count)
{
        struct logstore_entry *entries = calloc(count, sizeof(*entries));

        for (size_t i = 0; i < count; i++)
                entries[i] = (struct logstore_entry){ "batch", 5, (int64_t)(1000 + i) };
        ck_assert_int_eq(logstore_append_batch(store, entries, count, NULL), 0);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        free(entries);
}

/* ---- its bucket ---- */

static inline const char *url(void)
{
        static char text[600];

        snprintf(text, sizeof(text), "file:%s", path("bucket"));
        return text;
}

static inline void ship(void)
{
        struct logstore_ship_options options = LOGSTORE_SHIP_OPTIONS_INIT;

        options.flags = LOGSTORE_SHIP_TAKEOVER;
        options.compress = compress;
        if (!shipper) {
                mkdir(path("bucket"), 0700);
                expect_ok(logstore_ship_open(path("store"), url(), NULL, &options, &shipper));
                expect_ok(logstore_ship_start(shipper));
        }
        expect_ok(logstore_ship_round(shipper));
}

static inline void end(void)
{
        logstore_ship_close(shipper);
        shipper = NULL;
        if (store)
                ck_assert_int_eq(logstore_close(store), 0);
        store = NULL;
}

/* The object that sorts last in the folder; of several commits the oldest. */
static inline void pick(const char *folder, unsigned from_end, char ret[300])
{
        struct dirent **names;
        int count = scandir(path("bucket/%s", folder), &names, NULL, alphasort);

        ck_assert_int_gt(count, (int)from_end + 2);
        snprintf(ret, 300, "%s/%s", folder, names[count - 1 - (int)from_end]->d_name);
        while (count > 0)
                free(names[--count]);
        free(names);
}

static inline void spoil(const char *name, off_t at)
{
        int fd = open(path("bucket/%s", name), O_RDWR);
        char byte;

        ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
        byte = (char)~byte;
        ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
        close(fd);
}

/* ---- readers ---- */

static inline struct logstore_remote *open_remote(uint64_t cache_bytes)
{
        struct logstore_read_options options = LOGSTORE_READ_OPTIONS_INIT;
        struct logstore_remote *remote = NULL;

        options.cache_bytes = cache_bytes;
        options.look_ms = 5;
        options.patience_ms = 2000;
        expect_ok(logstore_remote_open(url(), NULL, &options, &remote));
        return remote;
}

static inline struct logstore_remote_cursor *open_cursor(struct logstore_remote *remote)
{
        struct logstore_remote_cursor *cursor = NULL;

        expect_ok(logstore_remote_cursor_open(remote, 0, &cursor));
        return cursor;
}

static inline void expect_same(const struct logstore_record *left,
                               const struct logstore_record *right)
{
        ck_assert_uint_eq(left->number, right->number);
        ck_assert_int_eq(left->time_ns, right->time_ns);
        ck_assert_uint_eq(left->size, right->size);
        if (left->size)
                ck_assert_int_eq(memcmp(left->data, right->data, left->size), 0);
}

/* Record @number is the same here and there, void and missing ones too. */
static inline void expect_same_at(struct logstore_cursor *here,
                                  struct logstore_remote_cursor *there, uint64_t number)
{
        struct logstore_record left, right;
        int l = logstore_cursor_get(here, number, &left);
        int r = logstore_remote_cursor_get(there, number, &right);

        ck_assert_msg(l == r, "record %" PRIu64 ": %d here, %d there: %s", number, l, r,
                      logstore_remote_detail());
        if (l == 0)
                expect_same(&left, &right);
}

/* Both logs are the same, forward, backward and by number. */
static inline void expect_same_log(struct logstore_remote *remote)
{
        struct logstore_cursor *here;
        struct logstore_remote_cursor *there = open_cursor(remote);
        struct logstore_record left, right;
        struct logstore_bounds bounds, other;
        int l, r;

        ck_assert_int_eq(logstore_cursor_open(store, 0, &here), 0);
        expect_ok(logstore_remote_bounds(remote, &other));
        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        ck_assert_uint_eq(bounds.tail, other.tail);
        for (int backward = 0; backward < 2; backward++) {
                ck_assert_int_eq(logstore_cursor_seek(here, backward ? UINT64_MAX : other.first),
                                 0);
                expect_ok(logstore_remote_cursor_seek(there, backward ? UINT64_MAX : 0));
                do {
                        l = backward ? logstore_cursor_prev(here, &left)
                                     : logstore_cursor_next(here, &left);
                        if (l == 0 && backward && left.number < other.first)
                                l = -EAGAIN;
                        r = backward ? logstore_remote_cursor_prev(there, &right)
                                     : logstore_remote_cursor_next(there, &right);
                        ck_assert_msg(l == r, "%d here, %d there: %s", l, r,
                                      logstore_remote_detail());
                        if (l == 0) {
                                expect_same(&left, &right);
                                ck_assert_uint_eq(logstore_remote_cursor_position(there),
                                                  backward ? right.number : right.number + 1);
                        }
                } while (l == 0);
                ck_assert_int_eq(l, -EAGAIN);
        }
        for (uint64_t number = other.first; number <= other.tail + 2;
             number += other.tail > 20000 ? 1 + number % 997 : 1)
                expect_same_at(here, there, number);
        logstore_cursor_close(here);
        logstore_remote_cursor_close(there);
}

#endif
