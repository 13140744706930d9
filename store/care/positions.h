/*
 * positions.h - what setting and telling a named position share
 */
#ifndef LOGSTORE_POSITIONS_H
#define LOGSTORE_POSITIONS_H

#include "position/position.h"
#include "read/view.h"

/* chain_find_place() for a slot, after a look at what the writer has changed. */
int positions_find(struct logstore *store, const struct position_slot *slot,
                   struct chain_found *ret);

int positions_check_name(const char *name);

#endif
