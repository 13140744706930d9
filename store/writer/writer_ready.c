/*
 * writer_ready.c - making space ready for claims: blocks reserved, pages in memory
 *
 * A limit rises only over ready space. So a claim within it can be filled without a full disk, a
 * signal or, as a rule, a fault. *Ahead* makes space ready in steps. An append does so itself where
 * *ahead* has not come far enough. One thread at a time does so in a store. It does not hold
 * writer->lock, because a step takes as long as the kernel needs.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "logstore.h"
#include "os/detail.h"
#include "writer/writer_private.h"

/*
 * Zeros are written in aligned pieces, so that each can become one folio. Long appends use large
 * ones: their pages come from memory that was written and let go. A burst takes free memory. A
 * virtual machine may have handed free blocks of 2 MiB back to its host, and to touch those is
 * slow; so a burst uses small pieces.
 */
#define BURST_FOLIO_BYTES (UINT64_C(256) << 10)
#define BURST_BYTES (UINT64_C(512) << 20)       /* a burst: so much made ready since the open */
#define READY_STEP_MAX (UINT64_C(1) << 20)      /* made ready ahead by one step */
#define READY_AHEAD_MAX (UINT64_C(8) << 20)     /* kept ready by *ahead*, unless told */
#define POKE_BYTES (UINT64_C(2) << 20)          /* so far before the limit *ahead* is poked */
#define OFTEN_AHEAD_LEAST (UINT64_C(256) << 10) /* where syncs are frequent: zeros cost as much */
#define BULK_BYTES (UINT64_C(1) << 20)
#define OVERWRITE_BYTES (UINT64_C(48) << 10)
#define DIRTY_PAUSE_NS 1000000
#define TYPICAL_FRAME_BYTES 128 /* assumed until there is a record */

/* A reader polls the commit word behind the last frame. So the limit stays a page short of what is
 * ready, until the segment's end is. */
static uint64_t limit_of(const struct segment *segment, uint64_t ready)
{
        uint64_t page = os_page_bytes();

        if (ready >= segment->brief.bytes)
                return ready / 8;
        return ready > page ? (ready - page) / 8 : 0; /* opened on a full disk: nothing is ready */
}

static int write_zeros(int fd, uint64_t from, uint64_t to, uint64_t piece)
{
        /* Nobody stores to it, so it stays the kernel's one page of zeros. Aligned for
         * OS_DIRECT. */
        static _Alignas(4096) char zeros[LONG_FOLIO_BYTES];
        int r = 0;

        for (; r == 0 && from < to; from += piece)
                r = os_write(fd, zeros, to - from < piece ? to - from : piece, from);
        return r;
}

static bool in_folios(enum ready how)
{
        return how == READY_BULK || how == READY_LONG;
}

static uint64_t piece_of(enum ready how)
{
        return how == READY_BULK ? BURST_FOLIO_BYTES : LONG_FOLIO_BYTES;
}

static int ready_range(struct segment *segment, uint64_t from, uint64_t to, enum ready how)
{
        int r = 0, direct = -1;

        if (how == READY_OVERWRITE)
                direct = os_open(segment->directory, segment->name, OS_WRITE | OS_DIRECT, 0);
        if (direct >= 0) { /* where that fails, as on tmpfs, nothing is lost */
                r = write_zeros(direct, from, to, piece_of(how));
                os_close(direct); /* the write has told of a failure */
        } else if (in_folios(how)) {
                r = write_zeros(segment->fd, from, to, piece_of(how));
        }
        if (r == 0)
                r = os_grow(segment->fd, to);
        if (r == 0)
                r = os_populate((char *)segment->map.base + from, to - from);
        if (r == 0)
                atomic_store(&segment->file_bytes, to);
        return r;
}

int ready_segment(struct segment *segment, uint64_t *ready, uint64_t wanted, uint64_t ahead,
                  enum ready how)
{
        uint64_t unit = GROW_BYTES > os_page_bytes() ? GROW_BYTES : os_page_bytes();
        uint64_t larger = in_folios(how) ? piece_of(how) : unit;
        uint64_t least, most;
        int r = 0;

        wanted += os_page_bytes();
        least = (wanted + unit - 1) / unit * unit;
        most = (wanted + ahead + larger - 1) / larger * larger;
        least = least < segment->brief.bytes ? least : segment->brief.bytes;
        most = most < segment->brief.bytes ? most : segment->brief.bytes;
        if (most > *ready) {
                r = ready_range(segment, *ready, most, how);
                if (os_is_full(r) && least < most && least > *ready) {
                        most = least;
                        r = ready_range(segment, *ready, most, how);
                }
                if (r == 0)
                        *ready = most;
                else if (least <= *ready)
                        r = 0;
        }
        if (r < 0)
                return detail(r,
                              "%s: offset %" PRIu64 ": no space for %" PRIu64
                              " bytes: %s: make room, then append again",
                              segment->name, *ready, least - *ready, logstore_error_text(r));
        return 0;
}

