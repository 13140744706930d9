/*
 * watch.h - run many small cases in child processes and notice those that crash or hang
 *
 * Workers take cases in turn. A worker that dies, or spends more than a second on one case, is
 * replaced; a case that was too slow gets a second chance, because the machine may be busy.
 */
#ifndef CRASH_WATCH_H
#define CRASH_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define WATCH_SECONDS 1
#define WATCH_WORKERS 2

/* Shared by all workers and the parent; the method's own counts are free to use. */
struct watch {
        _Atomic uint64_t next, done;
        _Atomic uint64_t lost, holes, invented, wrong;
        uint64_t crashes, hangs;
        struct {
                _Atomic uint64_t index; /* of the case, plus 1; 0: none */
                _Atomic int64_t since_ns;
        } slots[WATCH_WORKERS];
};

struct watch *watch_new(void);

/* Run cases first..first + count - 1. @deadline_ns (monotonic, 0: none) stops it early. */
void watch_run(struct watch *watch, uint64_t first, uint64_t count, int64_t deadline_ns,
               void (*run)(struct watch *watch, unsigned worker, uint64_t index));

/* Count one wrong answer and say what it was; says no more after a dozen. */
void watch_complain(_Atomic uint64_t *counter, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* Print the line of figures, one JSON object. Returns the exit status: 0 if nothing is wrong. */
int watch_figures(const struct watch *watch, const char *method, uint64_t seed);

int64_t watch_now_ns(void);

#endif
