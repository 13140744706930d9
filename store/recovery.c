/*
 * recovery.c - where the log ends, and going on from there
 *
 * Happy path: after a clean close the head goes on at the durable mark.
 * Crash:      the unsealed segments (usually one, two at most behind resolved claims) are fsynced,
 *             because what recovery shows must survive the next crash, then read around the cache,
 *             because after a failed sync the cache shows what the disk does not have. The log ends
 *             before the first frame that does not count. A new segment says so; that is all that
 *             is written: no byte that anybody may have mapped is changed, zeroed or cut.
 * Damage:     an end before the durable mark is no torn tail: nothing is changed.
 */
#include "recovery.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "detail.h"
#include "logstore.h"
#include "salvage.h"
#include "scan.h"

/* ---- finding the end ---- */

static int open_for_scan(struct catalog *catalog, const struct segment_brief *brief,
                         bool *ret_direct)
{
        char name[32];
        int fd, r;

        segment_name(brief->id, name);
        fd = os_open(catalog->directory, name, OS_READ, 0);
        if (fd < 0)
                return detail(fd, "%s: cannot open: %s", name, logstore_error_text(fd));
        r = os_sync_file(fd);
        if (r < 0) {
                os_close(fd);
                return detail(r, "%s: a sync before reading failed: %s: check the disk", name,
                              logstore_error_text(r));
        }
        *ret_direct = false;
        if (os_is_memory(fd) == 1)
                return fd; /* no disk beneath: what the cache has is the truth */
        r = os_open(catalog->directory, name, OS_READ | OS_DIRECT, 0);
        if (r >= 0) {
                os_close(fd);
                *ret_direct = true;
                return r;
        }
        if (r != -EINVAL) {
                os_close(fd);
                return detail(r, "%s: cannot open: %s", name, logstore_error_text(r));
        }
        os_drop_cache(fd, 0, 0); /* next best: clean pages are read anew */
        return fd;
}

static int scan_one(struct catalog *catalog, const struct segment_brief *brief, uint64_t limit,
                    struct scan *scan)
{
        struct hash_key key;
        int r, fd = open_for_scan(catalog, brief, &scan->direct);
        char name[32];

        if (fd < 0)
                return fd;
        hash_key_init(&key, brief->salt);
        scan->memory = catalog->memory;
        scan->fd = fd;
        scan->key = &key;
        scan->first_number = brief->start.first_number;
        scan->limit = limit;
        r = scan_segment(scan);
        os_close(fd);
        if (r < 0) {
                segment_name(brief->id, name);
                detail_prefix(r, "%s", name);
        }
        return r;
}

/* Position of the oldest entry that is to be scanned, and the greatest time before it. */
static int first_unsealed(struct catalog *catalog, size_t *ret_at, int64_t *ret_greatest)
{
        size_t at = catalog->count;
        struct segment_brief brief = { 0 };
        uint64_t end = 0; /* of the segment before, as this one says */
        int r = 0;

        while (at > 0) {
                r = segment_brief_read(catalog->directory, catalog->uuid,
                                       catalog->entries[at - 1].id, &brief);
                if (r < 0)
                        return r;
                if (brief.sealed && at < catalog->count) {
                        if (brief.seal.end == end) /* else it was cut since */
                                *ret_greatest = brief.seal.greatest_ns;
                        break;
                }
                *ret_greatest = brief.start.greatest_ns;
                end = brief.start.previous_end;
                at--;
        }
        *ret_at = at;
        return 0;
}

/* A segment's count of numbers is fixed before the next one is started: no crash makes it another. */
static bool is_miscounted(const struct catalog_entry *next, const struct scan *scan,
                          const struct segment_brief *brief, struct recovery *recovery)
{
        if (!next || scan->end != next->previous_end || scan->records == next->previous_records)
                return false;
        recovery->damage = -EBADMSG;
        detail(-EBADMSG,
               SEGMENT_NAME_FORMAT ": offset %llu: %llu records end here, the next segment says "
                                   "%llu: run verify, then repair",
               (unsigned long long)brief->id, (unsigned long long)scan->end,
               (unsigned long long)scan->records, (unsigned long long)next->previous_records);
        recovery->damage_offset = scan->end;
        return true;
}

