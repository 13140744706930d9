/*
 * crash_check.c - open a store after a crash and hold it against what was promised
 *
 *   crash_check DIR --oracle FILE [--seed S] [--hang-ms N]
 *   crash_check DIR --acked N --seed S       the same for a store written in one life
 *
 * Opens to read, then to write (which recovers), compares every record both times, then goes on
 * living: appends, syncs, closes, reopens and compares again, all with a new seed, so that nothing
 * of the lost tail can come back unnoticed; verifies. The new life is entered into the oracle file.
 *
 * Exit: 0 all kept, 1 lost, 3 hole, 4 invented or a torn batch, 5 hang, 6 cannot be used,
 *       2 usage. One line of figures on stdout if all is well, else complaints on stderr.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logstore.h"
#include "oracle.h"
#include "payload.h"
#include "verdict.h"

enum { EXIT_LOST = 1, EXIT_USAGE, EXIT_HOLE, EXIT_INVENTED, EXIT_HANG, EXIT_UNUSABLE };

#define NEW_RECORDS 12u
#define SEGMENT_BYTES (64u << 10)

static void on_alarm(int signal)
{
        static const char text[] = "crash_check: hangs\n";

        (void)signal;
        if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
                _exit(EXIT_HANG);
        _exit(EXIT_HANG);
}

static void cannot(const char *act, int error)
{
        fprintf(stderr, "crash_check: %s: %s (%s)\n", act, logstore_error_text(error),
                logstore_detail());
        exit(EXIT_UNUSABLE);
}

static struct logstore *open_store(const char *path)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;
        int r;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = SEGMENT_BYTES;
        r = logstore_open(path, &options, &store);
        if (r < 0)
                cannot("open", r);
        return store;
}

static int exit_status(const struct verdict *v)
{
        if (v->lost > 0)
                return EXIT_LOST;
        if (v->holes > 0)
                return EXIT_HOLE;
        return v->invented > 0 || v->torn > 0 ? EXIT_INVENTED : 0;
}

static void judge(struct logstore *store, const struct oracle *oracle, const char *when)
{
        struct verdict v;
        int r = verdict_reach(store, oracle, &v);

        if (r < 0)
                cannot("bounds", r);
        if (verdict_is_good(&v))
                return;
        fprintf(stderr,
                "crash_check: %s: first %" PRIu64 " tail %" PRIu64 " acked %" PRIu64
                " lost %" PRIu64 " holes %" PRIu64 " invented %" PRIu64 " torn %" PRIu64 "\n",
                when, v.first, v.tail, oracle->acked, v.lost, v.holes, v.invented, v.torn);
        exit(exit_status(&v));
}

/* Read before a writer has recovered. A store may be missing if nothing was promised. */
static void read_unrecovered(const char *path, const struct oracle *oracle)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;
        int r;

        options.flags = LOGSTORE_READ_ONLY;
        r = logstore_open(path, &options, &store);
        if (r < 0 && oracle->acked == 0)
                return;
        if (r < 0)
                cannot("open to read", r);
        judge(store, oracle, "read before recovery");
        r = logstore_close(store);
        if (r < 0)
                cannot("close reader", r);
}

static void save_oracle(int fd, const struct oracle *oracle)
{
        int r = fd < 0 ? 0 : oracle_store(fd, 0, oracle);

        if (r < 0) {
                fprintf(stderr, "crash_check: oracle: %s\n", strerror(-r));
                exit(EXIT_UNUSABLE);
        }
}

/* A batch, then records one by one, then a sync. Readers beside us learn of the life first. */
static void append_some(struct logstore *store, struct oracle *oracle, int oracle_fd, uint64_t seed)
{
        uint8_t data[4][700];
        struct logstore_entry entries[4] = { 0 };
        struct logstore_bounds bounds;
        uint64_t number;
        int r = logstore_bounds(store, &bounds);

        if (r == 0) {
                oracle_settle(oracle, bounds.first, bounds.tail);
                r = oracle_begin_life(oracle, bounds.tail + 1, seed);
        }
        if (r < 0)
                cannot("begin", r);
        save_oracle(oracle_fd, oracle);
        for (uint32_t i = 0; i < 4; i++) {
                entries[i].data = data[i];
                entries[i].size = 100 + i * 200;
                payload_fill(data[i], entries[i].size, seed, bounds.tail + 1 + i,
                             (struct payload_place){ .index = i, .count = 4 });
        }
        r = logstore_append_batch(store, entries, 4, &number);
        for (uint32_t i = 4; r == 0 && i < NEW_RECORDS; i++) {
                payload_fill(data[0], i * 50, seed, bounds.tail + 1 + i,
                             (struct payload_place){ .index = 0, .count = 1 });
                r = logstore_append(store, data[0], i * 50, &number);
        }
        if (r == 0)
                r = logstore_sync(store, number);
        if (r < 0)
                cannot("append and sync", r);
        oracle->acked = number;
}

