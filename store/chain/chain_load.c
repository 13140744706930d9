/*
 * chain_load.c - finding the chain in a directory
 *
 * Head:      the newest segment with a valid start frame. Newer files were prepared and never
 *            started, or a crash tore their start: they are leftovers.
 * Back:      chain_walk.c.
 * Broken:    a missing, foreign or damaged link is kept as a fault of its place. Numbers still lead
 *            to what is there; only writing is refused.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/chain_private.h"
#include "logstore.h"
#include "os/detail.h"

#define LOAD_TRIES 100 /* beside a writer that trims or truncates each time */

static int collect(void *context, const char *name)
{
        struct chain *chain = context;
        bool is_index;
        uint64_t id = segment_name_id(name, &is_index);
        int r;

        if (id == 0 || is_index)
                return 0;
        if (id > chain->highest_id)
                chain->highest_id = id;
        r = chain_grow(chain, (void **)&chain->entries, &chain->room, chain->count,
                       sizeof(*chain->entries));
        if (r == 0)
                chain->entries[chain->count++] = (struct chain_entry){ .id = id };
        return r;
}

static int by_id(const void *a, const void *b)
{
        const struct chain_entry *x = a, *y = b;

        return x->id < y->id ? -1 : x->id > y->id;
}

void chain_sort(struct chain *chain)
{
        if (chain->count > 0)
                qsort(chain->entries, chain->count, sizeof(*chain->entries), by_id);
}

