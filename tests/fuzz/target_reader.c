/*
 * target_reader.c - every way of reading, which must agree with each other
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "fuzz.h"

#define NUMBERS_MAX 64
#define BUFFER_BYTES (128u << 10)

static unsigned char buffer[BUFFER_BYTES];

/* A cursor that is sent to each number must find what get finds. */
static void compare_gets(struct logstore *store, const struct logstore_bounds *bounds)
{
        struct logstore_record got, found;
        struct logstore_cursor *cursor;

        if (fuzz_result(logstore_cursor_open(store, 0, &cursor)) < 0)
                return;
        for (uint64_t i = 0; i < NUMBERS_MAX && bounds->first - 1 + i <= bounds->tail + 2; i++) {
                uint64_t number = bounds->first - 1 + i;
                int r = (int)fuzz_result(logstore_get(store, number, buffer, sizeof(buffer), &got));
                int s = (int)fuzz_result(logstore_cursor_get(cursor, number, &found));

                if (r != s)
                        fuzz_wrong("get of %" PRIu64 " gives %d, the cursor %d", number, r, s);
                if (r == 0 && (got.size != found.size || got.time_ns != found.time_ns ||
                               memcmp(got.data, found.data, got.size) != 0))
                        fuzz_wrong("record %" PRIu64 " reads in two ways", number);
                if (r == -EAGAIN)
                        break;
        }
        logstore_cursor_close(cursor);
}

static void read_backward(struct logstore *store)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t last = UINT64_MAX;

        if (fuzz_result(logstore_cursor_open(store, 0, &cursor)) < 0)
                return;
        if (fuzz_result(logstore_cursor_seek(cursor, UINT64_MAX)) == 0) {
                while (fuzz_result(logstore_cursor_prev(cursor, &record)) == 0) {
                        if (record.number >= last)
                                fuzz_wrong("backward, %" PRIu64 " behind %" PRIu64, record.number,
                                           last);
                        last = record.number;
                }
        }
        for (unsigned bit = 0; bit < 63; bit += 9) {
                fuzz_result(logstore_cursor_seek_time(cursor, INT64_C(1) << bit));
                fuzz_result(logstore_cursor_next(cursor, &record));
        }
        logstore_cursor_close(cursor);
}

static void read_many(struct logstore *store, uint64_t first)
{
        struct logstore_record records[16];
        uint64_t numbers[16];
        int done;

        for (unsigned i = 0; i < 16; i++)
                numbers[i] = first + (i * 7) % 16;
        done = (int)fuzz_result(
                logstore_get_many(store, numbers, 16, buffer, sizeof(buffer), records));
        for (int i = 0; i < done; i++)
                if (records[i].data &&
                    ((unsigned char *)records[i].data < buffer ||
                     (unsigned char *)records[i].data + records[i].size > buffer + sizeof(buffer)))
                        fuzz_wrong("get_many points outside its buffer");
}

void fuzz_target(const char *path)
{
        struct logstore_bounds bounds;
        struct logstore *store;

        if (fuzz_open(path, LOGSTORE_READ_ONLY, &store) < 0)
                return;
        if (fuzz_result(logstore_bounds(store, &bounds)) == 0) {
                fuzz_read(store, 0, UINT64_MAX);
                fuzz_read(store, LOGSTORE_SKIP_DAMAGE, UINT64_MAX);
                fuzz_read(store, LOGSTORE_UNVERIFIED, UINT64_MAX);
                compare_gets(store, &bounds);
                read_backward(store);
                read_many(store, bounds.first);
        }
        if (logstore_close(store) < 0)
                fuzz_wrong("a reader does not close: %s", logstore_detail());
}
