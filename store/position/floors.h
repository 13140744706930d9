/*
 * floors.h - how far retention may go for the sake of named positions
 */
#ifndef LOGSTORE_FLOORS_H
#define LOGSTORE_FLOORS_H

#include "chain/chain.h"

struct floor {
        uint64_t number; /* nothing from here on may go; UINT64_MAX: no floor */
        int error;       /* why that position cannot be used; then it holds everything */
        char name[POSITION_NAME_BYTES];
};

/*
 * Find the lowest floor. A trim holds the lock of the positions meanwhile. A position that may be a
 * floor and is damaged, or cannot be read, holds everything. What is no position of this store
 * holds nothing. An error: nobody knows what the floors are.
 */
int floors_find(struct chain *chain, struct floor *ret);

/* Say in the detail why a trim beyond the floor is refused. Returns -EBUSY or the floor's error. */
int floors_tell(const struct floor *floor);

#endif
