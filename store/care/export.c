/*
 * export.c - a snapshot, as edited, written to a new store
 */
#include <errno.h>
#include <inttypes.h>

#include "care/copy.h"
#include "snapshot/snapshot.h"

/* The cursor's -EAGAIN is the end only behind the tail. Before it, or from the new store, it is a
 * failure: what is not copied must not become a void. */
static int copy_records(struct logstore_snapshot *snapshot, struct copy *copy)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t tail = snapshot_bounds(snapshot)->tail, end;
        int r = logstore_snapshot_cursor(snapshot, 0, &cursor), copied = 0;

        if (r < 0)
                return r;
        while (copied == 0 && (r = logstore_cursor_next(cursor, &record)) == 0)
                copied = copy_record(copy, record.number, record.time_ns, record.data, record.size);
        end = logstore_cursor_position(cursor);
        logstore_cursor_close(cursor);
        if (copied < 0)
                return copied;
        if (r == -EAGAIN && end <= tail)
                return detail(-EBADMSG,
                              "record %" PRIu64 " was in the snapshot and is damaged since", end);
        return r == -EAGAIN ? copy_voids(copy, tail + 1) : r;
}

/* Fill in what the options leave open, as it is in the store. */
static int complete(struct logstore_snapshot *snapshot, struct logstore_options *create)
{
        const struct control *control = snapshot_view(snapshot)->chain->control;

        create->flags |= LOGSTORE_CREATE;
        create->first_number = snapshot_bounds(snapshot)->first;
        if (create->segment_bytes == 0)
                create->segment_bytes = control->page->fixed.segment_bytes;
        if (create->file_mode == 0)
                create->file_mode = control_file_mode(control->page);
        return map_faulted(&control->map)
                       ? detail(-EIO, CONTROL_NAME ": the file was cut: its page is gone")
                       : 0;
}

int logstore_snapshot_export(struct logstore_snapshot *snapshot, const char *path,
                             const struct logstore_options *options)
{
        struct logstore_options create = LOGSTORE_OPTIONS_INIT;
        struct copy copy = { 0 };
        int r, closed;

        if (!snapshot || !path)
                return detail(-EINVAL, "snapshot or path is NULL");
        r = store_enter(snapshot_view(snapshot)->store);
        if (r < 0)
                return r;
        if (options)
                create = *options;
        r = complete(snapshot, &create);
        store_leave();
        if (r < 0)
                return r;
        r = copy_begin(&copy, path, &create);
        if (r < 0)
                return r;
        r = copy_records(snapshot, &copy);
        closed = logstore_close(copy.to);
        return r < 0 ? r : closed;
}
