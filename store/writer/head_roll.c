/*
 * head_roll.c - the next segment: prepared ahead, started where the active one ends
 *
 * Everything that can fail is done before the active segment is closed. By then the next file is
 * durable under its name and mapped, and its first piece is ready. To start it takes a few stores.
 */
#include <errno.h>

#include "logstore.h"
#include "os/detail.h"
#include "writer/head_private.h"

#define ID_TRIES 100

static int add_index(struct catalog *catalog, struct segment *segment)
{
        int r = index_new(catalog->memory, segment->brief.bytes, &segment->index);

        return r < 0 ? detail(r, "%s: no memory for an index: %s", segment->name,
                              logstore_error_text(r))
                     : 0;
}

/* Lock the file, so that no other writer goes on in it while it is active (recovery_resume()). */
static int lock_file(struct segment *segment)
{
        int r = os_lock(segment->fd);

        return r < 0 ? detail(r, "%s: cannot lock the file: %s", segment->name,
                              logstore_error_text(r))
                     : 0;
}

/* Prepare a segment under a free name. A name that is taken costs no more than its id. */
static int prepare_free(struct catalog *catalog, uint64_t segment_bytes, uint32_t mode,
                        uint64_t *ret_id)
{
        int r = control_held(catalog->control); /* else another writer takes the same names */

        if (r == 0)
                r = -EEXIST;
        for (int i = 0; r == -EEXIST && i < ID_TRIES; i++) {
                *ret_id = catalog_next_id(catalog);
                r = segment_prepare(catalog->directory, catalog->uuid, *ret_id, segment_bytes,
                                    mode);
        }
        return r;
}

static int open_prepared(struct catalog *catalog, uint64_t segment_bytes, uint32_t mode,
                         uint64_t *ret_ready, struct segment **ret)
{
        struct segment *segment = NULL;
        uint64_t ready = 0, id = 0;
        int r = prepare_free(catalog, segment_bytes, mode, &id);

        if (r == -EEXIST || id == 0) /* no file there is ours */
                return r;
        if (r == 0)
                r = segment_open(catalog->memory, catalog->directory, catalog->uuid, id,
                                 OS_SHARED_WRITE, &segment);
        if (r == 0)
                r = lock_file(segment);
        if (r == 0)
                r = add_index(catalog, segment);
        if (r == 0)
                r = ready_segment(segment, &ready, FRAMES_OFFSET, 0, READY_PAGES);
        if (r < 0) {
                char name[32];
                int left;

                segment_name(id, name);
                segment_close(segment);
                /* If it stayed, it would stand on the chain once its neighbours are sealed. */
                left = os_unlink(catalog->directory, name);
                if (left < 0 && left != -ENOENT && r != -EIO)
                        r = detail(-EIO, "%s: cannot remove a segment that was not started: %s",
                                   name, logstore_error_text(left));
                return r;
        }
        segment->index_shared = true;
        *ret_ready = ready;
        *ret = segment;
        return 0;
}

/* Make head->next. One thread at a time does so. Under head->lock, which is let go of while the
 * disk works: the caller looks again at all else. */
static int prepare(struct head *head)
{
        const struct control_static *fixed = &head->control->page->fixed;
        struct segment *segment = NULL;
        uint64_t ready = 0;
        int r;

        head->preparing = true;
        pthread_mutex_unlock(&head->lock);
        r = catalog_reserve(head->catalog);
        if (r == 0)
                r = open_prepared(head->catalog, fixed->segment_bytes,
                                  control_file_mode(head->control->page), &ready, &segment);
        if (r == -EIO || r == -ENOENT) /* final: a failed sync of anything, or a lost lock */
                r = head_give_up(head, logstore_detail());
        pthread_mutex_lock(&head->lock);
        head->preparing = false;
        head->next = segment;
        head->next_ready = ready;
        pthread_cond_broadcast(&head->changed);
        return r;
}

/* Take a step towards a roll. Returns 0: the next segment is there and nobody works on the active
 * one. 1: the lock was let go of; look again at all else. Else an error. */
static int settle(struct head *head)
{
        int r = 0;

        if (head->readying || head->preparing)
                head_wait_changed(head);
        else if (head->next)
                return 0;
        else
                r = prepare(head);
        return r < 0 ? r : 1;
}

int head_prepare(struct head *head)
{
        int r = head_failure(head);

        pthread_mutex_lock(&head->lock);
        if (r == 0 && !head->next && !head->preparing)
                r = prepare(head);
        pthread_mutex_unlock(&head->lock);
        return r;
}

int head_make(struct catalog *catalog, uint64_t segment_bytes, uint32_t mode,
              const struct start_payload *start, struct segment **ret)
{
        struct segment *segment;
        uint64_t ready;
        int r = catalog_reserve(catalog);

        if (r == 0)
                r = open_prepared(catalog, segment_bytes, mode, &ready, &segment);
        if (r < 0)
                return r;
        segment_start(segment, start, os_now());
        catalog_add(catalog, segment);
        *ret = segment;
        return 0;
}

