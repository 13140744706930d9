/*
 * catalog_load.c - finding the chain in a directory
 *
 * Head:      the newest segment with a valid start frame. Newer files are prepared, never started
 *            ones, or were torn while being started: leftovers.
 * Back:      each start frame names its predecessor. Strictly followed until a sealed segment,
 *            because what a crash leaves off the chain is dropped before the log is served again;
 *            beyond that only where the ids leave a gap.
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

/* Keep the first reason why the chain is broken; anything but damage stops the load. */
static int broken(struct catalog *catalog, int error)
{
        if (error != -EBADMSG && error != -ENOENT && error != -EPERM && error != -EPROTONOSUPPORT)
                return error;
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
                        r = broken(catalog, r);
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
                        missing(entry);
                        return broken(catalog, -EBADMSG); /* the rest is judged by the gaps */
                }
                r = catalog_leave_out(catalog, previous + 1, at);
                if (r < 0)
                        return r;
                r = check_link(catalog, previous, &sealed);
                if (r < 0 && (r = broken(catalog, r)) < 0)
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
                if (r < 0 && (r = broken(catalog, r)) < 0)
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
        return r < 0 ? broken(catalog, r) : 0;
}

static int by_number(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

/* Neither slot is valid: what was trimmed and what was durable is not known. */
static int fall_back(struct catalog *catalog)
{
        int r = catalog->count ? catalog_fill(catalog, &catalog->entries[0]) : 0;

        catalog->fallback = (struct control_slot){
                .first_number = catalog->control->page->fixed.first_number,
        };
        if (r < 0 && (r = broken(catalog, r)) < 0)
                return r;
        if (catalog->count && catalog->entries[0].first_number) {
                catalog->fallback.first_number = catalog->entries[0].first_number;
                catalog->fallback.epoch = catalog->entries[catalog->count - 1].epoch;
        }
        catalog->fallback.mark_number = catalog->fallback.first_number - 1;
        catalog->epoch = catalog->fallback.epoch;
        catalog->first_number = catalog->fallback.first_number;
        return r;
}

/* A mark belongs to its epoch: what a later one cut off is not missing. */
static int find_cap(struct catalog *catalog, const struct control_slot *slot)
{
        catalog->cap = (struct control_slot){ 0 };
        for (size_t at = catalog->count; at > 0; at--) {
                struct catalog_entry *entry = &catalog->entries[at - 1];
                int r = catalog_fill(catalog, entry);

                if (r < 0)
                        return broken(catalog, r);
                if (entry->epoch <= slot->epoch)
                        return 0;
                catalog->cap.epoch = entry->epoch;
                catalog->cap.mark_number = entry->first_number - 1;
                catalog->cap.mark_id = entry->previous_id;
                catalog->cap.mark_offset = entry->previous_end;
        }
        return 0;
}

static int load_locked(struct catalog *catalog)
{
        struct control_slot slot = { 0 };
        bool known = control_read(catalog->control, &slot) == 0;
        int r;

        catalog_remove(catalog, 0, catalog->count);
        catalog->leftover_count = 0;
        catalog->fault = 0;
        catalog->epoch = slot.epoch;
        catalog->first_number = slot.first_number;
        r = os_list(catalog->directory, collect, catalog);
        if (r < 0)
                return detail(r, "cannot list the directory: %s", logstore_error_text(r));
        if (catalog->count > 0)
                qsort(catalog->entries, catalog->count, sizeof(*catalog->entries), by_id);
        r = find_head(catalog, &slot);
        if (r == 0 && !known)
                r = fall_back(catalog);
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
                        broken(catalog, -EBADMSG);
                }
                return 0;
        }
        if (catalog->entries[catalog->count - 1].id < slot.mark_id) {
                detail(-EBADMSG,
                       "%010llu.log: the newest segment is missing: records up to %llu "
                       "were durable",
                       (unsigned long long)slot.mark_id, (unsigned long long)slot.mark_number);
                broken(catalog, -EBADMSG);
        }
        r = walk_back(catalog);
        if (r == 0 && known)
                r = find_cap(catalog, &slot);
        if (r == 0) /* before the gaps: of what a trim was unlinking a crash may leave any part */
                r = check_oldest(catalog);
        if (r == 0 && catalog->count > 0)
                r = check_gaps(catalog, catalog->count - 1);
        if (catalog->leftover_count > 0)
                qsort(catalog->leftovers, catalog->leftover_count, sizeof(uint64_t), by_number);
        return r;
}

