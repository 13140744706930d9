/*
 * terminal.h - what the terminal can do
 */
#ifndef TOOL_TERMINAL_H
#define TOOL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Columns and rows of the terminal on @fd; where there is none, 110 columns and 0 rows. */
void terminal_size(int fd, size_t *ret_columns, size_t *ret_rows);

/* TERM says that it is to be given text alone, or does not say what it is. */
bool terminal_is_dumb(void);

#endif
