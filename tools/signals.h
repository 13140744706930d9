/*
 * signals.h - how the tool answers signals
 */
#ifndef TOOL_SIGNALS_H
#define TOOL_SIGNALS_H

/* For every verb: closed pipes become -EPIPE, a fault in a mapping of the store an exit status. */
void signals_prepare(void);

/* Hold SIGINT and SIGTERM back from now on; returns a descriptor to poll for them, or -errno. */
int signals_hold(void);

/* The signal that came since signals_hold(), or 0. After the first, another one kills. */
int signals_came(void);

/* End by @signal as if nobody had caught it. */
_Noreturn void signals_die(int signal);

#endif
