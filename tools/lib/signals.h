/*
 * signals.h - how the tool answers signals
 */
#ifndef TOOL_SIGNALS_H
#define TOOL_SIGNALS_H

#include <stdbool.h>

/* For every verb: closed pipes become -EPIPE, a fault in a mapping of the store an exit status. */
void signals_prepare(void);

/* Hold SIGINT, SIGTERM and SIGHUP back from now on, but for those that were ignored; returns a
 * descriptor to poll for them, or -errno. */
int signals_hold(void);

/* The signal that came since signals_hold(), or 0. After the first, another one kills. */
int signals_came(void);

bool signals_held(void);

/* Wait until @fd can take a byte: 0. -EINTR: a held signal came first, or had come and @fd cannot
 * take a byte. */
int signals_wait_writable(int fd);

/* Sleep; true: a held signal came first. */
bool signals_sleep(int timeout_ms);

/* False: who started the tool ignores SIGPIPE, so a closed pipe is an error like others. */
bool signals_pipe_kills(void);

/* End by @signal as if nobody had caught it. */
_Noreturn void signals_die(int signal);

#endif
