/*
 * trim.c - how long does a synced append wait while tens of thousands of segments are trimmed?
 *
 *   soak_trim DIR [--segments N] [--seconds N] [--build DIR]
 *
 * The program makes a store of so many segments of 64 KiB in the build directory (in memory, as
 * each roll syncs), and copies it to DIR, sparse. There one thread appends 100 bytes under
 * LOGSTORE_SYNC_EACH without pause: first for so many seconds alone, then while another trims all
 * except the newest segments in one call. The last line on stdout is one JSON object. Times are in
 * milliseconds; a ratio above 5 is status 1.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <logstore.h>

#define RECORD_BYTES 60000 /* one in a segment; zeros, so that a copy is sparse */
#define RATIO_MOST 5.0

static unsigned long segments = 40000, seconds = 10;

struct appends {
        unsigned long count;
        double slowest_ms, total_ms;
};

struct trim {
        struct logstore *store;
        uint64_t number;
        double took_ms;
        _Atomic int over;
};

static double now_ms(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void fail(const char *what)
{
        fprintf(stderr, "soak_trim: %s: %s\n", what, logstore_detail());
        exit(2);
}

static struct logstore *open_store(const char *path, uint32_t policy)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;

        options.flags = LOGSTORE_CREATE;
        options.segment_bytes = 65536;
        options.sync_policy = policy;
        if (logstore_open(path, &options, &store) < 0)
                fail("open");
        return store;
}

static void run(const char *const *command)
{
        int status = -1;
        pid_t child = fork();

        if (child == 0) {
                execvp(command[0], (char *const *)command);
                _exit(127);
        }
        if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
                fprintf(stderr, "soak_trim: %s failed\n", command[0]);
                exit(2);
        }
}

static void fill(const char *path)
{
        static const char zeros[RECORD_BYTES];
        struct logstore *store = open_store(path, LOGSTORE_SYNC_NONE);

        for (unsigned long i = 0; i < segments; i++)
                if (logstore_append(store, zeros, sizeof(zeros), NULL) < 0)
                        fail("append");
        if (logstore_close(store) < 0)
                fail("close");
}

/* Until @until, or, where that is 0, until the trim is over. */
static struct appends append_on(struct logstore *store, double until, struct trim *trim)
{
        struct appends appends = { 0, 0, 0 };
        static const char data[100];

        while (until > 0 ? now_ms() < until : !atomic_load(&trim->over)) {
                double start = now_ms(), took;

                if (logstore_append(store, data, sizeof(data), NULL) < 0)
                        fail("append");
                took = now_ms() - start;
                appends.total_ms += took;
                appends.count++;
                if (took > appends.slowest_ms)
                        appends.slowest_ms = took;
        }
        return appends;
}

static void *trim_all(void *argument)
{
        struct trim *trim = argument;
        double start = now_ms();

        if (logstore_trim_before(trim->store, trim->number, NULL) < 0)
                fail("trim");
        trim->took_ms = now_ms() - start;
        atomic_store(&trim->over, 1);
        return NULL;
}

static int measure(const char *path)
{
        struct trim trim = { .store = open_store(path, LOGSTORE_SYNC_EACH), .number = segments };
        struct appends alone = append_on(trim.store, now_ms() + (double)seconds * 1e3, &trim);
        struct appends beside;
        struct logstore_bounds bounds;
        pthread_t thread;
        double ratio;

        if (pthread_create(&thread, NULL, trim_all, &trim) != 0)
                fail("thread");
        beside = append_on(trim.store, 0, &trim);
        pthread_join(thread, NULL);
        if (logstore_bounds(trim.store, &bounds) < 0 || bounds.first + 1 < segments ||
            logstore_close(trim.store) < 0)
                fail("after the trim");
        ratio = beside.slowest_ms / alone.slowest_ms;
        printf("{\"segments\": %lu, \"trim_ms\": %.0f, \"alone\": %lu, \"alone_mean_ms\": %.3f, "
               "\"alone_slowest_ms\": %.1f, \"beside\": %lu, \"beside_mean_ms\": %.3f, "
               "\"beside_slowest_ms\": %.1f, \"ratio\": %.2f}\n",
               segments, trim.took_ms, alone.count, alone.total_ms / (double)alone.count,
               alone.slowest_ms, beside.count, beside.total_ms / (double)beside.count,
               beside.slowest_ms, ratio);
        return ratio > RATIO_MOST;
}

int main(int argc, char **argv)
{
        static const struct option options[] = { { "segments", required_argument, NULL, 'n' },
                                                 { "seconds", required_argument, NULL, 's' },
                                                 { "build", required_argument, NULL, 'b' },
                                                 { NULL, 0, NULL, 0 } };
        const char *build = "/dev/shm";
        char made[512], path[512];
        int option, r;

        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
                if (option == 'n')
                        segments = strtoul(optarg, NULL, 10);
                else if (option == 's')
                        seconds = strtoul(optarg, NULL, 10);
                else if (option == 'b')
                        build = optarg;
                else
                        return 2;
        if (optind + 1 != argc || segments < 10 || seconds == 0) {
                fprintf(stderr,
                        "usage: soak_trim DIR [--segments N] [--seconds N] [--build DIR]\n");
                return 2;
        }
        snprintf(made, sizeof(made), "%s/soak-trim-XXXXXX", build);
        snprintf(path, sizeof(path), "%s/soak-trim-XXXXXX", argv[optind]);
        if (!mkdtemp(made) || !mkdtemp(path)) {
                perror("soak_trim");
                return 2;
        }
        fill(made);
        run((const char *const[]){ "cp", "-a", "--sparse=always", "-T", made, path, NULL });
        run((const char *const[]){ "rm", "-rf", made, NULL });
        run((const char *const[]){ "sync", "-f", path, NULL });
        r = measure(path);
        run((const char *const[]){ "rm", "-rf", path, NULL });
        return r;
}