void writer_keep_ready(struct writer *writer, uint64_t bytes)
{
        writer->ready_bytes = bytes < SEGMENT_BYTES_MAX ? bytes : SEGMENT_BYTES_MAX;
}

static bool synced_often(struct writer *writer)
{
        return atomic_load(&writer->last_sync_bytes) < BULK_BYTES;
}

static uint64_t ahead_of(uint64_t used, uint64_t most)
{
        return used < GROW_BYTES ? GROW_BYTES / 2 : used < most ? used : most;
}

/* What to keep ready where syncs are frequent: 60 ms of one thread's syncs, or four large ones. */
static uint64_t often_ahead(struct writer *writer)
{
        uint64_t syncs = 4 * atomic_load(&writer->last_sync_bytes);

        return syncs > OFTEN_AHEAD_LEAST ? syncs : OFTEN_AHEAD_LEAST;
}

/* How much *ahead* keeps ready once @used bytes were appended. */
static uint64_t keep_ahead(struct writer *writer, uint64_t used)
{
        if (writer->ready_bytes)
                return writer->ready_bytes;
        return ahead_of(used, synced_often(writer) ? often_ahead(writer) : READY_AHEAD_MAX);
}

/* Where a claim pokes *ahead*, in units of 8 bytes. */
static uint64_t poke_place(struct writer *writer, const struct gate *gate)
{
        uint64_t limit = limit_of(gate->segment, gate->ready), before = POKE_BYTES;

        if (gate->ready >= gate->segment->brief.bytes)
                return limit;
        if (writer->ready_bytes / 2 > before)
                before = writer->ready_bytes / 2;
        else if (writer->ready_bytes == 0 && synced_often(writer))
                before = often_ahead(writer) / 2;
        return before / 8 < limit ? limit - before / 8 : limit / 2;
}

void ready_raise_limit(struct writer *writer, struct gate *gate)
{
        atomic_store(&gate->poke, poke_place(writer, gate));
        atomic_store(&gate->limit, limit_of(gate->segment, gate->ready));
        /* Pairs with writer_fail(), which stores in the other order. */
        if (atomic_load(&writer->failed))
                atomic_store(&gate->limit, 0);
}

/*
 * Do the unsealed segments have more pages dirty, or under writeback, than is allowed? Under
 * writer->lock. cachestat(2) takes long for much memory, so ask only when the last answer and what
 * was made ready since could exceed the limit. On a kernel without it nothing counts as dirty.
 */
static bool too_dirty(struct writer *writer)
{
        uint64_t pages = 0;

        if (writer->dirty_seen + (writer->readied - writer->readied_seen) <=
            writer->dirty_hard_bytes)
                return false;
        for (uint32_t turn = writer->oldest; turn != writer->newest + 1; turn++) {
                struct gate *gate = writer_gate(writer, turn);
                struct os_cachestat stat;
                if (os_cachestat(gate->segment->fd, 0, gate->ready, &stat) == 0)
                        pages += stat.dirty + stat.writeback;
        }
        writer->dirty_seen = pages * os_page_bytes();
        writer->readied_seen = writer->readied;
        return writer->dirty_seen > writer->dirty_hard_bytes;
}

/* Before an append makes more ready: start writeback and wait until enough is written, or
 * refuse. */
static int wait_clean(struct writer *writer)
{
        int r = 0;

        while (r == 0 && too_dirty(writer)) {
                if (writer->dirty_refuses)
                        return detail(-EAGAIN,
                                      "more than %" PRIu64
                                      " bytes wait to be written: sync, or append again later",
                                      writer->dirty_hard_bytes);
                for (uint32_t turn = writer->oldest; turn != writer->newest + 1; turn++)
                        os_start_writeback(writer_gate(writer, turn)->segment->fd, 0,
                                           writer_gate(writer, turn)->ready);
                pthread_mutex_unlock(&writer->lock);
                os_sleep(DIRTY_PAUSE_NS);
                pthread_mutex_lock(&writer->lock);
                r = writer_failure(writer);
        }
        return r;
}

/* How much was appended to a segment up to @end since it was started or opened. What lay there
 * before says nothing about what is to come. */
static uint64_t appended(const struct gate *gate, uint64_t end)
{
        return end - gate->begun;
}

/* Choose by how much was appended, how often it is synced and how much is to be kept ready. */
static enum ready ready_how(struct writer *writer, uint64_t used)
{
        if (synced_often(writer))
                return used >= OVERWRITE_BYTES ? READY_OVERWRITE : READY_PAGES;
        if (used < BULK_BYTES && writer->ready_bytes < BULK_BYTES)
                return READY_PAGES;
        return writer->readied < BURST_BYTES ? READY_BULK : READY_LONG;
}

