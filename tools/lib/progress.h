/*
 * progress.h - a bar on standard error for work that is long
 */
#ifndef TOOL_PROGRESS_H
#define TOOL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
        bool wanted;
        bool forced; /* by "always" */
        int drawn;   /* characters on the terminal now */
        const char *what;
        uint64_t total; /* 0: unknown */
        int64_t start_ns, next_ns;
};

/* @mode is auto (a terminal, and longer than a second), always or never; NULL is auto. -EINVAL. */
int progress_open(struct progress *progress, const char *mode, const char *what, uint64_t total);

/* No bar after all, unless it was demanded: something else is on the terminal. */
void progress_quiet(struct progress *progress);

/* Cheap; draws ten times a second at most. In bytes. */
void progress_show(struct progress *progress, uint64_t done);

/* The same as a hook of a library, which tells the total with each call. @progress: its struct. */
void progress_hook(void *progress, uint64_t done, uint64_t total);

/* Take the bar away again, so that other lines do not mix with it. */
void progress_clear(struct progress *progress);

#define PROGRESS_OPTION(variable)                                                               \
        {                                                                                       \
                "progress", 0, POPT_ARG_STRING, &(variable), 0, "show a bar on standard error", \
                        "auto|always|never"                                                     \
        }

#endif
