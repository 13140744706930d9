/*
 * catalog_private.h - what the files of the catalog share; all under the catalog's lock
 */
#ifndef LOGSTORE_CATALOG_PRIVATE_H
#define LOGSTORE_CATALOG_PRIVATE_H

#include "catalog.h"

size_t catalog_find_id(const struct catalog *catalog, uint64_t id);
int catalog_fill(struct catalog *catalog, struct catalog_entry *entry);
int catalog_fill_from(struct catalog_entry *entry, const struct segment_brief *brief); /* 0 */
int catalog_pin_at(struct catalog *catalog, size_t at, struct segment **ret);
void catalog_set_end(struct catalog *catalog, size_t at, struct segment *segment);
int catalog_remember(struct catalog *catalog, struct segment *segment);
void catalog_slot_locked(const struct catalog *catalog, struct control_slot *ret);
int catalog_load_locked(struct catalog *catalog);
/* Is the log a copy of its own beginning, closed there? Then what is newer is left out. */
int catalog_end_at_close(struct catalog *catalog, const struct control_slot *slot);
/* From the newest entry on, back to where the log begins; what is off the chain is left out. */
int catalog_walk_back(struct catalog *catalog);
/* Then the oldest: trimmed segments that are still there are leftovers, a missing one is damage. @known: a
 * slot of the control file is valid. */
int catalog_check_oldest(struct catalog *catalog, bool known);
/* -EBADMSG: the segment file @id is damaged at @offset; @format has one number, as %llu. */
int catalog_damaged_file(uint64_t id, uint64_t offset, const char *format, uint64_t number);
/* Keep why the chain is broken before the segment @before; UINT64_MAX: behind the newest. Anything but
 * damage stops the load. */
int catalog_broken(struct catalog *catalog, uint64_t before, int error);
int catalog_tell_locked(struct catalog *catalog, uint64_t before, uint64_t number);
bool catalog_is_broken(const struct catalog *catalog, uint64_t before);
/* Neither slot is valid: what was trimmed and what was durable is not known. */
void catalog_fall_back(struct catalog *catalog);
/* Then the newest seal tells what was durable, but for what its successor cut off since. */
int catalog_find_mark(struct catalog *catalog);
int catalog_find_cap(struct catalog *catalog, const struct control_slot *slot);
void catalog_sort(struct catalog *catalog);
int catalog_grow(struct catalog *catalog, void **array, size_t *room, size_t count,
                 size_t item_bytes);
void catalog_remove(struct catalog *catalog, size_t from, size_t to);
int catalog_leave_out(struct catalog *catalog, size_t from, size_t to); /* to the leftovers */
size_t catalog_before(struct catalog *catalog, uint64_t number);
void catalog_unlink_index(struct catalog *catalog, uint64_t id);
void catalog_detach(struct catalog *catalog, struct catalog_entry *entry);

#endif
