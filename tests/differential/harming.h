/*
 * harming.h - what the kinds of harm are made with
 */
#ifndef DIFFERENTIAL_HARMING_H
#define DIFFERENTIAL_HARMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grow.h"

#define LATER_SEED UINT64_C(0x6c61746572)

struct harming {
        const struct grown *grown;
        struct tree *tree;
        uint64_t state; /* of the dice */
        char *text;     /* what was done */
        size_t capacity;
};

void say(struct harming *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t below(struct harming *h, uint64_t limit);

/* Choose a file with @kind in its name. NULL: any except wake, which nobody believes. Returns NULL
 * if there is none. */
struct tree_file *some_file(struct harming *h, const char *kind);

/* An offset in it: mostly where something is, in the headers and the frames. */
size_t some_place(struct harming *h, const struct tree_file *file);

/* One more harm, of the kinds in harm_later.c; with @afresh to the store as it was. */
void harm_later(struct harming *h, bool afresh);

#endif
