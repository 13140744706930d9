/*
 * progress.c - a bar on standard error for work that is long
 */
#include "lib/progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/numbers.h"
#include "lib/terminal.h"

#define BAR_CELLS 30
#define LINE_BYTES 160
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
        progress->wanted = always || (!never && isatty(STDERR_FILENO) && !terminal_is_dumb());
        progress->next_ns = progress->start_ns + (always ? 0 : PATIENCE_NS);
        return 0;
}

void progress_quiet(struct progress *progress)
{
        progress->wanted = progress->forced;
}

/* A line that fits, its length: without the bar if need be. */
static int compose(char line[LINE_BYTES], const struct progress *progress, uint64_t done,
                   int64_t elapsed_ns, size_t columns)
{
        char bar[BAR_CELLS + 1], figures[64], bytes[SIZE_TEXT_BYTES], rate[SIZE_TEXT_BYTES];
        double seconds = (double)elapsed_ns / 1e9;
        double part = progress->total ? (double)done / (double)progress->total : 0;
        int full = (int)(part * BAR_CELLS), n;

        if (full > BAR_CELLS)
                full = BAR_CELLS;
        memset(bar, '.', BAR_CELLS);
        memset(bar, '#', (size_t)full);
        bar[BAR_CELLS] = 0;
        size_format(bytes, done, 0);
        size_format(rate, seconds > 0 ? (uint64_t)((double)done / seconds) : 0, 0);
        if (!progress->total)
                snprintf(figures, sizeof(figures), "%s, %s/s", bytes, rate);
        else
                snprintf(figures, sizeof(figures), "%3.0f%% %s, %s/s", part * 100, bytes, rate);
        n = snprintf(line, LINE_BYTES, "%s [%s] %s", progress->what, bar, figures);
        if (!progress->total || (size_t)n >= columns)
                n = snprintf(line, LINE_BYTES, "%s %s", progress->what, figures);
        if ((size_t)n >= columns) /* a character in the last column may begin a new line */
                n = (int)columns - 1;
        return n;
}

/* Blanks cover the line before, where it was longer: every terminal can do that. */
static void draw(struct progress *progress, uint64_t done, int64_t elapsed_ns)
{
        char line[LINE_BYTES];
        size_t columns, rows;
        int size;

        terminal_size(STDERR_FILENO, &columns, &rows);
        size = compose(line, progress, done, elapsed_ns, columns);
        fprintf(stderr, "\r%.*s%*s", size, line,
                progress->drawn > size ? progress->drawn - size : 0, "");
        fflush(stderr);
        progress->drawn = size;
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
        progress->next_ns = now + REDRAW_NS;
}

void progress_hook(void *progress, uint64_t done, uint64_t total)
{
        struct progress *bar = progress;

        bar->total = total;
        progress_show(bar, done);
}

void progress_clear(struct progress *progress)
{
        if (progress->drawn)
                fprintf(stderr, "\r%*s\r", progress->drawn, "");
        progress->drawn = 0;
}
