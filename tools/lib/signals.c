/*
 * signals.c - how the tool answers signals
 *
 * We ignore SIGPIPE, so that a verb sees -EPIPE, ends in order and then dies by it. We ignore
 * SIGXFSZ, so that a limit of file size is an error like a full disk. We hold SIGINT, SIGTERM and
 * SIGHUP back only where there is something to finish (append). Then they are blocked, also in
 * every thread started later, and read from a signalfd, so none is lost between a look and a sleep.
 * A thread that sleeps meanwhile sleeps in poll(2), beside the signalfd. A signal that the caller
 * had ignored (nohup, a background job of a script) stays ignored. The library's guard answers
 * SIGBUS in its own calls. This tool may also read a record whose file was cut meanwhile: then it
 * ends with a line and a status.
 */
#include "lib/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/report.h"
#include "logstore.h"

static int held_fd = -1;
static int came;
static bool pipe_was_ignored;

static void on_bus_error(int signal)
{
        static const char line[] =
                "logstore: a file of the store was cut, or its disk failed, while it was read\n";

        (void)signal;
        if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
                _exit(STATUS_IO);
        _exit(STATUS_IO);
}

static bool is_ignored(int signal)
{
        struct sigaction action;

        return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void held_set(sigset_t *ret)
{
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

        sigemptyset(ret);
        for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
                if (!is_ignored(signals[i]))
                        sigaddset(ret, signals[i]);
}

void signals_prepare(void)
{
        struct sigaction action = { .sa_handler = SIG_IGN };

        pipe_was_ignored = is_ignored(SIGPIPE);
        sigaction(SIGPIPE, &action, NULL);
        sigaction(SIGXFSZ, &action, NULL);
        action.sa_handler = on_bus_error;
        sigaction(SIGBUS, &action, NULL);
        logstore_guard_sigbus();
}

int signals_hold(void)
{
        sigset_t set;

        held_set(&set);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        held_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return held_fd < 0 ? -errno : held_fd;
}

int signals_came(void)
{
        struct signalfd_siginfo info;
        sigset_t set;

        if (came || held_fd < 0)
                return came;
        if (read(held_fd, &info, sizeof(info)) != sizeof(info))
                return 0;
        came = (int)info.ssi_signo;
        held_set(&set);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        return came;
}

bool signals_held(void)
{
        return held_fd >= 0;
}

int signals_wait_writable(int fd)
{
        struct pollfd fds[2] = {
                { .fd = fd, .events = POLLOUT },
                { .fd = came ? -1 : held_fd, .events = POLLIN },
        };

        if (poll(fds, 2, came ? 0 : -1) < 0 && errno != EINTR)
                return -errno;
        return fds[0].revents ? 0 : -EINTR;
}

bool signals_sleep(int timeout_ms)
{
        struct pollfd held = { .fd = came ? -1 : held_fd, .events = POLLIN };

        return poll(&held, 1, timeout_ms) > 0;
}

bool signals_pipe_kills(void)
{
        return !pipe_was_ignored;
}

void signals_die(int number)
{
        sigset_t set;

        signal(number, SIG_DFL);
        sigemptyset(&set);
        sigaddset(&set, number);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        raise(number);
        _exit(128 + number);
}
