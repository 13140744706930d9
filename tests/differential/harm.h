/*
 * harm.h - what can happen to the files of a store
 */
#ifndef DIFFERENTIAL_HARM_H
#define DIFFERENTIAL_HARM_H

#include <stddef.h>
#include <stdint.h>

#include "grow.h"

/* A copy of grown->now in *ret with one to three harms done to it; says which in @text. A third of them
 * have their checks made right again, so that what they say is believed. */
void harm(const struct grown *grown, uint64_t seed, struct tree *ret, char *text, size_t capacity);

#endif
