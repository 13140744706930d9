/*
 * oracle.h - what the workload was promised, kept outside the store in one 512-byte sector
 *
 * The sector is one line of text, padded with zeros. It lies in a file outside the store, or at
 * the spare end of the guest's disk, where it is written with O_DIRECT: there it is ordered
 * against every write and flush of the store, inside the same log.
 *
 * A life is one opening for writing. Each has its own seed, so that a number which a crash took
 * back and a later life used again cannot pass with its old bytes.
 */
#ifndef CRASH_ORACLE_H
#define CRASH_ORACLE_H

#include <stddef.h>
#include <stdint.h>

#define ORACLE_BYTES 512u
#define ORACLE_LIVES_MAX 12u

struct oracle_life {
        uint64_t first; /* number of its first record */
        uint64_t seed;
};

struct oracle {
        uint64_t acked;   /* everything up to it was acknowledged as durable */
        uint64_t trim;    /* the highest number ever handed to trim; 0: none */
        uint64_t trimmed; /* the first number that a finished trim reported; 0: none */
        uint32_t lives;
        struct oracle_life life[ORACLE_LIVES_MAX];
};

/* To and from the sector's text. -EBADMSG: it is no oracle (all zeros: an empty one, 0). */
void oracle_print(const struct oracle *oracle, char sector[ORACLE_BYTES]);
int oracle_parse(const char sector[ORACLE_BYTES], struct oracle *ret);

/* Open the file or device that holds the sector; O_DIRECT for a device. A descriptor or -errno. */
int oracle_open(const char *path);
int oracle_load(int fd, uint64_t offset_bytes, struct oracle *ret);
int oracle_store(int fd, uint64_t offset_bytes, const struct oracle *oracle);

/* Seed of the life that wrote @number; 0 if none. */
uint64_t oracle_seed(const struct oracle *oracle, uint64_t number);

/* A new life begins at @first. Lives that cannot own a record any more are forgotten. -ENOSPC. */
int oracle_begin_life(struct oracle *oracle, uint64_t first, uint64_t seed);

#endif
