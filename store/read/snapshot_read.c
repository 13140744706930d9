/*
 * snapshot_read.c - reading and editing through a private snapshot
 */
#include <errno.h>
#include <inttypes.h>

#include "read/cursor.h"
#include "read/reader.h"
#include "snapshot/snapshot.h"

static int enter(struct logstore_snapshot *snapshot)
{
        return store_enter(snapshot ? snapshot_view(snapshot)->store : NULL);
}

/* What open_once() returns if the log changed under it. */
enum { OPEN_AGAIN = 1 };

/* Was the log cut since its newest segment was one of @epoch? Returns 1, 0 or an error. If the
 * snapshot's chain says so, read the store's chain anew: the process that cut the log may have died
 * before it announced that. */
static int cut_since(struct logstore *store, uint64_t epoch, struct logstore_snapshot *taken)
{
        int r = 0;

        if (!taken || chain_newest_epoch(snapshot_view(taken)->chain) <= epoch)
                return chain_newest_epoch(&store->chain) != epoch;
        if (view_follows(&store->live))
                r = chain_load(&store->chain);
        return r < 0 ? r : 1;
}

/* Look at the bounds, then read the chain, then map it. Returns OPEN_AGAIN if the log was cut
 * meanwhile, so that the three may be of different logs, or was trimmed below what was wanted. */
static int open_once(struct logstore *store, uint64_t budget_bytes, struct logstore_snapshot **ret)
{
        uint64_t epoch = chain_newest_epoch(&store->chain);
        struct logstore_snapshot *taken = NULL;
        struct logstore_bounds bounds, now;
        int r = logstore_bounds(store, &bounds), changed;

        if (r < 0)
                return r;
        r = snapshot_new(store, &bounds, budget_bytes, &taken);
        if (r < 0 && r != -EBADMSG && r != -ESTALE && r != -EAGAIN)
                return r;
        changed = logstore_bounds(store, &now);
        if (changed == 0)
                changed = cut_since(store, epoch, taken);
        if (changed == 0 && r < 0)
                changed = now.first != bounds.first;
        if (changed == 0 && r == 0)
                *ret = taken;
        else
                logstore_snapshot_close(taken);
        return changed > 0 ? OPEN_AGAIN : changed < 0 ? changed : r;
}

int logstore_snapshot_open(struct logstore *store, uint64_t budget_bytes,
                           struct logstore_snapshot **ret)
{
        int r = store_enter(store);

        if (r < 0)
                return r;
        r = ret ? OPEN_AGAIN : detail(-EINVAL, "ret is NULL");
        while (r == OPEN_AGAIN) /* another thread or process trims or truncates */
                r = open_once(store, budget_bytes, ret);
        store_leave();
        return r;
}

int logstore_snapshot_cursor(struct logstore_snapshot *snapshot, uint32_t flags,
                             struct logstore_cursor **ret)
{
        int r = enter(snapshot);

        if (r < 0)
                return r;
        r = ret ? cursor_new(snapshot_view(snapshot), flags, ret) : detail(-EINVAL, "ret is NULL");
        store_leave();
        return r;
}

static int find_checked(struct logstore_snapshot *snapshot, uint64_t number, struct place *place)
{
        const struct view *view = snapshot_view(snapshot);
        int r = reader_find(view, number, place);

        if (r < 0)
                return r;
        /* The snapshot itself pins all its segments. */
        chain_unpin(view->chain, place->segment);
        if (!view_is_edited(view, number)) /* else it stays as the caller left it */
                r = reader_verify(view, place, number);
        if (r == 0 && place->view.kind == FRAME_VOID)
                return detail(-ENODATA, "record %" PRIu64 " is void: its claim was aborted",
                              number);
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