struct arguments {
        const char *path, *oracle_path;
        uint64_t acked, seed;
        uint32_t hang_ms;
};

static int parse(int argc, char **argv, struct arguments *ret)
{
        struct arguments a = { .seed = 1, .hang_ms = 20000 };

        for (int i = 1; i < argc; i++) {
                const char *value = i + 1 < argc ? argv[i + 1] : "";

                if (argv[i][0] != '-') {
                        a.path = argv[i];
                        continue;
                }
                if (strcmp(argv[i], "--oracle") == 0)
                        a.oracle_path = value;
                else if (strcmp(argv[i], "--acked") == 0)
                        a.acked = strtoull(value, NULL, 10);
                else if (strcmp(argv[i], "--seed") == 0)
                        a.seed = strtoull(value, NULL, 10);
                else if (strcmp(argv[i], "--hang-ms") == 0)
                        a.hang_ms = (uint32_t)strtoul(value, NULL, 10);
                else
                        return -EINVAL;
                i++;
        }
        if (a.path == NULL)
                return -EINVAL;
        *ret = a;
        return 0;
}

static void load_oracle(const struct arguments *a, int *ret_fd, struct oracle *ret)
{
        int r = 0;

        *ret = (struct oracle){ .acked = a->acked, .lives = 1, .life = { { 1, a->seed } } };
        *ret_fd = -1;
        if (a->oracle_path == NULL)
                return;
        *ret_fd = oracle_open(a->oracle_path);
        r = *ret_fd < 0 ? *ret_fd : oracle_load(*ret_fd, 0, ret);
        if (r < 0) {
                fprintf(stderr, "crash_check: %s: %s\n", a->oracle_path, strerror(-r));
                exit(EXIT_USAGE);
        }
}

/* Live on and compare again. @seed differs from every earlier life's. */
static void live_on(const struct arguments *a, struct logstore *store, struct oracle *oracle,
                    int oracle_fd)
{
        struct logstore_verify_report report = { 0 };
        int r;

        append_some(store, oracle, oracle_fd, a->seed + 1000000007);
        save_oracle(oracle_fd, oracle);
        r = logstore_close(store);
        if (r < 0)
                cannot("close", r);
        store = open_store(a->path);
        judge(store, oracle, "after living on");
        r = logstore_close(store);
        if (r < 0)
                cannot("second close", r);
        r = logstore_verify(a->path, NULL, &report);
        if (r < 0 || report.faults > 0)
                cannot("verify", r);
}

int main(int argc, char **argv)
{
        struct arguments a;
        struct oracle oracle;
        struct logstore_bounds bounds;
        struct logstore *store;
        int oracle_fd, r;

        if (parse(argc, argv, &a) < 0) {
                fprintf(stderr, "usage: crash_check DIR (--oracle FILE | --acked N) [--seed S]"
                                " [--hang-ms N]\n");
                return EXIT_USAGE;
        }
        signal(SIGALRM, on_alarm);
        alarm((a.hang_ms + 999) / 1000);
        load_oracle(&a, &oracle_fd, &oracle);
        read_unrecovered(a.path, &oracle);
        store = open_store(a.path);
        judge(store, &oracle, "after the crash");
        r = logstore_bounds(store, &bounds);
        if (r < 0)
                cannot("bounds", r);
        live_on(&a, store, &oracle, oracle_fd);
        printf("crash_check: first %" PRIu64 " tail %" PRIu64 " acked %" PRIu64
               " lost 0 holes 0 invented 0\n",
               bounds.first, bounds.tail, oracle.acked);
        return 0;
}
