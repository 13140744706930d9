/*
 * machine.h - a store at work on a simulated disk, and the crashes it goes through
 *
 * A machine takes random steps. At its disk's system calls, and between steps, it draws and queues
 * images of crashes. After each step it examines them: each image becomes a machine of its own, is
 * opened, compared with what was promised, and may go on working and crash again, so that crashes
 * nest. All of it follows from one seed, as long as the store has no thread of its own.
 */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include <logstore.h>

#include "disk.h"
#include "os_disk.h"
#include "promise.h"

#define MACHINE_CLAIMS 3u
#define MACHINE_DEPTH 3u
#define MACHINE_COPIES 8u

struct image {
        struct image *next;
        struct disk *disk;
        struct promise promise;
        uint64_t seed, ordinal;
        const char *call; /* the system call at which it was drawn */
        bool after;       /* behind that call, not before */
        bool kill;        /* the process alone died */
};

struct old_copy {
        char name[DISK_NAME_BYTES];
        uint8_t *bytes; /* NULL: none */
        uint64_t used, size;
};

struct machine {
        struct machine *parent; /* of whose crash it is an image */
        const struct image *image;
        struct disk *disk;
        struct logstore *store;  /* NULL: closed */
        struct logstore *reader; /* NULL: none; in a process of its own, as it were */
        struct logstore_cursor *cursor;
        /* Since the cursor looked the log ended here; UINT64_MAX: it did not. */
        struct promise
                cut_off; /* the oracle before the last cut during the reader's call, or empty */
        uint64_t cut_perhaps, cut_surely;
        struct logstore_options options;
        struct promise promise;
        struct os_world world;
        struct rng rng, lottery; /* of the steps; of the crashes */
        struct logstore_claim claims[MACHINE_CLAIMS];
        uint32_t claim_count;
        struct old_copy copies[MACHINE_COPIES]; /* of files, to be put back */
        struct image *first_image, *last_image;
        uint64_t images;       /* drawn so far */
        uint32_t crash_one_in; /* of the calls; 0: none */
        uint32_t depth;
        bool faulty;      /* syncs fail now and then */
        bool failed;      /* one has, and the store said so */
        bool beside;      /* a second thread appends */
        bool reading;     /* a second thread reads, in a process of its own */
        bool cutting;     /* and a truncation has begun since it is */
        const char *step; /* under way */
};

/* The store makes space ready in other ways for large segments. Few runs have them: their images
 * cost more, and are drawn at fewer calls. */
static inline bool is_large(const struct machine *m)
{
        return m->options.segment_bytes > 128 << 10;
}

struct figures {
        uint64_t states;   /* crash images opened and compared */
        uint64_t restarts; /* of these, the process alone had died */
        uint64_t nested;   /* of these, crashed in or after a recovery */
        uint64_t failed_syncs;
        uint64_t runs, lost, holes, invented, hangs;
};
extern struct figures figures;

struct machine_plan {
        uint64_t seed;
        uint32_t steps;
        bool threads;  /* the store has its background thread */
        uint64_t only; /* examine this image alone; 0: all */
        bool trace;    /* tell every step */
};
extern struct machine_plan plan;
extern struct machine *machine_now; /* the one at work, for messages */

/* One whole life from an empty disk, with all the crashes drawn from it. */
void machine_run(const struct machine_plan *what);

/* Once per step or state; something that takes longer than a watchdog's time hangs. */
void machine_tick(void);

/* The parts; machine_*.c */
void machine_path(const struct machine *m, char *text, size_t bytes);
void machine_trace(const struct machine *m, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
_Noreturn void machine_fail(const struct machine *m, const char *verdict, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

void machine_watch(struct machine *m, uint32_t one_in); /* draw at one in so many calls */
void machine_draw(struct machine *m, const char *call, bool after);
void machine_examine_images(struct machine *m);
void machine_open(struct machine *m, bool all_of_it); /* and compare; adopt what is found */
void machine_compare(struct machine *m, struct logstore *store, uint64_t *ret_first,
                     uint64_t *ret_tail);
/* Whether what was read is the record of this entry. */
bool machine_is_record(const struct entry *entry, const struct logstore_record *record);

/* A record that was read, by its number alone. */
void machine_compare_record(struct machine *m, uint64_t number,
                            const struct logstore_record *record);
void machine_step(struct machine *m);
void machine_store_path(const struct machine *m, char path[64]);

/* As a reading process does, with the options of the writer otherwise. */
int machine_open_reader(const struct machine *m, struct logstore **ret);

/* What the disk refused so far, by its device, for space and by its file system. */
struct refusals {
        uint32_t syncs, growth, unlinks;
};
struct refusals machine_refusals(const struct machine *m);
/* Is an error no wonder, as something was refused since @before? Then it is to be tried again. */
bool machine_was_refused(struct machine *m, int error, const struct refusals *before);

void machine_read(struct machine *m); /* the reader does something, if there is one */
/* All behind @number is gone, or perhaps only. */
void machine_reader_cut(struct machine *m, uint64_t number, bool surely);
void machine_reader_close(struct machine *m);
void machine_kill_writer(struct machine *m); /* it alone, on a disk that lives on */

void machine_spoil(struct machine *m);          /* close, spoil a byte, open */
void machine_promise_repair(struct machine *m); /* what one would keep is promised */
void machine_repair(struct machine *m);         /* back to what is promised */
void machine_drop_copies(struct machine *m);    /* of what was cut, in quarantine */
void machine_face_restored(struct machine *m); /* old files: is the log whole, or told not to be? */
void machine_copy(struct machine *m, const char *name, struct old_copy *ret);
void machine_put_back(struct machine *m, const struct old_copy *copy); /* durable */
void machine_forget_copy(struct old_copy *copy);
void machine_forget_copies(struct machine *m);
void machine_abandon(struct machine *m);  /* close on a disk that nobody will see */
void machine_put_away(struct machine *m); /* whatever it is doing; with its disk */

#endif
