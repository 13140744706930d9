/*
 * workers.c - the same work on many things, several at once
 */
#include "remote/workers.h"

#include <pthread.h>
#include <stdio.h>

#include "remote/remote_detail.h"

#define THREADS_MAX 64

struct workers {
        pthread_mutex_t lock; /* protects what follows */
        size_t next, count;
        int error;
        char detail[512];

        int (*work)(void *context, size_t which);
        void *context;
};

static void *work_on(void *context)
{
        struct workers *workers = context;
        size_t which;
        int r;

        pthread_mutex_lock(&workers->lock);
        while (workers->error == 0 && workers->next < workers->count) {
                which = workers->next++;
                pthread_mutex_unlock(&workers->lock);
                r = workers->work(workers->context, which);
                pthread_mutex_lock(&workers->lock);
                if (r != 0 && workers->error == 0) {
                        workers->error = r;
                        snprintf(workers->detail, sizeof(workers->detail), "%s",
                                 remote_detail_line());
                }
        }
        pthread_mutex_unlock(&workers->lock);
        return NULL;
}

int workers_run(size_t count, unsigned threads, int (*work)(void *context, size_t which),
                void *context)
{
        struct workers workers = { .count = count, .work = work, .context = context };
        pthread_t started[THREADS_MAX];
        unsigned running = 0;

        if (threads > count)
                threads = (unsigned)count;
        pthread_mutex_init(&workers.lock, NULL);
        while (running + 1 < threads && running < THREADS_MAX &&
               pthread_create(&started[running], NULL, work_on, &workers) == 0)
                running++;
        work_on(&workers);
        while (running > 0)
                pthread_join(started[--running], NULL);
        pthread_mutex_destroy(&workers.lock);
        return workers.error != 0 ? remote_detail(workers.error, "%s", workers.detail) : 0;
}
