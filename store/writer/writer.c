/*
 * writer.c - the writer's end of the log: claims, tail, letting go of sealed segments
 *
 * Fast:  writer_claim() and writer_publish(), in the header, take no lock and make no system call.
 * Slow:  writer_ready.c makes space ready, writer_roll.c rolls. writer->lock protects their state.
 *        writer.h says over which system calls it is held. A refusal changes nothing: space is
 *        ready before the limit rises, and the next segment is complete before the active one is
 *        closed.
 * Tail:  writer_tail() walks commit words on from where the tail was, under tail_lock. Any thread
 *        that needs the tail calls it.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "logstore.h"
#include "os/detail.h"
#include "writer/writer_private.h"

#define YIELD_PAUSES 20 /* half a microsecond, if a pause takes 25 ns */

void writer_init(struct writer *writer, struct chain *chain, struct control *control,
                 struct wake *wake)
{
        memset(writer, 0, sizeof(*writer));
        writer->chain = chain;
        writer->memory = chain->memory;
        writer->control = control;
        writer->directory = chain->directory;
        writer->wake = wake;
        writer_keep_ready(writer, 0);
        atomic_store(&writer->last_sync_bytes, UINT64_MAX);
        pthread_mutex_init(&writer->lock, NULL);
        pthread_cond_init(&writer->changed, NULL);
        pthread_mutex_init(&writer->tail_lock, NULL);
}

void writer_free(struct writer *writer)
{
        while (writer->active && writer->oldest != writer->newest + 1)
                writer_retire(writer, writer->oldest);
        /* The segment was never started; the next open would drop it as well. Keep one that a
         * failed truncation has started: on the disk it may be the end of the log. */
        if (writer->next && !writer->next->brief.started)
                os_unlink(writer->directory, writer->next->name);
        segment_close(writer->next);
        pthread_cond_destroy(&writer->changed);
        pthread_mutex_destroy(&writer->lock);
        pthread_mutex_destroy(&writer->tail_lock);
}

uint64_t writer_claimed(struct writer *writer)
{
        for (;;) {
                struct gate *gate = atomic_load(&writer->active);
                uint64_t word = atomic_load(&gate->word);
                uint64_t claimed = gate->first_number + word_records(gate, word) - 1;
                if (gate == atomic_load(&writer->active) && word == atomic_load(&gate->word))
                        return claimed;
        }
}

void writer_yield_word(void)
{
        for (int i = 0; i < YIELD_PAUSES; i++) {
#if defined(__x86_64__)
                __builtin_ia32_pause();
#elif defined(__aarch64__)
                __asm__ volatile("yield");
#endif
        }
}

/* ---- segments that are not sealed ---- */

void writer_wait_changed(struct writer *writer)
{
        OS_UNCANCELLED;

        pthread_cond_wait(&writer->changed, &writer->lock);
}

int writer_oldest_full(struct writer *writer, uint32_t *ret_turn, struct tail *ret_end)
{
        struct tail tail;
        int r = -EAGAIN;

        writer_tail(writer, &tail);
        pthread_mutex_lock(&writer->lock);
        /* The tail enters a gate only once the gate before is resolved to its end. */
        if (writer->oldest != writer->newest && tail.turn != writer->oldest) {
                struct gate *gate = writer_gate(writer, writer->oldest);
                uint64_t word = atomic_load(&gate->word);
                *ret_turn = writer->oldest;
                *ret_end = (struct tail){
                        .number = gate->first_number + word_records(gate, word) - 1,
                        .segment_id = gate->segment->brief.id,
                        .offset = word_end(word),
                        .greatest_ns = gate->greatest_ns,
                        .turn = writer->oldest,
                };
                r = 0;
        }
        pthread_mutex_unlock(&writer->lock);
        return r;
}

void writer_retire(struct writer *writer, uint32_t turn)
{
        struct segment *segment;

        pthread_mutex_lock(&writer->lock);
        segment = writer_gate(writer, turn)->segment;
        writer->oldest = turn + 1;
        pthread_mutex_unlock(&writer->lock);
        chain_forget(writer->chain, segment);
        chain_unpin(writer->chain, segment);
}

int writer_pin(struct writer *writer, uint32_t turn, struct segment **ret,
               uint64_t *ret_claimed_end)
{
        int r = -ESTALE;

        pthread_mutex_lock(&writer->lock);
        if (turn - writer->oldest <= writer->newest - writer->oldest) {
                *ret = writer_gate(writer, turn)->segment;
                *ret_claimed_end = word_end(atomic_load(&writer_gate(writer, turn)->word));
                chain_hold(writer->chain, *ret);
                r = 0;
        }
        pthread_mutex_unlock(&writer->lock);
        return r;
}

