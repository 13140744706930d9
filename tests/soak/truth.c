/*
 * truth.c - is every answer true that a reader gets beside a writer?
 *
 *   soak_truth DIR [--opens N] [--verifies N] [--lives N] [--segments N] [--seed N]
 *
 * First a writer rolls, trims and now and then truncates without pause. It is killed every second
 * and started anew, while processes open the store, read at both ends, close, and verify it. Then
 * one tailer reads over lives of a writer that appends a few records, syncs, trims, truncates, and
 * is killed. Every answer - number, payload, error - is held against the ledger (ledger.h). Damage
 * is never true. -ESTALE is true only if a number that the cursor had passed was cut or trimmed,
 * -EAGAIN only if the record was not there. The last line on stdout is one JSON object.
 *
 * Exit: 0 no false answer, 1 some, 2 usage.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "truth.h"

#define OPENERS 2u

static struct {
        uint64_t opens, verifies, lives, segments, seed;
        char path[512];
} asked = { .opens = 200, .verifies = 20, .lives = 100, .segments = 200 };

static void tell(const struct ledger *ledger, FILE *to)
{
        fprintf(to,
                "{\"opens\": %" PRIu64 ", \"verifies\": %" PRIu64 ", \"lives\": %" PRIu64
                ", \"records\": %" PRIu64 ", \"appends\": %" PRIu64 ", \"cuts\": %" PRIu64
                ", \"stale_true\": %" PRIu64 ", \"stale_cut\": %" PRIu64 ", \"false\": %" PRIu64
                ", \"failed\": %" PRIu64 ", \"segments\": %" PRIu64 ", \"seed\": %" PRIu64 "}\n",
                ledger->opens, ledger->verifies, ledger->lives, ledger->records, ledger->serial,
                ledger->cuts_done, ledger->stale_true, ledger->cut_true, ledger->falses,
                ledger->failed, asked.segments, asked.seed);
        fflush(to);
}

void tell_sometimes(const struct ledger *ledger)
{
        static time_t told;
        time_t now = time(NULL);

        if (told == 0)
                told = now;
        if (now - told < 20)
                return;
        told = now;
        tell(ledger, stderr);
}

static pid_t start_reader(struct ledger *ledger, unsigned which)
{
        pid_t child = fork();

        if (child != 0)
                return child;
        if (which == 0)
                while (atomic_load(&ledger->verifies) < asked.verifies)
                        verify_once(ledger, asked.path);
        for (uint64_t i = asked.seed + which * UINT64_C(1000000000);
             which && atomic_load(&ledger->opens) < asked.opens; i += 8)
                open_and_read(ledger, asked.path, i);
        _exit(0);
}

/* So many segments of two records each. */
static void fill(struct ledger *ledger)
{
        struct life life = { .seed = asked.seed,
                             .appends = 2 * asked.segments,
                             .large = 1,
                             .keep = 2 * asked.segments,
                             .trim_every = 64 };

        if (!end_life(start_life(ledger, asked.path, &life), false))
                atomic_fetch_add(&ledger->failed, 1);
}

static unsigned readers_left(pid_t *readers, struct ledger *ledger)
{
        unsigned left = 0;

        for (unsigned i = 0; i <= OPENERS; i++) {
                int status;

                if (readers[i] > 0 && waitpid(readers[i], &status, WNOHANG) == readers[i]) {
                        readers[i] = 0;
                        if (status)
                                atomic_fetch_add(&ledger->failed, 1);
                }
                left += readers[i] > 0;
        }
        return left;
}

/* A writer that is killed every second while the others read; 6 of 8 lives roll and trim only. */
static void read_beside(struct ledger *ledger)
{
        pid_t readers[OPENERS + 1];

        fill(ledger);
        for (unsigned i = 0; i <= OPENERS; i++)
                readers[i] = start_reader(ledger, i);
        for (uint64_t n = 0; readers_left(readers, ledger) > 0; n++) {
                struct life life = { .seed = asked.seed + n * 1000000,
                                     .large = 1,
                                     .keep = 2 * asked.segments,
                                     .trim_every = 8,
                                     .cut_every = n % 8 < 6 ? 0 : 64 };
                pid_t writer = start_life(ledger, asked.path, &life);

                for (unsigned i = 0; i < 50 && readers_left(readers, ledger) > 0; i++)
                        usleep(20000);
                if (!end_life(writer, true))
                        atomic_fetch_add(&ledger->failed, 1);
                tell_sometimes(ledger);
        }
}

static int usage(void)
{
        fprintf(stderr, "usage: soak_truth DIR [--opens N] [--verifies N] [--lives N]"
                        " [--segments N] [--seed N]\n");
        return 2;
}

static int parse(int argc, char **argv)
{
        static const struct option options[] = {
                { "opens", required_argument, NULL, 'o' },
                { "verifies", required_argument, NULL, 'v' },
                { "lives", required_argument, NULL, 'l' },
                { "segments", required_argument, NULL, 's' },
                { "seed", required_argument, NULL, 'r' },
                { NULL, 0, NULL, 0 },
        };
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
                uint64_t value = optarg ? strtoull(optarg, NULL, 10) : 0;

                switch (option) {
                case 'o':
                        asked.opens = value;
                        break;
                case 'v':
                        asked.verifies = value;
                        break;
                case 'l':
                        asked.lives = value;
                        break;
                case 's':
                        asked.segments = value;
                        break;
                case 'r':
                        asked.seed = value;
                        break;
                default:
                        return -1;
                }
        }
        return optind + 1 == argc && asked.segments > 0 ? 0 : -1;
}

static void remove_folder(const char *folder)
{
        pid_t child = fork();

        if (child == 0) {
                execlp("rm", "rm", "-rf", folder, NULL);
                _exit(1);
        }
        waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
        struct ledger *ledger = ledger_new();
        char folder[400];

        asked.seed = (uint64_t)time(NULL);
        if (parse(argc, argv) < 0 || strlen(argv[optind]) > 300)
                return usage();
        snprintf(folder, sizeof(folder), "%s/soak-truth-XXXXXX", argv[optind]);
        if (!ledger || !mkdtemp(folder)) {
                perror(folder);
                return 2;
        }
        snprintf(asked.path, sizeof(asked.path), "%s/beside", folder);
        read_beside(ledger);
        ledger_restart(ledger);
        snprintf(asked.path, sizeof(asked.path), "%s/lives", folder);
        tail_lives(ledger, asked.path, asked.lives, asked.seed);
        remove_folder(folder);
        tell(ledger, stdout);
        return ledger->falses || ledger->failed;
}
