/*
 * optional.h - options whose value may be left out
 */
#ifndef TOOL_OPTIONAL_H
#define TOOL_OPTIONAL_H

#include <popt.h>

/* popt takes the next word for a value that was left out, be it a directory. So each word that is
 * "--NAME" of an option in @options with POPT_ARGFLAG_OPTIONAL becomes "--NAME=", but for words that
 * are values, or stand behind "--". The new words live as long as the process. -ENOMEM. */
int optional_mark(const struct poptOption *options, int argc, char **argv);

#endif
