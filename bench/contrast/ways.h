/*
 * ways.h - one workload, many ways to hold its data
 *
 * The workload: take every record of an encoded file, decode it, and keep all decoded records
 * readable. A way says where they are kept. Records are RECORD_BYTES long and can be recomputed
 * from their index, so whatever a way gives back is checked.
 */
#ifndef WAYS_H
#define WAYS_H

#include <stdint.h>

#define RECORD_BYTES 1024u
#define RECORD_WORDS (RECORD_BYTES / 8)
#define CHUNK_BYTES (1u << 20)
#define CHUNK_RECORDS (CHUNK_BYTES / RECORD_BYTES)

struct task {
        int input_fd;    /* the encoded file */
        uint64_t bytes;  /* its size, whole chunks */
        const char *dir; /* on a disk: for files of the way's own */
        uint64_t *chunk; /* CHUNK_BYTES, for ways that read() and copy */
        void *state;     /* of the way */
};

/* Functions return 0 or a negative errno; get returns NULL if the record cannot be read. */
struct way {
        const char *name;
        int (*open)(struct task *task);
        int (*take)(struct task *task, uint64_t chunk); /* read, decode and keep one chunk */
        const uint64_t *(*get)(struct task *task, uint64_t record);
        int (*settle)(struct task *task); /* all is taken: make it as durable as the way can */
        void (*close)(struct task *task);
};

extern const struct way way_store;
extern const struct way *const ways[]; /* ends with NULL */

/* Remove what shared memory and tmpfs keep after the end of the process. */
void ways_tidy(void);

/* Read one chunk of the input into @buffer and decode it there. */
int task_read(struct task *task, uint64_t chunk, uint64_t *buffer);
void task_decode(uint64_t *words, uint64_t count);

#endif
