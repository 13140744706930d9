/*
 * ship_take_over.c - find what is shipped, compare it with the local log, and claim
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "remote/ship_private.h"

static_assert((int)COMMIT_CHANGED == (int)SHIP_AGAIN, "what has changed is looked at again");

/* ---- is the remote log the beginning of the local one? ---- */

struct sought {
        const struct remote_place *place;
        bool found;
        struct logstore_extent extent;
};

static int seek_extent(void *context, const struct logstore_extent *extent)
{
        struct sought *sought = context;

        if (extent->id == sought->place->id) {
                sought->found = true;
                sought->extent = *extent;
        }
        return 1; /* the first that comes is the one, or it is gone */
}

static int diverged(const struct logstore_ship *ship, const struct remote_place *place,
                    const char *why)
{
        return remote_detail(-EILSEQ,
                             "%s: the logs have diverged: %s (segment %" PRIu64 ", offset %" PRIu64
                             ", record %" PRIu64 ", commit %" PRIu64
                             "): ship to another prefix, or fetch from this one",
                             ship->bucket->url, why, place->id, place->offset, place->number,
                             ship->last.seq);
}

static int seek_first(void *context, const struct logstore_extent *extent)
{
        struct sought *sought = context;

        sought->found = true;
        sought->extent = *extent;
        return 1;
}

/* The log in the bucket begins anew behind record @number. Its end is in no segment, as at the
 * beginning. */
static int begin_behind(struct logstore_ship *ship, uint64_t number)
{
        struct commit_header *last = &ship->last;

        last->end = (struct remote_place){ .number = number };
        last->tail_bytes = last->tail_check = 0;
        last->first_number = number + 1;
        table_drop_dead(&ship->table, &last->end, last->first_number);
        return 0;
}

/* Retention went beyond what was shipped, as it may where a limit of lag is set. What is there
 * begins anew with the first record that is left: the log in the bucket has no gaps. The records
 * from @first_missing on are missing, and no more. */
static int give_up(struct logstore_ship *ship, uint64_t first_missing)
{
        struct logstore_bounds bounds;
        uint64_t number;
        int r = logstore_bounds(ship->store, &bounds);

        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        number = bounds.first - 1;
        ship->gap_first = first_missing <= number ? first_missing : 0;
        ship->gap_last = number;
        ship->last.epoch = bounds.epoch;
        return begin_behind(ship, number);
}

static bool has_shipped(const struct logstore_ship *ship, uint64_t id, uint64_t salt, uint64_t end)
{
        for (size_t i = 0; i < ship->table.count; i++) {
                const struct remote_entry *entry = &ship->table.lines[i].entry;

                if (entry->id == id && entry->salt == salt && entry->to >= end)
                        return true;
        }
        return false;
}

/* The log goes on at the cut: what was shipped behind it is dead. If nothing that is in the bucket
 * is left before it, the log there begins anew: at the cut if it is the very beginning; else with
 * what is here, since the records before the cut were trimmed there. */
static int go_back(struct logstore_ship *ship, const struct remote_place *cut)
{
        struct commit_header *last = &ship->last;

        if (cut->offset == FRAMES_OFFSET)
                return begin_behind(ship, cut->number);
        if (!has_shipped(ship, cut->id, cut->salt, cut->offset))
                return give_up(ship, UINT64_MAX);
        table_drop_dead(&ship->table, cut, last->first_number);
        return ship_set_end_at(ship, cut, last);
}

/* The log was cut, and goes on at @cut. If that is where the first segment that is left begins, and
 * the log before it is trimmed, records behind the cut may be trimmed as well: how many cannot be
 * told any more, unless that segment leads on from what was shipped. */
static int go_back_or_past(struct logstore_ship *ship, const struct remote_place *cut)
{
        struct sought sought = { 0 };
        int r = logstore_extents(ship->store, 0, seek_first, &sought);

        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        if (cut->offset != FRAMES_OFFSET || !sought.found || sought.extent.id != cut->id ||
            sought.extent.previous_id == 0)
                return go_back(ship, cut);
        return give_up(ship, has_shipped(ship, sought.extent.previous_id,
                                         sought.extent.previous_salt, sought.extent.previous_end)
                                     ? UINT64_MAX
                                     : ship->last.first_number);
}

/* The segment that was shipped last is trimmed, and its end is ours. If the first one that is left
 * leads on from there, no record is missing. */
static int go_past(struct logstore_ship *ship, bool gap)
{
        const struct remote_place *end = &ship->last.end;
        struct sought sought = { 0 };
        int r = logstore_extents(ship->store, 0, seek_first, &sought);

        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        if (sought.found && sought.extent.previous_id == end->id &&
            sought.extent.previous_salt == end->salt && sought.extent.previous_end == end->offset) {
                ship->trimmed_end = *end;
                return 0;
        }
        return gap ? give_up(ship, end->number + 1)
                   : diverged(ship, end, "the segment that was shipped last is not on this log");
}

