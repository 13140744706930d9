/*
 * ship_behind.c - another's commit has the number, and takes nothing from us: go on behind it
 *
 * A TRIM is of another's hand, and of the shipper's term. The shipper's commit is made anew under
 * the next name, and says what the TRIM says. The same for a TRIM that finds a shipper's commit.
 */
#include <errno.h>
#include <string.h>

#include "remote/ship_private.h"

/* What is not there cannot be gone on from. */
static int check_checkpoint(struct logstore_ship *ship, const struct commit_header *header)
{
        struct table table = { 0 };
        int r = table_read(ship->bucket, ship->identity.uuid, header->checkpoint_seq,
                           header->checkpoint_number, &table);

        table_free(&table);
        return r == -ENOENT || r == -EAGAIN ? SHIP_AGAIN : r;
}

/* Somebody took a number for a TRIM behind our last commit. It may name a newer checkpoint. */
int ship_go_behind_trim(struct logstore_ship *ship, const struct commit_header *trim)
{
        struct commit_header *last = &ship->last;
        uint32_t kept = 0;

        if (trim->checkpoint_seq > last->checkpoint_seq) {
                int r = check_checkpoint(ship, trim);

                if (r != 0)
                        return r;
                last->checkpoint_seq = trim->checkpoint_seq;
                last->checkpoint_number = trim->checkpoint_number;
                last->base = trim->base;
        }
        last->seq = trim->seq;
        last->first_number = trim->first_number;
        for (uint32_t i = 0; i < ship->since_count; i++)
                if (ship->since[i].seq > last->checkpoint_seq)
                        ship->since[kept++] = ship->since[i];
        ship->since_count = kept;
        ship->said = *trim;
        table_drop_dead(&ship->table, &last->end, last->first_number);
        return SHIP_TRIMMED;
}

/* Of those that were there with our last commit, all behind its checkpoint. */
static bool has_our_entries(const struct logstore_ship *ship, const struct commit *theirs)
{
        uint32_t at = 0;

        for (uint32_t i = 0; i < ship->since_count; i++) {
                if (ship->since[i].seq <= theirs->header->checkpoint_seq)
                        continue;
                if (at == theirs->header->entry_count ||
                    theirs->entries[at++].seq != ship->since[i].seq)
                        return false;
        }
        return true;
}

/* It went on from our last commit, and moves nothing but the log's beginning. */
bool ship_is_trim_of_ours(const struct logstore_ship *ship, const struct commit *theirs)
{
        const struct commit_header *header = theirs->header, *said = &ship->said;

        return header->kind == COMMIT_TRIM && header->term == said->term &&
               header->first_number >= said->first_number &&
               header->tail_check == said->tail_check && header->epoch == said->epoch &&
               memcmp(&header->end, &said->end, sizeof(header->end)) == 0 &&
               memcmp(header->uuid, ship->identity.uuid, sizeof(header->uuid)) == 0 &&
               has_our_entries(ship, theirs);
}

/* We trim, and a shipper was faster: its log goes on from the one that was looked at. So what was
 * to be trimmed is what is to be trimmed. */
int ship_go_behind_shipper(struct logstore_ship *ship, const struct commit *theirs)
{
        const struct commit_header *header = theirs->header;
        int r;

        if ((header->kind != COMMIT_TAIL && header->kind != COMMIT_WHOLE) ||
            header->term != ship->said.term || header->checkpoint_seq != ship->last.checkpoint_seq)
                return SHIP_AGAIN;
        r = ship_make_room(ship, header->entry_count);
        if (r < 0)
                return r;
        ship->last = ship->said = *header;
        ship->since_count = header->entry_count;
        memcpy(ship->since, theirs->entries, header->entry_count * sizeof(*ship->since));
        r = table_add(&ship->table, &ship->since[header->entry_count - 1], NULL, 0);
        return r < 0 ? r : SHIP_TRIMMED;
}
