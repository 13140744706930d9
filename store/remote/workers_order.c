/*
 * workers_order.c - work on many things at once, which are finished in their order
 *
 * Threads take the next one each, as long as it is not too far ahead. The calling thread waits for
 * the one whose turn it is. Where no thread can be started it does the work as well.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "remote/remote_detail.h"
#include "remote/workers.h"

#define THREADS_MAX 64

struct line {
        pthread_mutex_t lock; /* protects what follows */
        pthread_cond_t changed;
        size_t begun, finished;
        size_t end; /* behind the last one that is to be done: a failure lowers it */
        int error;  /* of the one at the end */
        char detail[512];
        bool *done;

        size_t ahead;
        int (*work)(void *context, size_t which);
        void *context;
};

/* What comes behind the failure is of no use any more. */
static void note_failure(struct line *line, size_t which, int error)
{
        if (which >= line->end)
                return;
        line->end = which;
        line->error = error;
        snprintf(line->detail, sizeof(line->detail), "%s", remote_detail_line());
}

/* With the lock, which is let go during the work. */
static void do_next(struct line *line)
{
        size_t which = line->begun++;
        int r;

        pthread_mutex_unlock(&line->lock);
        r = line->work(line->context, which);
        pthread_mutex_lock(&line->lock);
        if (r != 0)
                note_failure(line, which, r);
        else
                line->done[which] = true;
        pthread_cond_broadcast(&line->changed);
}

static void *work_on(void *context)
{
        struct line *line = context;

        pthread_mutex_lock(&line->lock);
        while (line->begun < line->end) {
                if (line->begun < line->finished + line->ahead)
                        do_next(line);
                else
                        pthread_cond_wait(&line->changed, &line->lock);
        }
        pthread_mutex_unlock(&line->lock);
        return NULL;
}

/* With the lock. */
static void finish_all(struct line *line, bool alone, int (*finish)(void *context, size_t which))
{
        while (line->finished < line->end) {
                size_t which = line->finished;
                int r;

                if (!line->done[which] && alone) {
                        do_next(line);
                        continue;
                }
                if (!line->done[which]) {
                        pthread_cond_wait(&line->changed, &line->lock);
                        continue;
                }
                pthread_mutex_unlock(&line->lock);
                r = finish(line->context, which);
                pthread_mutex_lock(&line->lock);
                if (r != 0)
                        note_failure(line, which, r);
                else
                        line->finished++;
                pthread_cond_broadcast(&line->changed);
        }
}

int workers_run_in_order(size_t count, unsigned threads, int (*work)(void *context, size_t which),
                         int (*finish)(void *context, size_t which), void *context)
{
        struct line line = { .lock = PTHREAD_MUTEX_INITIALIZER,
                             .changed = PTHREAD_COND_INITIALIZER,
                             .end = count,
                             .ahead = 2 * (size_t)threads,
                             .work = work,
                             .context = context };
        pthread_t started[THREADS_MAX];
        unsigned running = 0;

        line.done = calloc(count + 1, sizeof(*line.done));
        if (!line.done)
                return remote_detail(-ENOMEM, "no memory for a list of work");
        if (threads > count)
                threads = (unsigned)count;
        while (threads > 1 && running < threads && running < THREADS_MAX &&
               pthread_create(&started[running], NULL, work_on, &line) == 0)
                running++;
        pthread_mutex_lock(&line.lock);
        finish_all(&line, running == 0, finish);
        pthread_mutex_unlock(&line.lock);
        while (running > 0)
                pthread_join(started[--running], NULL);
        pthread_mutex_destroy(&line.lock);
        pthread_cond_destroy(&line.changed);
        free(line.done);
        return line.error != 0 ? remote_detail(line.error, "%s", line.detail) : 0;
}
