/*
 * recovery.c - where the log ends after a crash
 *
 * recovery_scan() fsyncs the unsealed segments, because what recovery shows must survive the next
 * crash. Usually there are one or two; more than that only behind an open claim. It reads them
 * around the page cache, because after a failed sync the cache shows what the disk does not have.
 * The log ends before the first frame that does not count. An end below the mark is damage and no
 * torn tail. Nothing is written here.
 */
#include "writer/recovery.h"

#include <errno.h>

#include "logstore.h"
#include "os/detail.h"
#include "os/file.h"
#include "segment/salvage.h"
#include "segment/scan.h"

static int open_for_scan(struct chain *chain, const struct segment_brief *brief, bool *ret_direct)
{
        char name[32];
        int fd, r;

        segment_name(brief->id, name);
        fd = file_open(chain->directory, name, OS_READ, NULL);
        if (fd < 0)
                return fd;
        r = os_sync_file(fd);
        if (r < 0) {
                os_close(fd);
                return detail(r, "%s: a sync before reading failed: %s: check the disk", name,
                              logstore_error_text(r));
        }
        *ret_direct = false;
        if (os_is_memory(fd) == 1)
                return fd; /* no disk beneath: what the cache has is the truth */
        r = os_open(chain->directory, name, OS_READ | OS_DIRECT, 0);
        if (r >= 0) {
                os_close(fd);
                *ret_direct = true;
                return r;
        }
        if (r != -EINVAL) {
                os_close(fd);
                return detail(r, "%s: cannot open: %s", name, logstore_error_text(r));
        }
        os_drop_cache(fd, 0, 0); /* the next best: clean pages are read anew */
        return fd;
}

static int scan_one(struct chain *chain, const struct segment_brief *brief, uint64_t limit,
                    struct scan *scan)
{
        struct hash_key key;
        int r, fd = open_for_scan(chain, brief, &scan->direct);
        char name[32];

        if (fd < 0)
                return fd;
        hash_key_init(&key, brief->salt);
        scan->memory = chain->memory;
        scan->fd = fd;
        scan->key = &key;
        scan->first_number = brief->start.first_number;
        scan->limit = limit;
        scan->begin = chain->first_number;
        r = scan_segment(scan);
        scan->key = NULL; /* it ends here */
        os_close(fd);
        if (r < 0) {
                segment_name(brief->id, name);
                detail_prefix(r, "%s", name);
        }
        return r;
}