/* Take memory for the index of all records that fit in what is ready, if they are as long as those
 * so far. */
static void populate_index(struct gate *gate, uint64_t ready)
{
        uint64_t word = atomic_load(&gate->word), used = word_end(word) - FRAMES_OFFSET;
        uint32_t records = word_records(gate, word);
        uint64_t each = records ? used / records : TYPICAL_FRAME_BYTES;

        index_populate(gate->index, (ready - FRAMES_OFFSET) / each);
}

/* Make the active gate ready further; one thread at a time does so. Under writer->lock, which we
 * let go of meanwhile: appends go on in what is ready, and nothing rolls. */
static int extend_slot(struct writer *writer, struct gate *gate, uint64_t wanted, uint64_t ahead,
                       enum ready how)
{
        uint64_t ready = gate->ready;
        int r;

        /* After an open on a full disk frames lie beyond @ready: write no zeros over them. */
        if (ready < word_end(atomic_load(&gate->word)))
                how = READY_PAGES;
        writer->readying = true;
        pthread_mutex_unlock(&writer->lock);
        r = ready_segment(gate->segment, &ready, wanted, ahead, how);
        if (r == 0 && in_folios(how))
                populate_index(gate, ready);
        pthread_mutex_lock(&writer->lock);
        writer->readying = false;
        writer->readied += ready - gate->ready;
        gate->ready = ready;
        if (r == 0)
                ready_raise_limit(writer, gate);
        pthread_cond_broadcast(&writer->changed);
        return r;
}

int writer_extend(struct writer *writer, uint64_t bytes, uint32_t *ret_turn)
{
        bool again = true;
        int r = writer_failure(writer);

        if (r < 0)
                return r;
        pthread_mutex_lock(&writer->lock);
        while (r == 0 && again) {
                struct gate *gate;
                uint64_t word, end;

                *ret_turn = writer->newest;
                gate = writer_gate(writer, writer->newest);
                word = atomic_load(&gate->word);
                end = word_end(word) + bytes;
                end += writer_gap(writer, end, bytes);
                again = false;
                if (word & GATE_CLOSED || end > gate->segment->brief.bytes) {
                        r = WRITER_FULL;
                } else if (end / 8 > atomic_load(&gate->limit)) {
                        again = writer->readying || too_dirty(writer);
                        if (writer->readying)
                                writer_wait_changed(writer);
                        else if (again)
                                r = wait_clean(writer);
                        else
                                r = extend_slot(writer, gate, end,
                                                ahead_of(appended(gate, end), READY_STEP_MAX),
                                                ready_how(writer, appended(gate, end)));
                }
        }
        pthread_mutex_unlock(&writer->lock);
        return r;
}

/* What step_ahead() returns if enough is ready, or no more may be. */
enum { NO_STEP_LEFT = 1 };

/* Take the next step of keeping space ready ahead of the claims. Under writer->lock. */
static int step_ahead(struct writer *writer)
{
        struct gate *gate = writer_gate(writer, writer->newest);
        uint64_t used = word_end(atomic_load(&gate->word));
        uint64_t until = used + keep_ahead(writer, appended(gate, used));
        uint64_t step = gate->ready + READY_STEP_MAX, page = os_page_bytes();

        if (gate->ready >= gate->segment->brief.bytes || gate->ready >= until ||
            too_dirty(writer)) {
                uint64_t poke = poke_place(writer, gate);

                if (used / 8 < poke) /* we were poked early: ask for another poke, in time */
                        atomic_store(&gate->poke, poke);
                return NO_STEP_LEFT;
        }
        until = step < until ? step : until;
        /* ready_segment() adds a page to what is wanted. */
        return extend_slot(writer, gate, until > page ? until - page : 0, 0,
                           ready_how(writer, appended(gate, used)));
}

int writer_ready_ahead(struct writer *writer)
{
        int r = writer_failure(writer);

        pthread_mutex_lock(&writer->lock);
        while (r == 0) {
                if (writer->readying) /* an append that could not wait is at it */
                        writer_wait_changed(writer);
                else
                        r = step_ahead(writer);
        }
        pthread_mutex_unlock(&writer->lock);
        return r == NO_STEP_LEFT ? 0 : r;
}

void writer_unmap_ready(struct writer *writer)
{
        uint64_t page = os_page_bytes(), from, to;
        struct segment *segment;

        if (writer_pin(writer, atomic_load(&writer->newest), &segment, &from) < 0)
                return; /* sealed meanwhile: nothing of it is ready */
        from = (from + page) & ~(page - 1);
        to = atomic_load(&segment->file_bytes);
        if (from < to)
                os_zap((char *)segment->map.base + from, to - from);
        chain_unpin(writer->chain, segment);
}