/* Nothing is known to have been durable: then good frames behind a bad one tell damage. */
static int frames_beyond(struct catalog *catalog, const struct segment_brief *brief,
                         const struct scan *scan)
{
        struct segment *segment;
        int r = segment_open(catalog->memory, catalog->directory, catalog->uuid, brief->id,
                             OS_SHARED_READ, &segment);

        if (r < 0)
                return r;
        r = scan->why != NULL &&
            salvage_beyond(segment, scan->stop, brief->start.first_number + scan->records);
        segment_close(segment);
        return r;
}

static int judge(struct catalog *catalog, const struct control_slot *slot,
                 const struct segment_brief *brief, const struct scan *scan,
                 struct recovery *recovery)
{
        uint64_t mark = brief->sealed && brief->seal.last_number > slot->mark_number
                                ? brief->seal.last_number
                                : slot->mark_number;
        char name[32];
        int r = 0;

        if (slot->generation == 0)
                r = frames_beyond(catalog, brief, scan);
        if (r < 0 || (r == 0 && recovery->tail.number >= mark))
                return r;
        segment_name(brief->id, name);
        recovery->damage = -EBADMSG;
        recovery->damage_offset = scan->stop;
        detail(-EBADMSG, "%s: offset %llu, record %llu: %s, but %s: run verify, then repair", name,
               (unsigned long long)scan->stop, (unsigned long long)(recovery->tail.number + 1),
               scan->why ? scan->why : "the segment ends here",
               slot->generation ? "it was durable" : "there are good frames behind it");
        return 0;
}

int recovery_scan(struct catalog *catalog, const struct control_slot *slot, bool ahead,
                  struct recovery *ret)
{
        struct recovery recovery = { 0 };
        int64_t greatest = 0;
        size_t at = 0;
        int r = first_unsealed(catalog, &at, &greatest);
        bool ended = false;

        /* Everything sealed before counts as a whole; with nothing to scan the log is empty. */
        for (; r == 0 && at < catalog->count; at++) {
                struct catalog_entry *next =
                        at + 1 < catalog->count ? &catalog->entries[at + 1] : NULL;
                struct scan scan = { .greatest_ns = greatest, .ahead = ahead };
                struct segment_brief brief;
                size_t n = recovery.unsealed_count;

                r = segment_brief_read(catalog->directory, catalog->uuid, catalog->entries[at].id,
                                       &brief);
                if (r == 0)
                        r = scan_one(catalog, &brief, next ? next->previous_end : brief.bytes,
                                     &scan);
                if (r < 0)
                        break;
                if (ended) { /* the chain goes on behind the end: all of it is dropped */
                        recovery.dropped_records += scan.records;
                        recovery.dropped_bytes += scan.end - FRAMES_OFFSET;
                        continue;
                }
                recovery.tail = (struct tail){
                        .number = brief.start.first_number + scan.records - 1,
                        .segment_id = brief.id,
                        .offset = scan.end,
                        .greatest_ns = scan.greatest_ns,
                };
                recovery.records = scan.records;
                recovery.why = scan.uncommitted ? NULL : scan.why;
                recovery.unsealed[n] = brief.id;
                recovery.ends[n] = scan.end;
                recovery.counts[n] = scan.records;
                recovery.greatest[n] = greatest = scan.greatest_ns;
                if (++recovery.unsealed_count == HEAD_SLOTS * 2)
                        r = detail(-EBADMSG, "more than %d segments are unsealed: run verify",
                                   HEAD_SLOTS * 2);
                ended = !next || scan.end != next->previous_end ||
                        scan.records != next->previous_records;
                if (ended && r == 0 && !is_miscounted(next, &scan, &brief, &recovery))
                        r = judge(catalog, slot, &brief, &scan, &recovery);
                if (ended && scan.stop > scan.end)
                        recovery.dropped_bytes += scan.stop - scan.end;
        }
        if (r == 0)
                *ret = recovery;
        return r;
}

