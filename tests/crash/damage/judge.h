/*
 * judge.h - open a damaged store in every way and hold the answers against what is left
 */
#ifndef CRASH_JUDGE_H
#define CRASH_JUDGE_H

#include "base.h"
#include "watch.h"

/* Judge the store in directory @path, whose files are @harmed; @text names the damage. Opens it
 * read-only, verifies it and, with @write, opens it for writing and appends. */
void judge(struct watch *watch, const struct base *base, struct tree *harmed, const char *path,
           const char *text, bool write);

#endif
