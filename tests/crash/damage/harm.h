/*
 * harm.h - the list of all damages to one store, each with a number
 */
#ifndef CRASH_HARM_H
#define CRASH_HARM_H

#include "base.h"

/* Every place of every store, not only of the one that a crash leaves. Set before the rest. */
extern bool harm_all;

/* How many damages there are for @base. */
uint64_t harm_count(const struct base *base);

/* Do damage @index to @tree, a copy of the base's; a text of what was done goes to @text. Returns
 * whether to open for writing too, which costs most: of the bits of one byte, for one. */
bool harm_do(const struct base *base, uint64_t index, struct tree *tree, char *text,
             size_t text_bytes);

#endif
