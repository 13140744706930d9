/*
 * ship_commit.c - create the next commit, or find out who was first
 *
 * A request is sent again with the very same bytes. So whatever reply was lost, the object that is
 * there in the end tells by its nonce whether it is ours.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "remote/ship_private.h"

void ship_confirm(struct logstore_ship *ship, const struct bucket_reply *reply)
{
        ship->confirmed = *reply;
}

/* Is commit @seq, which is ours, still the newest? */
static int check_list(struct logstore_ship *ship, uint64_t seq)
{
        uint64_t newest, checkpoint, number;
        struct bucket_reply reply;
        int r = commit_find_newest(ship->bucket, &newest, &checkpoint, &number, &reply);

        if (r == -EAGAIN)
                return SHIP_AGAIN;
        if (r < 0)
                return r;
        if (newest != seq)
                return SHIP_AGAIN;
        ship_confirm(ship, &reply);
        return 0;
}

/* The commit is there and ours. @renews: the answer was to its creation. If the server's clock says
 * that long has passed since our last confirmation, the machine may have slept before it was sent,
 * and created it under a name that was used and deleted. */
static int accept(struct logstore_ship *ship, uint64_t seq, const struct bucket_reply *reply,
                  bool renews)
{
        bool known = reply->server_ns != 0 && ship->confirmed.server_ns != 0;

        if (!known || reply->server_ns - ship->confirmed.server_ns > CONFIRMED_SERVER_NS)
                return check_list(ship, seq);
        if (renews)
                ship_confirm(ship, reply);
        return 0;
}

/* A commit of that number is there already. Whose is it? */
static int whose(struct logstore_ship *ship, const struct commit *ours)
{
        struct bucket_reply reply = { 0 };
        struct commit theirs;
        int r = commit_read(ship->bucket, ours->header->seq, &theirs, &reply);

        if (r == -ENOENT || r == -EAGAIN) /* deleted since, or nobody says */
                return SHIP_AGAIN;
        if (r < 0)
                return r;
        if (theirs.header->nonce == ours->header->nonce &&
            theirs.header->check == ours->header->check)
                r = accept(ship, ours->header->seq, &reply, false); /* a reply was lost */
        else if (ours->header->kind == COMMIT_CLAIM)
                r = SHIP_AGAIN;
        else if (ours->header->kind == COMMIT_TRIM)
                r = ship_go_behind_shipper(ship, &theirs);
        else if (ship_is_trim_of_ours(ship, &theirs))
                r = ship_go_behind_trim(ship, theirs.header);
        else
                r = remote_detail(-EPIPE,
                                  "%s: %.*s (pid %" PRIu64 ") has taken over with commit %" PRIu64
                                  ": this shipper stops, up to record %" PRIu64 " is shipped",
                                  ship->bucket->url, (int)sizeof(theirs.header->host),
                                  theirs.header->host, theirs.header->pid, theirs.header->seq,
                                  ship->last.end.number);
        commit_free(&theirs);
        return r;
}

/* An object took long to send, or nothing was sent for long. If the commit before is still the
 * newest there is, all stands as it was. */
static int confirm_anew(struct logstore_ship *ship, const struct commit *commit)
{
        if (ship_clock_ns() - ship->confirmed.sent_ns < CONFIRMED_NS / 2)
                return 0;
        return check_list(ship, commit->header->seq - 1);
}

/* For that, or for an answer. What was decided before may not be so any more. */
static bool too_late(int r)
{
        return r == -ESTALE || r == -ETIME || r == -EAGAIN;
}

static int create(struct logstore_ship *ship, const struct commit *commit)
{
        struct bucket_source source = { .bytes = commit->bytes, .size = commit->size };
        struct bucket_reply reply = { 0 };
        char name[COMMIT_NAME_BYTES];
        int r = confirm_anew(ship, commit);

        if (r != 0)
                return r;
        commit_name(name, commit->header->seq);
        source.not_after_ns = ship->confirmed.sent_ns + CONFIRMED_NS;
        r = ship_ask(ship, bucket_put_new, name, &source, &reply);
        if (r == 0)
                return accept(ship, commit->header->seq, &reply, true);
        if (r == -EEXIST)
                return whose(ship, commit);
        return too_late(r) ? SHIP_AGAIN : r;
}

