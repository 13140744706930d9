/*
 * ship.h - what the files of the verb ship share
 */
#ifndef TOOL_SHIP_H
#define TOOL_SHIP_H

#include "logstore-remote.h"

/* ship --all: every store in @parent. A status. */
int ship_all(const char *parent, const char *url, const struct logstore_remote_options *remote,
             const struct logstore_ship_options *options);

#endif
