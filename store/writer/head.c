/*
 * head.c - the writer's end of the log: claims, tail, letting go of sealed segments
 *
 * Fast:  head_claim() and head_publish(), in the header, take no lock and make no system call.
 * Slow:  head_ready.c makes space ready, head_roll.c rolls. head->lock protects their state.
 *        head.h says over which system calls it is held. A refusal changes nothing: space is ready
 *        before the limit rises, and the next segment is complete before the active one is closed.
 * Tail:  head_tail() walks commit words on from where the tail was, under tail_lock. Any thread
 *        that needs the tail calls it.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "logstore.h"
#include "os/detail.h"
#include "writer/head_private.h"

#define YIELD_PAUSES 20 /* half a microsecond, if a pause takes 25 ns */

void head_init(struct head *head, struct catalog *catalog, struct control *control,
               struct wake *wake)
{
        memset(head, 0, sizeof(*head));
        head->catalog = catalog;
        head->memory = catalog->memory;
        head->control = control;
        head->directory = catalog->directory;
        head->wake = wake;
        head_keep_ready(head, 0);
        atomic_store(&head->last_sync_bytes, UINT64_MAX);
        pthread_mutex_init(&head->lock, NULL);
        pthread_cond_init(&head->changed, NULL);
        pthread_mutex_init(&head->tail_lock, NULL);
}

void head_free(struct head *head)
{
        while (head->active && head->oldest != head->newest + 1)
                head_retire(head, head->oldest);
        /* The segment was never started; the next open would drop it as well. Keep one that a
         * failed truncation has started: on the disk it may be the end of the log. */
        if (head->next && !head->next->brief.started)
                os_unlink(head->directory, head->next->name);
        segment_close(head->next);
        pthread_cond_destroy(&head->changed);
        pthread_mutex_destroy(&head->lock);
        pthread_mutex_destroy(&head->tail_lock);
}

uint64_t head_claimed(struct head *head)
{
        for (;;) {
                struct slot *slot = atomic_load(&head->active);
                uint64_t word = atomic_load(&slot->word);
                uint64_t claimed = slot->first_number + word_records(slot, word) - 1;
                if (slot == atomic_load(&head->active) && word == atomic_load(&slot->word))
                        return claimed;
        }
}

void head_yield_word(void)
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

void head_wait_changed(struct head *head)
{
        OS_UNCANCELLED;

        pthread_cond_wait(&head->changed, &head->lock);
}

int head_oldest_full(struct head *head, uint32_t *ret_turn, struct tail *ret_end)
{
        struct tail tail;
        int r = -EAGAIN;

        head_tail(head, &tail);
        pthread_mutex_lock(&head->lock);
        /* The tail enters a slot only once the slot before is resolved to its end. */
        if (head->oldest != head->newest && tail.turn != head->oldest) {
                struct slot *slot = head_slot(head, head->oldest);
                uint64_t word = atomic_load(&slot->word);
                *ret_turn = head->oldest;
                *ret_end = (struct tail){
                        .number = slot->first_number + word_records(slot, word) - 1,
                        .segment_id = slot->segment->brief.id,
                        .offset = word_end(word),
                        .greatest_ns = slot->greatest_ns,
                        .turn = head->oldest,
                };
                r = 0;
        }
        pthread_mutex_unlock(&head->lock);
        return r;
}

void head_retire(struct head *head, uint32_t turn)
{
        struct segment *segment;

        pthread_mutex_lock(&head->lock);
        segment = head_slot(head, turn)->segment;
        head->oldest = turn + 1;
        pthread_mutex_unlock(&head->lock);
        catalog_forget(head->catalog, segment);
        catalog_unpin(head->catalog, segment);
}

int head_pin(struct head *head, uint32_t turn, struct segment **ret, uint64_t *ret_claimed_end)
{
        int r = -ESTALE;

        pthread_mutex_lock(&head->lock);
        if (turn - head->oldest <= head->newest - head->oldest) {
                *ret = head_slot(head, turn)->segment;
                *ret_claimed_end = word_end(atomic_load(&head_slot(head, turn)->word));
                catalog_hold(head->catalog, *ret);
                r = 0;
        }
        pthread_mutex_unlock(&head->lock);
        return r;
}

/* ---- tail ---- */

