/* copies.c - a file read is in memory twice, a file mapped once; and what each costs per byte */
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES (64 * MIB)
#define PIECE_BYTES (64 * KIB)

static uint64_t sum(const void *at, size_t bytes)
{
        const uint64_t *words = at;
        uint64_t total = 0;

        for (size_t i = 0; i < bytes / 8; i++)
                total += words[i];
        return total;
}

static void read_all(int fd, char *to, size_t piece, size_t step)
{
        for (size_t at = 0; at < FILE_BYTES; at += piece)
                demo_need(pread(fd, to + at / piece * step, piece, (off_t)at) == (ssize_t)piece,
                          "pread");
}

static uint64_t by_whole_read(int fd)
{
        char *buffer = malloc(FILE_BYTES);

        demo_need(buffer != NULL, "malloc");
        read_all(fd, buffer, PIECE_BYTES, PIECE_BYTES);
        uint64_t total = sum(buffer, FILE_BYTES);
        free(buffer);
        return total;
}

static uint64_t by_piecewise_read(int fd)
{
        static char buffer[PIECE_BYTES] __attribute__((aligned(8)));
        uint64_t total = 0;

        for (size_t at = 0; at < FILE_BYTES; at += PIECE_BYTES) {
                demo_need(pread(fd, buffer, PIECE_BYTES, (off_t)at) == PIECE_BYTES, "pread");
                total += sum(buffer, PIECE_BYTES);
        }
        return total;
}

static uint64_t by_mapping(int fd)
{
        char *at = demo_map(FILE_BYTES, MAP_SHARED, fd);
        uint64_t total = sum(at, FILE_BYTES);

        munmap(at, FILE_BYTES);
        return total;
}

static uint64_t by_populated_mapping(int fd)
{
        char *at = demo_map(FILE_BYTES, MAP_SHARED | MAP_POPULATE, fd);
        uint64_t total = sum(at, FILE_BYTES);

        munmap(at, FILE_BYTES);
        return total;
}

/* Processor time of the best of five, user and system, in ns per KiB. */
static double cost(uint64_t (*way)(int), int fd, uint64_t expected)
{
        double best = 0;

        for (int i = 0; i < 5; i++) {
                struct timespec from, to;

                clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
                demo_need(way(fd) == expected, "sum of the file");
                clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
                double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 +
                            (double)(to.tv_nsec - from.tv_nsec);
                if (i == 0 || ns < best)
                        best = ns;
        }
        return best / (double)(FILE_BYTES / KIB);
}

static double show_cost(const char *what, double ns)
{
        char text[64];

        snprintf(text, sizeof(text), "%.0f ns per KiB", ns);
        demo_row(what, "-", text, "");
        return ns;
}

static void show_cheaper(const char *what, double ns, double by_read, const char *note)
{
        char text[64];

        snprintf(text, sizeof(text), "%.0f ns per KiB", ns);
        demo_row(what, "less than read()", text, ns < by_read ? "" : note);
}

static void memory(int fd)
{
        char *mapped = demo_map(FILE_BYTES, MAP_SHARED, fd);
        size_t anonymous = demo_smaps("Anonymous:");
        char *buffer = malloc(FILE_BYTES);

        demo_need(buffer != NULL, "malloc");
        sum(mapped, FILE_BYTES);
        demo_bytes("a file of 64 MiB mapped and read: memory", FILE_BYTES,
                   demo_resident(mapped, FILE_BYTES) + demo_smaps("Anonymous:") - anonymous, MIB,
                   "");
        read_all(fd, buffer, PIECE_BYTES, PIECE_BYTES);
        demo_bytes("the same by read() into malloc'ed memory", 2 * FILE_BYTES,
                   demo_resident(mapped, FILE_BYTES) + demo_smaps("Anonymous:") - anonymous, MIB,
                   "");
        free(buffer);
        munmap(mapped, FILE_BYTES);
}

int main(int argc, char **argv)
{
        int fd = demo_file(argc > 1 ? argv[1] : "/var/tmp", FILE_BYTES);
        uint64_t expected = by_piecewise_read(fd);

        memory(fd);
        size_t faults = demo_minor_faults();
        by_mapping(fd);
        demo_count("mapping it cached: minor faults", FILE_BYTES / (4 * KIB),
                   demo_minor_faults() - faults, 64,
                   "one fault maps up to 16 cached pages around it, or a large folio");

        double by_read = show_cost("its sum by read() through 64 KiB: processor time",
                                   cost(by_piecewise_read, fd, expected));
        show_cost("by read() of all into new memory", cost(by_whole_read, fd, expected));
        show_cheaper("by a mapping", cost(by_mapping, fd, expected), by_read,
                     "faults cost more than the copy that they save");
        show_cheaper("by a mapping with MAP_POPULATE", cost(by_populated_mapping, fd, expected),
                     by_read, "filling the page table costs more than copying in small pieces");
        return 0;
}
