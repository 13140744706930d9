/*
 * ship_private.h - what the files of the shipper share
 */
#ifndef LOGSTORE_SHIP_PRIVATE_H
#define LOGSTORE_SHIP_PRIVATE_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "logstore-remote.h"
#include "remote/frames.h"
#include "remote/remote_detail.h"
#include "remote/table.h"

#define SECOND_NS INT64_C(1000000000)

/* A confirmation tells that our term was the newest at that time. So long after it nothing more is
 * created: names may have been removed since. */
#define CONFIRMED_NS (300 * SECOND_NS)
/* If the server's clock has gone on further than this since, look at the list once more. */
#define CONFIRMED_SERVER_NS (1800 * SECOND_NS)
#define PATIENCE_NS (300 * SECOND_NS)     /* how long the same request is sent again */
#define READ_PATIENCE_NS (30 * SECOND_NS) /* how long one look at the bucket goes on */
#define COURTESY_NS (30 * SECOND_NS)

/* The state of the bucket is to be looked at anew: step 2 of the protocol. */
enum { SHIP_AGAIN = 1 };

/* How much all shippers of a process have in memory at once. */
struct ship_gate {
        sem_t objects, tails;
        uint64_t small_bytes; /* tails up to that size need not wait */
};
int ship_gate_new(unsigned objects, unsigned threads, struct ship_gate **ret);
void ship_gate_free(struct ship_gate *gate);

/* Wait until one more object, or tail of so many bytes, may be in memory. What is returned is to be
 * left with. Without a gate none waits. Who is behind for a tail may ask for objects, too. */
sem_t *ship_gate_object(struct ship_gate *gate);
sem_t *ship_gate_tail(struct ship_gate *gate, uint64_t bytes);
void ship_gate_leave(sem_t *passed);

struct logstore_ship {
        struct logstore_ship_options options;
        struct logstore *store; /* opened read-only; NULL: there is none, and nothing is shipped */
        int directory;
        struct control_static identity;
        struct bucket *bucket;
        char shipped_name[40], next_names[2][40]; /* of positions in the store */
        char host[64];
        uint32_t connections;
        struct ship_gate *gate; /* shared with other stores; NULL: there are none */
        int64_t patience_ns;    /* PATIENCE_NS, but in tests */
        /* Set by a signal handler or another thread; no partner: it is read again and again. */
        atomic_int stopped;
        uint64_t done_bytes, total_bytes; /* of a round: for progress */

        bool claimed;              /* our term is the newest, as far as we know */
        struct commit_header last; /* the newest commit; its end may be set back to a cut */
        struct commit_header said; /* as it is in the bucket */
        struct commit_header told; /* the last one that is known to be ours, or to be our log */
        bool takes_over;           /* whoever else shipped lately */
        struct remote_place trimmed_end; /* here no position can be set any more */
        uint64_t gap_first, gap_last;    /* records that the next claim gives up; 0: none */
        struct table table;              /* all that is there as of it */
        bool searches;                   /* what is there is to be checked before the next round */
        uint64_t *damaged;               /* commits that brought what is damaged or missing */
        size_t damaged_count;
        struct remote_entry *since; /* what came since its checkpoint */
        uint32_t since_count, since_room;
        struct bucket_reply confirmed;  /* the last confirmation */
        int64_t collect_ns;             /* not before, by the boot clock; INT64_MAX: never */
        uint64_t removed;               /* names */
        bool may_not_remove;            /* the bucket has said so */
        uint64_t first_number, durable; /* of the local log */
        struct logstore_ship_report report;
};

/* The log was cut or trimmed, or went on, between two looks: look at it anew. */
enum { SHIP_LOOK_AGAIN = 2 };

/* A TRIM has taken the number of a commit, or a shipper's commit that of a TRIM: make it anew. */
enum { SHIP_TRIMMED = 3 };

/* One segment that is being shipped; and, once it was put, its object. */
struct ship_part {
        const struct logstore_extent *extent;
        struct segment_brief brief;
        int fd;
        uint32_t term, connections; /* its shipper's; for its parts at once */
        struct remote_entry entry;
        struct frames_directory directory;
};

/* Open its file and read its header: @part has its extent, and -1 for a descriptor. 0,
 * SHIP_LOOK_AGAIN, or an error. */
int ship_part_open(const struct logstore_ship *ship, struct ship_part *part);
void ship_part_close(struct ship_part *part); /* also one that is not open */

/* The entry of bytes @from to @to of the part. */
struct remote_entry ship_part_entry(const struct ship_part *part, uint64_t from, uint64_t to,
                                    uint64_t first_number, uint64_t last_number);

/* Check every frame, and put the segment as an object, packed if that is wanted. No commit names it
 * yet. Nothing of the shipper changes, so any thread may do this. 0, SHIP_AGAIN, or an error. */
int ship_part_put(struct logstore_ship *ship, struct ship_part *part);

/* So many objects at once at most. */
unsigned ship_wholes_most(const struct logstore_ship_options *options, uint32_t connections);

/* Ship segments as objects, several at once; in their order commits name them. 0, SHIP_AGAIN,
 * SHIP_LOOK_AGAIN, or an error: those before it are shipped. */
int ship_wholes(struct logstore_ship *ship, const struct logstore_extent *extents, size_t count);

/* Ship what is durable of the newest segment behind the end. */
int ship_tail(struct logstore_ship *ship, const struct logstore_extent *extent);

/* Tell that so much more is done; -ECANCELED if the shipper is to stop. */
int ship_progress(struct logstore_ship *ship, const struct logstore_extent *extent);

