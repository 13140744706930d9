/*
 * chain_private.h - what the files of the chain share; the caller holds the chain's lock
 */
#ifndef LOGSTORE_CHAIN_PRIVATE_H
#define LOGSTORE_CHAIN_PRIVATE_H

#include "chain/chain.h"

size_t chain_find_id(const struct chain *chain, uint64_t id);

/* Is the segment sealed where the one behind it, @next, says that the log leaves it? */
static inline bool chain_sealed_as(const struct segment_brief *brief,
                                   const struct chain_entry *next)
{
        return brief->sealed && brief->seal.end == next->previous_end &&
               brief->seal.records == next->previous_records;
}
int chain_fill(struct chain *chain, struct chain_entry *entry);
int chain_fill_from(struct chain_entry *entry, const struct segment_brief *brief); /* 0 */
int chain_pin_at(struct chain *chain, size_t at, struct segment **ret);
void chain_set_end(struct chain *chain, size_t at, struct segment *segment);
int chain_remember(struct chain *chain, struct segment *segment);
void chain_slot_locked(const struct chain *chain, struct control_slot *ret);
int chain_load_locked(struct chain *chain);
/* If the log is a copy of its own beginning that was closed there, leave the newer segments out. */
int chain_end_at_close(struct chain *chain, const struct control_slot *slot);
/* Walk from the newest entry back to where the log begins, and leave out what is off the chain. */
int chain_walk_back(struct chain *chain);
/* Then look at the oldest entry: trimmed segments that are still there become leftovers, a missing
 * one is damage. @known: a slot of the control file is valid. */
int chain_check_oldest(struct chain *chain, bool known);
/* Returns -EBADMSG: segment file @id is damaged at @offset. @format takes one number, by PRIu64. */
int chain_damaged_file(uint64_t id, uint64_t offset, const char *format, uint64_t number);
/* Keep @error as the reason why the chain is broken before segment @before (UINT64_MAX: behind the
 * newest). Returns 0 for damage and the like; any other error is returned and stops the load. */
int chain_broken(struct chain *chain, uint64_t before, int error);
int chain_tell_locked(struct chain *chain, uint64_t before, uint64_t number);
bool chain_is_broken(const struct chain *chain, uint64_t before);
/* Neither slot is valid: take what was trimmed from the chain; what was durable is not known. */
void chain_fall_back(struct chain *chain);
/* Then the newest seal tells what was durable, except what its successor cut off since. */
int chain_find_mark(struct chain *chain);
int chain_find_cap(struct chain *chain, const struct control_slot *slot);
void chain_sort(struct chain *chain);
int chain_grow(struct chain *chain, void **array, size_t *room, size_t count, size_t item_bytes);
void chain_remove(struct chain *chain, size_t from, size_t to);
int chain_leave_out(struct chain *chain, size_t from, size_t to); /* they become leftovers */
size_t chain_before(struct chain *chain, uint64_t number);
void chain_unlink_index(struct chain *chain, uint64_t id);
void chain_detach(struct chain *chain, struct chain_entry *entry);

#endif
