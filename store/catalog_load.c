/*
 * catalog_load.c - finding the chain in a directory
 *
 * Head:      the newest segment with a valid start frame. Newer files are prepared, never started
 *            ones, or were torn while being started: leftovers.
 * Back:      each start frame names its predecessor. Strictly followed until a sealed segment,
 *            because what a crash leaves off the chain is dropped, durably, before anything newer
 *            is sealed; beyond that only where the ids leave a gap.
 * Broken:    a missing, foreign or damaged link is kept as catalog->fault. Numbers still lead to
 *            what is there; only writing is refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_private.h"
#include "detail.h"
#include "logstore.h"

static int collect(void *context, const char *name)
{
        struct catalog *catalog = context;
        bool is_index;
        uint64_t id = segment_name_id(name, &is_index);
        int r;

        if (id == 0)
                return 0;
        if (id > catalog->highest_id)
                catalog->highest_id = id;
        if (is_index)
                return 0;
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

int catalog_broken(struct catalog *catalog, int error)
{
        if (error != -EBADMSG && error != -ENOENT && error != -EPERM && error != -EPROTONOSUPPORT)
                return error;
        catalog->vanished |= error == -ENOENT;
        if (catalog->fault == 0) {
                catalog->fault = error == -ENOENT ? -EBADMSG : error;
                snprintf(catalog->fault_text, sizeof(catalog->fault_text), "%s", logstore_detail());
        }
        return 0;
}

/* Drop what is newer than the newest started segment. */
static int find_head(struct catalog *catalog, const struct control_slot *slot)
{
        while (catalog->count > 0) {
                struct catalog_entry *entry = &catalog->entries[catalog->count - 1];
                struct segment_brief brief;
                int r = segment_brief_read(catalog->directory, catalog->uuid, entry->id, &brief);

                if (r == 0 && brief.started)
                        return catalog_fill(catalog, entry);
                if (r == -ENOENT) { /* unlinked since it was listed */
                        catalog_remove(catalog, catalog->count - 1, catalog->count);
                        continue;
                }
                if (r == 0 && entry->id <= slot->mark_id)
                        r = detail(-EBADMSG,
                                   "%010llu.log: offset %u: the start frame is damaged, "
                                   "records up to %llu were durable: run verify, then "
                                   "repair",
                                   (unsigned long long)entry->id, HEADER_BYTES,
                                   (unsigned long long)slot->mark_number);
                if (r < 0) {
                        r = catalog_broken(catalog, r);
                        if (r < 0)
                                return r;
                        entry->error = -EBADMSG;
                        /* Serve what is before it. */
                        catalog_remove(catalog, catalog->count - 1, catalog->count);
                        continue;
                }
                r = catalog_leave_out(catalog, catalog->count - 1, catalog->count);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Is the segment at @at continued by the one behind it? Its own page tells whether it is sealed. */
static int check_link(struct catalog *catalog, size_t at, bool *ret_sealed)
{
        struct catalog_entry *next = &catalog->entries[at + 1];
        struct segment_brief brief;
        int r = segment_brief_read(catalog->directory, catalog->uuid, catalog->entries[at].id,
                                   &brief);

        *ret_sealed = r == 0 && brief.sealed;
        if (r < 0)
                return r;
        if (brief.salt != next->previous_salt || !brief.started ||
            next->previous_end > brief.bytes || next->previous_end < FRAMES_OFFSET ||
            brief.start.first_number > next->first_number)
                return detail(-EBADMSG,
                              "%010llu.log: offset %u: not the segment that id %llu "
                              "continues: it was replaced or damaged",
                              (unsigned long long)brief.id, HEADER_BYTES,
                              (unsigned long long)next->id);
        return catalog_fill(catalog, &catalog->entries[at]);
}

static int missing(const struct catalog_entry *next)
{
        return detail(-EBADMSG,
                      "%010llu.log: the segment before id %llu is missing, with the "
                      "records before %llu: run verify, then repair",
                      (unsigned long long)next->previous_id, (unsigned long long)next->id,
                      (unsigned long long)next->first_number);
}

/* Follow the links back until a sealed segment, dropping what lies between. */
static int walk_back(struct catalog *catalog)
{
        size_t at = catalog->count - 1;
        bool sealed = false;
        int r;

        for (;;) {
                struct catalog_entry *entry = &catalog->entries[at];
                size_t previous;

                if (entry->first_number == 0)
                        return 0; /* broken: what is older is judged by the gaps */
                /* The log begins here: by a truncation, or all before it is trimmed. */
                if (entry->previous_id == 0 || entry->first_number <= catalog->first_number)
                        return catalog_leave_out(catalog, 0, at);
                if (sealed)
                        return 0;
                previous = catalog_find_id(catalog, entry->previous_id);
                if (previous >= at || catalog->entries[previous].id != entry->previous_id) {
                        missing(entry); /* the rest is judged by the gaps */
                        return catalog_broken(catalog, -EBADMSG);
                }
                r = catalog_leave_out(catalog, previous + 1, at);
                if (r < 0)
                        return r;
                r = check_link(catalog, previous, &sealed);
                if (r < 0 && (r = catalog_broken(catalog, r)) < 0)
                        return r;
                at = previous;
        }
}

/* Further back: a gap between ids is all right only if the links say so. */
static int check_gaps(struct catalog *catalog, size_t from)
{
        for (size_t at = from; at > 0; at--) {
                struct catalog_entry *entry = &catalog->entries[at];
                int r;

                if (catalog->entries[at - 1].id + 1 == entry->id)
                        continue;
                r = catalog_fill(catalog, entry);
                if (r == 0 && entry->previous_id != catalog->entries[at - 1].id)
                        r = missing(entry);
                if (r < 0 && (r = catalog_broken(catalog, r)) < 0)
                        return r;
        }
        return 0;
}

/* The oldest: trimmed segments that are still there are leftovers, a missing one is damage. */
static int check_oldest(struct catalog *catalog)
{
        int r;

        while (catalog->count > 1) {
                r = catalog_fill(catalog, &catalog->entries[1]);
                if (r < 0 || catalog->entries[1].first_number > catalog->first_number)
                        break;
                r = catalog_leave_out(catalog, 0, 1);
                if (r < 0)
                        return r;
        }
        if (catalog->count == 0)
                return 0;
        r = catalog_fill(catalog, &catalog->entries[0]);
        if (r == 0 && catalog->entries[0].first_number > catalog->first_number) {
                if (catalog->entries[0].previous_id != 0)
                        r = missing(&catalog->entries[0]);
                else
                        catalog->first_number = catalog->entries[0].first_number;
        }
        return r < 0 ? catalog_broken(catalog, r) : 0;
}

static int by_number(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

/* Into a catalog that is empty. */
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
                r = catalog_fall_back(catalog);
        if (r < 0)
                return r;
        if (catalog->count == 0) {
                /* A new store has none; one that knew a durable record or a segment lost them. */
                if (slot.mark_id != 0) {
                        detail(-EBADMSG,
                               "%010llu.log: the segment is missing, and every other: "
                               "records up to %llu were durable",
                               (unsigned long long)slot.mark_id,
                               (unsigned long long)slot.mark_number);
                        catalog_broken(catalog, -EBADMSG);
                }
                return 0;
        }
        if (catalog->entries[catalog->count - 1].id < slot.mark_id) {
                detail(-EBADMSG,
                       "%010llu.log: the newest segment is missing: records up to %llu "
                       "were durable",
                       (unsigned long long)slot.mark_id, (unsigned long long)slot.mark_number);
                catalog_broken(catalog, -EBADMSG);
        }
        r = walk_back(catalog);
        if (r == 0)
                r = known ? catalog_find_cap(catalog, &slot) : catalog_find_mark(catalog);
        if (r == 0) /* before the gaps: of what a trim was unlinking a crash may leave any part */
                r = check_oldest(catalog);
        if (r == 0 && catalog->count > 0)
                r = check_gaps(catalog, catalog->count - 1);
        if (catalog->leftover_count > 0)
                qsort(catalog->leftovers, catalog->leftover_count, sizeof(uint64_t), by_number);
        return r;
}

static void drop_chain(struct catalog *catalog)
{
        catalog_remove(catalog, 0, catalog->count);
        memory_free(catalog->memory, catalog->entries);
        memory_free(catalog->memory, catalog->leftovers);
}

/* Put the chain that was read in the place of the old one. */
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
        catalog->fault = fresh->fault;
        memcpy(catalog->fault_text, fresh->fault_text, sizeof(fresh->fault_text));
}

/* Beside a writer the directory may change while it is read: what looks broken is read again if
 * the control page has moved meanwhile, or a file is gone that was listed. The chain is read aside, so that a failure leaves what there
 * was, and nobody sees half of it. */
int catalog_load_locked(struct catalog *catalog)
{
        struct control_slot before, after;
        struct catalog fresh;
        int r = 0;

        for (int attempt = 0; attempt < 10; attempt++) {
                bool known = control_read(catalog->control, &before) == 0;
                fresh = (struct catalog){
                        .memory = catalog->memory,
                        .control = catalog->control,
                        .directory = catalog->directory,
                        .highest_id = catalog->highest_id,
                };
                memcpy(fresh.uuid, catalog->uuid, sizeof(fresh.uuid));
                r = load_once(&fresh);
                if ((r == 0 && fresh.fault == 0) || !known || attempt == 9 ||
                    control_read(catalog->control, &after) < 0 ||
                    (!fresh.vanished && before.first_number == after.first_number &&
                     before.epoch == after.epoch))
                        break;
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