/* Fill in where the log's end is once this commit is there, and what proves it: bytes of the part;
 * or of the segment's file, which may be gone: SHIP_AGAIN. */
int ship_set_end(const struct ship_part *part, const struct remote_place *end,
                 struct commit_header *header);
int ship_set_end_at(const struct logstore_ship *ship, const struct remote_place *end,
                    struct commit_header *header);

/* Are the bytes before the end of that commit those of the local file? SHIP_AGAIN: it is gone. */
int ship_check_end(const struct logstore_ship *ship, const struct commit_header *header,
                   bool *ret_same);

/* Options of a public call; NULL is fine. -EINVAL. */
int ship_check_options(const struct logstore_ship_options *options);

/* One without a store. Takes over the bucket, also on failure. NULL: no memory. */
struct logstore_ship *ship_new(struct bucket *bucket);

/* As logstore_ship_open(). Takes over the bucket, also on failure. */
int ship_open(const char *directory, struct bucket *bucket,
              const struct logstore_ship_options *options, uint32_t connections,
              struct logstore_ship **ret);

/* Send the request until there is an answer, for five minutes. -EAGAIN: there was none. -ECANCELED:
 * the shipper is to stop. */
typedef int ship_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
                     struct bucket_reply *ret_reply);
int ship_ask(struct logstore_ship *ship, ship_put *put, const char *name,
             const struct bucket_source *source, struct bucket_reply *ret_reply);

/* Take the step until it returns something else than SHIP_AGAIN, for five minutes: then -EAGAIN. */
int ship_until_settled(struct logstore_ship *ship, int (*step)(struct logstore_ship *ship));

/* Read all that is there, and note what is damaged or missing. */
int ship_find_damage(struct logstore_ship *ship);

/* Is the line with this entry one of those? */
bool ship_is_damaged(const struct logstore_ship *ship, const struct remote_entry *entry);

/* -ENODATA: something damaged could not be put again. */
int ship_tell_damage(const struct logstore_ship *ship);

/* Steps 1 to 4. */
int ship_start(struct logstore_ship *ship);

/* Step 1: does the bucket keep its word? */
int ship_probe(struct logstore_ship *ship);

/* Step 2: read the newest commit and its checkpoint. 0, SHIP_AGAIN, -EAGAIN, or an error. */
int ship_find(struct logstore_ship *ship);

/* Steps 2 to 4: find the newest commit, compare it with the local log, and claim. 0, SHIP_AGAIN, or
 * an error. */
int ship_take_over(struct logstore_ship *ship);

/* Is the end that was shipped on the local log, and durable? Are the bytes before it the same? If a
 * truncation cut it off, it is set to the cut. -EILSEQ: the logs have diverged. */
int ship_compare(struct logstore_ship *ship);

bool ship_is_same_place(const struct remote_place *a, const struct remote_place *b);

/* The positions in the store that say what is shipped, and what may be. */
int ship_name_positions(struct logstore_ship *ship);
bool ship_is_position(const char *name); /* the one that says what is shipped */
int ship_note_next(struct logstore_ship *ship, const struct commit_header *next);
int ship_note_shipped(struct logstore_ship *ship);

/* What was fetched is what is shipped: so that a cut before the copy ships is known as one. */
void ship_note_fetched(struct logstore *store, const struct bucket *bucket,
                       const struct commit_header *head);

/* Did we ship up to the end of the newest commit, and was the log truncated below it since? Then it
 * goes on at *ret. 1, 0, or an error, here and below. */
int ship_was_cut(struct logstore_ship *ship, struct remote_place *ret);

/* Did we ship up to there, and has retention trimmed that segment since? *ret_gap: and records
 * behind it. */
int ship_was_trimmed(struct logstore_ship *ship, bool *ret_gap);

/* Step 6: create the next commit. @header says kind, end and what belongs to them; @entry is what
 * the commit brings, or NULL, @blocks its directory, which is taken over. 0 once it is there,
 * SHIP_AGAIN, -EPIPE, or an error. */
int ship_commit(struct logstore_ship *ship, const struct commit_header *header,
                const struct remote_entry *entry, struct remote_block *blocks, uint32_t block_count,
                const void *tail);

/* Is it a TRIM that went on from our last commit, and moves nothing but the log's beginning? */
bool ship_is_trim_of_ours(const struct logstore_ship *ship, const struct commit *theirs);

/* Go on behind that, or, where we trim, behind a shipper's commit. SHIP_TRIMMED: make ours anew.
 * SHIP_AGAIN, or an error. */
int ship_go_behind_trim(struct logstore_ship *ship, const struct commit_header *trim);
int ship_go_behind_shipper(struct logstore_ship *ship, const struct commit *theirs);

/* Have room for so many entries in since. -ENOMEM. */
int ship_make_room(struct logstore_ship *ship, uint32_t count);

/* Note that an answer shows our term as the newest. */
void ship_confirm(struct logstore_ship *ship, const struct bucket_reply *reply);

/* Write a checkpoint as of the newest commit, which must be ours. -EAGAIN: no answer. */
int ship_put_checkpoint(struct logstore_ship *ship);

/* The same, if so much came since the last one that it pays. Without an answer none is written. */
int ship_checkpoint(struct logstore_ship *ship);

/* Now and then: remove what nobody needs. */
int ship_collect(struct logstore_ship *ship);

/* Sleep before a request is sent again; -ECANCELED if the shipper is to stop. */
int ship_pause(struct logstore_ship *ship, unsigned tries);

int64_t ship_clock_ns(void); /* CLOCK_BOOTTIME */
uint64_t ship_random(void);

#endif
