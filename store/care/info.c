/*
 * info.c - what a store is and has
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chain/directory.h"
#include "read/reader.h"

static uint64_t disk_bytes(struct logstore *store, const char *name, uint64_t *ret_file_bytes)
{
        struct os_stat st;

        if (os_stat_name(store->directory, name, &st) < 0)
                return 0;
        if (ret_file_bytes)
                *ret_file_bytes = st.bytes;
        return st.disk_bytes;
}

static void describe_writer(struct logstore *store, struct logstore_info *info)
{
        int64_t age_ns = 0;
        int thread = 0;

        info->oldest_claim = claims_oldest(&store->claims, &info->open_claims, &age_ns, &thread);
        info->oldest_claim_ms = (uint64_t)age_ns / 1000000;
        info->oldest_claim_tid = thread;
        info->sync_is_ring = sync_has_ring(&store->sync);
        info->dropped_records = store->dropped_records;
        info->dropped_bytes = store->dropped_bytes;
        info->syncs = atomic_load(&store->sync.rounds);
        info->failed = atomic_load(&store->writer.failed) != 0;
        info->clean = !info->failed;
}

/* The lock decides. The pid stays in the control page when its process is gone. */
static void describe_lock(struct logstore *store, struct logstore_info *info)
{
        int r = store->writes ? 1 : directory_locked(store->directory);

        info->locked = r < 0 ? -1 : r;
        if (info->locked == 1)
                info->writer_pid = directory_writer(store->directory);
}

int logstore_info(struct logstore *store, struct logstore_info *ret)
{
        struct logstore_info info = { 0 };
        struct control_slot slot;
        struct chain_entry entry = { 0 };
        char name[32];
        int r = store_enter(store);

        if (r < 0)
                return r;
        if (!ret || ret->struct_bytes != sizeof(info)) {
                store_leave();
                return detail(-EINVAL, "ret is NULL or ret->struct_bytes is not its size");
        }
        r = logstore_bounds(store, &info.bounds);
        if (r == 0) {
                const struct control_static *fixed = &store->control.page->fixed;
                chain_slot(&store->chain, &slot);
                info.struct_bytes = sizeof(info);
                info.version = fixed->version;
                memcpy(info.uuid, fixed->uuid, sizeof(info.uuid));
                info.segment_bytes = fixed->segment_bytes;
                info.file_mode = control_file_mode(store->control.page);
                info.clean = !!(slot.flags & CONTROL_CLEAN);
                info.failed = !!(slot.flags & CONTROL_FAILED);
                describe_lock(store, &info);
                while (chain_entry_after(&store->chain, entry.id, &entry) != -ENOENT) {
                        info.segments++;
                        segment_name(entry.id, name);
                        info.disk_bytes += disk_bytes(store, name, NULL);
                        index_name(entry.id, name);
                        info.disk_bytes += disk_bytes(store, name, NULL);
                }
                if (store->writes)
                        describe_writer(store, &info);
                *ret = info;
        }
        store_leave();
        return r;
}

/* Count what a segment holds up to the tail, where neither its seal nor its successor's link says
 * so. */
static void count_unsealed(struct logstore *store, const struct segment_brief *brief, uint64_t tail,
                           struct logstore_segment_info *info)
{
        struct place place;

        info->records =
                tail + 1 > brief->start.first_number ? tail + 1 - brief->start.first_number : 0;
        info->used_bytes = FRAMES_OFFSET;
        if (info->records > 0 && reader_find(&store->live, tail, &place) == 0) {
                info->used_bytes = place.offset + place.view.frame_bytes;
                chain_unpin(&store->chain, place.segment);
        }
}

/* Has the segment left the chain by now? Returns 1, 0 or an error. Its entry goes before its file
 * does. A reading process learns of that when it looks at the control page again. */
static int let_go(struct logstore *store, uint64_t id)
{
        struct chain_entry entry;
        int r = view_refresh(&store->live);

        if (r < 0)
                return r;
        return chain_entry_after(&store->chain, id - 1, &entry) == -ENOENT || entry.id != id;
}