/* The position of the oldest entry to scan, and the greatest time before it. */
static int first_unsealed(struct chain *chain, size_t *ret_at, int64_t *ret_greatest)
{
        size_t at = chain->count;
        struct segment_brief brief = { 0 };
        uint64_t end = 0; /* of the segment before, as this one says */
        int r = 0;

        while (at > 0) {
                r = segment_brief_read(chain->directory, chain->uuid, chain->entries[at - 1].id,
                                       &brief);
                if (r < 0)
                        return r;
                if (brief.sealed && at < chain->count) {
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

/* Keep the damage that was judged. */
static void note_damage(const struct segment_brief *brief, const struct scan *scan, int judgement,
                        uint64_t number, struct recovery *recovery)
{
        const char *why = scan->why ? scan->why : "the segment ends here";
        char name[32];

        segment_name(brief->id, name);
        recovery->damage = -EBADMSG;
        recovery->damage_offset = scan->stop;
        if (judgement == JUDGE_D4_COUNTS)
                damaged(-EBADMSG, name, scan->stop, number,
                        "the next segment tells another number of records");
        else
                damaged(-EBADMSG, name, scan->stop, number, "%s, but %s", why,
                        judgement == JUDGE_D3 ? "the log goes on behind it" : "it was durable");
}

/* Count what is dropped of a segment: what the scan stopped before, or all of a segment behind the
 * end of the log. */
static int count_dropped(struct chain *chain, uint64_t id, uint64_t offset, uint64_t number,
                         uint64_t limit, struct recovery *recovery)
{
        struct salvage_dropped dropped = { 0 };
        struct segment *segment;
        int r = chain_pin_id(chain, id, &segment);

        if (r < 0)
                return r;
        salvage_count(segment, offset, number, limit, &dropped);
        chain_unpin(chain, segment);
        recovery->dropped_records += dropped.records;
        recovery->dropped_bytes += dropped.bytes;
        return 0;
}

/* Note a segment, to seal it. There may be any number of them: readers do not ask for seals. */
static int note_unsealed(struct chain *chain, const struct tail *tail, uint64_t records,
                         struct recovery *recovery)
{
        struct unsealed *unsealed = recovery->unsealed;
        size_t room = recovery->unsealed_room;

        if (recovery->unsealed_count == room) {
                room = room ? room * 2 : WRITER_GATES;
                unsealed = memory_resize(chain->memory, unsealed, room * sizeof(*unsealed));
                if (!unsealed)
                        return detail(-ENOMEM, "no memory for a list of %zu segments", room);
                recovery->unsealed = unsealed;
                recovery->unsealed_room = room;
        }
        unsealed[recovery->unsealed_count++] =
                (struct unsealed){ tail->segment_id, tail->offset, records, tail->greatest_ns };
        return 0;
}

void recovery_free(struct chain *chain, struct recovery *recovery)
{
        memory_free(chain->memory, recovery->unsealed);
        recovery->unsealed = NULL;
}

int recovery_scan(struct chain *chain, const struct control_slot *slot, bool ahead,
                  struct recovery *ret)
{
        struct recovery recovery = { 0 };
        int64_t greatest = 0;
        size_t at = 0;
        int r = first_unsealed(chain, &at, &greatest);
        bool ended = false;

        /* Everything sealed before counts as a whole. With nothing to scan the log is empty. */
        for (; r == 0 && at < chain->count; at++) {
                struct chain_entry *next = at + 1 < chain->count ? &chain->entries[at + 1] : NULL;
                struct scan scan = { .greatest_ns = greatest,
                                     .ahead = ahead,
                                     .next_number = next ? next->first_number : 0 };
                struct segment_brief brief;
                uint64_t limit, number;
                int judgement;

                r = segment_brief_read(chain->directory, chain->uuid, chain->entries[at].id,
                                       &brief);
                limit = next ? next->previous_end : brief.sealed ? brief.seal.end : brief.bytes;
                if (r == 0 && ended) { /* the log has ended: all of this is dropped */
                        r = count_dropped(chain, brief.id, FRAMES_OFFSET, brief.start.first_number,
                                          limit, &recovery);
                        continue;
                }
                if (r == 0)
                        r = scan_one(chain, &brief, limit, &scan);
                if (r < 0)
                        break;
                recovery.tail = (struct tail){
                        .number = brief.start.first_number + scan.records - 1,
                        .segment_id = brief.id,
                        .offset = scan.end,
                        .greatest_ns = scan.greatest_ns,
                };
                recovery.records = scan.records;
                recovery.why = scan.uncommitted ? NULL : scan.why;
                greatest = scan.greatest_ns;
                r = note_unsealed(chain, &recovery.tail, scan.records, &recovery);
                if (r < 0)
                        break;
                judgement = chain_judge_scan(chain, slot, &brief, &scan, next, &number);
                if (judgement < 0) {
                        r = judgement;
                        break;
                }
                ended = judgement != JUDGE_GOES_ON;
                if (judgement == JUDGE_TORN)
                        r = count_dropped(chain, brief.id, scan.end, number, limit, &recovery);
                else if (ended && judgement != JUDGE_END)
                        note_damage(&brief, &scan, judgement, number, &recovery);
        }
        if (r < 0)
                recovery_free(chain, &recovery);
        else
                *ret = recovery;
        return r;
}
