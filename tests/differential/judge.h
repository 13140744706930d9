/*
 * judge.h - do all parties say the same of one store?
 */
#ifndef DIFFERENTIAL_JUDGE_H
#define DIFFERENTIAL_JUDGE_H

#include <stdbool.h>

#include "../crash/damage/tree.h"

/* Ask all of them about @tree, put at @path; tells each disagreement. False if there is one. */
bool judge(const struct tree *tree, const char *path,
           void (*tell)(void *context, const char *kind, const char *text), void *context);

#endif