/* What describe_segment() returns if the segment was trimmed or cut meanwhile. */
enum { SEGMENT_GONE = 1 };

/* Describe the segment behind @after_id. -ENOENT: there is none. */
static int describe_segment(struct logstore *store, uint64_t after_id, uint64_t tail,
                            struct logstore_segment_info *ret)
{
        struct logstore_segment_info info = { 0 };
        struct chain_entry entry, next;
        char index[32];
        struct segment_brief brief;
        int r = chain_entry_after(&store->chain, after_id, &entry), has_next;
        uint64_t damaged = chain_damaged_between(&store->chain, after_id,
                                                 r == -ENOENT ? UINT64_MAX : entry.id);

        if (damaged)
                entry.id = damaged; /* the chain needs it, but has no entry for it */
        else if (r == -ENOENT)
                return r;
        info.id = entry.id;
        segment_name(entry.id, info.name);
        info.disk_bytes = disk_bytes(store, info.name, &info.file_bytes);
        index_name(entry.id, index);
        info.has_index = disk_bytes(store, index, NULL) > 0;
        if (damaged) {
                info.state = LOGSTORE_SEGMENT_DAMAGED;
                *ret = info;
                r = os_stat_name(store->directory, info.name, &(struct os_stat){ 0 });
                return r == -ENOENT ? SEGMENT_GONE : 0;
        }
        r = segment_brief_read(store->directory, store->chain.uuid, entry.id, &brief);
        info.state = LOGSTORE_SEGMENT_DAMAGED;
        *ret = info;
        if (r == -ENOENT) {
                r = let_go(store, entry.id);
                return r > 0 ? SEGMENT_GONE : r;
        }
        if (r < 0 || !brief.started)
                return 0;
        has_next = chain_entry_after(&store->chain, entry.id, &next) == 0 &&
                   next.previous_id == entry.id;
        info.first_number = brief.start.first_number;
        info.created_ns = brief.created_ns;
        info.greatest_ns = brief.sealed ? brief.seal.greatest_ns : 0;
        info.state = brief.sealed ? LOGSTORE_SEGMENT_SEALED
                     : has_next   ? LOGSTORE_SEGMENT_FULL
                                  : LOGSTORE_SEGMENT_ACTIVE;
        if (has_next && (brief.sealed || next.first_number <= tail + 1)) {
                info.records = next.first_number - brief.start.first_number;
                info.used_bytes =
                        next.previous_end < info.file_bytes ? next.previous_end : info.file_bytes;
        } else if (brief.sealed) {
                info.records = brief.seal.records;
                info.used_bytes = brief.seal.end;
        } else { /* also where the tail waits for a claim, or was torn */
                count_unsealed(store, &brief, tail, &info);
        }
        *ret = info;
        return 0;
}

int logstore_segments(struct logstore *store,
                      int (*each)(void *context, const struct logstore_segment_info *),
                      void *context)
{
        struct logstore_segment_info info = { 0 };
        uint64_t tail = 0;
        int r = store_enter(store);

        if (r < 0)
                return r;
        r = each ? view_tail(&store->live, &tail) : detail(-EINVAL, "each is NULL");
        while (r == 0) {
                r = describe_segment(store, info.id, tail, &info);
                if (r == -ENOENT) {
                        r = 0;
                        break;
                }
                if (r == 0)
                        r = each(context, &info);
                else if (r == SEGMENT_GONE)
                        r = 0;
        }
        store_leave();
        return r;
}

int logstore_durable(struct logstore *store, uint64_t *ret_number)
{
        int r = store_enter(store);

        if (r < 0)
                return r;
        if (!ret_number) {
                r = detail(-EINVAL, "ret_number is NULL");
        } else {
                uint64_t durable = view_durable(&store->live);
                if (store->writes)
                        r = writer_failure(&store->writer);
                if (r == 0)
                        *ret_number = durable;
        }
        store_leave();
        return r;
}