/* Where all was cut, a copy from before has smaller numbers. If nothing was cut since, numbers that
 * are left out were trimmed: behind a gap, before its first segment was shipped. */
static int compare_empty(struct logstore_ship *ship)
{
        struct logstore_bounds bounds;
        int r = logstore_bounds(ship->store, &bounds);

        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        if (ship->last.end.number && bounds.first > ship->last.end.number + 1 &&
            bounds.epoch == ship->last.epoch)
                return give_up(ship, ship->last.end.number + 1);
        return bounds.first > ship->last.end.number
                       ? 0
                       : diverged(ship, &ship->last.end, "what is here was cut off there");
}

int ship_compare(struct logstore_ship *ship)
{
        const struct commit_header *last = &ship->last;
        const struct remote_place *end = &last->end;
        struct sought sought = { .place = end };
        struct remote_place cut;
        bool same, gap;
        int r;

        ship->gap_first = 0;
        ship->last.epoch = ship->said.epoch;
        ship->last.end = ship->said.end; /* a cut may lie below the last cut */
        ship->last.tail_bytes = ship->said.tail_bytes;
        ship->last.tail_check = ship->said.tail_check;
        if (end->id == 0)
                return compare_empty(ship);
        r = logstore_extents(ship->store, end->id, seek_extent, &sought);
        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        if (!sought.found || sought.extent.salt != end->salt || sought.extent.end < end->offset) {
                r = ship_was_cut(ship, &cut);
                if (r != 0)
                        return r < 0 ? r : go_back_or_past(ship, &cut);
                r = ship_was_trimmed(ship, &gap);
                if (r != 0)
                        return r < 0 ? r : go_past(ship, gap);
                return diverged(ship, end,
                                sought.found && sought.extent.salt == end->salt
                                        ? "more was shipped than is durable here"
                                        : "the segment that was shipped last is not on this log");
        }
        r = ship_check_end(ship, last, &same);
        if (r == 0 && !same)
                r = diverged(ship, end, "the bytes before the end that was shipped are others");
        return r;
}

/* ---- what is there ---- */

/* A checkpoint, and what the newest commit has behind it. */
static int read_table(struct logstore_ship *ship, const struct commit *newest,
                      struct commit_header *last)
{
        struct table table = { 0 };
        int r;

        r = table_read_as_of(ship->bucket, newest, last->checkpoint_seq, last->checkpoint_number,
                             &table);
        if (r != 0)
                return r;
        if (last->checkpoint_seq != newest->header->checkpoint_seq)
                last->base = table_base(&table);
        table_free(&ship->table);
        ship->table = table;
        return 0;
}

/* The shipper before may have ended behind a checkpoint, @checkpoint, that no commit names yet.
 * Ours will, else none ever would where each shipper makes one commit. */
static int adopt(struct logstore_ship *ship, const struct commit *newest, uint64_t checkpoint,
                 uint64_t number)
{
        struct commit_header last = *newest->header;
        int r;

        if (memcmp(last.uuid, ship->identity.uuid, sizeof(ship->identity.uuid)) != 0)
                return remote_detail(
                        -EMEDIUMTYPE,
                        "%s: the log of another store is there: ship to another prefix",
                        ship->bucket->url);
        if (checkpoint > last.checkpoint_seq && checkpoint <= last.seq) {
                last.checkpoint_seq = checkpoint;
                last.checkpoint_number = number;
        }
        r = read_table(ship, newest, &last);
        if (r != 0)
                return r;
        r = ship_make_room(ship, newest->header->entry_count);
        if (r < 0)
                return r;
        ship->last = last;
        ship->said = *newest->header;
        ship->since_count = 0;
        for (uint32_t i = 0; i < newest->header->entry_count; i++)
                if (newest->entries[i].seq > last.checkpoint_seq)
                        ship->since[ship->since_count++] = newest->entries[i];
        return 0;
}

int ship_find(struct logstore_ship *ship)
{
        uint64_t seq, checkpoint, number;
        struct bucket_reply reply;
        struct commit newest;
        int r = commit_find_newest(ship->bucket, &seq, &checkpoint, &number, &reply);

        if (r < 0)
                return r;
        ship_confirm(ship, &reply);
        if (seq == 0) {
                ship->last = ship->said = (struct commit_header){ 0 };
                ship->since_count = 0;
                table_free(&ship->table);
                return 0;
        }
        r = commit_read(ship->bucket, seq, &newest, NULL);
        if (r == -ENOENT)
                r = commit_judge_missing(ship->bucket, seq, "object");
        if (r != 0)
                return r; /* 1: SHIP_AGAIN */
        r = adopt(ship, &newest, checkpoint, number);
        commit_free(&newest);
        return r;
}

