/*
 * writer.h - the writer's end of the log: claims, tail, growing, rolling
 */
#ifndef LOGSTORE_WRITER_H
#define LOGSTORE_WRITER_H

#include <pthread.h>
#include <stdbool.h>

#include "chain/chain.h"
#include "chain/wake.h"
#include "writer/batch_note.h"

#define WRITER_GATES 8 /* unsealed segments at most; more than two only behind an open claim */
#define LONG_FOLIO_BYTES (UINT64_C(2) << 20) /* the largest pieces in which pages are made ready */
#define GATE_CLOSED UINT64_C(0x80000000)     /* in a claim word: no more claims */

/*
 * The place where threads claim in one unsealed segment. Slots are never freed, because a thread
 * may hold on to one across a roll. Such a thread finds the word closed, or a word whose count has
 * gone on, and its compare-and-swap fails. So the limit that a thread looked at belongs to the
 * segment that it claims in.
 *
 * The count only rises: by one with each new segment, and also where a truncation takes numbers
 * back. So a gate shows no word twice within 2^32 records.
 */
struct gate {
        /* Count of claimed records mod 2^32 << 32 | closed << 31 | end of claims / 8. The word has
         * a cache line of its own, because the appending threads compete for it. */
        _Alignas(64) _Atomic uint64_t word;
        _Alignas(64) _Atomic uint64_t limit; /* claims end at or before this, in units of 8 bytes */
        _Atomic uint64_t poke; /* a claim that ends beyond this pokes the background threads */
        /* Read these after a successful claim; they hold until every claim in the gate is
         * resolved. */
        char *base;
        _Atomic uint64_t first_number; /* writer_claimed() reads it without a claim */
        _Atomic uint32_t first_count;  /* the word's count before its first record */
        struct segment *segment;
        struct index *index;
        uint64_t ready;      /* bytes that are ready; under writer->lock */
        uint64_t begun;      /* where claims began: 0, or where the log ended when it was opened */
        int64_t greatest_ns; /* greatest time up to its end; set as the tail leaves it */
};

struct claim {
        struct gate *gate;
        uint64_t number; /* of its first record */
        uint64_t offset;
        uint32_t ordinal;
};

/* The end of that part of the log in which every claim is resolved. A batch is in it whole or not
 * at all. */
struct tail {
        uint64_t number;
        uint64_t segment_id;
        uint64_t offset; /* where the next frame is due */
        int64_t greatest_ns;
        uint32_t turn; /* of the gate that it is in */
};

struct writer {
        _Atomic(struct gate *) active;
        _Atomic int failed;               /* 0; 1 while the reason is written; then -EIO for good */
        _Atomic uint32_t asleep;          /* *behind* sleeps until an append or a round pokes it */
        _Atomic uint32_t poked;           /* the background threads' futex word */
        _Atomic uint64_t last_sync_bytes; /* bytes in the last round; UINT64_MAX: none yet */
        bool threaded;                    /* there are background threads */
        struct wake *wake;
        struct memory *memory;
        struct chain *chain;
        struct control *control;
        int directory;
        bool fine_time;
        uint64_t ready_bytes;              /* how much to keep ready; 0: chosen by use */
        uint64_t dirty_hard_bytes;         /* beyond it no space is made ready */
        bool dirty_refuses;                /* then appends are refused instead of slowed */
        uint64_t readied;                  /* bytes ever made ready; under lock, as the next two */
        uint64_t dirty_seen, readied_seen; /* dirty bytes when last asked, and @readied then */

        /* Protects the gates and @next. Not held while the kernel makes space ready or prepares a
         * segment. It is held over the two msyncs of a truncation, and, where dirty_hard_bytes may
         * be exceeded, over cachestat(2) and starts of writeback. */
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool readying;  /* a thread makes the active gate ready; no roll meanwhile */
        bool preparing; /* a thread makes writer->next */
        struct gate gates[WRITER_GATES];
        _Atomic uint32_t oldest, newest; /* turns; the gate is turn % WRITER_GATES */
        struct segment *next;            /* prepared, mapped, with its first piece ready; or NULL */
        uint64_t next_ready;
        char failure[512];

