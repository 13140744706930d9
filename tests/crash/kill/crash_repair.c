/*
 * crash_repair.c - damage a store, repair it, and look for what the repair cut
 *
 *   crash_repair harm DIR --oracle FILE --list FILE [--seed S]   spoil a record; nobody has it open
 *   crash_repair repair DIR                                      repair; made to be killed
 *   crash_repair mend DIR                                        try to open, repair, open to write
 *   crash_repair look DIR --list FILE                            is all that was cut in quarantine?
 *
 * harm enters into the oracle, before it does it, from which number on a repair may cut: the
 * spoilt record, or the first of its batch. The list gets what was acknowledged behind that.
 *
 * Exit: 0 done, 1 something is lost, 2 usage, 3 nothing to harm, 6 refused.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logstore.h"
#include "oracle.h"
#include "payload.h"

enum { EXIT_LOST = 1, EXIT_USAGE, EXIT_NOTHING, EXIT_REFUSED = 6 };

#define RECORD_BYTES_MAX (64u << 10)
#define FOUND_BYTES_MIN 24u /* shorter payloads could be found by chance */

static struct {
        const char *path, *oracle_path, *list_path;
        uint64_t seed;
} c = { .seed = 1 };

static void __attribute__((noreturn)) refused(const char *act, int error)
{
        fprintf(stderr, "crash_repair: %s: %s (%s)\n", act, logstore_error_text(error),
                logstore_detail());
        exit(EXIT_REFUSED);
}

static void __attribute__((noreturn)) broken(const char *what)
{
        perror(what);
        exit(99);
}

static int open_store(uint32_t flags, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = flags;
        return logstore_open(c.path, &options, ret);
}

/* ---- files ------------------------------------------------------------------------------ */

static uint8_t *map_whole(int fd, size_t *ret_bytes)
{
        struct stat st;
        uint8_t *base;

        if (fstat(fd, &st) < 0)
                broken("fstat");
        if (!S_ISREG(st.st_mode) || st.st_size == 0)
                return NULL;
        base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (base == MAP_FAILED)
                broken("mmap");
        *ret_bytes = (size_t)st.st_size;
        return base;
}

