/*
 * kill_loop.c - kill the writer again and again, with a reader beside it, and check
 *
 *   kill_loop --workload CRASH_WORKLOAD --check CRASH_CHECK --reader CRASH_READER
 *             --repair CRASH_REPAIR [--kills N] [--seed S] [--directory DIR]
 *
 * The writer reports each promise to a file outside the store (oracle.h), which its death cannot
 * take back. Every third kill waits for a truncation to begin. After each kill a checker opens the
 * store, compares it and lives on. Before that, some stores are repaired, and the repair is killed:
 * there is nothing to cut. Each six kills share a store and a reader, which follows through all of
 * them. At the end a record of the store is spoilt, and now a repair must cut. It is killed one to
 * four times. Then the store opens or is repaired, and what was cut has to be in quarantine.
 *
 * Exit: 0 nothing lost, 1 something was. One line of figures on stdout.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "oracle.h"
#include "payload.h"
#include "rig.h"

#define KILLS_PER_STORE 6u /* each begins up to two lives */
#define DELAY_US_MAX 80000u
#define TRUNCATION_US 1500u /* about what one takes */
#define POLL_US 50u
#define READER_STOP_SECONDS 10u

static struct {
        const char *workload, *check, *reader, *repair, *directory;
        uint64_t kills, seed, rng;
        const char *store, *oracle, *list;
        uint64_t repair_us; /* that a repair takes here, about */
        struct {
                uint64_t kills, lost, holes, invented, hangs, unusable, reader, acked;
                uint64_t truncations; /* kills with one under way */
                uint64_t repairs;     /* that were killed */
                uint64_t harmed;      /* stores that were spoilt */
        } count;
} k = { .kills = 200, .seed = 1, .repair_us = 4000 };

static pid_t start(const char *const argv[])
{
        pid_t pid = fork();

        if (pid < 0)
                rig_broken("fork");
        if (pid > 0)
                return pid;
        int quiet = open("/dev/null", O_WRONLY);

        if (dup2(quiet, 1) < 0)
                _exit(99);
        execv(argv[0], (char *const *)argv);
        _exit(99);
}

static int wait_for(pid_t pid)
{
        int status;

        if (waitpid(pid, &status, 0) < 0)
                rig_broken("waitpid");
        return status;
}

static const char *decimal(uint64_t value)
{
        static char text[4][24];
        static unsigned next;
        char *at = text[next++ % 4];

        snprintf(at, sizeof(text[0]), "%" PRIu64, value);
        return at;
}

/* ---- one kill --------------------------------------------------------------------------- */

static struct oracle oracle_now(void)
{
        struct oracle oracle = { 0 };
        int fd = oracle_open(k.oracle);

        if (fd < 0 || oracle_load(fd, 0, &oracle) < 0)
                rig_broken("%s", k.oracle);
        close(fd);
        return oracle;
}

/* Any time; every third time a moment after a truncation began. */
static void wait_to_kill(void)
{
        useconds_t delay = (useconds_t)random_below(&k.rng, DELAY_US_MAX);
        uint64_t cuts = oracle_now().cuts;

        if (random_below(&k.rng, 3) > 0) {
                usleep(delay);
                return;
        }
        usleep(delay / 4);
        for (useconds_t waited = 0; waited < 4 * DELAY_US_MAX; waited += POLL_US) {
                struct oracle oracle = oracle_now();

                if (oracle.cut > 0 && oracle.cuts != cuts)
                        break;
                usleep(POLL_US);
        }
        usleep((useconds_t)random_below(&k.rng, TRUNCATION_US));
}

static void write_and_kill(uint64_t seed)
{
        const char *argv[] = { k.workload,  k.store,
                               "--oracle",  k.oracle,
                               "--seconds", "1000",
                               "--seed",    decimal(seed),
                               "--threads", decimal(1 + random_below(&k.rng, 3)),
                               NULL };
        pid_t pid = start(argv);
        int status;

        wait_to_kill();
        kill(pid, SIGKILL);
        status = wait_for(pid);
        k.count.truncations += oracle_now().cut > 0;
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
                return;
        fprintf(stderr, "kill_loop: the writer ended with status %x, seed %" PRIu64 "\n",
                (unsigned)status, seed);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 4)
                k.count.hangs++;
        else
                k.count.unusable++;
}