        pthread_mutex_t tail_lock;
        struct tail tail;
        _Atomic uint64_t tail_number; /* copy of tail.number, read without the lock */
        struct batch_note batch_notes[BATCH_NOTES];
};

void writer_init(struct writer *writer, struct chain *chain, struct control *control,
                 struct wake *wake);
void writer_free(struct writer *writer);

/*
 * Take over @segment as the active one. The log ends in it at @tail, behind its record @ordinal.
 * The caller has mapped it writable, started and pinned it. Its index is complete up to @tail.
 */
int writer_begin(struct writer *writer, struct segment *segment, const struct tail *tail,
                 uint32_t ordinal);

/* The slow path of a claim. Returns 0: claim again; WRITER_FULL: no more fits into the active
 * segment, roll *ret_turn; or an error. */
enum { WRITER_FULL = 1 };
int writer_extend(struct writer *writer, uint64_t bytes, uint32_t *ret_turn);

/* Before writer_begin(): say how much to keep ready; 0: chosen by what was used. */
void writer_keep_ready(struct writer *writer, uint64_t bytes);

/* Keep space ready ahead of the claims, step by step: the work of *ahead*. */
int writer_ready_ahead(struct writer *writer);

/* After a rest writeback may have write-protected the ready pages, so each would fault by itself.
 * Unmap them: an append's fault then maps a folio at once. */
void writer_unmap_ready(struct writer *writer);

/* Prepare the next segment, if there is none yet. */
int writer_prepare(struct writer *writer);

/* Start the next segment, unless another thread has done so since @turn. -EAGAIN: no gate is
 * free. */
int writer_roll(struct writer *writer, uint32_t turn);

/*
 * For a truncation: start the next segment with @start, which says where the log ends. Every claim
 * up to @claimed is resolved. -EBUSY: there is a later claim or a second unsealed segment, and
 * nothing was changed.
 *
 * @make_durable gets the segment with its start frame, and the new tail. Claims are refused until
 * it has returned 0. Its failure is final: it has called writer_fail().
 */
int writer_fork(struct writer *writer, const struct start_payload *start, uint64_t claimed,
                int (*make_durable)(void *context, struct segment *next, const struct tail *tail),
                void *context);

/* For an open: make, map and start a segment and add it to the chain. It is not synced. */
int writer_make(struct chain *chain, uint64_t segment_bytes, uint32_t mode,
                const struct start_payload *start, struct segment **ret);

/* Turn and end of the oldest unsealed segment, if it is full and all its claims are resolved.
 * -EAGAIN: it is not. */
int writer_oldest_full(struct writer *writer, uint32_t *ret_turn, struct tail *ret_end);

/* Let go of the segment of a turn, which is sealed or about to be closed. */
void writer_retire(struct writer *writer, uint32_t turn);

/* Pin the segment of a turn; the caller calls chain_unpin(). -ESTALE: the turn is retired. */
int writer_pin(struct writer *writer, uint32_t turn, struct segment **ret,
               uint64_t *ret_claimed_end);

/* Advance and copy the tail. */
void writer_tail(struct writer *writer, struct tail *ret);

/* Advance the tail, unless another thread is doing so. */
void writer_try_tail(struct writer *writer);

/* The last number claimed. */
uint64_t writer_claimed(struct writer *writer);

/* Fail for good: nothing more is accepted, and the first reason stays. */
void writer_fail(struct writer *writer, const char *why);

/* writer_fail(), then writer_failure(). */
int writer_give_up(struct writer *writer, const char *why);
int writer_failure(struct writer *writer); /* 0, or -EIO with the detail of the first failure */

void writer_poke(struct writer *writer);

