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

/*
 * The same, and then @finish for each one in its turn, by the calling thread alone: so work goes on
 * beside it. Work begins for no more than @threads ones, or twice as many, whose turn has not come.
 * The first failure in their order is returned. All before it are finished, none behind it; of
 * those some may have had their work done.
 */
int workers_run_in_order(size_t count, unsigned threads, int (*work)(void *context, size_t which),
                         int (*finish)(void *context, size_t which), void *context);

#endif