/* ---- going on ---- */

/* What was scanned to its end and has a durable successor is sealed now, so that the next open
 * need not read it. */
static int seal_scanned(struct catalog *catalog, const struct recovery *recovery, uint64_t before)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < recovery->unsealed_count; i++) {
                struct segment *segment;

                if (recovery->unsealed[i] >= before)
                        break;
                r = segment_open(catalog->memory, catalog->directory, catalog->uuid,
                                 recovery->unsealed[i], OS_SHARED_WRITE, &segment);
                if (r < 0)
                        break;
                if (segment->brief.started && !segment->brief.sealed) {
                        segment_seal(segment, recovery->counts[i], recovery->ends[i],
                                     recovery->greatest[i]);
                        r = os_sync_map(segment->map.base, HEADER_BYTES);
                        if (r < 0)
                                detail(r, "%s: offset 0: a sync failed: %s", segment->name,
                                       logstore_error_text(r));
                }
                segment_close(segment);
        }
        return r;
}

static int describe_start(struct catalog *catalog, const struct control_slot *slot,
                          const struct recovery *recovery, struct start_payload *start)
{
        struct segment_brief brief;
        int r = segment_brief_read(catalog->directory, catalog->uuid, recovery->tail.segment_id,
                                   &brief);

        if (r < 0)
                return r;
        *start = brief.start;
        start->epoch = slot->epoch + 1;
        if (recovery->tail.greatest_ns > start->greatest_ns) /* of claims resolved after the roll */
                start->greatest_ns = recovery->tail.greatest_ns;
        if (recovery->records == 0)
                return 0; /* nothing in it: take its place, and it is a leftover */
        start->first_number = recovery->tail.number + 1;
        start->previous_id = brief.id;
        start->previous_salt = brief.salt;
        start->previous_end = recovery->tail.offset;
        start->previous_records = recovery->records;
        return 0;
}

static int sync_start_frame(struct segment *segment)
{
        int r = os_sync_map((char *)segment->map.base, FRAMES_OFFSET);

        return r < 0 ? detail(r, "%s: offset 0: a sync failed: %s", segment->name,
                              logstore_error_text(r))
                     : 0;
}

int recovery_start(struct catalog *catalog, struct control *control,
                   const struct recovery *recovery, struct segment **ret, struct tail *ret_tail)
{
        const struct control_static *fixed = &control->page->fixed;
        struct start_payload start = {
                .first_number = control->first_number,
                .epoch = control->epoch + 1,
        };
        struct segment *segment = NULL;
        int r = 0;

        if (recovery)
                r = describe_start(catalog, &control->current, recovery, &start);
        if (r == 0)
                r = head_make(catalog, fixed->segment_bytes, fixed->file_mode, &start, &segment);
        if (r < 0)
                return r;
        r = sync_start_frame(segment);
        if (r == 0 && recovery)
                r = seal_scanned(catalog, recovery, segment->brief.id);
        if (r == 0)
                r = catalog_drop_leftovers(catalog);
        if (r < 0) {
                catalog_forget(catalog, segment);
                catalog_unpin(catalog, segment);
                return r;
        }
        *ret_tail = (struct tail){
                .number = start.first_number - 1,
                .segment_id = segment->brief.id,
                .offset = FRAMES_OFFSET,
                .greatest_ns = start.greatest_ns,
        };
        control_set_head(control, start.epoch,
                         catalog->first_number > control->first_number
                                 ? catalog->first_number /* the log was being emptied */
                                 : control->first_number,
                         ret_tail->number, ret_tail->segment_id, ret_tail->offset);
        *ret = segment;
        return 0;
}

