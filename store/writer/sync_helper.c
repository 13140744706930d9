/*
 * sync_helper.c - the thread that leads rounds for callers that do not
 *
 * These are asynchronous syncs without a ring or behind an open claim, and callers with a deadline:
 * a thread inside an msync returns only when the disk does. The first of them starts the helper.
 */
#include "logstore.h"
#include "os/detail.h"
#include "os/thread.h"
#include "writer/sync.h"
#include "writer/sync_private.h"

#define CLAIM_LEAST_NS INT64_C(20000) /* between two looks at an open claim */
#define CLAIM_MOST_NS INT64_C(1000000)

/* Once what was asked for is durable, taken back or past hope, let the callers look again. */
static void drop_asked(struct sync *sync)
{
        if (sync->asked == 0 ||
            (sync->asked > atomic_load(&sync->durable) &&
             sync->asked <= writer_claimed(sync->writer) && !atomic_load(&sync->writer->failed)))
                return;
        sync->asked = 0;
        atomic_fetch_add(&sync->ended, 1);
        sync_wake(sync);
}

/* The number that the next round is for; 0: none. Callers with a deadline come first: what they
 * wait for is never behind an open claim. */
static uint64_t due(struct sync *sync)
{
        drop_asked(sync);
        sync_continue(sync);
        if (sync->asked)
                return sync->asked;
        return sync->wanted > atomic_load(&sync->durable) && !atomic_load(&sync->writer->failed)
                       ? sync->wanted
                       : 0;
}

/* The number is behind an open claim. The helper does not wait for the claim, because it may be
 * asked for another number. */
static void pause_unlocked(struct sync *sync, int64_t *pause_ns)
{
        pthread_mutex_unlock(&sync->lock);
        os_sleep(*pause_ns);
        if (*pause_ns < CLAIM_MOST_NS)
                *pause_ns *= 2;
        else
                sync_check_length(sync); /* its failure is sticky */
        pthread_mutex_lock(&sync->lock);
}

/* Sleep until asked, but not beyond @until_ns of the monotonic clock. */
static void rest_until(struct sync *sync, int64_t until_ns)
{
        struct timespec until = { until_ns / 1000000000, until_ns % 1000000000 };

        pthread_cond_timedwait(&sync->helper_wake, &sync->lock, &until);
}

static void help(void *context)
{
        struct sync *sync = context;
        int64_t pause_ns = CLAIM_LEAST_NS;

        pthread_mutex_lock(&sync->lock);
        while (!sync->helper_stop) {
                uint64_t number = due(sync);

                if (number == 0) {
                        pthread_cond_wait(&sync->helper_wake, &sync->lock);
                } else if (writer_tail_number(sync->writer, number) < number) {
                        pause_unlocked(sync, &pause_ns);
                        continue;
                } else if (sync->running != SYNC_IDLE) {
                        sync_wait_unlock(sync, -1);
                        pthread_mutex_lock(&sync->lock);
                } else if (!sync_gathered(sync)) {
                        rest_until(sync, sync->gather_until_ns);
                } else {
                        sync_lead_unlock(sync); /* its failure is sticky */
                        pthread_mutex_lock(&sync->lock);
                }
                pause_ns = CLAIM_LEAST_NS;
        }
        pthread_mutex_unlock(&sync->lock);
}

int sync_wake_helper(struct sync *sync)
{
        int r = sync->helper_running ? 0 : thread_start(&sync->helper, help, sync);

        if (r < 0)
                return detail(r, "cannot start a thread for syncs");
        sync->helper_running = true;
        pthread_cond_signal(&sync->helper_wake);
        return 0;
}