/* The bucket kept its word when it was tried out. Versioning may have been switched on since, and
 * then a second creation succeeds. */
static int check_again(struct logstore_ship *ship, const struct commit *commit)
{
        struct bucket_source source = { .bytes = commit->bytes, .size = commit->size };
        char name[COMMIT_NAME_BYTES];
        int r;

        commit_name(name, commit->header->seq);
        source.not_after_ns = ship->confirmed.sent_ns + CONFIRMED_NS;
        r = ship_ask(ship, bucket_put_new, name, &source, NULL);
        if (r == 0)
                return remote_detail(-EOPNOTSUPP,
                                     "%s: %s could be created twice: is versioning switched on? "
                                     "It must be off",
                                     ship->bucket->url, name);
        return r == -EEXIST ? 0 : too_late(r) ? SHIP_AGAIN : r;
}

/* What every commit says, from the one before it. */
static struct commit_header next_header(const struct logstore_ship *ship,
                                        const struct commit_header *header)
{
        const struct commit_header *last = &ship->last;
        bool trims = header->kind == COMMIT_TRIM;
        struct commit_header next = trims ? *last : *header;
        struct timespec now;

        next.kind = header->kind;
        memcpy(next.uuid, ship->identity.uuid, sizeof(next.uuid));
        if (!trims) { /* which says who ships, and when */
                clock_gettime(CLOCK_REALTIME, &now);
                memcpy(next.host, ship->host, sizeof(next.host));
                next.pid = (uint64_t)getpid();
                next.committed_ns = now.tv_sec * SECOND_NS + now.tv_nsec;
        }
        next.segment_bytes = ship->identity.segment_bytes;
        next.store_created_ns = ship->identity.created_ns;
        next.store_first_number = ship->identity.first_number;
        next.file_mode = ship->identity.file_mode;
        next.first_number = trims       ? header->first_number
                            : last->seq ? last->first_number
                                        : ship->first_number;
        next.seq = last->seq + 1;
        next.term = last->term + (header->kind == COMMIT_CLAIM);
        next.nonce = ship_random();
        next.checkpoint_seq = last->checkpoint_seq;
        next.checkpoint_number = last->checkpoint_number;
        next.base = last->base;
        return next;
}

/* The commit is there: it is what the next one goes on from. */
static int adopt(struct logstore_ship *ship, const struct commit *commit,
                 const struct remote_entry *entry, struct remote_block *blocks,
                 uint32_t block_count)
{
        int r = 0;

        ship->last = ship->said = ship->told = *commit->header;
        ship->since_count = commit->header->entry_count;
        if (ship->since_count)
                memcpy(ship->since, commit->entries, ship->since_count * sizeof(*ship->since));
        if (entry)
                r = table_add(&ship->table, &ship->since[ship->since_count - 1], blocks,
                              block_count);
        ship->report.commits++;
        ship->report.bytes += commit->size;
        return r;
}

/* The log in the bucket begins with this entry: with the first one of all, or behind a cut at the
 * very beginning. Records may have been trimmed since the claim, and numbers left out. */
static void note_beginning(const struct logstore_ship *ship, const struct remote_entry *entry,
                           struct commit_header *next)
{
        if ((ship->last.end.id == 0 || entry->previous_id == 0) &&
            entry->segment_number > next->first_number)
                next->first_number = entry->segment_number;
}

