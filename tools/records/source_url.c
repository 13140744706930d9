/*
 * source_url.c - the log that a URL names
 */
#include "records/source_url.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "lib/numbers.h"
#include "lib/report.h"
#include "records/bucket_place.h"
#include "records/follow.h"
#include "records/remote_words.h"

struct log {
        struct logstore_remote *remote;
        struct logstore_remote_cursor *cursor;
};

static int bounds(void *log, struct logstore_bounds *ret)
{
        return logstore_remote_bounds(((struct log *)log)->remote, ret);
}

static int uuid(void *log, uint8_t ret[16])
{
        struct logstore_remote_info info = { .struct_bytes = sizeof(info) };
        int r = logstore_remote_info(((struct log *)log)->remote, &info);

        if (r == 0)
                memcpy(ret, info.uuid, sizeof(info.uuid));
        return r;
}

static int next(void *log, struct logstore_record *ret)
{
        return logstore_remote_cursor_next(((struct log *)log)->cursor, ret);
}

static int prev(void *log, struct logstore_record *ret)
{
        return logstore_remote_cursor_prev(((struct log *)log)->cursor, ret);
}

static int get(void *log, uint64_t number, struct logstore_record *ret)
{
        return logstore_remote_cursor_get(((struct log *)log)->cursor, number, ret);
}

static int seek(void *log, uint64_t number)
{
        return logstore_remote_cursor_seek(((struct log *)log)->cursor, number);
}

static int seek_time(void *log, int64_t time_ns)
{
        return logstore_remote_cursor_seek_time(((struct log *)log)->cursor, time_ns);
}

static uint64_t position(const void *log)
{
        return logstore_remote_cursor_position(((const struct log *)log)->cursor);
}

static int wait_for(void *log, int timeout_ms)
{
        return logstore_remote_cursor_wait(((struct log *)log)->cursor, timeout_ms);
}

static void close_log(void *of)
{
        struct log *log = of;

        logstore_remote_cursor_close(log->cursor);
        logstore_remote_close(log->remote);
        free(log);
}

int source_report_url(int error, const char *url)
{
        const char *text = logstore_remote_detail();

        report_note("%s", text[0] ? text : url);
        return status_of(error);
}

static const struct source_calls calls = {
        .bounds = bounds,
        .uuid = uuid,
        .next = next,
        .prev = prev,
        .get = get,
        .seek = seek,
        .seek_time = seek_time,
        .position = position,
        .wait = wait_for,
        .report = source_report_url,
        .close = close_log,
};

static int parse(struct logstore_read_options *options)
{
        int64_t interval_ns = 1000000000;

        if (remote_words.interval &&
            (duration_parse(remote_words.interval, &interval_ns) < 0 || interval_ns < 1000000 ||
             interval_ns > INT64_C(86400000000000)))
                return report_usage("--interval %s: wanted 1ms to 1d", remote_words.interval);
        if (remote_words.cache && (size_parse(remote_words.cache, &options->cache_bytes) < 0 ||
                                   options->cache_bytes == 0))
                return report_usage("--cache %s: wanted a size", remote_words.cache);
        options->look_ms = (uint32_t)(interval_ns / 1000000);
        return STATUS_DONE;
}

int source_open_remote(const char *url, bool follow, struct logstore_remote **ret)
{
        const struct logstore_remote_options place = bucket_place();
        struct logstore_read_options options = LOGSTORE_READ_OPTIONS_INIT;
        int status = parse(&options), r;
        bool told = false;

        *ret = NULL;
        if (status != STATUS_DONE)
                return status;
        /* Else the heap of each thread keeps what once had a tail in it. */
        (void)mallopt(M_MMAP_THRESHOLD, 256 << 10);
        while ((r = logstore_remote_open(url, &place, &options, ret)) == -ENODATA && follow) {
                if (!told)
                        report_note("%s: no log was shipped there: waiting for it", url);
                told = true;
                if (follow_output_closed())
                        return STATUS_DONE;
                (void)poll(NULL, 0, (int)options.look_ms);
        }
        if (r < 0)
                *ret = NULL;
        return r == -EREMOTEIO ? source_report_url(r, url)
               : r < 0         ? report_remote(r, url)
                               : STATUS_DONE;
}

int source_open_url(struct source *source, bool follow)
{
        struct log *log = calloc(1, sizeof(*log));
        int status, r;

        if (!log)
                return report_file(-ENOMEM, source->name);
        status = source_open_remote(source->name, follow, &log->remote);
        if (!log->remote) {
                free(log);
                return status;
        }
        r = logstore_remote_cursor_open(log->remote, 0, &log->cursor);
        if (r < 0) {
                close_log(log);
                return source_report_url(r, source->name);
        }
        source->calls = &calls;
        source->log = log;
        return STATUS_DONE;
}
