/*
 * catalog.h - the chain of segments: which there are, which one holds a number
 */
#ifndef LOGSTORE_CATALOG_H
#define LOGSTORE_CATALOG_H

#include <pthread.h>
#include <stdbool.h>

#include "control.h"
#include "detail.h"
#include "segment.h"

/* How many of a segment's first numbers are voids, for who counts them: its frames have been walked so
 * far. Zero: not at all. */
struct catalog_counted {
        uint64_t offset; /* behind the frame of the last number, */
        uint32_t numbers, voids;
};

/* One segment of the chain. What its first page says is read when first needed. */
struct catalog_entry {
        uint64_t id;
        uint64_t first_number; /* 0: first page not read yet */
        uint64_t previous_id;
        uint64_t previous_salt;
        uint64_t previous_end;
        uint64_t previous_records;
        uint64_t epoch;
        int64_t started_ns;
        struct catalog_counted counted;
        struct segment *segment; /* NULL: not mapped */
        int error;               /* its first page cannot be used */
};

/* Why there is nothing of the log before the segment @before (UINT64_MAX: behind the newest). */
struct catalog_fault {
        uint64_t before;
        struct fault fault;
};

struct catalog {
        pthread_mutex_t lock;
        struct memory *memory;
        const struct control *control;
        int directory;
        uint8_t uuid[16];
        struct catalog_entry *entries; /* by id, which is the order of the log */
        _Atomic size_t count; /* a look without the lock is a hint; so is one at the epoch */
        size_t room;
        struct segment **mapped; /* unpinned ones are closed, longest unused first */
        size_t mapped_count, mapped_limit, mapped_room;
        enum os_map_kind kind; /* how segments are mapped: shared to read, or private */
        uint64_t pins_ever;
        _Atomic uint64_t epoch;       /* of the control page when the chain was read */
        uint64_t first_number;        /* records below it are trimmed */
        struct control_slot fallback; /* what the chain tells if the control page has no slot */
        struct control_slot
                cap; /* .epoch is later than the page's: marks beyond are of a cut log */
        struct control_slot sealed; /* up to its mark all was durable when the chain was read */
        _Atomic uint64_t capped_epoch, sealed_number; /* copies for a look without the lock */
        bool writer;                                  /* may write indexes that are missing */
        uint64_t head_missing;        /* announced, but lost in a crash: no cause to look again */
        uint64_t highest_id;          /* of any file seen, so that no name is used twice */
        int fault;                    /* the chain is broken: an open for writing is refused */
        struct catalog_fault *faults; /* each place of that, newest first */
        size_t fault_count, fault_room;
        bool misfit;      /* the seal of the head is not of its frames */
        bool unsealed;    /* a segment older than a sealed one is not sealed */
        bool copied_back; /* newer files are those of a longer log under a copy of its beginning */
        bool vanished;    /* a file is gone that was listed: the chain is to be read anew */
        uint64_t *leftovers;                   /* ids of segment files off the chain, ascending, */
        size_t leftover_first, leftover_count; /* from the one position to before the other */
        size_t leftover_room;
};

void catalog_init(struct catalog *catalog, struct memory *memory, const struct control *control,
                  int directory, size_t mapped_limit);
void catalog_free(struct catalog *catalog);

/* What the control page says; with neither slot valid, what the chain tells: .generation is 0 then,
 * and nothing is known to have been durable. */
void catalog_slot(struct catalog *catalog, struct control_slot *ret);

/* The place behind the newest seal when the chain was read; .mark_id 0: nothing was sealed. */
void catalog_sealed(struct catalog *catalog, struct control_slot *ret);

/* Is the chain broken before the segment @before, of UINT64_MAX: behind the newest? @ret may be NULL. */
bool catalog_fault_before(struct catalog *catalog, uint64_t before, struct fault *ret);

/* The segment file behind @after that the fault before the segment @before (as above) is about, if it is
 * not on the chain; 0: none. */
uint64_t catalog_damaged_between(struct catalog *catalog, uint64_t after, uint64_t before);

/* The same as a failure: 0 if it is not broken there. Record @number is the first one that is missing. */
int catalog_tell_before(struct catalog *catalog, uint64_t before, uint64_t number);
/* Between the records before @number and the next ones that there are, or, @exactly, that number. */
int catalog_tell_at(struct catalog *catalog, uint64_t number, bool exactly);
int catalog_tell_behind(struct catalog *catalog, uint64_t id,
                        uint64_t number); /* behind segment @id */

/* Read the directory and find the chain. A broken chain is no error, but has faults. On failure
 * the catalog is as it was. */
int catalog_load(struct catalog *catalog);

/* The same, of a catalog that only the caller has, with the slot as it was just before: what that
 * says to be durable is in the chain, whatever a writer does meanwhile. 1; 0: no slot is valid. */
int catalog_load_slot(struct catalog *catalog, struct control_slot *ret);

/* A reader: look at what the writer has changed since. */
int catalog_refresh(struct catalog *catalog);