/* Beside a writer the directory may change while it is read: what looks broken is read again if
 * the control page has moved meanwhile. */
static int load_stable(struct catalog *catalog)
{
        struct control_slot before, after;
        int r = 0;

        for (int attempt = 0; attempt < 10; attempt++) {
                bool known = control_read(catalog->control, &before) == 0;
                r = load_locked(catalog);
                if ((r == 0 && catalog->fault == 0) || !known ||
                    control_read(catalog->control, &after) < 0 ||
                    (before.first_number == after.first_number && before.epoch == after.epoch))
                        break;
        }
        return r;
}

void catalog_slot(const struct catalog *catalog, struct control_slot *ret)
{
        if (control_read(catalog->control, ret) < 0) {
                *ret = catalog->fallback;
        } else if (ret->epoch < catalog->cap.epoch && ret->mark_number > catalog->cap.mark_number) {
                /* A truncation's new head became durable, its control page did not. */
                ret->mark_number = catalog->cap.mark_number;
                ret->mark_id = catalog->cap.mark_id;
                ret->mark_offset = catalog->cap.mark_offset;
        }
}

int catalog_load(struct catalog *catalog)
{
        int r;

        pthread_mutex_lock(&catalog->lock);
        r = load_stable(catalog);
        pthread_mutex_unlock(&catalog->lock);
        return r;
}

/* A reader: entries for segments that were started since, found by the links back from @head. */
static int add_started(struct catalog *catalog, uint64_t head)
{
        uint64_t last = catalog->count ? catalog->entries[catalog->count - 1].id : 0;
        size_t old_count = catalog->count;
        int r = 0;

        for (uint64_t id = head; r == 0 && id > last;) {
                struct catalog_entry entry = { .id = id };

                r = catalog_fill(catalog, &entry);
                if (r == 0)
                        r = catalog_grow(catalog, (void **)&catalog->entries, &catalog->room,
                                         catalog->count, sizeof(entry));
                if (r == 0)
                        catalog->entries[catalog->count++] = entry;
                if (id > catalog->highest_id)
                        catalog->highest_id = id;
                id = entry.previous_id;
                if (r == 0 && id < last)
                        r = -ESTALE; /* the chain forked below what we knew: read it anew */
        }
        if (r < 0)
                catalog->count = old_count;
        else if (catalog->count > old_count)
                qsort(catalog->entries, catalog->count, sizeof(*catalog->entries), by_id);
        return r;
}

/* A reader: the writer has unlinked what lies below the first number. */
static void forget_trimmed(struct catalog *catalog)
{
        while (catalog->count > 1) {
                int r = catalog_fill(catalog, &catalog->entries[1]);
                if (r != -ENOENT &&
                    (r < 0 || catalog->entries[1].first_number > catalog->first_number))
                        break;
                catalog_remove(catalog, 0, 1);
        }
}

int catalog_refresh(struct catalog *catalog)
{
        uint64_t head = atomic_load(&catalog->control->page->head_id);
        struct control_slot slot;
        int r = 0;

        pthread_mutex_lock(&catalog->lock);
        catalog_slot(catalog, &slot);
        if (slot.epoch != catalog->epoch || catalog->count == 0) {
                r = load_stable(catalog);
        } else {
                uint64_t last = catalog->entries[catalog->count - 1].id;
                if (head > last && add_started(catalog, head) < 0)
                        r = load_stable(catalog);
                catalog->first_number = slot.first_number > catalog->first_number
                                                ? slot.first_number
                                                : catalog->first_number;
                if (r == 0)
                        forget_trimmed(catalog);
        }
        pthread_mutex_unlock(&catalog->lock);
        return r;
}
