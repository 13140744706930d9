/*
 * thread.c - start a thread of the library's own
 *
 * A new thread inherits the signal mask of its maker. If SIGBUS is blocked there, a fault ends the
 * process, whatever handler is set. So every thread of the library is started here, with a mask of
 * its own, and is inside the guard for as long as it runs.
 */
#include "os/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "os/guard.h"

struct beginning {
        void (*run)(void *context);
        void *context;
};

static void *run_guarded(void *argument)
{
        struct beginning beginning = *(struct beginning *)argument;

        free(argument);
        guard_enter();
        beginning.run(beginning.context);
        guard_leave();
        return NULL;
}

int thread_start(pthread_t *ret, void (*run)(void *context), void *context)
{
        struct beginning *beginning = malloc(sizeof(*beginning)); /* the thread frees it */
        sigset_t all, before;
        int r;

        if (!beginning)
                return -ENOMEM;
        *beginning = (struct beginning){ run, context };
        sigfillset(&all);
        sigdelset(&all, SIGBUS);
        sigdelset(&all, SIGSEGV);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = -pthread_create(ret, NULL, run_guarded, beginning);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r < 0)
                free(beginning);
        return r;
}
