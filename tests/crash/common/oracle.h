/*
 * oracle.h - what the workload was promised, kept outside the store in one 512-byte sector
 *
 * The sector is one line of text, padded with zeros. It lies in a file outside the store, or at
 * the spare end of the guest's disk, where it is written with O_DIRECT: there it is ordered
 * against every write and flush of the store, inside the same log.
 *
 * A life is one opening for writing, or what follows a truncation. Each has its own seed, so that a
 * number which was taken back and a later life used again cannot pass with its old bytes.
 *
 * A cut may take back acknowledged records: it is a truncation, or damage that a repair cuts at. It
 * is noted before it begins. Until it is known to be over, the log may be as it was, or end exactly
 * where the cut leaves it.
 */
#ifndef CRASH_ORACLE_H
#define CRASH_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORACLE_BYTES 512u
#define ORACLE_LIVES_MAX 16u

struct oracle_life {
        uint64_t first; /* number of its first record */
        uint64_t seed;
};

struct oracle {
        uint64_t acked;   /* everything up to it was acknowledged as durable */
        uint64_t trim;    /* the highest number ever handed to trim; 0: none */
        uint64_t trimmed; /* the first number that a finished trim reported; 0: none */
        uint64_t cut;     /* the next number once the cut that was begun is done; 0: none begun */
        uint64_t cuts;    /* begun so far */
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

/* A cut begins that makes @next the number of the next append. */
void oracle_begin_cut(struct oracle *oracle, uint64_t next);

/* Whether a log that ends with @tail is one that the begun cut was done to. */
bool oracle_cut_is_done(const struct oracle *oracle, uint64_t tail);

/*
 * An open for writing, or a truncation that returned, shows @first..@tail: that is durable, and
 * whether the begun cut was done is settled. The caller begins a life at @tail + 1.
 */
void oracle_settle(struct oracle *oracle, uint64_t first, uint64_t tail);

#endif
