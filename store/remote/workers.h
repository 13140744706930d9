/*
 * workers.h - the same work on many things, several at once
 */
#ifndef LOGSTORE_WORKERS_H
#define LOGSTORE_WORKERS_H

#include <stddef.h>

/*
 * Call @work for 0..@count - 1, each once, on up to @threads threads at once, and wait for all.
 * After the first failure no further one begins; that failure is returned, with its detail. Where
 * no thread can be started the caller does the work alone.
 */
int workers_run(size_t count, unsigned threads, int (*work)(void *context, size_t which),
                void *context);

#endif
