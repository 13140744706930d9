/*
 * list.h - schedules in files: replayed, and made as short as they still fail
 */
#ifndef SCHEDULE_LIST_H
#define SCHEDULE_LIST_H

#include "run.h"

/* What a failing seed decided, with how to run it, to @path. */
int list_record(const struct task *task, const struct plan *plan, const char *path);
/* Does the list of a failing seed fail in the same way? On the stage of @task. */
bool list_replays(const struct task *task, const struct plan *plan, const char *verdict);
/* Run what @path says and tell how it ends; 0: well, 1: not, 2: no such file or scenario. */
int list_replay(const char *path);
/* Leave out of @path whatever it fails without, in the same way. The same results. */
int list_minimise(const char *path);

/* A scenario's name, with or without "+threads". */
bool list_find(const char *name, struct task *ret);

#endif
