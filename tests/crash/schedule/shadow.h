/*
 * shadow.h - what is known about addresses: one piece for each, made when it is first asked for
 *
 * Each schedule is a process of its own that writes to copies of its parent's pages. So the pieces
 * lie side by side, in as few pages as they need, and a small index maps each key to its piece.
 */
#ifndef SCHEDULE_SHADOW_H
#define SCHEDULE_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shadow {
        size_t bytes;    /* of a piece; it begins with its key, a uintptr_t */
        uint32_t places; /* a power of two */
        unsigned shift;  /* neighbours' keys differ by 1 << shift */
        uint32_t used;
        uint32_t *index;
        char *pieces;
};

/* Find the piece for @key, which is not 0. A new piece is all zeros except its key. NULL: there is
 * none and @make is false, or too many are used. */
void *shadow_find(struct shadow *shadow, uintptr_t key, bool make);

#endif
