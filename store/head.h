/*
 * head.h - the writer's end of the log: claims, tail, growing, rolling
 */
#ifndef LOGSTORE_HEAD_H
#define LOGSTORE_HEAD_H

#include <pthread.h>
#include <stdbool.h>

#include "batch_note.h"
#include "catalog.h"
#include "wake.h"

#define HEAD_SLOTS 8 /* unsealed segments at once; more than two only behind a stalled claim */
#define LONG_FOLIO_BYTES (UINT64_C(2) << 20) /* the largest pieces in which pages are made ready */
#define HEAD_CLOSED UINT64_C(0x80000000)     /* in a claim word: no more claims */

/*
 * Where claims happen in one unsealed segment. Slots are never freed, because a thread may hold on
 * to one across a roll: it then finds the word closed, or a word whose count has gone on, and its
 * compare-and-swap fails. So the limit that it looked at before belongs to the segment that it
 * claims in. The count only ever rises, also where a truncation takes numbers back, and by one at
 * each new segment: a slot shows no word twice within 2^32 records.
 */
struct slot {
        /* count of claimed records mod 2^32 << 32 | closed << 31 | end of claims / 8; alone in its cache
         * line, for which the appending threads compete */
        _Alignas(64) _Atomic uint64_t word;
        _Alignas(64) _Atomic uint64_t limit; /* claims must end at or before this, in units of 8 */
        _Atomic uint64_t poke; /* a claim that ends beyond wants the background thread */
        /* Read after a successful claim; valid until every claim in the slot is resolved. */
        char *base;
        _Atomic uint64_t first_number; /* head_claimed() looks without a claim */
        _Atomic uint32_t first_count;  /* the word's count before its first record */
        struct segment *segment;
        struct index *index;
        uint64_t ready;      /* bytes that are grown and populated; under head->lock */
        uint64_t begun;      /* where claims began: 0, or where the log ended when it was opened */
        int64_t greatest_ns; /* up to its end, once the tail has gone on; under tail_lock */
};

struct claim {
        struct slot *slot;
        uint64_t number; /* of its first record */
        uint64_t offset;
        uint32_t ordinal;
};

/* The end of the prefix in which every claim is resolved; a batch is whole in it. */
struct tail {
        uint64_t number;
        uint64_t segment_id;
        uint64_t offset; /* behind the frame of @number */
        int64_t greatest_ns;
        uint32_t turn; /* of the slot that it is in */
};

struct head {
        _Atomic(struct slot *) active;
        _Atomic int failed;      /* sticky: -EIO once a sync or a mapping failed */
        _Atomic uint32_t asleep; /* the background thread wants to hear of the next append */
        _Atomic uint32_t poked;  /* the background threads' futex word */
        _Atomic uint64_t last_sync_bytes; /* covered by the last round; UINT64_MAX: none yet */
        bool threaded;                    /* there are background threads */
        struct wake *wake;
        struct memory *memory;
        struct catalog *catalog;
        struct control *control;
        int directory;
        bool fine_time;
        uint64_t ready_bytes;              /* to be kept ready ahead; 0: by what was used */
        uint64_t dirty_hard_bytes;         /* beyond it nothing more is made ready */
        bool dirty_refuses;                /* then appends are refused instead of slowed */
        uint64_t readied;                  /* bytes ever made ready; this and the next under lock */
        uint64_t dirty_seen, readied_seen; /* how many were dirty when so many had been */

        pthread_mutex_t lock; /* over the slots; not held while the kernel works */
        pthread_cond_t changed;
        bool readying;  /* a thread makes the active slot ready: it does not roll */
        bool preparing; /* a thread makes head->next */
        struct slot slots[HEAD_SLOTS];
        _Atomic uint32_t oldest, newest; /* turns; slot of a turn is turn % HEAD_SLOTS */
        struct segment *next;            /* prepared, mapped, with its first piece ready; or NULL */
        uint64_t next_ready;
        char failure[512];

        pthread_mutex_t tail_lock;
        struct tail tail;
        _Atomic uint64_t tail_number; /* copy for a look without the lock */
        struct batch_note batch_notes[BATCH_NOTES];
};

void head_init(struct head *head, struct catalog *catalog, struct control *control,
               struct wake *wake);
void head_free(struct head *head);

/*
 * Take over @segment (mapped writable, started, pinned by the caller) as the active one, whose
 * frames end at @tail. It has an index that is complete up to there.
 */
int head_begin(struct head *head, struct segment *segment, const struct tail *tail,
               uint32_t ordinal);

/* Slow path of a claim. 0: claim again. 1: the active segment is full: roll that turn. Or why not. */
int head_extend(struct head *head, uint64_t bytes, uint32_t *ret_turn);

/* Before head_begin(): how much is to be kept ready; 0: by what was used. */
void head_keep_ready(struct head *head, uint64_t bytes);

/* Keep pieces ahead of the claims ready; the background thread's part. */
int head_ready_ahead(struct head *head);

/* After a rest: the kernel may have written what lies ready. Its pages are mapped no more and an
 * append's fault maps a folio at once, where each page of a mapping would fault by itself (132,000
 * times in 512 MiB). */
void head_unmap_ready(struct head *head);

/* Prepare the next segment; nothing if that has been done. */
int head_prepare(struct head *head);

/* Start the next segment, unless another thread has since @turn. -EAGAIN: no free slot. */
int head_roll(struct head *head, uint32_t turn);

