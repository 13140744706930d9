/*
 * harm.h - what can happen to the files of a store
 */
#ifndef DIFFERENTIAL_HARM_H
#define DIFFERENTIAL_HARM_H

#include <stddef.h>
#include <stdint.h>

#include "grow.h"

/* Make *ret a copy of grown->now with one to three harms done to it; @text says which. In a third
 * of the copies the checks are made right again, so that readers believe the harms. */
void harm(const struct grown *grown, uint64_t seed, struct tree *ret, char *text, size_t capacity);

#endif
