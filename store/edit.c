/*
 * edit.c - reading and editing through a private snapshot
 */
#include <errno.h>

#include "cursor.h"
#include "reader.h"
#include "snapshot.h"

static int enter(struct logstore_snapshot *snapshot)
{
        return store_enter(snapshot ? snapshot_store(snapshot) : NULL);
}

/* Beside somebody who trims, segments may go between the look at the bounds and the mapping. */
static int open_between_trims(struct logstore *store, uint64_t budget_bytes,
                              struct logstore_snapshot **ret)
{
        struct logstore_bounds bounds, again;
        int r = logstore_bounds(store, &bounds);

        while (r == 0) {
                r = snapshot_new(store, &bounds, budget_bytes, ret);
                if ((r != -EBADMSG && r != -ESTALE) || logstore_bounds(store, &again) < 0 ||
                    again.first == bounds.first)
                        return r;
                bounds = again;
                r = 0;
        }
        return r;
}

int logstore_snapshot_open(struct logstore *store, uint64_t budget_bytes,
                           struct logstore_snapshot **ret)
{
        int r = store_enter(store);

        if (r < 0)
                return r;
        r = ret ? open_between_trims(store, budget_bytes, ret) : detail(-EINVAL, "ret is NULL");
        store_leave();
        return r;
}

int logstore_snapshot_cursor(struct logstore_snapshot *snapshot, uint32_t flags,
                             struct logstore_cursor **ret)
{
        int r = enter(snapshot);

        if (r < 0)
                return r;
        r = ret ? cursor_new(snapshot_store(snapshot), snapshot, flags, ret)
                : detail(-EINVAL, "ret is NULL");
        store_leave();
        return r;
}

static int find_checked(struct logstore_snapshot *snapshot, uint64_t number, struct place *place)
{
        int r = reader_find(snapshot_store(snapshot), snapshot, number, place);

        if (r < 0)
                return r;
        /* All segments are pinned by the snapshot itself. */
        catalog_unpin(snapshot_catalog(snapshot), place->segment);
        if (!snapshot_is_edited(snapshot, number)) /* else as the caller left it */
                r = reader_verify(snapshot_store(snapshot), place, number);
        if (r == 0 && place->view.kind == FRAME_VOID)
                return detail(-ENODATA, "record %llu is void: its claim was aborted",
                              (unsigned long long)number);
        return r;
}

int logstore_snapshot_get(struct logstore_snapshot *snapshot, uint64_t number,
                          struct logstore_record *ret)
{
        struct place place;
        int r = enter(snapshot);

        if (r < 0)
                return r;
        r = ret ? find_checked(snapshot, number, &place) : detail(-EINVAL, "ret is NULL");
        if (r == 0)
                reader_describe(&place, number, ret);
        store_leave();
        return r;
}

int logstore_snapshot_edit(struct logstore_snapshot *snapshot, uint64_t number, void **ret_data,
                           size_t *ret_size)
{
        struct snapshot_edit edit = { .number = number };
        struct place place;
        int r = enter(snapshot);

        if (r < 0)
                return r;
        r = ret_data && ret_size ? find_checked(snapshot, number, &place)
                                 : detail(-EINVAL, "ret_data or ret_size is NULL");
        if (r == 0) {
                edit.segment = place.segment;
                edit.offset = place.offset + FRAME_HEADER_BYTES;
                edit.size = place.view.size;
                r = snapshot_add_edit(snapshot, &edit);
        }
        if (r == 0 && map_faulted(&edit.segment->map))
                r = segment_damage(edit.segment, edit.offset, number, "");
        if (r == 0) {
                *ret_data = (uint8_t *)edit.segment->map.base + edit.offset;
                *ret_size = edit.size;
        }
        store_leave();
        return r;
}
