/*
 * thread.h - start a thread of the library's own
 */
#ifndef LOGSTORE_THREAD_H
#define LOGSTORE_THREAD_H

#include <pthread.h>

/* Run @run(@context) in a new thread, which the caller joins. The host's signals do not go to it. A
 * fault in a mapping there is the library's, as inside a call. 0 or a negative errno, without a
 * detail. */
int thread_start(pthread_t *ret, void (*run)(void *context), void *context);

#endif