/* Publish a slot for @segment, where claims go on at @offset, behind @records records. */
static void open_slot(struct head *head, struct segment *segment, uint64_t ready, uint64_t offset,
                      uint32_t records)
{
        uint64_t last_word = atomic_load(&head_slot(head, head->newest)->word); /* closed, or 0 */
        struct slot *slot = head_slot(head, ++head->newest);

        slot->first_count = (uint32_t)(last_word >> 32) + 1;
        slot->base = segment->map.base;
        slot->first_number = segment->brief.start.first_number;
        slot->segment = segment;
        slot->index = &segment->index;
        slot->ready = ready;
        slot->begun = offset > FRAMES_OFFSET ? offset : 0;
        ready_raise_limit(head, slot);
        /* Pairs with the acquire load in head_claim(): a thread that sees the word sees the
         * rest. */
        atomic_store_explicit(&slot->word,
                              (uint64_t)(slot->first_count + records) << 32 | offset / 8,
                              memory_order_release);
        atomic_store_explicit(&head->active, slot, memory_order_release);
        /* A hint for readers in other processes. Stored after the start frame that it leads to. */
        atomic_store_explicit(&head->control->page->head_id, segment->brief.id,
                              memory_order_release);
}

int head_begin(struct head *head, struct segment *segment, const struct tail *tail,
               uint32_t ordinal)
{
        /* The used part stays as it is: to make it ready would write all of it again. */
        uint64_t ready = tail->offset & ~(uint64_t)(os_page_bytes() - 1);
        int r = ready_segment(segment, &ready, tail->offset, 0, READY_PAGES);

        /* On a full disk open all the same: the next append asks for space again. */
        if (r < 0 && !os_is_full(r))
                return r;
        head->oldest = 1;
        head->newest = 0;
        head->tail = *tail;
        head->tail.turn = 1;
        head->tail.segment_id = segment->brief.id;
        atomic_store(&head->tail_number, tail->number);
        open_slot(head, segment, ready, tail->offset, ordinal);
        return 0;
}

/* Close the slot to claims. Returns the word, which says where they end. */
static uint64_t freeze(struct slot *slot)
{
        return atomic_fetch_or(&slot->word, HEAD_CLOSED);
}

/* The next segment has its start frame: let claims into it. This cannot fail. */
static void enter_next(struct head *head)
{
        catalog_add(head->catalog, head->next);
        open_slot(head, head->next, head->next_ready, FRAMES_OFFSET, 0);
        head->next = NULL;
}

/* Close the active segment and start the next, which is prepared. */
static void roll(struct head *head)
{
        struct slot *slot = head_slot(head, head->newest);
        struct start_payload start = { 0 };
        uint64_t word = freeze(slot);
        struct tail tail;

        start.previous_records = word_records(slot, word);
        start.first_number = slot->first_number + start.previous_records;
        start.epoch = head->control->epoch;
        start.previous_id = slot->segment->brief.id;
        start.previous_salt = slot->segment->brief.salt;
        start.previous_end = word_end(word);
        head_tail(head, &tail);
        start.greatest_ns = tail.greatest_ns;
        segment_start(head->next, &start, os_now());
        enter_next(head);
}

int head_roll(struct head *head, uint32_t turn)
{
        int r = head_failure(head), again = 1;

        pthread_mutex_lock(&head->lock);
        while (r == 0 && again == 1 && head->newest == turn) {
                if (head->newest + 1 - head->oldest >= HEAD_SLOTS)
                        r = -EAGAIN;
                else if ((again = settle(head)) == 0)
                        roll(head);
                else if (again < 0)
                        r = again;
        }
        pthread_mutex_unlock(&head->lock);
        if (r == 0)
                head_poke(head);
        return r;
}

/* Close the active segment, if it is the only unsealed one and nothing is claimed behind
 * @claimed. */
static int freeze_at(struct head *head, uint64_t claimed)
{
        struct slot *slot = head_slot(head, head->newest);
        uint64_t word = freeze(slot);

        if (head->newest == head->oldest &&
            slot->first_number + word_records(slot, word) - 1 == claimed)
                return 0;
        /* A thread that saw it closed waits for head->lock. */
        atomic_fetch_and(&slot->word, ~HEAD_CLOSED);
        return detail(-EBUSY, "records were appended meanwhile");
}

/*
 * Claims are closed while the new end is made durable. So no record is ever in a segment of which
 * the durable number, the synced place and the mark do not tell the truth yet.
 *
 * The tail falls before the chain does, and rises after it. So a reader never looks behind the cut
 * for what only the old tail has, nor in the old chain for a number that the new tail passes over.
 */
int head_fork(struct head *head, const struct start_payload *start, uint64_t claimed,
              int (*make_durable)(void *context, struct segment *next, const struct tail *tail),
              void *context)
{
        struct tail tail;
        int r;

        pthread_mutex_lock(&head->lock);
        while ((r = settle(head)) == 1)
                ;
        if (r == 0)
                r = freeze_at(head, claimed);
        if (r == 0) {
                segment_start(head->next, start, os_now());
                tail = (struct tail){
                        .number = start->first_number - 1,
                        .segment_id = head->next->brief.id,
                        .offset = FRAMES_OFFSET,
                        .greatest_ns = start->greatest_ns,
                        .turn = head->newest + 1,
                };
                r = make_durable(context, head->next, &tail); /* failing is final: head_fail() */
        }
        if (r == 0) {
                pthread_mutex_lock(&head->tail_lock);
                head->tail = tail;
                if (tail.number < atomic_load(&head->tail_number))
                        atomic_store(&head->tail_number, tail.number);
                /* Before a claim: a cursor that has not seen it could return what was cut. */
                atomic_store(&head->control->page->writer_epoch, start->epoch);
                enter_next(head);
                atomic_store(&head->tail_number, tail.number);
                pthread_mutex_unlock(&head->tail_lock);
        }
        pthread_mutex_unlock(&head->lock);
        return r;
}