/* Most shippers need little of what a commit may hold, and one process may have many. */
int ship_make_room(struct logstore_ship *ship, uint32_t count)
{
        struct remote_entry *since;

        if (count <= ship->since_room)
                return 0;
        if (count < 2 * ship->since_room)
                count = 2 * ship->since_room;
        since = reallocarray(ship->since, count, sizeof(*since));
        if (!since)
                return remote_detail(-ENOMEM, "no memory for %u entries", count);
        ship->since = since;
        ship->since_room = count;
        return 0;
}

/* A commit holds only so many entries. A checkpoint that could not be put is tried again. */
static int make_room(struct logstore_ship *ship)
{
        int r = ship->since_count == COMMIT_ENTRIES_MAX ? ship_checkpoint(ship) : 0;

        if (r == 0 && ship->since_count == COMMIT_ENTRIES_MAX)
                return remote_detail(-EAGAIN, "%s: no answer to a checkpoint", ship->bucket->url);
        return r == 0 ? ship_make_room(ship, ship->since_count + 1) : r;
}

struct payload {
        const void *bytes;
        uint64_t size;
};

/* The bytes of a TAIL, the directory of a WHOLE, or a mark where the log was cut or trimmed. */
static struct payload choose_payload(const struct logstore_ship *ship,
                                     const struct commit_header *header,
                                     const struct remote_entry *entry,
                                     const struct remote_block *blocks, uint32_t block_count,
                                     const void *tail)
{
        static const uint8_t cut[COMMIT_CUT_BYTES];

        if (tail)
                return (struct payload){ tail, entry->to - entry->from };
        if ((header->kind == COMMIT_TRIM && header->first_number != ship->said.first_number) ||
            (header->kind == COMMIT_CLAIM &&
             memcmp(&header->end, &ship->said.end, sizeof(header->end)) != 0))
                return (struct payload){ cut, sizeof(cut) };
        return (struct payload){ blocks, block_count * sizeof(*blocks) };
}

/* What a commit brings, besides its header. */
struct news {
        const struct remote_entry *entry; /* NULL: none */
        struct remote_block *blocks;
        uint32_t block_count;
        const void *tail;
};

/* Fill in the header, and behind those since the checkpoint the own entry. */
static struct commit_header prepare(struct logstore_ship *ship, const struct commit_header *header,
                                    const struct news *news)
{
        struct commit_header next = next_header(ship, header);
        struct remote_entry *own;

        if (!news->entry)
                return next;
        own = &ship->since[ship->since_count];
        *own = *news->entry;
        own->seq = next.seq;
        note_beginning(ship, news->entry, &next);
        if (header->nonce) /* it is in the name of an object that is there already */
                next.nonce = header->nonce;
        return next;
}

/* Takes over the blocks once the commit is there. */
static int commit_once(struct logstore_ship *ship, const struct commit_header *header,
                       struct news *news)
{
        const struct payload payload = choose_payload(ship, header, news->entry, news->blocks,
                                                      news->block_count, news->tail);
        struct commit_header next = prepare(ship, header, news);
        struct commit commit;
        int r = ship_note_next(ship, &next);

        if (r == 0)
                r = commit_make(&next, ship->since, ship->since_count + (news->entry != NULL),
                                payload.bytes, payload.size, &commit);
        if (r != 0)
                return r;
        r = create(ship, &commit);
        if (r == 0 && header->kind == COMMIT_CLAIM)
                r = check_again(ship, &commit);
        if (r == 0) {
                r = adopt(ship, &commit, news->entry, news->blocks, news->block_count);
                news->blocks = NULL;
        }
        commit_free(&commit);
        return r;
}

int ship_commit(struct logstore_ship *ship, const struct commit_header *header,
                const struct remote_entry *entry, struct remote_block *blocks, uint32_t block_count,
                const void *tail)
{
        struct news news = { entry, blocks, block_count, tail };
        int r = entry ? make_room(ship) : 0;

        if (r == 0)
                do
                        r = commit_once(ship, header, &news);
                while (r == SHIP_TRIMMED);
        free(news.blocks);
        return r == 0 && entry ? ship_note_shipped(ship) : r;
}