/* Check what the head holds up to the mark, entering it into the index. */
static int rebuild(struct segment *segment, const struct control_slot *slot, struct tail *tail,
                   uint32_t *ret_records)
{
        struct record_view view;
        uint64_t offset = FRAMES_OFFSET;
        uint32_t ordinal = 0;
        bool in_batch = false;

        while (offset < slot->mark_offset) {
                const struct frame *frame = segment_frame(segment, offset);
                int r = segment_peek(segment, offset, &view);

                if (r == 0 && !record_valid(&segment->key, segment->map.base, offset, &view))
                        r = -EBADMSG;
                if (r == 0 && view.kind != FRAME_PAD && view.ordinal != ordinal + 1)
                        r = -EBADMSG;
                if (r == 0 && in_batch && (view.kind == FRAME_PAD || view.kind == FRAME_VOID))
                        r = -EBADMSG;
                if (r < 0)
                        return segment_damage(segment, offset, segment_number(segment, ordinal + 1),
                                              "the frame does not validate, but it was durable");
                if (view.kind != FRAME_PAD) {
                        index_set(&segment->index, ++ordinal, offset);
                        if (view.kind != FRAME_VOID && frame->time_ns > tail->greatest_ns)
                                tail->greatest_ns = frame->time_ns;
                }
                in_batch = view.kind == FRAME_MORE;
                offset += view.frame_bytes;
        }
        if (in_batch || offset != slot->mark_offset ||
            segment_number(segment, ordinal) != slot->mark_number)
                return segment_damage(segment, offset, slot->mark_number,
                                      "the segment does not end where the control page says");
        *ret_records = ordinal;
        return 0;
}

int recovery_resume(struct catalog *catalog, const struct control_slot *slot, struct segment **ret,
                    struct tail *ret_tail, uint32_t *ret_records)
{
        struct tail tail = { .number = slot->mark_number,
                             .segment_id = slot->mark_id,
                             .offset = slot->mark_offset };
        struct record_view view;
        struct segment *segment;
        int r = segment_open(catalog->memory, catalog->directory, catalog->uuid, slot->mark_id,
                             OS_SHARED_WRITE, &segment);

        if (r < 0)
                return r;
        r = index_new(catalog->memory, segment->brief.bytes, &segment->index);
        segment->index_shared = r == 0;
        tail.greatest_ns = catalog_greatest_before(catalog, segment);
        if (r == 0)
                r = rebuild(segment, slot, &tail, ret_records);
        if (r == 0 && segment_peek(segment, slot->mark_offset, &view) != -EAGAIN)
                r = 1; /* the slot is older than the log: another one was lost */
        if (r == 0)
                r = catalog_adopt(catalog, segment);
        if (r != 0) {
                segment_close(segment);
                return r;
        }
        *ret = segment;
        *ret_tail = tail;
        return 0;
}

/* By read(2): a look through the mapping at a hole of a full tmpfs would be a SIGBUS. */
static bool zeros_from(struct segment *segment, uint64_t offset)
{
        uint8_t piece[4096];
        size_t got = sizeof(piece);

        while (got == sizeof(piece)) {
                if (os_read(segment->fd, piece, sizeof(piece), offset, &got) < 0)
                        return false;
                for (size_t i = 0; i < got; i++)
                        if (piece[i] != 0)
                                return false;
                offset += got;
        }
        return true;
}

bool recovery_in_place(struct catalog *catalog, const struct control_slot *slot,
                       const struct recovery *recovery, struct control_slot *ret)
{
        struct segment *segment;
        bool empty;

        if (recovery->why || catalog->entries[catalog->count - 1].id != recovery->tail.segment_id ||
            catalog_pin_id(catalog, recovery->tail.segment_id, &segment) < 0)
                return false;
        empty = zeros_from(segment, recovery->tail.offset);
        catalog_unpin(catalog, segment);
        *ret = *slot;
        ret->mark_number = recovery->tail.number;
        ret->mark_id = recovery->tail.segment_id;
        ret->mark_offset = recovery->tail.offset;
        return empty;
}