/* Start the next segment as @start says, wherever that makes the log end: for truncation. Every
 * claim up to @claimed is resolved; -EBUSY: there are later ones, nothing was changed. Claims are
 * refused until @make_durable, which gets the segment with its start frame and the new tail, has
 * returned 0; its failure is final, and it has called head_fail(). */
int head_fork(struct head *head, const struct start_payload *start, uint64_t claimed,
              int (*make_durable)(void *context, struct segment *next, const struct tail *tail),
              void *context);

/* Make, map, start a segment and add it to the catalog; not synced. Used to open. */
int head_make(struct catalog *catalog, uint64_t segment_bytes, uint32_t mode,
              const struct start_payload *start, struct segment **ret);

/* The oldest full segment if every claim in it is resolved: its turn and its end. -EAGAIN: none. */
int head_oldest_full(struct head *head, uint32_t *ret_turn, struct tail *ret_end);

/* The slot of a turn has been sealed: let go of it. */
void head_retire(struct head *head, uint32_t turn);

/* Pin the segment of a turn that is not retired; catalog_unpin() it. -ESTALE: it is. */
int head_pin(struct head *head, uint32_t turn, struct segment **ret, uint64_t *ret_claimed_end);

/* Advance and copy the tail. */
void head_tail(struct head *head, struct tail *ret);

/* Advance it, unless another thread is at it. */
void head_try_tail(struct head *head);

/* The last number claimed. */
uint64_t head_claimed(struct head *head);

/* Nothing more is accepted: the reason stays. */
void head_fail(struct head *head, const char *why);

/* The same, and say so: head_failure(). */
int head_give_up(struct head *head, const char *why);
int head_failure(struct head *head); /* 0, or -EIO with the detail of the first failure */

void head_poke(struct head *head);

/* Bring the tail's number up to date as far as @number, and return it. */
static inline uint64_t head_tail_number(struct head *head, uint64_t number)
{
        uint64_t tail = atomic_load_explicit(&head->tail_number, memory_order_acquire);
        struct tail now;

        if (tail >= number)
                return tail;
        head_tail(head, &now);
        return now.number;
}

/* Bytes to leave out behind a frame that takes @bytes and ends at @end. Where a sync covers little it should write
 * one block: what is left of this one for too little is given up, while it is written anyhow. */
static inline uint64_t head_gap(struct head *head, uint64_t end, uint64_t bytes)
{
        uint64_t left = (BLOCK_BYTES - end % BLOCK_BYTES) % BLOCK_BYTES;

        if (__builtin_expect(atomic_load_explicit(&head->last_sync_bytes, memory_order_relaxed) >
                                     BLOCK_BYTES / 4,
                             1))
                return 0;
        return left < bytes && bytes <= BLOCK_BYTES / 8 ? left : 0;
}

/* Another thread has just claimed: let it go on for a while, with the word and the end of the log in its own cache.
 * Who tries again at once takes them from it, and both go slower. */
void head_yield_word(void);

/* Who has appended a noted batch that ends with @number: take the tail along before notes are displaced, for then
 * it walks over frames and, with two that append, never catches up. */
static inline void head_follow(struct head *head, uint64_t number, uint64_t count)
{
        uint64_t tail = atomic_load_explicit(&head->tail_number, memory_order_relaxed);

        if (__builtin_expect((int64_t)(number - tail) > (int64_t)(count * BATCH_NOTES_BEHIND), 0))
                head_try_tail(head);
}

/* Claim @count numbers and @bytes (a multiple of 8) in one step. -EAGAIN: the slow path. */
static inline __attribute__((always_inline)) int head_claim(struct head *head, uint64_t bytes,
                                                            uint32_t count, struct claim *ret)
{
        struct slot *slot;
        uint64_t word, offset, gap, end;

        for (;;) {
                slot = atomic_load_explicit(&head->active, memory_order_acquire);
                /* Pairs with the release store in open_slot(). */
                word = atomic_load_explicit(&slot->word, memory_order_acquire);
                offset = (uint64_t)(uint32_t)word * 8;
                gap = head_gap(head, offset + bytes, bytes);
                end = (offset + bytes + gap) / 8;
                if (__builtin_expect(end > atomic_load_explicit(&slot->limit, memory_order_relaxed),
                                     0))
                        return -EAGAIN;
                if (__builtin_expect(atomic_compare_exchange_strong_explicit(
                                             &slot->word, &word,
                                             word + ((uint64_t)count << 32) + (bytes + gap) / 8,
                                             memory_order_acq_rel, memory_order_relaxed),
                                     1))
                        break;
                head_yield_word();
        }
        ret->slot = slot;
        ret->offset = offset;
        ret->ordinal = (uint32_t)(word >> 32) - slot->first_count + 1;
        ret->number = slot->first_number + ret->ordinal - 1;
        if (__builtin_expect(gap != 0, 0))
                record_pad(&slot->segment->key, slot->base, offset + bytes, gap);
        if (__builtin_expect(end > atomic_load_explicit(&slot->poke, memory_order_relaxed), 0)) {
                atomic_store(&slot->poke, UINT64_MAX); /* once, until there is more ready */
                head_poke(head);
        }
        return 0;
}

/* Make a frame visible whose everything else is in place. The claimer's last touch. */
static inline void head_publish(struct head *head, struct frame *frame, uint32_t word)
{
        /* Pairs with the acquire load in record_peek(). */
        wake_publish(head->wake, &frame->commit, word);
        /* Pairs with the store and the fence in keeper.c, rest(). */
        if (__builtin_expect(atomic_load_explicit(&head->asleep, memory_order_relaxed), 0))
                head_poke(head);
}

#endif
