/*
 * ship_take_over.c - find what is shipped, and claim
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "remote/ship_private.h"

static_assert((int)COMMIT_CHANGED == (int)SHIP_AGAIN, "what has changed is looked at again");

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

/* Who has no store goes by whatever is there. */
static void take_identity(struct logstore_ship *ship, const struct commit_header *head)
{
        struct control_static *identity = &ship->identity;

        memcpy(identity->uuid, head->uuid, sizeof(head->uuid));
        identity->segment_bytes = head->segment_bytes;
        identity->created_ns = head->store_created_ns;
        identity->first_number = head->store_first_number;
        identity->file_mode = head->file_mode;
}

/* The shipper before may have ended behind a checkpoint, @checkpoint, that no commit names yet.
 * Ours will, else none ever would where each shipper makes one commit. */
static int adopt(struct logstore_ship *ship, const struct commit *newest, uint64_t checkpoint,
                 uint64_t number)
{
        struct commit_header last = *newest->header;
        int r;

        if (!ship->store)
                take_identity(ship, &last);
        else if (memcmp(last.uuid, ship->identity.uuid, sizeof(ship->identity.uuid)) != 0)
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