/* Find the newest started segment, and take what is newer off the chain. */
static int find_head(struct chain *chain, const struct control_slot *slot)
{
        while (chain->count > 0) {
                struct chain_entry *entry = &chain->entries[chain->count - 1];
                struct segment_brief brief = { 0 };
                int r = segment_brief_read(chain->directory, chain->uuid, entry->id, &brief);

                if (r == -ENOENT) { /* unlinked after the listing, for one that it lacks */
                        chain->vanished = true;
                        chain_remove(chain, chain->count - 1, chain->count);
                        continue;
                }
                if (r == -EIO)
                        return r;
                switch (judge_newer(r == 0, brief.started, entry->id <= slot->mark_id)) {
                case JUDGE_HEAD:
                        return chain_fill(chain, entry);
                case JUDGE_PREPARED:
                        r = chain_leave_out(chain, chain->count - 1, chain->count);
                        break;
                case JUDGE_LOST: /* serve what is before it */
                        if (r == 0)
                                r = chain_damaged_file(
                                        entry->id, HEADER_BYTES,
                                        "the start frame is damaged, records up to %" PRIu64
                                        " were durable",
                                        slot->mark_number);
                        r = chain_broken(chain, UINT64_MAX, r);
                        if (r == 0)
                                chain_remove(chain, chain->count - 1, chain->count);
                        break;
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The head is sealed: what was newer is lost, or was never started. Does the seal fit its
 * frames? */
static int check_head_seal(struct chain *chain)
{
        uint64_t id = chain->entries[chain->count - 1].id;
        struct segment *segment;
        int r;

        if (chain_is_broken(chain, UINT64_MAX) ||
            !segment_is_sealed(chain->directory, chain->uuid, id) ||
            segment_open(chain->memory, chain->directory, chain->uuid, id, OS_SHARED_READ,
                         &segment) < 0)
                return 0;
        chain->misfit = !segment_seal_holds(segment, chain->first_number);
        r = 0;
        if (chain->misfit)
                r = chain_damaged_file(
                        id, SECTOR_BYTES,
                        "the seal tells another number of records or another end (%" PRIu64 ")",
                        segment->brief.seal.records);
        segment_close(segment);
        return r < 0 ? chain_broken(chain, UINT64_MAX, r) : 0;
}

static int by_number(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

/* The chain is empty. */
static int load_once(struct chain *chain)
{
        struct control_slot slot = { 0 };
        bool known = control_read(chain->control, &slot) == 0;
        int r;

        chain->epoch = slot.epoch;
        chain->first_number = slot.first_number;
        r = os_list(chain->directory, collect, chain);
        if (r < 0)
                return detail(r, "cannot list the directory: %s", logstore_error_text(r));
        chain_sort(chain);
        r = find_head(chain, &slot);
        if (r == 0 && !known)
                chain_fall_back(chain);
        if (r < 0)
                return r;
        if (chain->count == 0) {
                /* A new store has no segment. One that knew a durable record or a segment has lost
                 * it. */
                if (slot.mark_id != 0 && !chain_is_broken(chain, UINT64_MAX)) {
                        chain_damaged_file(
                                slot.mark_id, 0,
                                "the segment is missing, and every other: records up to %" PRIu64
                                " were durable",
                                slot.mark_number);
                        return chain_broken(chain, UINT64_MAX, -EBADMSG);
                }
                return 0;
        }
        if (chain->entries[chain->count - 1].id < slot.mark_id &&
            !chain_is_broken(chain, UINT64_MAX)) {
                chain_damaged_file(slot.mark_id, 0,
                                   "the newest segment is missing: records up to %" PRIu64
                                   " were durable",
                                   slot.mark_number);
                r = chain_broken(chain, UINT64_MAX, -EBADMSG);
        }
        if (r == 0 && known)
                r = chain_end_at_close(chain, &slot);
        if (r == 0)
                r = check_head_seal(chain);
        if (r == 0)
                r = chain_walk_back(chain);
        if (r == 0)
                r = known ? chain_find_cap(chain, &slot) : chain_find_mark(chain);
        if (r == 0)
                r = chain_check_oldest(chain, known);
        if (chain->leftover_count > 0)
                qsort(chain->leftovers, chain->leftover_count, sizeof(uint64_t), by_number);
        return r;
}

static void drop_chain(struct chain *chain)
{
        chain_remove(chain, 0, chain->count);
        memory_free(chain->memory, chain->entries);
        memory_free(chain->memory, chain->leftovers);
        memory_free(chain->memory, chain->faults);
}

/* Put the chain that we read in the place of the old one. */
static void take_over(struct chain *chain, const struct chain *fresh)
{
        drop_chain(chain);
        chain->entries = fresh->entries;
        chain->room = fresh->room;
        chain->count = fresh->count;
        chain->leftovers = fresh->leftovers;
        chain->leftover_count = fresh->leftover_count;
        chain->leftover_room = fresh->leftover_room;
        chain->highest_id = fresh->highest_id;
        chain->epoch = fresh->epoch;
        chain->first_number = fresh->first_number;
        chain->fallback = fresh->fallback;
        chain->cap = fresh->cap;
        chain->capped_epoch = fresh->cap.epoch;
        chain->sealed = fresh->sealed;
        chain->sealed_number = fresh->sealed.mark_number;
        chain->unsealed = fresh->unsealed;
        chain->missealed = fresh->missealed;
        chain->copied_back = fresh->copied_back;
        chain->vanished = false;
        chain->fault = fresh->fault;
        chain->faults = fresh->faults;
        chain->fault_count = fresh->fault_count;
        chain->fault_room = fresh->fault_room;
}

static const char *newest_fault(const struct chain *chain)
{
        return chain->fault_count ? chain->faults[0].fault.what : "";
}

/* Beside a writer the directory may change while we read it. So what looks broken is read again if
 * the control page has moved meanwhile or a listed file is gone. It is believed once it was seen
 * twice: a listing may miss a file that goes, and also the file that was made before that in its
 * place. We read the new chain aside. So a failure leaves the old one, and no thread sees half of a
 * chain. */
int chain_load_locked(struct chain *chain)
{
        char told[sizeof(chain->faults->fault.what)] = "";
        struct control_slot before, after;
        struct chain fresh;
        int r = 0;

        for (int attempt = 0; attempt < LOAD_TRIES; attempt++) {
                bool known = control_read(chain->control, &before) == 0;
                fresh = (struct chain){
                        .memory = chain->memory,
                        .control = chain->control,
                        .directory = chain->directory,
                        .highest_id = chain->highest_id,
                };
                memcpy(fresh.uuid, chain->uuid, sizeof(fresh.uuid));
                r = load_once(&fresh);
                if ((r == 0 && fresh.fault == 0) || !known || attempt == LOAD_TRIES - 1 ||
                    control_read(chain->control, &after) < 0 ||
                    (!fresh.vanished && r != -ENOENT && before.first_number == after.first_number &&
                     before.epoch == after.epoch && strcmp(told, newest_fault(&fresh)) == 0))
                        break;
                snprintf(told, sizeof(told), "%s", newest_fault(&fresh));
                drop_chain(&fresh);
        }
        if (r == 0)
                take_over(chain, &fresh);
        else
                drop_chain(&fresh);
        return r;
}

int chain_load(struct chain *chain)
{
        int r;

        pthread_mutex_lock(&chain->lock);
        r = chain_load_locked(chain);
        pthread_mutex_unlock(&chain->lock);
        return r;
}
