/*
 * pattern.h - extended POSIX expressions over bytes
 */
#ifndef TOOL_PATTERN_H
#define TOOL_PATTERN_H

#include <regex.h>
#include <stddef.h>

#define PATTERN_BYTES 4096 /* the longest */

/* A status, its line printed; @option is for the line. @flags: 0 or REG_ICASE. */
int pattern_compile(regex_t *pattern, const char *text, int flags, const char *option);

/* Find the first match behind @from in data that may hold any byte, also 0. 1: *ret says where,
 * from the start of @data. 0: there is none. -ENOMEM. -EFBIG: 2 GiB or more, which regexec(3)
 * cannot express. */
int pattern_find(const regex_t *pattern, const void *data, size_t from, size_t size,
                 regmatch_t *ret);

#endif
