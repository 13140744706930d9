/*
 * source_url.h - the log that a URL names, opened with what the options said
 */
#ifndef TOOL_SOURCE_URL_H
#define TOOL_SOURCE_URL_H

#include "logstore-remote.h"
#include "records/source.h"

/* Check the options of URLs, and open the log. A status, its line printed. @follow: as of
 * source_open(). */
int source_open_remote(const char *url, bool follow, struct logstore_remote **ret);

/* The same as a source, with a cursor. */
int source_open_url(struct source *source, bool follow);

/* A line about a failure of reading; its status. */
int source_report_url(int error, const char *url);

#endif
