/*
 * follow.c - row 10: append while others read
 *
 * Rate: the append of row 1 with four processes that follow (they sleep in logstore_cursor_wait()
 * when there is nothing, and verify what they read), or with one that scans everything again and
 * again. The limit is the same append alone. Every follower must reach the last record.
 *
 * Times: 100,000 appends a second on a fixed schedule while the four follow. Closed loop is the
 * time inside one append; open loop counts from when the append was due, so a stall is charged to
 * all that had to wait for it. The control is the same schedule with nothing to do and nobody
 * reading: the stalls of the machine itself.
 */
#include "bench.h"
#include "hist.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FOLLOWERS = 4, PACE_NS = 10000 };
enum { ALONE, FOLLOW, SCAN };

/* Shared with the readers: set once the store is there. */
static _Atomic int *made;

static int follow(const struct work *work, struct logstore_cursor *cursor)
{
        struct logstore_record record = { 0 };
        int r = 0;

        while (record.number < work->records && r == 0) {
                r = logstore_cursor_next(cursor, &record);
                if (r == -EAGAIN)
                        r = logstore_cursor_wait(cursor, -1);
        }
        return r;
}

static int scan_again(struct logstore_cursor *cursor)
{
        struct logstore_record record;
        int r = 0;

        while (r == 0) {
                r = logstore_cursor_next(cursor, &record);
                if (r == -EAGAIN)
                        r = logstore_cursor_seek(cursor, 0);
        }
        return r;
}

static void reader_main(const struct work *work)
{
        struct logstore_cursor *cursor;
        struct logstore *store;
        int r;

        while (!atomic_load(made))
                usleep(1000);
        r = ours_reader(work, 0, &store, &cursor);
        if (r == 0)
                r = work->flags == SCAN ? scan_again(cursor) : follow(work, cursor);
        if (r < 0)
                fprintf(stderr, "    reader: %s: %s\n", logstore_error_text(r), logstore_detail());
        _exit(r < 0);
}

static unsigned readers_start(const struct work *work, pid_t *pids)
{
        unsigned count = work->flags == FOLLOW ? FOLLOWERS : work->flags == SCAN ? 1 : 0;

        made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (made == MAP_FAILED)
                abort();
        for (unsigned i = 0; i < count; i++) {
                pids[i] = fork();
                if (pids[i] == 0)
                        reader_main(work);
        }
        return count;
}

/* Scanners never end by themselves; followers do, and well. */
static int readers_stop(const struct work *work, const pid_t *pids, unsigned count)
{
        int r = 0, status;

        for (unsigned i = 0; i < count; i++) {
                if (work->flags == SCAN)
                        kill(pids[i], SIGKILL);
                if (waitpid(pids[i], &status, 0) < 0 || (work->flags != SCAN && status != 0))
                        r = -EIO;
        }
        return r;
}

static int append_with(const struct work *work, struct sample *ret)
{
        struct logstore *store;
        pid_t pids[FOLLOWERS];
        unsigned count = readers_start(work, pids);
        uint64_t start;
        int r, stopped;

        r = ours_open(work, LOGSTORE_CREATE, &store);
        if (r < 0)
                return r;
        atomic_store(made, 1);
        usleep(20000); /* the readers open it */
        start = now_ns();
        for (uint64_t i = 0; i < work->records && r == 0; i++)
                r = logstore_append(store, record_data(i), work->record_bytes, NULL);
        ret->value[0] = (double)work->records * 1e9 / (double)(now_ns() - start);
        stopped = readers_stop(work, pids, count);
        return ours_close(store, r < 0 ? r : stopped);
}

static int append_alone(const struct work *work, struct sample *ret)
{
        struct work alone = *work;

        alone.flags = ALONE;
        return append_with(&alone, ret);
}

/* Appends, or nothing if @store is NULL, each at its time. */
static int paced(const struct work *work, struct logstore *store, struct sample *ret)
{
        static struct hist closed, open;
        uint64_t due = now_ns() + 1000000, before, after;
        int r = 0;

        for (uint64_t i = 0; i < work->records && r == 0; i++, due += PACE_NS) {
                do
                        before = now_ns();
                while (before < due);
                if (store)
                        r = logstore_append(store, record_data(i), work->record_bytes, NULL);
                after = now_ns();
                hist_add(&closed, after - before);
                hist_add(&open, after - due);
        }
        hist_print(&closed, store ? "append, closed loop" : "control, closed loop");
        hist_print(&open, store ? "append, open loop" : "control, open loop");
        ret->value[0] = hist_us(&closed, 0.999);
        ret->value[1] = hist_us(&closed, 1.0);
        ret->value[2] = hist_us(&open, 0.5);
        ret->value[3] = hist_us(&open, 0.999);
        ret->value[4] = hist_us(&open, 1.0);
        return r;
}

static int paced_ours(const struct work *work, struct sample *ret)
{
        struct logstore *store;
        pid_t pids[FOLLOWERS];
        unsigned count = readers_start(work, pids);
        int r, stopped;

        r = ours_open(work, LOGSTORE_CREATE, &store);
        if (r < 0)
                return r;
        atomic_store(made, 1);
        usleep(20000);
        r = paced(work, store, ret);
        stopped = readers_stop(work, pids, count);
        return ours_close(store, r < 0 ? r : stopped);
}

static int paced_control(const struct work *work, struct sample *ret)
{
        return paced(work, NULL, ret);
}

static void follow_variant(const struct options *options, const char *name, uint32_t flags,
                           const char *required)
{
        uint64_t bytes = bytes_in_memory(options);
        size_t record_bytes = options->record_bytes ? options->record_bytes : 100;
        struct variant variant = {
                .row = 10,
                .work = { .options = options,
                          .records = bytes / frame_bytes(record_bytes),
                          .record_bytes = record_bytes,
                          .segment_bytes = options->segment_bytes,
                          .burst = true,
                          .flags = flags },
                .metrics = { { "", "records/s", required } },
                .ours = append_with,
                .limit = append_alone,
        };

        snprintf(variant.name, sizeof(variant.name), "%s", name);
        variant_run(&variant);
}

void row_follow(const struct options *options)
{
        struct variant variant = {
                .row = 10,
                .name = "append 100,000/s, 4 follow",
                .work = { .options = options,
                          .records = options->quick ? 50000 : 500000,
                          .record_bytes = 100,
                          .segment_bytes = options->segment_bytes,
                          .burst = true,
                          .flags = FOLLOW },
                .metrics = { { "closed loop p99.9", "us", "over<=10" },
                             { "closed loop max", "us", "" },
                             { "open loop p50", "us", "" },
                             { "open loop p99.9", "us", "" },
                             { "open loop max", "us", "" } },
                .ours = paced_ours,
                .limit = paced_control,
        };

        follow_variant(options, "append 100 B, 4 processes follow", FOLLOW, "limit>=0.7");
        follow_variant(options, "append 100 B, 1 process scans", SCAN, "limit>=0.7");
        variant_run(&variant);
}
