/*
 * catalog_load.c - finding the chain in a directory
 *
 * Head:      the newest segment with a valid start frame. Newer files were prepared and never
 *            started, or a crash tore their start: they are leftovers.
 * Back:      catalog_walk.c.
 * Broken:    a missing, foreign or damaged link is kept as a fault of its place. Numbers still lead
 *            to what is there; only writing is refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/catalog_private.h"
#include "logstore.h"
#include "os/detail.h"

#define LOAD_TRIES 100 /* beside a writer that trims or truncates each time */

static int collect(void *context, const char *name)
{
        struct catalog *catalog = context;
        bool is_index;
        uint64_t id = segment_name_id(name, &is_index);
        int r;

        if (id == 0 || is_index)
                return 0;
        if (id > catalog->highest_id)
                catalog->highest_id = id;
        r = catalog_grow(catalog, (void **)&catalog->entries, &catalog->room, catalog->count,
                         sizeof(*catalog->entries));
        if (r == 0)
                catalog->entries[catalog->count++] = (struct catalog_entry){ .id = id };
        return r;
}

static int by_id(const void *a, const void *b)
{
        const struct catalog_entry *x = a, *y = b;

        return x->id < y->id ? -1 : x->id > y->id;
}

void catalog_sort(struct catalog *catalog)
{
        if (catalog->count > 0)
                qsort(catalog->entries, catalog->count, sizeof(*catalog->entries), by_id);
}