/* Step over a batch whose end was noted. @at is its first frame, which is committed. */
static bool hop_batch(struct head *head, uint64_t end, struct tail *at)
{
        uint64_t bytes;
        uint32_t records;
        int64_t greatest_ns;

        if (!batch_note_find(head->batch_notes, batch_place(at->segment_id, at->offset), &bytes,
                             &records, &greatest_ns) ||
            bytes > end - at->offset)
                return false;
        at->offset += bytes;
        at->number += records;
        if (greatest_ns > at->greatest_ns)
                at->greatest_ns = greatest_ns;
        return true;
}

static void walk_slot(struct head *head, struct slot *slot, uint64_t end, struct tail *tail)
{
        struct tail at = *tail;
        struct record_view view;
        int r;

        while (at.offset < end) {
                const struct frame *frame = (const struct frame *)(slot->base + at.offset);
                r = record_peek(slot->base, at.offset, end, &view);
                if (r < 0 && map_faulted(&slot->segment->map)) /* the frame will never be there */
                        head_fail(head, "the disk, or the file's length, failed under the log");
                else if (r == -EBADMSG)
                        head_fail(head, "a frame in memory was overwritten by a stray write");
                if (r < 0)
                        break;
                if (view.kind == FRAME_MORE && hop_batch(head, end, &at)) {
                        *tail = at;
                        continue;
                }
                at.offset += view.frame_bytes;
                if (view.kind != FRAME_PAD) {
                        at.number = slot->first_number + view.ordinal - 1;
                        if (view.kind != FRAME_VOID && frame->time_ns > at.greatest_ns)
                                at.greatest_ns = frame->time_ns;
                }
                if (view.kind != FRAME_MORE)
                        *tail = at;
        }
}

/* Walk on from the tail to the first open claim, also over segments that are full. */
static void advance_tail(struct head *head)
{
        struct tail *tail = &head->tail;

        for (;;) {
                struct slot *slot = head_slot(head, tail->turn);
                uint64_t word = atomic_load(&slot->word);

                walk_slot(head, slot, word_end(word), tail);
                if (!(word & HEAD_CLOSED) || tail->offset < word_end(word))
                        break;
                /* The word is closed. While the slot is still active, the next one is not open
                 * yet. */
                if (atomic_load(&head->active) == slot)
                        break;
                slot->greatest_ns = tail->greatest_ns;
                tail->turn++;
                tail->segment_id = head_slot(head, tail->turn)->segment->brief.id;
                tail->offset = FRAMES_OFFSET;
        }
        atomic_store_explicit(&head->tail_number, tail->number, memory_order_release);
}

void head_tail(struct head *head, struct tail *ret)
{
        pthread_mutex_lock(&head->tail_lock);
        advance_tail(head);
        *ret = head->tail;
        pthread_mutex_unlock(&head->tail_lock);
}

void head_try_tail(struct head *head)
{
        if (pthread_mutex_trylock(&head->tail_lock) != 0)
                return;
        advance_tail(head);
        pthread_mutex_unlock(&head->tail_lock);
}

/* ---- failure and waking ---- */

void head_fail(struct head *head, const char *why)
{
        int expected = 0;

        if (!atomic_compare_exchange_strong(&head->failed, &expected, 1))
                return; /* the first failure is the one that counts */
        snprintf(head->failure, sizeof(head->failure), "%s", why);
        for (int i = 0; i < HEAD_SLOTS; i++)
                atomic_store(&head->slots[i].limit, 0);
        atomic_store(&head->failed, -EIO); /* the text is complete */
        control_set_flags(head->control, CONTROL_FAILED, 0);
}

int head_failure(struct head *head)
{
        if (__builtin_expect(atomic_load(&head->failed) == 0, 1))
                return 0;
        while (atomic_load(&head->failed) != -EIO)
                os_sleep(10000); /* another thread is writing the text */
        return detail(-EIO, "%s: nothing is acknowledged since: close, check the disk, reopen",
                      head->failure);
}

int head_give_up(struct head *head, const char *why)
{
        head_fail(head, why);
        return head_failure(head);
}

void head_poke(struct head *head)
{
        if (!head->threaded)
                return;
        atomic_store(&head->asleep, 0);
        atomic_fetch_add(&head->poked, 1);
        os_futex_wake(&head->poked, INT_MAX, false);
}
