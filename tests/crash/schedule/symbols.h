/*
 * symbols.h - names for addresses in this program, from its own symbol table
 */
#ifndef SCHEDULE_SYMBOLS_H
#define SCHEDULE_SYMBOLS_H

#include <stdio.h>

/* The function that @pc is in, "?" if none. Valid for ever. */
const char *symbols_function(const void *pc);

/* Functions, files and lines of @count addresses, one a line and @indent before each; inlined ones,
 * too, where addr2line is installed. */
void symbols_print(FILE *to, const void *const *pcs, unsigned count, const char *indent);

#endif