/* ---- may we? ---- */

static int note_time(void *context, const struct bucket_listed *listed)
{
        *(int64_t *)context = listed->changed_ns;
        return 1;
}

/* The newest commit that its shipper made itself. 0: it is gone, so older than an hour. */
static int find_shippers(const struct logstore_ship *ship, uint64_t *ret_seq)
{
        uint64_t seq = ship->last.seq;
        uint32_t kind = ship->last.kind;

        while (kind == COMMIT_TRIM) {
                struct commit commit;
                int r = commit_read(ship->bucket, --seq, &commit, NULL);

                if (r < 0) {
                        *ret_seq = 0;
                        return r == -ENOENT ? 0 : r;
                }
                kind = commit.header->kind;
                commit_free(&commit);
        }
        *ret_seq = seq;
        return 0;
}

/* Two hosts that take over from each other in turns ship nothing. Safety does not rest on this. All
 * times are the server's: what a host's clock says need not be so. */
static int be_courteous(const struct logstore_ship *ship)
{
        const struct commit_header *last = &ship->last;
        int64_t quiet = 3 * ship->options.interval_ms * (SECOND_NS / 1000), age, at = 0;
        char name[COMMIT_NAME_BYTES];
        uint64_t seq;
        int r;

        if (ship->takes_over || last->seq == 0 || ship->confirmed.server_ns == 0 ||
            strncmp(last->host, ship->host, sizeof(ship->host)) == 0)
                return 0;
        r = find_shippers(ship, &seq);
        if (r == 0 && seq) {
                commit_name(name, seq);
                r = bucket_list(ship->bucket, name, NULL, 1, note_time, &at, NULL);
        }
        if (r < 0)
                return r == -EAGAIN ? SHIP_AGAIN : r;
        age = ship->confirmed.server_ns - at;
        if (at == 0 || age > (quiet < COURTESY_NS ? COURTESY_NS : quiet))
                return 0;
        return remote_detail(-EBUSY,
                             "%s: %.*s (pid %" PRIu64 ") shipped %" PRId64
                             " s ago: stop it, or take over",
                             ship->bucket->url, (int)sizeof(last->host), last->host, last->pid,
                             age < 0 ? 0 : age / SECOND_NS);
}

/* Where the log begins and ends, as one header says it. */
static void take_ends(struct commit_header *to, const struct commit_header *from)
{
        to->end = from->end;
        to->tail_bytes = from->tail_bytes;
        to->tail_check = from->tail_check;
        to->first_number = from->first_number;
        to->epoch = from->epoch;
}

static int commit_claim(struct logstore_ship *ship)
{
        struct commit_header header = ship->last;

        header.kind = COMMIT_CLAIM;
        return ship_commit(ship, &header, NULL, NULL, 0, NULL);
}

/* A claim says the end that it found, so it needs no position of its own. A request of a shipper
 * before this one that is still on its way can come no more behind it. Until then the positions
 * must know its end. If the log was cut, a second claim says so. */
static int claim(struct logstore_ship *ship)
{
        const struct commit_header here = ship->last;
        bool cut = !ship_is_same_place(&here.end, &ship->said.end) ||
                   here.first_number != ship->said.first_number;
        struct logstore_bounds bounds;
        int r = logstore_bounds(ship->store, &bounds);

        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        ship->first_number = bounds.first; /* of the log that is shipped, if this is its first */
        take_ends(&ship->last, &ship->said);
        r = commit_claim(ship);
        if (r != 0 || !cut)
                return r;
        take_ends(&ship->last, &here);
        return commit_claim(ship);
}

/* The claim is there, which says that the log begins behind the gap. */
static void tell_gap(struct logstore_ship *ship)
{
        if (ship->gap_first == 0)
                return;
        ship->report.missed += ship->gap_last + 1 - ship->gap_first;
        ship->report.gap_last = ship->gap_last;
        ship->gap_first = 0;
}

int ship_take_over(struct logstore_ship *ship)
{
        int r;

        ship->claimed = false;
        r = ship_find(ship);
        if (r == -EAGAIN)
                return SHIP_AGAIN;
        if (r == 0)
                r = ship_compare(ship);
        if (r == 0)
                r = be_courteous(ship);
        if (r == 0)
                r = claim(ship);
        if (r == 0)
                tell_gap(ship);
        if (r == 0)
                r = ship_note_shipped(ship);
        if (r == 0)
                r = ship_checkpoint(ship);
        ship->claimed = r == 0;
        if (r == 0)
                ship->takes_over = false; /* from now on another host is as good as we are */
        return r;
}