/* Find the newest started segment, and take what is newer off the chain. */
static int find_head(struct catalog *catalog, const struct control_slot *slot)
{
        while (catalog->count > 0) {
                struct catalog_entry *entry = &catalog->entries[catalog->count - 1];
                struct segment_brief brief;
                int r = segment_brief_read(catalog->directory, catalog->uuid, entry->id, &brief);

                if (r == 0 && brief.started)
                        return catalog_fill(catalog, entry);
                if (r == -ENOENT) { /* unlinked after the listing, for one that it lacks */
                        catalog->vanished = true;
                        catalog_remove(catalog, catalog->count - 1, catalog->count);
                        continue;
                }
                if (r == 0 && entry->id <= slot->mark_id)
                        r = catalog_damaged_file(
                                entry->id, HEADER_BYTES,
                                "the start frame is damaged, records up to %llu were "
                                "durable",
                                slot->mark_number);
                if (r == -EIO)
                        return r;
                if (r < 0) { /* serve what is before it */
                        r = catalog_broken(catalog, UINT64_MAX, r);
                        if (r < 0)
                                return r;
                        catalog_remove(catalog, catalog->count - 1, catalog->count);
                        continue;
                }
                r = catalog_leave_out(catalog, catalog->count - 1, catalog->count);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The head is sealed: what was newer is lost, or was never started. Does the seal fit its
 * frames? */
static int check_head_seal(struct catalog *catalog)
{
        uint64_t id = catalog->entries[catalog->count - 1].id;
        struct segment *segment;
        int r;

        if (catalog_is_broken(catalog, UINT64_MAX) ||
            !segment_is_sealed(catalog->directory, catalog->uuid, id) ||
            segment_open(catalog->memory, catalog->directory, catalog->uuid, id, OS_SHARED_READ,
                         &segment) < 0)
                return 0;
        catalog->misfit = !segment_seal_holds(segment, catalog->first_number);
        r = 0;
        if (catalog->misfit)
                r = catalog_damaged_file(
                        id, SECTOR_BYTES,
                        "the seal tells another number of records or another end (%llu)",
                        segment->brief.seal.records);
        segment_close(segment);
        return r < 0 ? catalog_broken(catalog, UINT64_MAX, r) : 0;
}

static int by_number(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

/* The catalog is empty. */
static int load_once(struct catalog *catalog)
{
        struct control_slot slot = { 0 };
        bool known = control_read(catalog->control, &slot) == 0;
        int r;

        catalog->epoch = slot.epoch;
        catalog->first_number = slot.first_number;
        r = os_list(catalog->directory, collect, catalog);
        if (r < 0)
                return detail(r, "cannot list the directory: %s", logstore_error_text(r));
        catalog_sort(catalog);
        r = find_head(catalog, &slot);
        if (r == 0 && !known)
                catalog_fall_back(catalog);
        if (r < 0)
                return r;
        if (catalog->count == 0) {
                /* A new store has no segment. One that knew a durable record or a segment has lost
                 * it. */
                if (slot.mark_id != 0 && !catalog_is_broken(catalog, UINT64_MAX)) {
                        catalog_damaged_file(
                                slot.mark_id, 0,
                                "the segment is missing, and every other: records up to %llu "
                                "were durable",
                                slot.mark_number);
                        return catalog_broken(catalog, UINT64_MAX, -EBADMSG);
                }
                return 0;
        }
        if (catalog->entries[catalog->count - 1].id < slot.mark_id &&
            !catalog_is_broken(catalog, UINT64_MAX)) {
                catalog_damaged_file(
                        slot.mark_id, 0,
                        "the newest segment is missing: records up to %llu were durable",
                        slot.mark_number);
                r = catalog_broken(catalog, UINT64_MAX, -EBADMSG);
        }
        if (r == 0 && known)
                r = catalog_end_at_close(catalog, &slot);
        if (r == 0)
                r = check_head_seal(catalog);
        if (r == 0)
                r = catalog_walk_back(catalog);
        if (r == 0)
                r = known ? catalog_find_cap(catalog, &slot) : catalog_find_mark(catalog);
        if (r == 0)
                r = catalog_check_oldest(catalog, known);
        if (catalog->leftover_count > 0)
                qsort(catalog->leftovers, catalog->leftover_count, sizeof(uint64_t), by_number);
        return r;
}

static void drop_chain(struct catalog *catalog)
{
        catalog_remove(catalog, 0, catalog->count);
        memory_free(catalog->memory, catalog->entries);
        memory_free(catalog->memory, catalog->leftovers);
        memory_free(catalog->memory, catalog->faults);
}

/* Put the chain that we read in the place of the old one. */
static void take_over(struct catalog *catalog, const struct catalog *fresh)
{
        drop_chain(catalog);
        catalog->entries = fresh->entries;
        catalog->room = fresh->room;
        catalog->count = fresh->count;
        catalog->leftovers = fresh->leftovers;
        catalog->leftover_count = fresh->leftover_count;
        catalog->leftover_room = fresh->leftover_room;
        catalog->highest_id = fresh->highest_id;
        catalog->epoch = fresh->epoch;
        catalog->first_number = fresh->first_number;
        catalog->fallback = fresh->fallback;
        catalog->cap = fresh->cap;
        catalog->capped_epoch = fresh->cap.epoch;
        catalog->sealed = fresh->sealed;
        catalog->sealed_number = fresh->sealed.mark_number;
        catalog->unsealed = fresh->unsealed;
        catalog->copied_back = fresh->copied_back;
        catalog->vanished = false;
        catalog->fault = fresh->fault;
        catalog->faults = fresh->faults;
        catalog->fault_count = fresh->fault_count;
        catalog->fault_room = fresh->fault_room;
}

static const char *newest_fault(const struct catalog *catalog)
{
        return catalog->fault_count ? catalog->faults[0].fault.what : "";
}

/* Beside a writer the directory may change while we read it. So what looks broken is read again if
 * the control page has moved meanwhile or a listed file is gone. It is believed once it was seen
 * twice: a listing may miss a file that goes, and also the file that was made before that in its
 * place. We read the new chain aside. So a failure leaves the old one, and no thread sees half of a
 * chain. */
int catalog_load_locked(struct catalog *catalog)
{
        char told[sizeof(catalog->faults->fault.what)] = "";
        struct control_slot before, after;
        struct catalog fresh;
        int r = 0;

        for (int attempt = 0; attempt < LOAD_TRIES; attempt++) {
                bool known = control_read(catalog->control, &before) == 0;
                fresh = (struct catalog){
                        .memory = catalog->memory,
                        .control = catalog->control,
                        .directory = catalog->directory,
                        .highest_id = catalog->highest_id,
                };
                memcpy(fresh.uuid, catalog->uuid, sizeof(fresh.uuid));
                r = load_once(&fresh);
                if ((r == 0 && fresh.fault == 0) || !known || attempt == LOAD_TRIES - 1 ||
                    control_read(catalog->control, &after) < 0 ||
                    (!fresh.vanished && r != -ENOENT && before.first_number == after.first_number &&
                     before.epoch == after.epoch && strcmp(told, newest_fault(&fresh)) == 0))
                        break;
                snprintf(told, sizeof(told), "%s", newest_fault(&fresh));
                drop_chain(&fresh);
        }
        if (r == 0)
                take_over(catalog, &fresh);
        else
                drop_chain(&fresh);
        return r;
}

int catalog_load(struct catalog *catalog)
{
        int r;

        pthread_mutex_lock(&catalog->lock);
        r = catalog_load_locked(catalog);
        pthread_mutex_unlock(&catalog->lock);
        return r;
}
