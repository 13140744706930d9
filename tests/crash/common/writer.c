/*
 * writer.c - the little writing and judging that the methods with faults of their own need
 */
#include "writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "payload.h"
#include "verdict.h"

#define RECORD_BYTES_MAX (64u << 10)

uint64_t expectations_failed;

int expect(int holds, const char *format, ...)
{
        va_list list;

        if (holds)
                return holds;
        expectations_failed++;
        fprintf(stderr, "not so: ");
        va_start(list, format);
        vfprintf(stderr, format, list);
        va_end(list);
        fprintf(stderr, " (%s)\n", logstore_detail());
        return holds;
}

int writer_open(const char *path, uint64_t segment_bytes, uint32_t flags, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = flags;
        if (!(flags & LOGSTORE_READ_ONLY)) {
                options.flags |= LOGSTORE_CREATE;
                options.segment_bytes = segment_bytes;
        }
        return logstore_open(path, &options, ret);
}

int writer_append(struct logstore *store, uint64_t seed, size_t bytes, uint64_t *ret_number)
{
        const uint64_t untouched = UINT64_MAX - 1;
        uint8_t data[RECORD_BYTES_MAX];
        struct logstore_bounds bounds;
        uint64_t number = untouched;
        int r = logstore_bounds(store, &bounds);

        if (r < 0)
                return r;
        if (bytes > sizeof(data))
                return -EINVAL;
        payload_fill(data, bytes, seed, bounds.tail + 1,
                     (struct payload_place){ .index = 0, .count = 1 });
        r = logstore_append(store, data, bytes, &number);
        if (r < 0)
                return number == untouched ? r : -EPROTO;
        if (number != bounds.tail + 1)
                return -EPROTO;
        *ret_number = number;
        return 0;
}

struct oracle writer_oracle(uint64_t seed)
{
        return (struct oracle){ .lives = 1, .life = { { .first = 1, .seed = seed } } };
}

uint64_t writer_judge(struct logstore *store, const struct oracle *oracle, const char *when)
{
        struct verdict v = { 0 };
        int r = verdict_reach(store, oracle, &v);

        if (!expect(r == 0, "%s: bounds: %s", when, logstore_error_text(r)))
                return 1;
        expect(verdict_is_good(&v),
               "%s: first %" PRIu64 " tail %" PRIu64 " acked %" PRIu64 ": lost %" PRIu64
               " holes %" PRIu64 " invented %" PRIu64,
               when, v.first, v.tail, oracle->acked, v.lost, v.holes, v.invented);
        return v.lost + v.holes + v.invented + v.torn;
}
