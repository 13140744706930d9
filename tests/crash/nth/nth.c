/*
 * nth.c - every Nth call through the os seam fails, for every N and several errors
 *
 * A workload is run once to count its calls; then once for every call and error. Afterwards: the
 * calls that failed said why, every acknowledged record is there, nothing was invented, and no
 * descriptor, mapping or heap block was left behind. Prints one line of figures.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../damage/tree.h"
#include "../damage/watch.h"
#include "fault.h"
#include "workload.h"

static const struct {
        int error;
        bool for_ever;
} kinds[] = {
        { -EIO, false },    { -ENOSPC, false }, { -EINTR, false }, { -EMFILE, false },
        { -ENOMEM, false }, { -EIO, true },     { -ENOSPC, true },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct fault_case {
        uint8_t mode, function, kind;
        uint32_t nth;
};
static struct fault_case *cases;
static size_t case_count, case_capacity;
static const char *scratch;

static void add_case(struct fault_case new)
{
        if (case_count == case_capacity) {
                case_capacity = case_capacity ? 2 * case_capacity : 1024;
                cases = realloc(cases, case_capacity * sizeof(*cases));
                if (!cases)
                        abort();
        }
        cases[case_count++] = new;
}

/* Left out: no machine has a wait that fails for ever, an interrupted allocation, or a failed wake
 * on a word that is there (futex(2): EFAULT and EINVAL are all its errors). */
static bool makes_sense(unsigned mode, enum fault_function function, unsigned kind)
{
        if (function == FAULT_os_futex_wake)
                return false;
        if (mode == 1 && kinds[kind].for_ever)
                return false;
        if (mode == 2 && kind > 0) /* only the ring differs, and its teardown is slow */
                return false;
        if (function >= FAULT_malloc)
                return kinds[kind].error == -ENOMEM;
        return function != FAULT_os_futex_wait || !kinds[kind].for_ever;
}

/* Nothing fails: the workload has to go through, and its calls are counted. */
static bool plan_mode(unsigned mode, bool verbose)
{
        char path[512];
        struct workload w;
        const char *wrong;

        snprintf(path, sizeof(path), "%s/plan-%u", scratch, mode);
        fault_arm(FAULT_COUNT, 0, 0, false);
        workload_run(&w, path, mode);
        for (unsigned function = 0; function < FAULT_COUNT; function++) {
                uint64_t calls = fault_calls(function);

                if (verbose)
                        fprintf(stderr, "mode %u: %5" PRIu64 " %s\n", mode, calls,
                                fault_name(function));
                for (uint64_t nth = 1; nth <= calls; nth++)
                        for (unsigned kind = 0; kind < KINDS; kind++)
                                if (makes_sense(mode, function, kind))
                                        add_case((struct fault_case){
                                                (uint8_t)mode, (uint8_t)function, (uint8_t)kind,
                                                (uint32_t)nth });
        }
        wrong = w.failures ? "calls failed without a fault" : workload_check(&w);
        if (wrong)
                fprintf(stderr, "mode %u: %s\n", mode, wrong);
        tree_remove(path);
        return wrong == NULL;
}

static unsigned open_descriptors(void)
{
        DIR *directory = opendir("/proc/self/fd");
        unsigned count = 0;

        while (directory && readdir(directory))
                count++;
        closedir(directory);
        return count;
}

/* Lines of /proc/self/maps that name a file of the test. */
static unsigned mapped_files(void)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        unsigned count = 0;
        char line[1024];

        while (maps && fgets(line, sizeof(line), maps))
                count += strstr(line, scratch) != NULL;
        fclose(maps);
        return count;
}

static void run_case(struct watch *watch, unsigned worker, uint64_t index)
{
        const struct fault_case *c = &cases[index];
        unsigned descriptors = open_descriptors(), maps = mapped_files();
        int64_t blocks = fault_heap_blocks(), bytes = fault_mapped_bytes();
        struct workload w;
        const char *wrong;
        char path[512], name[128];

        snprintf(name, sizeof(name), "case %" PRIu64 ": mode %u, call %u of %s, %s%s", index,
                 c->mode, c->nth, fault_name(c->function), strerrorname_np(-kinds[c->kind].error),
                 kinds[c->kind].for_ever ? " for ever" : "");
        snprintf(path, sizeof(path), "%s/%u", scratch, worker);
        tree_remove(path);
        fault_arm(c->function, c->nth, kinds[c->kind].error, kinds[c->kind].for_ever);
        workload_run(&w, path, c->mode);
        fault_disarm();
        wrong = workload_check(&w);
        if (wrong)
                watch_complain(&watch->lost, "%s: %s", name, wrong);
        if (w.nameless)
                watch_complain(&watch->wrong, "%s: an error without a name", name);
        if (open_descriptors() != descriptors || mapped_files() != maps ||
            fault_heap_blocks() != blocks || fault_mapped_bytes() != bytes)
                watch_complain(&watch->wrong,
                               "%s: left %d descriptors, %d mapped files, %" PRId64
                               " blocks, %" PRId64 " bytes mapped",
                               name, (int)(open_descriptors() - descriptors),
                               (int)(mapped_files() - maps), fault_heap_blocks() - blocks,
                               fault_mapped_bytes() - bytes);
}

int main(int argc, char **argv)
{
        bool verbose = argc == 2 && strcmp(argv[1], "--verbose") == 0;
        struct watch *watch = watch_new();
        bool planned = true;
        uint64_t only;

        if (verbose)
                fprintf(stderr, "calls, by mode and function:\n");
        scratch = tree_scratch("nth");
        for (unsigned mode = 0; mode < WORKLOAD_MODES; mode++)
                planned &= plan_mode(mode, verbose);
        if (argc > 2 && strcmp(argv[1], "--case") == 0) {
                only = strtoull(argv[2], NULL, 10);
                if (only < case_count)
                        run_case(watch, 0, only);
                watch->done = 1;
        } else if (planned) {
                watch_run(watch, 0, case_count, 0, run_case);
        }
        tree_remove(scratch);
        return watch_figures(watch, "nth", 0);
}
