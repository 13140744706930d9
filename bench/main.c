/*
 * main.c - logstore-bench: which rows to run, and how
 */
#include "bench.h"
#include "peer.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct row {
        const char *name;
        void (*run)(const struct options *options);
        const char *what;
} rows[] = {
        { "append", row_append, "1: append, no sync" },
        { "sustained", row_sustained, "2: append more than fits, to the last byte durable" },
        { "sync", row_sync_one, "3: one sync per record" },
        { "sync-threads", row_sync_threads, "4: one sync per record, many threads" },
        { "scan", row_scan_warm, "5: scan, warm" },
        { "get", row_get_warm, "6: random get, warm" },
        { "get-cold", row_get_cold, "7: random get, cold" },
        { "scan-cold", row_scan_cold, "8: scan, cold" },
        { "open", row_open, "9: open after kill -9" },
        { "follow", row_follow, "10: append while others read" },
        { "tool", row_tool, "11: the command against cat" },
        { "threads", row_threads, "12: append by several threads" },
        { "latency", row_latency, "13: from append to a reader in another process" },
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

static void usage(FILE *to)
{
        fprintf(to, "usage: logstore-bench [OPTION...] [list | all | NAME...]\n\n"
                    "  -q, --quick              small sizes and few rounds: ratios only\n"
                    "  -o, --output jsonl       one object per result on stdout, table on stderr\n"
                    "  -d, --dir DIR            where to work (.)\n"
                    "  -r, --rounds N           rounds that count (5; quick 3)\n"
                    "  -b, --bytes N            bytes of frames per run\n"
                    "  -s, --record-bytes N     size of a record\n"
                    "  -t, --threads N          threads, in rows 4 and 12\n"
                    "  -S, --sync POLICY        none, interval or each, in row 1\n"
                    "  -P, --no-peers           the store and the limit alone\n"
                    "      --segment-bytes N    of stores\n"
                    "      --tool FILE          the logstore program\n\nNAME:\n");
        for (int i = 0; i < ROWS; i++)
                fprintf(to, "  %-12s row %s\n", rows[i].name, rows[i].what);
}

static uint64_t number(const char *text)
{
        char *end;
        uint64_t value = strtoull(text, &end, 0);
        uint64_t unit = *end == 'K' ? KIB : *end == 'M' ? MIB : *end == 'G' ? GIB : 1;

        if (end == text || (*end && (unit == 1 || end[1]))) {
                fprintf(stderr, "logstore-bench: not a number: %s\n", text);
                exit(2);
        }
        return value * unit;
}

static uint32_t policy(const char *text)
{
        static const char *const names[] = { "none", "interval", "each" };

        for (uint32_t i = 0; i < 3; i++)
                if (strcmp(text, names[i]) == 0)
                        return i;
        fprintf(stderr, "logstore-bench: --sync none, interval or each\n");
        exit(2);
}

/* The tool lies beside us in the build tree: BUILD/bench/logstore-bench, BUILD/tools/logstore. */
static const char *tool_beside(void)
{
        static char path[4096];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);

        if (n < 0)
                return "logstore";
        path[n] = '\0';
        *strrchr(path, '/') = '\0';
        strcat(path, "/../tools/logstore");
        return path;
}

static void options_read(int argc, char **argv, struct options *o)
{
        static const struct option longs[] = {
                { "quick", no_argument, NULL, 'q' },
                { "output", required_argument, NULL, 'o' },
                { "dir", required_argument, NULL, 'd' },
                { "rounds", required_argument, NULL, 'r' },
                { "bytes", required_argument, NULL, 'b' },
                { "record-bytes", required_argument, NULL, 's' },
                { "threads", required_argument, NULL, 't' },
                { "sync", required_argument, NULL, 'S' },
                { "no-peers", no_argument, NULL, 'P' },
                { "segment-bytes", required_argument, NULL, 'B' },
                { "tool", required_argument, NULL, 'T' },
                { "help", no_argument, NULL, 'h' },
                { 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "qo:d:r:b:s:t:S:Ph", longs, NULL)) != -1) {
                switch (c) {
                case 'q':
                        o->quick = true;
                        break;
                case 'o':
                        o->jsonl = strcmp(optarg, "jsonl") == 0;
                        if (!o->jsonl) {
                                fprintf(stderr, "logstore-bench: --output jsonl\n");
                                exit(2);
                        }
                        break;
                case 'd':
                        o->dir = optarg;
                        break;
                case 'r':
                        o->rounds = (unsigned)number(optarg);
                        break;
                case 'b':
                        o->bytes = number(optarg);
                        break;
                case 's':
                        o->record_bytes = number(optarg);
                        break;
                case 't':
                        o->threads = (unsigned)number(optarg);
                        break;
                case 'S':
                        o->sync_policy = policy(optarg);
                        break;
                case 'P':
                        o->no_peers = true;
                        break;
                case 'B':
                        o->segment_bytes = number(optarg);
                        break;
                case 'T':
                        o->tool = optarg;
                        break;
                case 'h':
                        usage(stdout);
                        exit(0);
                default:
                        usage(stderr);
                        exit(2);
                }
        }
        if (o->rounds == 0)
                o->rounds = o->quick ? 3 : 5;
        if (o->record_bytes > RECORD_BYTES_MAX)
                o->record_bytes = RECORD_BYTES_MAX;
}

static const struct row *row_find(const char *name)
{
        for (int i = 0; i < ROWS; i++)
                if (strcmp(rows[i].name, name) == 0)
                        return &rows[i];
        return NULL;
}

static void begin(const struct options *options)
{
        data_init();
        machine_print(options, stderr);
        fprintf(stderr, "logstore %s%s\n", logstore_version(), options->quick ? ", quick" : "");
        for (int i = 0; peers_missing[i]; i++)
                fprintf(stderr, "peer %s: not installed when this was built, skipped\n",
                        peers_missing[i]);
}

int main(int argc, char **argv)
{
        struct options options = { .dir = ".", .tool = tool_beside() };
        char dir[400];
        bool all;

        options_read(argc, argv, &options);
        if (optind < argc && strcmp(argv[optind], "list") == 0) {
                usage(stdout);
                return 0;
        }
        all = optind == argc;
        for (int i = optind; i < argc; i++)
                if (strcmp(argv[i], "all") != 0 && !row_find(argv[i])) {
                        fprintf(stderr, "logstore-bench: no such row: %s\n", argv[i]);
                        return 2;
                }
        snprintf(dir, sizeof(dir), "%s/logstore-bench-%d", options.dir, getpid());
        if (mkdir(dir, 0700) < 0) {
                fprintf(stderr, "logstore-bench: %s: %s\n", dir, strerror(errno));
                return 1;
        }
        options.dir = dir;
        begin(&options);
        for (int k = 0; all && k < ROWS; k++)
                rows[k].run(&options);
        for (int i = optind; i < argc; i++)
                for (int k = 0; k < ROWS; k++)
                        if (strcmp(argv[i], "all") == 0 || row_find(argv[i]) == &rows[k])
                                rows[k].run(&options);
        directory_remove(dir);
        return 0;
}
