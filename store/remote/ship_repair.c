/*
 * ship_repair.c - what is damaged or missing in the bucket is put again
 *
 * No name is used twice, so what is damaged stays what it is. Its segment is shipped once more, as
 * a new object, and the WHOLE that names it takes the place of what was there. That is an ordinary
 * commit: every rule of the protocol holds for it. What is damaged is remembered by its commit, so
 * it is done once the table has no line of that commit any more.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "remote/ship_private.h"
#include "remote/workers.h"
#include "segment/hash.h"

struct search {
        struct logstore_ship *ship;
        bool *damaged; /* of each line of the table */
};

struct hashed {
        XXH3_state_t *state;
        uint64_t bytes;
};

static int take(void *context, const void *bytes, size_t size)
{
        struct hashed *hashed = context;

        XXH3_64bits_update(hashed->state, bytes, size);
        hashed->bytes += size;
        return 0;
}

static int check_object(struct logstore_ship *ship, const struct remote_entry *entry)
{
        struct hashed hashed = { XXH3_createState(), 0 };
        const struct bucket_sink sink = { take, &hashed };
        char name[BUCKET_NAME_MAX];
        int r;

        if (!hashed.state || XXH3_64bits_reset(hashed.state) != XXH_OK) {
                XXH3_freeState(hashed.state);
                return remote_detail(-ENOMEM, "no memory to check an object");
        }
        segment_object_name(name, entry);
        r = bucket_get(ship->bucket, name, 0, UINT64_MAX, &sink, NULL);
        if (r == 0 && (hashed.bytes != entry->object_bytes ||
                       XXH3_64bits_digest(hashed.state) != entry->object_check))
                r = remote_detail(-EBADMSG, "%s: its checksum does not hold", name);
        XXH3_freeState(hashed.state);
        return r;
}

static int check_tail(struct logstore_ship *ship, const struct remote_entry *entry)
{
        struct commit commit;
        int r = commit_read(ship->bucket, entry->seq, &commit, NULL);

        if (r == 0)
                commit_free(&commit);
        return r;
}

static int check_line(void *context, size_t which)
{
        struct search *search = context;
        const struct remote_entry *entry = &search->ship->table.lines[which].entry;
        int64_t begun = ship_clock_ns();
        int r = -EAGAIN;

        for (unsigned tries = 0; r == -EAGAIN; tries++) {
                r = entry->object_bytes ? check_object(search->ship, entry)
                                        : check_tail(search->ship, entry);
                if (r != -EAGAIN || ship_clock_ns() - begun > PATIENCE_NS)
                        break;
                if (ship_pause(search->ship, tries) < 0)
                        return -ECANCELED;
        }
        search->damaged[which] = r == -EBADMSG || r == -ENOENT;
        return search->damaged[which] ? 0 : r;
}

/* Take over @seqs, with room for all lines. */
static void note_damage(struct logstore_ship *ship, const bool *damaged, uint64_t *seqs)
{
        free(ship->damaged);
        ship->damaged = seqs;
        ship->damaged_count = 0;
        for (size_t i = 0; i < ship->table.count; i++)
                if (damaged[i])
                        seqs[ship->damaged_count++] = ship->table.lines[i].entry.seq;
        ship->report.damaged += ship->damaged_count;
        ship->searches = false;
}

int ship_find_damage(struct logstore_ship *ship)
{
        size_t count = ship->table.count;
        struct search search = { ship, calloc(count + 1, sizeof(*search.damaged)) };
        uint64_t *seqs = calloc(count + 1, sizeof(*seqs));
        int r;

        if (!search.damaged || !seqs) {
                free(search.damaged);
                free(seqs);
                return remote_detail(-ENOMEM, "no memory to check %zu lines", count);
        }
        r = workers_run(count, ship->connections, check_line, &search);
        if (r == 0)
                note_damage(ship, search.damaged, seqs);
        else
                free(seqs);
        free(search.damaged);
        return r;
}

bool ship_is_damaged(const struct logstore_ship *ship, const struct remote_entry *entry)
{
        for (size_t i = 0; i < ship->damaged_count; i++)
                if (ship->damaged[i] == entry->seq)
                        return true;
        return false;
}

int ship_tell_damage(const struct logstore_ship *ship)
{
        for (size_t i = 0; i < ship->table.count; i++) {
                const struct remote_entry *entry = &ship->table.lines[i].entry;

                if (!ship_is_damaged(ship, entry))
                        continue;
                return remote_detail(-ENODATA,
                                     "%s: segment %" PRIu64 ", records %" PRIu64 "..%" PRIu64
                                     " are damaged or missing there, and not in this store any "
                                     "more: ship it from a copy that has them",
                                     ship->bucket->url, entry->id, entry->first_number,
                                     entry->last_number);
        }
        return 0;
}
