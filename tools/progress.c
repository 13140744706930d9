/*
 * progress.c - a bar on standard error for work that is long
 */
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "numbers.h"

#define BAR_CELLS 30
#define REDRAW_NS INT64_C(100000000)
#define PATIENCE_NS INT64_C(1000000000)

static int64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int progress_open(struct progress *progress, const char *mode, const char *what, uint64_t total)
{
        bool always = mode && strcmp(mode, "always") == 0;
        bool never = mode && strcmp(mode, "never") == 0;

        if (mode && !always && !never && strcmp(mode, "auto") != 0)
                return -EINVAL;
        *progress = (struct progress){ .what = what, .total = total, .start_ns = now_ns() };
        progress->forced = always;
        progress->wanted = always || (!never && isatty(STDERR_FILENO));
        progress->next_ns = progress->start_ns + (always ? 0 : PATIENCE_NS);
        return 0;
}

void progress_quiet(struct progress *progress)
{
        progress->wanted = progress->forced;
}

static void draw(const struct progress *progress, uint64_t done, int64_t elapsed_ns)
{
        char bar[BAR_CELLS + 1], bytes[SIZE_TEXT_BYTES], rate[SIZE_TEXT_BYTES];
        double seconds = (double)elapsed_ns / 1e9;
        double part = progress->total ? (double)done / (double)progress->total : 0;
        int full = (int)(part * BAR_CELLS);

        if (full > BAR_CELLS)
                full = BAR_CELLS;
        memset(bar, '.', BAR_CELLS);
        memset(bar, '#', (size_t)full);
        bar[BAR_CELLS] = 0;
        size_format(bytes, done, 0);
        size_format(rate, seconds > 0 ? (uint64_t)((double)done / seconds) : 0, 0);
        if (progress->total)
                fprintf(stderr, "\r%s [%s] %3.0f%% %s, %s/s ", progress->what, bar, part * 100,
                        bytes, rate);
        else
                fprintf(stderr, "\r%s %s, %s/s ", progress->what, bytes, rate);
        fprintf(stderr, "\033[K");
        fflush(stderr);
}

void progress_show(struct progress *progress, uint64_t done)
{
        int64_t now;

        if (!progress->wanted)
                return;
        now = now_ns();
        if (now < progress->next_ns)
                return;
        draw(progress, done, now - progress->start_ns);
        progress->drawn = true;
        progress->next_ns = now + REDRAW_NS;
}

void progress_clear(struct progress *progress)
{
        if (progress->drawn)
                fprintf(stderr, "\r\033[K");
        progress->drawn = false;
}