/* ---- tail ---- */

/* Step over a batch whose end was noted. @at is its first frame, which is committed. */
static bool hop_batch(struct writer *writer, uint64_t end, struct tail *at)
{
        uint64_t bytes;
        uint32_t records;
        int64_t greatest_ns;

        if (!batch_note_find(writer->batch_notes, batch_place(at->segment_id, at->offset), &bytes,
                             &records, &greatest_ns) ||
            bytes > end - at->offset)
                return false;
        at->offset += bytes;
        at->number += records;
        if (greatest_ns > at->greatest_ns)
                at->greatest_ns = greatest_ns;
        return true;
}

static void walk_slot(struct writer *writer, struct gate *gate, uint64_t end, struct tail *tail)
{
        struct tail at = *tail;
        struct record_view view;
        int r;

        while (at.offset < end) {
                const struct frame *frame = (const struct frame *)(gate->base + at.offset);
                r = record_peek(gate->base, at.offset, end, &view);
                if (r < 0 && map_faulted(&gate->segment->map)) /* the frame will never be there */
                        writer_fail(writer, "the disk, or the file's length, failed under the log");
                else if (r == -EBADMSG)
                        writer_fail(writer, "a frame in memory was overwritten by a stray write");
                if (r < 0)
                        break;
                if (view.kind == FRAME_MORE && hop_batch(writer, end, &at)) {
                        *tail = at;
                        continue;
                }
                at.offset += view.frame_bytes;
                if (view.kind != FRAME_PAD) {
                        at.number = gate->first_number + view.ordinal - 1;
                        if (view.kind != FRAME_VOID && frame->time_ns > at.greatest_ns)
                                at.greatest_ns = frame->time_ns;
                }
                if (view.kind != FRAME_MORE)
                        *tail = at;
        }
}

/* Walk on from the tail to the first open claim, also over segments that are full. */
static void advance_tail(struct writer *writer)
{
        struct tail *tail = &writer->tail;

        for (;;) {
                struct gate *gate = writer_gate(writer, tail->turn);
                uint64_t word = atomic_load(&gate->word);

                walk_slot(writer, gate, word_end(word), tail);
                if (!(word & GATE_CLOSED) || tail->offset < word_end(word))
                        break;
                /* The word is closed. While the gate is still active, the next one is not open
                 * yet. */
                if (atomic_load(&writer->active) == gate)
                        break;
                gate->greatest_ns = tail->greatest_ns;
                tail->turn++;
                tail->segment_id = writer_gate(writer, tail->turn)->segment->brief.id;
                tail->offset = FRAMES_OFFSET;
        }
        atomic_store_explicit(&writer->tail_number, tail->number, memory_order_release);
}

void writer_tail(struct writer *writer, struct tail *ret)
{
        pthread_mutex_lock(&writer->tail_lock);
        advance_tail(writer);
        *ret = writer->tail;
        pthread_mutex_unlock(&writer->tail_lock);
}

void writer_try_tail(struct writer *writer)
{
        if (pthread_mutex_trylock(&writer->tail_lock) != 0)
                return;
        advance_tail(writer);
        pthread_mutex_unlock(&writer->tail_lock);
}

/* ---- failure and waking ---- */

void writer_fail(struct writer *writer, const char *why)
{
        int expected = 0;

        if (!atomic_compare_exchange_strong(&writer->failed, &expected, 1))
                return; /* the first failure is the one that counts */
        snprintf(writer->failure, sizeof(writer->failure), "%s", why);
        for (int i = 0; i < WRITER_GATES; i++)
                atomic_store(&writer->gates[i].limit, 0);
        atomic_store(&writer->failed, -EIO); /* the text is complete */
        control_set_flags(writer->control, CONTROL_FAILED, 0);
}

int writer_failure(struct writer *writer)
{
        if (__builtin_expect(atomic_load(&writer->failed) == 0, 1))
                return 0;
        while (atomic_load(&writer->failed) != -EIO)
                os_sleep(10000); /* another thread is writing the text */
        return detail(-EIO, "%s: nothing is acknowledged since: close, check the disk, reopen",
                      writer->failure);
}

int writer_give_up(struct writer *writer, const char *why)
{
        writer_fail(writer, why);
        return writer_failure(writer);
}

void writer_poke(struct writer *writer)
{
        if (!writer->threaded)
                return;
        atomic_store(&writer->asleep, 0);
        atomic_fetch_add(&writer->poked, 1);
        os_futex_wake(&writer->poked, INT_MAX, false);
}
