/*
 * optional.h - options whose value may be left out
 */
#ifndef TOOL_OPTIONAL_H
#define TOOL_OPTIONAL_H

#include <popt.h>

/* popt takes the next word as a value that was left out, even if it is a directory. So we turn each
 * word "--NAME" of an option in @options with POPT_ARGFLAG_OPTIONAL into "--NAME=", unless the word
 * is a value or stands behind "--". The new words live as long as the process. -ENOMEM. */
int optional_mark(const struct poptOption *options, int argc, char **argv);

#endif
