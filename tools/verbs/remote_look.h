/*
 * remote_look.h - info, segments and verify of a log in a bucket
 *
 * Each returns a status.
 */
#ifndef TOOL_REMOTE_LOOK_H
#define TOOL_REMOTE_LOOK_H

#include "verbs/verify.h"

int remote_info(const char *url, bool json, bool exact);
int remote_segments(const char *url, bool json, bool exact);
int remote_verify(const char *url, bool quick, struct verify_hooks *hooks);

#endif
