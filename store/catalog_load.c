/*
 * catalog_load.c - finding the chain in a directory
 *
 * Head:      the newest segment with a valid start frame. Newer files are prepared, never started
 *            ones, or were torn while being started: leftovers.
 * Back:      each start frame names its predecessor, by id, salt and numbers; followed to the oldest,
 *            whatever is sealed. What is not named is off the chain.
 * Broken:    a missing, foreign or damaged link is kept as a fault of its place. Numbers still lead
 *            to what is there; only writing is refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_private.h"
#include "detail.h"
#include "logstore.h"

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

static int damaged_file(uint64_t id, uint64_t offset, const char *format, uint64_t number)
{
        char name[32], what[160];

        segment_name(id, name);
        snprintf(what, sizeof(what), format, (unsigned long long)number);
        return damaged(-EBADMSG, name, offset, 0, "%s", what);
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
                if (r == -ENOENT) { /* unlinked since it was listed, for one that is not */
                        catalog->vanished = true;
                        catalog_remove(catalog, catalog->count - 1, catalog->count);
                        continue;
                }
                if (r == 0 && entry->id <= slot->mark_id)
                        r = damaged_file(entry->id, HEADER_BYTES,
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

static int missing(const struct catalog_entry *next)
{
        return damaged_file(next->previous_id, 0,
                            "the segment is missing, with the records before %llu",
                            next->first_number);
}

/* Is the segment at @at the one that @next continues? Then its entry is filled. *ret_sealed is kept
 * once set: behind a seal everything is. */
static int check_link(struct catalog *catalog, size_t at, const struct catalog_entry *next,
                      bool *ret_sealed)
{
        struct segment_brief brief;
        int r = segment_brief_read(catalog->directory, catalog->uuid, catalog->entries[at].id,
                                   &brief);

        if (r == 0 && !brief.started)
                r = catalog_fill(catalog, &catalog->entries[at]);
        if (r < 0)
                return r;
        if (!catalog_fits(next, &brief))
                return damaged_file(brief.id, HEADER_BYTES,
                                    "not the segment that id %llu continues: one of them was "
                                    "replaced or damaged",
                                    next->id);
        catalog->unsealed |= *ret_sealed && !brief.sealed;
        *ret_sealed |= brief.sealed;
        return catalog_fill_from(&catalog->entries[at], &brief);
}

/* A listing is no picture of one moment: what was made while the directory was read may be missing
 * between others that are there. The name is tried, so that only what is not there is missing. */
static int add_unlisted(struct catalog *catalog, size_t at, uint64_t id)
{
        struct catalog_entry *entries;
        struct os_stat st;
        char name[32];
        int r;

        segment_name(id, name);
        r = os_stat_name(catalog->directory, name, &st);
        if (r == 0)
                r = catalog_grow(catalog, (void **)&catalog->entries, &catalog->room,
                                 catalog->count, sizeof(*catalog->entries));
        if (r < 0)
                return r;
        entries = catalog->entries;
        memmove(&entries[at + 1], &entries[at], (catalog->count - at) * sizeof(*entries));
        entries[at] = (struct catalog_entry){ .id = id };
        catalog->count++;
        return 0;
}

/* The entry that the one at *at continues, with its link checked. On failure *ret is where the older
 * ones end, behind which nothing up to *at is known to be of this log. */
static int find_previous(struct catalog *catalog, size_t *at, size_t *ret, bool *ret_sealed)
{
        struct catalog_entry *entry = &catalog->entries[*at];
        size_t previous = catalog_find_id(catalog, entry->previous_id);
        int r;

        *ret = *at;
        if (entry->previous_id >= entry->id)
                return damaged_file(entry->id, HEADER_BYTES,
                                    "continues id %llu, which is not older", entry->previous_id);
        *ret = previous;
        if (catalog->entries[previous].id != entry->previous_id) {
                r = add_unlisted(catalog, previous, entry->previous_id);
                if (r < 0)
                        return r == -ENOENT ? missing(entry) : r;
                entry = &catalog->entries[++*at];
        }
        return check_link(catalog, previous, entry, ret_sealed);
}

/* A reader beside a writer that trims: was all before the entry at @at trimmed since the load
 * began? */
static bool was_trimmed(struct catalog *catalog, size_t at)
{
        struct control_slot now;
        struct fault told;
        bool trimmed;

        fault_last(-EBADMSG, &told);
        trimmed = control_read(catalog->control, &now) == 0 && now.epoch == catalog->epoch &&
                  now.first_number >= catalog->entries[at].first_number;
        if (trimmed)
                catalog->first_number = now.first_number;
        else /* the look has its own detail */
                fault_tell(&told);
        return trimmed;
}

/* Behind a broken link: the newest entry before @at that can be served, with numbers below
 * @number; what it had to pass over is told by the link. No leftovers: who knows. */
static size_t find_older(struct catalog *catalog, size_t at, uint64_t number, bool meant)
{
        while (at-- > 0) {
                struct catalog_entry *entry = &catalog->entries[at];

                if (catalog_fill(catalog, entry) == 0 && entry->first_number < number + meant)
                        return at;
                meant = false;
                catalog_remove(catalog, at, at + 1);
        }
        return SIZE_MAX;
}

/* The segment that is named may be the one that is meant, with only the rest of the link wrong. */
static bool is_meant(struct catalog *catalog, size_t at, const struct catalog_entry *next)
{
        struct segment_brief brief;

        return catalog->entries[at].id == next->previous_id &&
               segment_brief_read(catalog->directory, catalog->uuid, next->previous_id, &brief) ==
                       0 &&
               brief.salt == next->previous_salt;
}

/* The entry at @at continues none that can be used: find another, from *older on. Returns 1. */
static int pass_over(struct catalog *catalog, size_t at, bool sealed, int error, size_t *older)
{
        uint64_t number = catalog->entries[at].first_number;
        int r = error == -EIO && !sealed ? error
                                         : catalog_broken(catalog, catalog->entries[at].id, error);
        bool there;

        if (r < 0)
                return r;
        there = *older < at && is_meant(catalog, *older, &catalog->entries[at]);
        if (*older < at)
                catalog_remove(catalog, *older + there, at);
        *older = find_older(catalog, *older + there, number, there);
        return 1;
}

/*
 * Follow the links to the oldest segment. What lies between is off the chain: ids without a gap prove
 * nothing, for a restore may put a file back under the name of one that was cut, and then only the
 * link of its successor, which is known to be on the chain itself, tells so. That needs each first
 * page, at once: whether a link further back holds decides if the log may be written to, and a search
 * by number that landed in what was put back would give records of another log.
 *
 * Once a link is broken nothing older is taken for a leftover, which would be deleted.
 */
static int walk_back(struct catalog *catalog)
{
        size_t at = catalog->count - 1;
        bool broken = false, sealed = false;

        while (at != SIZE_MAX) {
                struct catalog_entry *entry = &catalog->entries[at];
                size_t previous;
                int r;

                /* The log begins here: by a truncation, or all before it is trimmed. */
                if (entry->previous_id == 0 || entry->first_number <= catalog->first_number) {
                        if (!broken)
                                return catalog_leave_out(catalog, 0, at);
                        if (entry->previous_id == 0)
                                catalog_remove(catalog, 0, at);
                        return 0;
                }
                r = find_previous(catalog, &at, &previous, &sealed);
                if (r < 0 && was_trimmed(catalog, at))
                        continue;
                if (r == 0 && !broken)
                        r = catalog_leave_out(catalog, previous + 1, at);
                else if (r == 0)
                        catalog_remove(catalog, previous + 1, at);
                else
                        r = pass_over(catalog, at, sealed, r, &previous);
                if (r < 0)
                        return r;
                broken |= r > 0;
                at = previous;
        }
        return 0;
}

/* The oldest: trimmed segments that are still there are leftovers, a missing one is damage. */
static int check_oldest(struct catalog *catalog, bool known)
{
        int r;

        r = catalog_leave_out(catalog, 0, catalog_before(catalog, catalog->first_number));
        if (r < 0 || catalog->count == 0)
                return r;
        r = catalog_fill(catalog, &catalog->entries[0]);
        if (r == 0 && catalog->entries[0].first_number > catalog->first_number) {
                if (catalog->entries[0].previous_id != 0)
                        r = missing(&catalog->entries[0]);
                else
                        catalog->first_number = catalog->entries[0].first_number;
        }
        if (r == 0 && !known &&
            catalog->entries[0].first_number < catalog->control->page->fixed.first_number) {
                r = damaged_file(catalog->entries[0].id, HEADER_BYTES,
                                 "begins before the first number ever, %llu",
                                 catalog->control->page->fixed.first_number);
                catalog_remove(catalog, 0, catalog->count); /* none of it is of this store */
                return catalog_broken(catalog, UINT64_MAX, r);
        }
        return r < 0 ? catalog_broken(catalog, catalog->entries[0].id, r) : 0;
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
                catalog_fall_back(catalog);
        if (r < 0)
                return r;
        if (catalog->count == 0) {
                /* A new store has none; one that knew a durable record or a segment lost them. */
                if (slot.mark_id != 0 && !catalog_is_broken(catalog, UINT64_MAX)) {
                        damaged_file(slot.mark_id, 0,
                                     "the segment is missing, and every other: records up to %llu "
                                     "were durable",
                                     slot.mark_number);
                        return catalog_broken(catalog, UINT64_MAX, -EBADMSG);
                }
                return 0;
        }
        if (catalog->entries[catalog->count - 1].id < slot.mark_id &&
            !catalog_is_broken(catalog, UINT64_MAX)) {
                damaged_file(slot.mark_id, 0,
                             "the newest segment is missing: records up to %llu were durable",
                             slot.mark_number);
                r = catalog_broken(catalog, UINT64_MAX, -EBADMSG);
        }
        if (r == 0)
                r = walk_back(catalog);
        if (r == 0)
                r = known ? catalog_find_cap(catalog, &slot) : catalog_find_mark(catalog);
        if (r == 0)
                r = check_oldest(catalog, known);
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
        catalog->sealed = fresh->sealed;
        catalog->sealed_number = fresh->sealed.mark_number;
        catalog->unsealed = fresh->unsealed;
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

/* Beside a writer the directory may change while it is read: what looks broken is read again if
 * the control page has moved meanwhile, or a file is gone that was listed, and is believed when it is
 * seen twice: a listing may pass over a file that goes, and also over the one that came before that in
 * its place. The chain is read aside, so that a failure leaves what there was, and nobody sees half of
 * it. */
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
