/*
 * source.c - where records come from
 */
#include "records/source.h"

#include <string.h>

#include "lib/report.h"
#include "records/remote_words.h"
#include "records/session.h"
#ifdef LOGSTORE_IS_REMOTE
#include "records/source_url.h"
#endif

bool source_is_url(const char *word)
{
        return strncmp(word, "s3://", 5) == 0 || strncmp(word, "file:/", 6) == 0 ||
               strncmp(word, "rados:", 6) == 0;
}

int source_open(struct source *source, const char *name, bool follow)
{
        *source = (struct source){ .name = name };
#ifdef LOGSTORE_IS_REMOTE
        if (source_is_url(name))
                return source_open_url(source, follow);
#endif
        (void)follow;
        return session_read(name, &source->store);
}

int source_open_cursor(struct source *source, uint32_t flags)
{
        int r = source->calls ? 0 : logstore_cursor_open(source->store, flags, &source->cursor);

        return r < 0 ? source_report(source, r) : STATUS_DONE;
}

int source_close(struct source *source, int status)
{
        logstore_cursor_close(source->cursor);
        source->cursor = NULL;
        if (source->calls)
                source->calls->close(source->log);
        else if (source->store)
                status = session_close(source->store, source->name, status);
        *source = (struct source){ .name = source->name };
        return status;
}

int source_report(const struct source *source, int error)
{
        return source->calls ? source->calls->report(error, source->name)
                             : report_store(error, source->name);
}

int source_bounds(const struct source *source, struct logstore_bounds *ret)
{
        return source->calls ? source->calls->bounds(source->log, ret)
                             : logstore_bounds(source->store, ret);
}

int source_uuid(const struct source *source, uint8_t ret[16])
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        int r;

        if (source->calls)
                return source->calls->uuid(source->log, ret);
        r = logstore_info(source->store, &info);
        if (r == 0)
                memcpy(ret, info.uuid, sizeof(info.uuid));
        return r;
}

int source_get(const struct source *source, uint64_t number, struct logstore_record *ret)
{
        return source->calls ? source->calls->get(source->log, number, ret)
                             : logstore_cursor_get(source->cursor, number, ret);
}

int source_seek(const struct source *source, uint64_t number)
{
        return source->calls ? source->calls->seek(source->log, number)
                             : logstore_cursor_seek(source->cursor, number);
}

int source_seek_time(const struct source *source, int64_t time_ns)
{
        return source->calls ? source->calls->seek_time(source->log, time_ns)
                             : logstore_cursor_seek_time(source->cursor, time_ns);
}

uint64_t source_position(const struct source *source)
{
        return source->calls ? source->calls->position(source->log)
                             : logstore_cursor_position(source->cursor);
}

int source_wait(const struct source *source, int timeout_ms)
{
        return source->calls ? source->calls->wait(source->log, timeout_ms)
                             : logstore_cursor_wait(source->cursor, timeout_ms);
}