static void check(uint64_t seed)
{
        const char *argv[] = {
                k.check, k.store, "--oracle", k.oracle, "--seed", decimal(seed), NULL
        };
        int status = wait_for(start(argv));

        if (status == 0)
                return;
        fprintf(stderr, "kill_loop: check failed with status %x, seed %" PRIu64 ", in %s\n",
                (unsigned)status, seed, k.store);
        switch (WIFEXITED(status) ? WEXITSTATUS(status) : -1) {
        case 1:
                k.count.lost++;
                break;
        case 3:
                k.count.holes++;
                break;
        case 4:
                k.count.invented++;
                break;
        case 5:
                k.count.hangs++;
                break;
        default:
                k.count.unusable++;
        }
}

/* ---- repair ----------------------------------------------------------------------------- */

static int run_repair(const char *verb, uint64_t seed)
{
        const char *argv[] = { k.repair, verb,   k.store,  "--oracle",    k.oracle,
                               "--list", k.list, "--seed", decimal(seed), NULL };

        return wait_for(start(argv));
}

static uint64_t now_us(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* A repair that is not killed, of a store that it can open. */
static void must_repair(const char *verb, uint64_t seed)
{
        uint64_t began_us = now_us();
        int status = run_repair(verb, seed);

        k.repair_us = (3 * k.repair_us + now_us() - began_us) / 4;
        if (status == 0)
                return;
        fprintf(stderr, "kill_loop: %s ended with status %x, seed %" PRIu64 ", in %s\n", verb,
                (unsigned)status, seed, k.store);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
                k.count.lost++;
        else
                k.count.unusable++;
}

static void repair_and_kill(void)
{
        const char *argv[] = { k.repair, "repair", k.store, NULL };
        pid_t pid = start(argv);
        int status;

        usleep((useconds_t)random_below(&k.rng, k.repair_us + k.repair_us / 4));
        kill(pid, SIGKILL);
        status = wait_for(pid);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
                k.count.repairs++;
        else if (status != 0)
                k.count.unusable++;
}

/* Without a store there is nothing to repair: the first writer may be killed before it made one. */
static bool has_store(void)
{
        return oracle_now().lives > 0;
}

static void harm_and_repair(uint64_t seed)
{
        int status = has_store() ? run_repair("harm", seed) : 0x300;
        uint64_t repairs = 1 + random_below(&k.rng, 4);

        if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
                return; /* nothing in it */
        if (status != 0)
                rig_broken("harm: status %x, in %s", (unsigned)status, k.store);
        k.count.harmed++;
        for (uint64_t i = 0; i < repairs; i++)
                repair_and_kill();
        must_repair(random_below(&k.rng, 2) ? "mend" : "repair", seed);
        must_repair("look", seed);
        check(seed);
}

/* ---- one store, six kills --------------------------------------------------------------- */

static void stop_reader(pid_t pid)
{
        int status = 0;

        kill(pid, SIGTERM);
        for (unsigned tries = 0; tries < READER_STOP_SECONDS * 1000; tries++) {
                pid_t ended = waitpid(pid, &status, WNOHANG);

                if (ended < 0)
                        rig_broken("waitpid");
                if (ended == pid) {
                        k.count.reader += status != 0;
                        return;
                }
                usleep(1000);
        }
        fprintf(stderr, "kill_loop: the reader hangs\n");
        k.count.hangs++;
        kill(pid, SIGKILL);
        wait_for(pid);
}

static uint64_t bad(void)
{
        return k.count.lost + k.count.holes + k.count.invented + k.count.hangs + k.count.unusable +
               k.count.reader;
}

static void remove_store(void)
{
        const char *argv[] = { "rm", "-rf", k.store, k.oracle, k.list, NULL };

        rig_run(argv);
}

static void kill_one_store(uint64_t store_index)
{
        char name[64];
        struct oracle oracle;
        uint64_t before = bad();
        pid_t reader;
        int fd;

        snprintf(name, sizeof(name), "store-%" PRIu64 "-%" PRIu64, k.seed, store_index);
        k.store = rig_path(k.directory, name);
        strcat(name, ".oracle");
        k.oracle = rig_path(k.directory, name);
        strcpy(strrchr(name, '.'), ".list");
        k.list = rig_path(k.directory, name);
        remove_store();
        fd = oracle_open(k.oracle);
        const char *argv[] = { k.reader, k.store, "--oracle", k.oracle, NULL };
        reader = start(argv);
        for (unsigned i = 0; i < KILLS_PER_STORE && k.count.kills < k.kills; i++) {
                uint64_t seed = k.seed * 1000000 + k.count.kills;

                write_and_kill(seed);
                k.count.kills++;
                if (has_store() && random_below(&k.rng, 4) == 0)
                        repair_and_kill();
                if (random_below(&k.rng, 3) > 0)
                        check(seed);
        }
        harm_and_repair(k.seed * 1000000 + k.count.kills);
        stop_reader(reader);
        if (oracle_load(fd, 0, &oracle) == 0)
                k.count.acked += oracle.acked;
        close(fd);
        if (bad() == before)
                remove_store();
}

static int parse(int argc, char **argv)
{
        for (int i = 1; i + 1 < argc; i += 2) {
                const char *value = argv[i + 1];

                if (strcmp(argv[i], "--workload") == 0)
                        k.workload = value;
                else if (strcmp(argv[i], "--check") == 0)
                        k.check = value;
                else if (strcmp(argv[i], "--reader") == 0)
                        k.reader = value;
                else if (strcmp(argv[i], "--repair") == 0)
                        k.repair = value;
                else if (strcmp(argv[i], "--directory") == 0)
                        k.directory = value;
                else if (strcmp(argv[i], "--kills") == 0)
                        k.kills = strtoull(value, NULL, 10);
                else if (strcmp(argv[i], "--seed") == 0)
                        k.seed = strtoull(value, NULL, 10);
                else
                        return -EINVAL;
        }
        return k.workload && k.check && k.reader && k.repair ? 0 : -EINVAL;
}

static void make_directory(void)
{
        const char *temporary = getenv("TMPDIR");
        char *directory;

        if (k.directory != NULL)
                return;
        if (asprintf(&directory, "%s/kill-XXXXXX", temporary ? temporary : "/tmp") < 0 ||
            mkdtemp(directory) == NULL)
                rig_broken("temporary directory");
        k.directory = directory;
}

int main(int argc, char **argv)
{
        if (parse(argc, argv) < 0) {
                fprintf(stderr, "kill_loop: see the head of kill_loop.c\n");
                return 2;
        }
        make_directory();
        k.rng = k.seed;
        for (uint64_t i = 0; k.count.kills < k.kills; i++)
                kill_one_store(i);
        printf("kill: states=%" PRIu64 " lost=%" PRIu64 " holes=%" PRIu64 " invented=%" PRIu64
               " hangs=%" PRIu64 " unusable=%" PRIu64 " reader=%" PRIu64 " acked=%" PRIu64
               " truncations=%" PRIu64 " repairs=%" PRIu64 " harmed=%" PRIu64 " seed=%" PRIu64 "\n",
               k.count.kills, k.count.lost, k.count.holes, k.count.invented, k.count.hangs,
               k.count.unusable, k.count.reader, k.count.acked, k.count.truncations,
               k.count.repairs, k.count.harmed, k.seed);
        if (bad() > 0) {
                fprintf(stderr, "kill_loop: the stores are in %s\n", k.directory);
                return 1;
        }
        rmdir(k.directory);
        return 0;
}