/* Return the tail's number; walk on only where it is below @number. */
static inline uint64_t writer_tail_number(struct writer *writer, uint64_t number)
{
        uint64_t tail = atomic_load_explicit(&writer->tail_number, memory_order_acquire);
        struct tail now;

        if (tail >= number)
                return tail;
        writer_tail(writer, &now);
        return now.number;
}

/* How many bytes to give up behind a frame that takes @bytes and ends at @end. Where a sync covers
 * little, it should write one block. If the rest of a block is too little for another frame, the
 * claim takes it too, as the block is written anyway. */
static inline uint64_t writer_gap(struct writer *writer, uint64_t end, uint64_t bytes)
{
        uint64_t left = (BLOCK_BYTES - end % BLOCK_BYTES) % BLOCK_BYTES;

        if (__builtin_expect(atomic_load_explicit(&writer->last_sync_bytes, memory_order_relaxed) >
                                     BLOCK_BYTES / 4,
                             1))
                return 0;
        return left < bytes && bytes <= BLOCK_BYTES / 8 ? left : 0;
}

/* We lost the swap. Pause, so that the winner keeps the cache lines for a few appends; an immediate
 * retry slows both. */
void writer_yield_word(void);

/* The caller has appended a noted batch of @count records that ends with @number. If the tail is
 * far behind, take it along before notes are displaced. Without them it walks over frames, and
 * never catches up with two appending threads. */
static inline void writer_follow(struct writer *writer, uint64_t number, uint64_t count)
{
        uint64_t tail = atomic_load_explicit(&writer->tail_number, memory_order_relaxed);

        if (__builtin_expect((int64_t)(number - tail) > (int64_t)(count * BATCH_NOTES_BEHIND), 0))
                writer_try_tail(writer);
}

/* Claim @count numbers and @bytes (a multiple of 8) in one step. -EAGAIN: take the slow path. */
static inline __attribute__((always_inline)) int writer_claim(struct writer *writer, uint64_t bytes,
                                                              uint32_t count, struct claim *ret)
{
        struct gate *gate;
        uint64_t word, offset, gap, end;

        for (;;) {
                gate = atomic_load_explicit(&writer->active, memory_order_acquire);
                /* Pairs with the release store in open_slot(). */
                word = atomic_load_explicit(&gate->word, memory_order_acquire);
                offset = (uint64_t)(uint32_t)word * 8;
                gap = writer_gap(writer, offset + bytes, bytes);
                end = (offset + bytes + gap) / 8;
                if (__builtin_expect(end > atomic_load_explicit(&gate->limit, memory_order_relaxed),
                                     0))
                        return -EAGAIN;
                if (__builtin_expect(atomic_compare_exchange_strong_explicit(
                                             &gate->word, &word,
                                             word + ((uint64_t)count << 32) + (bytes + gap) / 8,
                                             memory_order_acq_rel, memory_order_relaxed),
                                     1))
                        break;
                writer_yield_word();
        }
        ret->gate = gate;
        ret->offset = offset;
        ret->ordinal = (uint32_t)(word >> 32) - gate->first_count + 1;
        ret->number = gate->first_number + ret->ordinal - 1;
        if (__builtin_expect(gap != 0, 0))
                record_pad(&gate->segment->key, gate->base, offset + bytes, gap);
        if (__builtin_expect(end > atomic_load_explicit(&gate->poke, memory_order_relaxed), 0)) {
                atomic_store(&gate->poke, UINT64_MAX); /* one poke, until more is ready */
                writer_poke(writer);
        }
        return 0;
}

/* Commit a frame whose other bytes are all in place. This is the claimer's last touch. */
static inline void writer_publish(struct writer *writer, struct frame *frame, uint32_t word)
{
        /* Pairs with the acquire load in record_peek(). */
        wake_publish(writer->wake, &frame->commit, word);
        /* Pairs with the store and the fence in keeper.c, rest(). */
        if (__builtin_expect(atomic_load_explicit(&writer->asleep, memory_order_relaxed), 0))
                writer_poke(writer);
}

#endif
