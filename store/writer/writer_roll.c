/*
 * writer_roll.c - the next segment: prepared ahead, started where the active one ends
 *
 * Everything that can fail is done before the active segment is closed. By then the next file is
 * durable under its name and mapped, and its first piece is ready. To start it takes a few stores.
 */
#include <errno.h>

#include "logstore.h"
#include "os/detail.h"
#include "writer/writer_private.h"

#define ID_TRIES 100

static int add_index(struct chain *chain, struct segment *segment)
{
        int r = index_new(chain->memory, segment->brief.bytes, &segment->index);

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
static int prepare_free(struct chain *chain, uint64_t segment_bytes, uint32_t mode,
                        uint64_t *ret_id)
{
        int r = control_held(chain->control); /* else another writer takes the same names */

        if (r == 0)
                r = -EEXIST;
        for (int i = 0; r == -EEXIST && i < ID_TRIES; i++) {
                *ret_id = chain_next_id(chain);
                r = segment_prepare(chain->directory, chain->uuid, *ret_id, segment_bytes, mode);
        }
        return r;
}

static int open_prepared(struct chain *chain, uint64_t segment_bytes, uint32_t mode,
                         uint64_t *ret_ready, struct segment **ret)
{
        struct segment *segment = NULL;
        uint64_t ready = 0, id = 0;
        int r = prepare_free(chain, segment_bytes, mode, &id);

        if (r == -EEXIST || id == 0) /* no file there is ours */
                return r;
        if (r == 0)
                r = segment_open(chain->memory, chain->directory, chain->uuid, id, OS_SHARED_WRITE,
                                 &segment);
        if (r == 0)
                r = lock_file(segment);
        if (r == 0)
                r = add_index(chain, segment);
        if (r == 0)
                r = ready_segment(segment, &ready, FRAMES_OFFSET, 0, READY_PAGES);
        if (r != 0) {
                char name[32];
                int left;

                segment_name(id, name);
                segment_close(segment);
                /* If it stayed, it would stand on the chain once its neighbours are sealed. */
                left = os_unlink(chain->directory, name);
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

/* Make writer->next. One thread at a time does so. Under writer->lock, which is let go of while the
 * disk works: the caller looks again at all else. */
static int prepare(struct writer *writer)
{
        const struct control_static *fixed = &writer->control->page->fixed;
        struct segment *segment = NULL;
        uint64_t ready = 0;
        int r;

        writer->preparing = true;
        pthread_mutex_unlock(&writer->lock);
        r = chain_reserve(writer->chain);
        if (r == 0)
                r = open_prepared(writer->chain, fixed->segment_bytes,
                                  control_file_mode(writer->control->page), &ready, &segment);
        if (r == -EIO || r == -ENOENT) /* final: a failed sync of anything, or a lost lock */
                r = writer_give_up(writer, logstore_detail());
        pthread_mutex_lock(&writer->lock);
        writer->preparing = false;
        writer->next = segment;
        writer->next_ready = ready;
        pthread_cond_broadcast(&writer->changed);
        return r;
}

/* What settle() returns if it let go of the lock: the caller looks again at all else. */
enum { LOOK_AGAIN = 1 };

/* Take a step towards a roll. Returns 0 if the next segment is there and nobody works on the active
 * one, LOOK_AGAIN or an error. */
static int settle(struct writer *writer)
{
        int r = 0;

        if (writer->readying || writer->preparing)
                writer_wait_changed(writer);
        else if (writer->next)
                return 0;
        else
                r = prepare(writer);
        return r < 0 ? r : LOOK_AGAIN;
}

int writer_prepare(struct writer *writer)
{
        int r = writer_failure(writer);

        pthread_mutex_lock(&writer->lock);
        if (r == 0 && !writer->next && !writer->preparing)
                r = prepare(writer);
        pthread_mutex_unlock(&writer->lock);
        return r;
}

int writer_make(struct chain *chain, uint64_t segment_bytes, uint32_t mode,
                const struct start_payload *start, struct segment **ret)
{
        struct segment *segment;
        uint64_t ready;
        int r = chain_reserve(chain);

        if (r == 0)
                r = open_prepared(chain, segment_bytes, mode, &ready, &segment);
        if (r < 0)
                return r;
        segment_start(segment, start, os_now());
        chain_add(chain, segment);
        *ret = segment;
        return 0;
}

/* Publish a gate for @segment, where claims go on at @offset, behind @records records. */
static void open_slot(struct writer *writer, struct segment *segment, uint64_t ready,
                      uint64_t offset, uint32_t records)
{
        uint64_t last_word =
                atomic_load(&writer_gate(writer, writer->newest)->word); /* closed, or 0 */
        struct gate *gate = writer_gate(writer, ++writer->newest);

        gate->first_count = (uint32_t)(last_word >> 32) + 1;
        gate->base = segment->map.base;
        gate->first_number = segment->brief.start.first_number;
        gate->segment = segment;
        gate->index = &segment->index;
        gate->ready = ready;
        gate->begun = offset > FRAMES_OFFSET ? offset : 0;
        ready_raise_limit(writer, gate);
        /* Pairs with the acquire load in writer_claim(): a thread that sees the word sees the
         * rest. */
        atomic_store_explicit(&gate->word,
                              (uint64_t)(gate->first_count + records) << 32 | offset / 8,
                              memory_order_release);
        atomic_store_explicit(&writer->active, gate, memory_order_release);
        /* A hint for readers in other processes. Stored after the start frame that it leads to. */
        atomic_store_explicit(&writer->control->page->head_id, segment->brief.id,
                              memory_order_release);
}

int writer_begin(struct writer *writer, struct segment *segment, const struct tail *tail,
                 uint32_t ordinal)
{
        /* The used part stays as it is: to make it ready would write all of it again. */
        uint64_t ready = tail->offset & ~(uint64_t)(os_page_bytes() - 1);
        int r = ready_segment(segment, &ready, tail->offset, 0, READY_PAGES);

        /* On a full disk open all the same: the next append asks for space again. */
        if (r < 0 && !os_is_full(r))
                return r;
        writer->oldest = 1;
        writer->newest = 0;
        writer->tail = *tail;
        writer->tail.turn = 1;
        writer->tail.segment_id = segment->brief.id;
        atomic_store(&writer->tail_number, tail->number);
        open_slot(writer, segment, ready, tail->offset, ordinal);
        return 0;
}

/* Close the gate to claims. Returns the word, which says where they end. */
static uint64_t freeze(struct gate *gate)
{
        return atomic_fetch_or(&gate->word, GATE_CLOSED);
}

/* The next segment has its start frame: let claims into it. This cannot fail. */
static void enter_next(struct writer *writer)
{
        chain_add(writer->chain, writer->next);
        open_slot(writer, writer->next, writer->next_ready, FRAMES_OFFSET, 0);
        writer->next = NULL;
}

/* Close the active segment and start the next, which is prepared. */
static void roll(struct writer *writer)
{
        struct gate *gate = writer_gate(writer, writer->newest);
        struct start_payload start = { 0 };
        uint64_t word = freeze(gate);
        struct tail tail;

        start.previous_records = word_records(gate, word);
        start.first_number = gate->first_number + start.previous_records;
        start.epoch = writer->control->epoch;
        start.previous_id = gate->segment->brief.id;
        start.previous_salt = gate->segment->brief.salt;
        start.previous_end = word_end(word);
        writer_tail(writer, &tail);
        start.greatest_ns = tail.greatest_ns;
        segment_start(writer->next, &start, os_now());
        enter_next(writer);
}

int writer_roll(struct writer *writer, uint32_t turn)
{
        int r = writer_failure(writer), settled = LOOK_AGAIN;

        pthread_mutex_lock(&writer->lock);
        while (r == 0 && settled == LOOK_AGAIN && writer->newest == turn) {
                if (writer->newest + 1 - writer->oldest >= WRITER_GATES)
                        r = -EAGAIN;
                else if ((settled = settle(writer)) == 0)
                        roll(writer);
                else if (settled < 0)
                        r = settled;
        }
        pthread_mutex_unlock(&writer->lock);
        if (r == 0)
                writer_poke(writer);
        return r;
}

/* Close the active segment, if it is the only unsealed one and nothing is claimed behind
 * @claimed. */
static int freeze_at(struct writer *writer, uint64_t claimed)
{
        struct gate *gate = writer_gate(writer, writer->newest);
        uint64_t word = freeze(gate);

        if (writer->newest == writer->oldest &&
            gate->first_number + word_records(gate, word) - 1 == claimed)
                return 0;
        /* A thread that saw it closed waits for writer->lock. */
        atomic_fetch_and(&gate->word, ~GATE_CLOSED);
        return detail(-EBUSY, "records were appended meanwhile");
}

/*
 * Claims are closed while the new end is made durable. So no record is ever in a segment of which
 * the durable number, the synced place and the mark do not tell the truth yet.
 *
 * The tail falls before the chain does, and rises after it. So a reader never looks behind the cut
 * for what only the old tail has, nor in the old chain for a number that the new tail passes over.
 */
int writer_fork(struct writer *writer, const struct start_payload *start, uint64_t claimed,
                int (*make_durable)(void *context, struct segment *next, const struct tail *tail),
                void *context)
{
        struct tail tail;
        int r;

        pthread_mutex_lock(&writer->lock);
        while ((r = settle(writer)) == LOOK_AGAIN)
                ;
        if (r == 0)
                r = freeze_at(writer, claimed);
        if (r == 0) {
                segment_start(writer->next, start, os_now());
                tail = (struct tail){
                        .number = start->first_number - 1,
                        .segment_id = writer->next->brief.id,
                        .offset = FRAMES_OFFSET,
                        .greatest_ns = start->greatest_ns,
                        .turn = writer->newest + 1,
                };
                r = make_durable(context, writer->next, &tail); /* a failure is final */
        }
        if (r == 0) {
                pthread_mutex_lock(&writer->tail_lock);
                writer->tail = tail;
                if (tail.number < atomic_load(&writer->tail_number))
                        atomic_store(&writer->tail_number, tail.number);
                /* Before a claim: a cursor that has not seen it could return what was cut. */
                atomic_store(&writer->control->page->writer_epoch, start->epoch);
                enter_next(writer);
                atomic_store(&writer->tail_number, tail.number);
                pthread_mutex_unlock(&writer->tail_lock);
        }
        pthread_mutex_unlock(&writer->lock);
        return r;
}
