/*
 * fuzz.c - one input: a directory is made of it, its checks are made true, the target runs
 */
#include "fuzz.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "input.h"
#include "odd.h"

static const char *scratch;
static struct tree input;

void fuzz_wrong(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
        abort();
}

void fuzz_put(const char *path, bool odd)
{
        tree_store(&input, path);
        if (odd)
                odd_put(&input, path);
}

int64_t fuzz_result(int64_t r)
{
        if (r < -4095)
                fuzz_wrong("%" PRId64 " is no error", r);
        if (r < 0 && logstore_detail()[0] == '\0')
                fuzz_wrong("error %" PRId64 " has no detail", r);
        return r;
}

int fuzz_open(const char *path, uint32_t flags, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = flags | LOGSTORE_NO_THREAD | LOGSTORE_NO_RING;
        return (int)fuzz_result(logstore_open(path, &options, ret));
}

static uint64_t sum_bytes(uint64_t sum, const void *data, size_t size)
{
        for (size_t i = 0; i < size; i++)
                sum = (sum ^ ((const unsigned char *)data)[i]) * UINT64_C(0x100000001b3);
        return sum;
}

struct fuzz_sum fuzz_read(struct logstore *store, uint32_t cursor_flags, uint64_t up_to)
{
        struct fuzz_sum sum = { 0 };
        struct logstore_cursor *cursor;
        struct logstore_record record;
        int64_t r = fuzz_result(logstore_cursor_open(store, cursor_flags, &cursor));
        uint64_t errors = 0;

        if (r < 0)
                return sum;
        for (;;) {
                r = fuzz_result(logstore_cursor_next(cursor, &record));
                if (r == -EBADMSG && cursor_flags & LOGSTORE_SKIP_DAMAGE) {
                        if (++errors > 10000)
                                fuzz_wrong("skipping damage does not end");
                        continue;
                }
                if (r < 0 || record.number > up_to)
                        break;
                if (record.number <= sum.last)
                        fuzz_wrong("record %" PRIu64 " behind %" PRIu64, record.number, sum.last);
                sum.records++;
                sum.last = record.number;
                sum.sum = sum_bytes(sum.sum + record.number, record.data, record.size);
        }
        if (r != -EAGAIN && r != -EBADMSG && r != -EPERM && r != -ESTALE && r != -EPROTONOSUPPORT &&
            r < 0)
                fuzz_wrong("reading ended with %" PRId64 ": %s", r, logstore_detail());
        logstore_cursor_close(cursor);
        return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char path[512];
        unsigned flags;

        if (!scratch)
                scratch = tree_scratch("fuzz");
        input_decode(data, size, &flags, &input);
        input_fix(&input, flags);
        snprintf(path, sizeof(path), "%s/store", scratch);
        fuzz_put(path, false);
        fuzz_target(path);
        tree_free(&input);
        return 0;
}