/* Where the bytes are in any file of @directory; with @flip one bit of them is changed. */
static bool find_bytes(const char *directory, const void *data, size_t size, uint64_t flip)
{
        DIR *dir = opendir(directory);
        struct dirent *entry;
        bool found = false;

        while (dir && !found && (entry = readdir(dir))) {
                int fd = openat(dirfd(dir), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
                size_t bytes;
                uint8_t *base = fd < 0 ? NULL : map_whole(fd, &bytes), *at;

                if (base) {
                        at = memmem(base, bytes, data, size);
                        found = at != NULL;
                        if (found && flip != UINT64_MAX)
                                at[flip / 8 % size] ^= (uint8_t)(1u << flip % 8);
                        munmap(base, bytes);
                }
                if (fd >= 0)
                        close(fd);
        }
        if (dir)
                closedir(dir);
        return found;
}

/* ---- harm ------------------------------------------------------------------------------- */

struct spot {
        uint64_t number;
        size_t size;
        struct payload_place place;
        uint64_t seed;
};

/* False if there is no such record, or none that can be found again. */
static bool read_spot(struct logstore *store, const struct oracle *oracle, uint64_t number,
                      uint8_t *data, struct spot *ret)
{
        struct logstore_record record;
        struct spot spot = { .number = number, .seed = oracle_seed(oracle, number) };

        if (logstore_get(store, number, data, RECORD_BYTES_MAX, &record) < 0 ||
            record.size < FOUND_BYTES_MIN ||
            !payload_check(record.data, record.size, spot.seed, number, &spot.place))
                return false;
        spot.size = record.size;
        *ret = spot;
        return true;
}

static void list_behind(struct logstore *store, const struct oracle *oracle, uint64_t spoilt)
{
        uint8_t data[RECORD_BYTES_MAX];
        FILE *list = fopen(c.list_path, "we");
        struct spot s;

        if (!list)
                broken(c.list_path);
        for (uint64_t number = oracle->cut; number <= oracle->acked; number++)
                if (number != spoilt && read_spot(store, oracle, number, data, &s))
                        fprintf(list, "%" PRIu64 " %zu %" PRIu32 " %" PRIu32 " %" PRIu64 "\n",
                                s.number, s.size, s.place.index, s.place.count, s.seed);
        if (fclose(list) != 0)
                broken(c.list_path);
}

static int harm(void)
{
        uint8_t data[RECORD_BYTES_MAX];
        struct logstore_bounds bounds;
        struct logstore *store;
        struct oracle oracle;
        struct spot spot = { 0 };
        uint64_t rng = c.seed;
        int fd = oracle_open(c.oracle_path);
        int r = fd < 0 ? fd : oracle_load(fd, 0, &oracle);

        if (r < 0)
                broken(c.oracle_path);
        r = open_store(LOGSTORE_READ_ONLY, &store);
        if (r == 0)
                r = logstore_bounds(store, &bounds);
        if (r < 0)
                refused("open to harm", r);
        for (unsigned tries = 0; spot.size == 0 && tries < 100 && bounds.tail >= bounds.first;
             tries++) {
                uint64_t back = random_below(&rng, bounds.tail + 1 - bounds.first);

                if (random_below(&rng, 2) == 0)
                        back %= 60; /* near the end, where damage resembles a torn tail */
                read_spot(store, &oracle, bounds.tail - back, data, &spot);
        }
        if (spot.size == 0)
                return EXIT_NOTHING;
        oracle_begin_cut(&oracle, spot.number - spot.place.index);
        list_behind(store, &oracle, spot.number);
        r = logstore_close(store);
        if (r == 0)
                r = oracle_store(fd, 0, &oracle);
        if (r < 0)
                refused("harm", r);
        return find_bytes(c.path, data, spot.size, random_next(&rng) >> 1) ? 0 : EXIT_LOST;
}

/* ---- repair ----------------------------------------------------------------------------- */

static int repair(void)
{
        struct logstore_repair_report report;
        int r = logstore_repair(c.path, LOGSTORE_REPAIR_APPLY, NULL, NULL, &report);

        if (r < 0)
                refused("repair", r);
        printf("crash_repair: kept %" PRIu64 "..%" PRIu64 " cut bytes %" PRIu64 "\n",
               report.kept_first, report.kept_last, report.cut_bytes);
        return 0;
}

static int open_and_close(void)
{
        struct logstore *store;
        int r = open_store(LOGSTORE_NO_THREAD, &store);

        return r < 0 ? r : logstore_close(store);
}

/*
 * What a repair that was killed leaves opens, or is damaged and can be repaired again. It may open
 * though it is damaged: recovery does not read what is sealed. A repair goes on from there, too.
 */
static int mend(void)
{
        int r = open_and_close();

        if (r < 0 && r != -EBADMSG)
                refused("open what a repair left", r);
        repair();
        r = open_and_close();
        if (r < 0)
                refused("open what was repaired", r);
        return 0;
}

static int look(void)
{
        uint8_t data[RECORD_BYTES_MAX];
        FILE *list = fopen(c.list_path, "re");
        char quarantine[4096];
        struct spot s;
        int status = 0;

        if (!list)
                broken(c.list_path);
        snprintf(quarantine, sizeof(quarantine), "%s/quarantine", c.path);
        while (fscanf(list, "%" SCNu64 " %zu %" SCNu32 " %" SCNu32 " %" SCNu64, &s.number, &s.size,
                      &s.place.index, &s.place.count, &s.seed) == 5) {
                payload_fill(data, s.size, s.seed, s.number, s.place);
                if (find_bytes(quarantine, data, s.size, UINT64_MAX))
                        continue;
                fprintf(stderr,
                        "crash_repair: record %" PRIu64 " was cut and is not in quarantine\n",
                        s.number);
                status = EXIT_LOST;
        }
        fclose(list);
        return status;
}

int main(int argc, char **argv)
{
        for (int i = 3; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--oracle") == 0)
                        c.oracle_path = argv[i + 1];
                else if (strcmp(argv[i], "--list") == 0)
                        c.list_path = argv[i + 1];
                else if (strcmp(argv[i], "--seed") == 0)
                        c.seed = strtoull(argv[i + 1], NULL, 10);
        }
        c.path = argc > 2 ? argv[2] : NULL;
        if (c.path && strcmp(argv[1], "harm") == 0 && c.oracle_path && c.list_path)
                return harm();
        if (c.path && strcmp(argv[1], "repair") == 0)
                return repair();
        if (c.path && strcmp(argv[1], "mend") == 0)
                return mend();
        if (c.path && strcmp(argv[1], "look") == 0 && c.list_path)
                return look();
        fprintf(stderr, "crash_repair: see the head of crash_repair.c\n");
        return EXIT_USAGE;
}