/*
 * Pin the segment that holds @number, or would: the last one whose first number is not beyond it.
 * -ESTALE: before the first. -EBADMSG: its segment is missing or damaged.
 */
int catalog_pin(struct catalog *catalog, uint64_t number, struct segment **ret);
int catalog_pin_id(struct catalog *catalog, uint64_t id, struct segment **ret); /* -ESTALE */

/* The one after a pinned one. -ENOENT: there is none. */
int catalog_pin_next(struct catalog *catalog, const struct segment *segment, struct segment **ret);
/* The greatest time in the log before the first record of @segment, as far as it is known: what its
 * start frame says was written while claims may have been open; the seal before it knows better,
 * unless the log was cut below it. */
int64_t catalog_greatest_before(struct catalog *catalog, const struct segment *segment);

/* One more pin on a pinned one. */
void catalog_hold(struct catalog *catalog, struct segment *segment);
void catalog_unpin(struct catalog *catalog, struct segment *segment);

/* Look again where a pinned segment ends, once it has a successor. False: it is not on the chain any
 * more, and nothing is known. */
bool catalog_find_end(struct catalog *catalog, struct segment *segment);

/* For one more segment; no file has it. Above ID_MAX: none is left. */
uint64_t catalog_next_id(struct catalog *catalog);

/* The writer: a mapped, started segment becomes the newest; its predecessor ends where it says.
 * Entries between the two are forgotten and become leftovers. The caller gets one pin. */
int catalog_reserve(struct catalog *catalog); /* before, so that the add cannot fail */
void catalog_add(struct catalog *catalog, struct segment *segment);

/* The writer goes on in the newest segment, which it has mapped itself. One pin for the caller. */
int catalog_adopt(struct catalog *catalog, struct segment *segment);

/* After a seal: let later pins map the file anew, read-only, with its sealed index. */
void catalog_forget(struct catalog *catalog, struct segment *segment);

/* Take entries that lie entirely before @number off the front, never the last; they become
 * leftovers. Returns the first number afterwards. */
uint64_t catalog_trim(struct catalog *catalog, uint64_t number);

/* Seal a segment, or seal it anew, as the log ends in it; durable on return. Everything before @end was
 * synced, and the segment that says so was started and synced. Nothing if it is trimmed; @was_read: its frames
 * were, else a seal that is there is only cut back. */
int catalog_seal(struct catalog *catalog, uint64_t id, uint64_t records, uint64_t end,
                 int64_t greatest_ns, bool was_read);

/* Unlink leftovers with their indexes, trimmed ones oldest first, others newest first, and sync the
 * directory: all, or @most of them; 1: there may be more. By one thread at a time. */
int catalog_drop_leftovers(struct catalog *catalog);
int catalog_drop_some(struct catalog *catalog, size_t most);

/* At an open for writing: unlink indexes whose segment is gone. */
void catalog_drop_indexes(struct catalog *catalog);

/* Up to which number was nothing cut since @epoch? Who stands at a higher one has passed what was cut. UINT64_MAX:
 * nothing was. @passed_id: the segment in which the caller stood last; 0: none, or it is not known. */
uint64_t catalog_rewound(struct catalog *catalog, uint64_t epoch, uint64_t passed_id);

/* The segment that @number is in, if it is there; 0: it is before the first. */
uint64_t catalog_id_of(struct catalog *catalog, uint64_t number);

bool catalog_is_empty(struct catalog *catalog);

/* How long the regular files of the segments are together, and what they take on the disk. */
void catalog_measure(struct catalog *catalog, uint64_t *ret_bytes, uint64_t *ret_disk_bytes);

/* Epoch in which the newest segment was started: it changes once the chain has been cut. */
uint64_t catalog_newest_epoch(struct catalog *catalog);

/* The lowest first number of a segment from @number on. UINT64_MAX: there is none. */
uint64_t catalog_first_after(struct catalog *catalog, uint64_t number);

/* May the head go on at the mark, with nothing but the head read? */
bool catalog_closed_cleanly(struct catalog *catalog, const struct control_slot *slot);

/* The last number below @number that a segment may hold, and the first one of that segment; 0: there is
 * none. Of one that cannot be used, the number before it. */
uint64_t catalog_last_before(struct catalog *catalog, uint64_t number, uint64_t *ret_first);

/* Is @brief of the segment that @next continues? The one judge of a link (FORMAT.md, D4). */
bool catalog_fits(const struct catalog_entry *next, const struct segment_brief *brief);

/* Copy the last entry with an id below @id, with its first page read. -ENOENT: there is none; else
 * ret->id says whose page cannot be used. Unlike positions, ids stay while a trim goes on. */
int catalog_entry_before(struct catalog *catalog, uint64_t id, struct catalog_entry *ret);
void catalog_set_counted(struct catalog *catalog, uint64_t id,
                         const struct catalog_counted *counted);
int catalog_entry_after(struct catalog *catalog, uint64_t id, struct catalog_entry *ret);

/* Copy entry @at with its first page read, where nothing changes. -ENOENT: there are fewer. */
int catalog_entry_at(struct catalog *catalog, size_t at, struct catalog_entry *ret);

#endif
