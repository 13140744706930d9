/*
 * completion.h - scripts by which a shell completes verbs, options and their values
 */
#ifndef TOOL_COMPLETION_H
#define TOOL_COMPLETION_H

#include <stddef.h>

#include "verbs/verbs.h"

/* Print the script of @shell: bash (also NULL), zsh or fish. A status, its line printed. */
int completion_print(const struct verb *verbs, size_t count, const char *shell);

#endif
