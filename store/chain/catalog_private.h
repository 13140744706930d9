/*
 * catalog_private.h - what the files of the catalog share; the caller holds the catalog's lock
 */
#ifndef LOGSTORE_CATALOG_PRIVATE_H
#define LOGSTORE_CATALOG_PRIVATE_H

#include "chain/catalog.h"

size_t catalog_find_id(const struct catalog *catalog, uint64_t id);
int catalog_fill(struct catalog *catalog, struct catalog_entry *entry);
int catalog_fill_from(struct catalog_entry *entry, const struct segment_brief *brief); /* 0 */
int catalog_pin_at(struct catalog *catalog, size_t at, struct segment **ret);
void catalog_set_end(struct catalog *catalog, size_t at, struct segment *segment);
int catalog_remember(struct catalog *catalog, struct segment *segment);
void catalog_slot_locked(const struct catalog *catalog, struct control_slot *ret);
int catalog_load_locked(struct catalog *catalog);
/* If the log is a copy of its own beginning that was closed there, leave the newer segments out. */
int catalog_end_at_close(struct catalog *catalog, const struct control_slot *slot);
/* Walk from the newest entry back to where the log begins, and leave out what is off the chain. */
int catalog_walk_back(struct catalog *catalog);
/* Then look at the oldest entry: trimmed segments that are still there become leftovers, a missing
 * one is damage. @known: a slot of the control file is valid. */
int catalog_check_oldest(struct catalog *catalog, bool known);
/* Returns -EBADMSG: segment file @id is damaged at @offset. @format takes one number, as %llu. */
int catalog_damaged_file(uint64_t id, uint64_t offset, const char *format, uint64_t number);
/* Keep @error as the reason why the chain is broken before segment @before (UINT64_MAX: behind the
 * newest). Returns 0 for damage and the like; any other error is returned and stops the load. */
int catalog_broken(struct catalog *catalog, uint64_t before, int error);
int catalog_tell_locked(struct catalog *catalog, uint64_t before, uint64_t number);
bool catalog_is_broken(const struct catalog *catalog, uint64_t before);
/* Neither slot is valid: take what was trimmed from the chain; what was durable is not known. */
void catalog_fall_back(struct catalog *catalog);
/* Then the newest seal tells what was durable, except what its successor cut off since. */
int catalog_find_mark(struct catalog *catalog);
int catalog_find_cap(struct catalog *catalog, const struct control_slot *slot);
void catalog_sort(struct catalog *catalog);
int catalog_grow(struct catalog *catalog, void **array, size_t *room, size_t count,
                 size_t item_bytes);
void catalog_remove(struct catalog *catalog, size_t from, size_t to);
int catalog_leave_out(struct catalog *catalog, size_t from, size_t to); /* they become leftovers */
size_t catalog_before(struct catalog *catalog, uint64_t number);
void catalog_unlink_index(struct catalog *catalog, uint64_t id);
void catalog_detach(struct catalog *catalog, struct catalog_entry *entry);

#endif
