/*
 * head.c - the writer's end of the log: claims, tail, growing, rolling
 *
 * Fast:  head_claim() and head_publish(), in the header; no lock, no system call.
 * Slow:  everything here, under head->lock. A refusal changes nothing: space is made ready before
 *        the limit moves, the next segment is complete before the active one is closed.
 * Tail:  found by walking commit words from where it was, by whoever needs it, under tail_lock.
 */
#include "head.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "detail.h"
#include "logstore.h"

#define READY_STEP_MAX (UINT64_C(1) << 20) /* made ready by one call in an append's way */
#define OVERWRITE_BYTES (UINT64_C(48) << 10)
#define DIRTY_PAUSE_NS 1000000
#define BULK_BYTES (UINT64_C(1) << 20)
#define READY_AHEAD_MAX (UINT64_C(8) << 20) /* kept ready by the background thread */

void head_init(struct head *head, struct catalog *catalog, struct control *control,
               struct wake *wake)
{
        memset(head, 0, sizeof(*head));
        head->catalog = catalog;
        head->memory = catalog->memory;
        head->control = control;
        head->directory = catalog->directory;
        head->wake = wake;
        head->poke_bytes = READY_STEP_MAX;
        atomic_store(&head->last_sync_bytes, UINT64_MAX);
        pthread_mutex_init(&head->lock, NULL);
        pthread_mutex_init(&head->tail_lock, NULL);
}

void head_free(struct head *head)
{
        while (head->active && head->oldest != head->newest + 1)
                head_retire(head, head->oldest);
        if (head->next) /* never started: the next open would drop it as well */
                os_unlink(head->directory, head->next->name);
        segment_close(head->next);
        pthread_mutex_destroy(&head->lock);
        pthread_mutex_destroy(&head->tail_lock);
}

static struct slot *slot_of(struct head *head, uint32_t turn)
{
        return &head->slots[turn % HEAD_SLOTS];
}

static uint64_t word_end(uint64_t word)
{
        return (word & (HEAD_CLOSED - 1)) * 8;
}

static uint32_t word_records(const struct slot *slot, uint64_t word)
{
        return (uint32_t)(word >> 32) - (uint32_t)slot->first_number;
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

/* ---- making space ready ---- */

/* A reader polls the commit word behind the last frame, so a whole page beyond must be there. */
static uint64_t limit_of(const struct segment *segment, uint64_t ready)
{
        return (ready >= segment->brief.bytes ? ready : ready - os_page_bytes()) / 8;
}

/* How the space of a piece is reserved and its pages made ready. Whichever: a full disk is an errno
 * here and never a signal later. */
enum ready {
        /* Pages populated one by one, blocks still to be allocated: for a small store. */
        READY_PAGES,
        /* Zeros written in large pieces: large folios, made four times as fast, and an append faults
         * once in a megabyte. For bulk: one store dirties a whole folio. */
        READY_BULK,
        /* Zeros written around the page cache, then pages populated: blocks are there and written, so
         * a sync of a few records is a plain overwrite without a journal commit. For frequent
         * syncs, which folios and fresh blocks would make slow. */
        READY_OVERWRITE,
};

static int write_zeros(int fd, uint64_t from, uint64_t to)
{
        /* Never stored to: the kernel's one page of zeros. Aligned for OS_DIRECT. */
        static _Alignas(4096) char zeros[READY_STEP_MAX];
        int r = 0;

        for (; r == 0 && from < to; from += sizeof(zeros))
                r = os_write(fd, zeros, to - from < sizeof(zeros) ? to - from : sizeof(zeros),
                             from);
        return r;
}

static int ready_range(struct segment *segment, uint64_t from, uint64_t to, enum ready how)
{
        int r = 0, direct = -1;

        if (how == READY_OVERWRITE)
                direct = os_open(segment->directory, segment->name, OS_WRITE | OS_DIRECT, 0);
        if (direct >= 0) { /* where there is none, as on tmpfs, nothing is lost */
                r = write_zeros(direct, from, to);
                os_close(direct); /* a failed write was told by the write */
        } else if (how == READY_BULK) {
                r = write_zeros(segment->fd, from, to);
        }
        if (r == 0)
                r = os_grow(segment->fd, to);
        if (r == 0 && how != READY_BULK)
                r = os_populate((char *)segment->map.base + from, to - from);
        if (r == 0)
                atomic_store(&segment->file_bytes, to);
        return r;
}

/* Make @segment ready up to @wanted at least, and @ahead further if there is space for it. */
static int make_ready(struct segment *segment, uint64_t *ready, uint64_t wanted, uint64_t ahead,
                      enum ready how)
{
        uint64_t unit = GROW_BYTES > os_page_bytes() ? GROW_BYTES : os_page_bytes();
        uint64_t least, most;
        int r = 0;

        wanted += os_page_bytes();
        least = (wanted + unit - 1) / unit * unit;
        most = (wanted + ahead + unit - 1) / unit * unit;
        least = least < segment->brief.bytes ? least : segment->brief.bytes;
        most = most < segment->brief.bytes ? most : segment->brief.bytes;
        if (most > *ready) {
                r = ready_range(segment, *ready, most, how);
                if (r == -ENOSPC && least < most && least > *ready) {
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
                              "%s: offset %llu: no space for %llu bytes: %s: make room, then "
                              "append again",
                              segment->name, (unsigned long long)*ready,
                              (unsigned long long)(least - *ready), logstore_error_text(r));
        return 0;
}

static uint64_t ahead_of(uint64_t used, uint64_t most)
{
        return used < GROW_BYTES ? GROW_BYTES / 2 : used < most ? used : most;
}

static void raise_limit(struct head *head, struct slot *slot)
{
        uint64_t limit = limit_of(slot->segment, slot->ready);
        uint64_t poke = head->poke_bytes / 8;

        atomic_store(&slot->poke, slot->ready >= slot->segment->brief.bytes ? limit
                                  : limit > 2 * poke                        ? limit - 2 * poke
                                                                            : limit / 2);
        atomic_store(&slot->limit, limit);
        if (atomic_load(
                    &head->failed)) /* pairs with head_fail(), which stores in the other order */
                atomic_store(&slot->limit, 0);
}

/*
 * Is more of the unsealed segments dirty, or under writeback, than is allowed? Under head->lock. The
 * kernel is asked only if it could be (0.2 ms a GiB); one without cachestat(2) does not say.
 */
static bool too_dirty(struct head *head)
{
        uint64_t could_be = 0, pages = 0;

        for (uint32_t turn = head->oldest; turn != head->newest + 1; turn++)
                could_be += slot_of(head, turn)->ready;
        if (could_be <= head->dirty_hard_bytes)
                return false;
        for (uint32_t turn = head->oldest; turn != head->newest + 1; turn++) {
                struct slot *slot = slot_of(head, turn);
                struct os_cachestat stat;
                if (os_cachestat(slot->segment->fd, 0, slot->ready, &stat) == 0)
                        pages += stat.dirty + stat.writeback;
        }
        return pages * os_page_bytes() > head->dirty_hard_bytes;
}

/* Before more is made ready for an append: wait until enough is written, or refuse. */
static int wait_clean(struct head *head)
{
        int r = 0;

        while (r == 0 && too_dirty(head)) {
                if (head->dirty_refuses)
                        return detail(-EAGAIN,
                                      "more than %llu bytes wait to be written: sync, or "
                                      "append again later",
                                      (unsigned long long)head->dirty_hard_bytes);
                for (uint32_t turn = head->oldest; turn != head->newest + 1; turn++)
                        os_start_writeback(slot_of(head, turn)->segment->fd, 0,
                                           slot_of(head, turn)->ready);
                pthread_mutex_unlock(&head->lock);
                os_sleep(DIRTY_PAUSE_NS);
                pthread_mutex_lock(&head->lock);
                r = head_failure(head);
        }
        return r;
}

/* By what there is and how often it is synced. */
static enum ready ready_how(struct head *head, uint64_t used)
{
        bool often = atomic_load(&head->last_sync_bytes) < BULK_BYTES;

        if (often)
                return used >= OVERWRITE_BYTES ? READY_OVERWRITE : READY_PAGES;
        return used >= BULK_BYTES ? READY_BULK : READY_PAGES;
}

int head_extend(struct head *head, uint64_t bytes, uint32_t *ret_turn)
{
        struct slot *slot;
        uint64_t end;
        int r = head_failure(head);

        if (r < 0)
                return r;
        pthread_mutex_lock(&head->lock);
        r = wait_clean(head);
        *ret_turn = head->newest;
        slot = slot_of(head, head->newest);
        end = word_end(atomic_load(&slot->word)) + bytes;
        if (r == 0 && (atomic_load(&slot->word) & HEAD_CLOSED || end > slot->segment->brief.bytes))
                r = 1;
        else if (r == 0 && end / 8 > atomic_load(&slot->limit))
                r = make_ready(slot->segment, &slot->ready, end, ahead_of(end, READY_STEP_MAX),
                               ready_how(head, end));
        if (r == 0)
                raise_limit(head, slot);
        pthread_mutex_unlock(&head->lock);
        return r;
}

int head_ready_ahead(struct head *head)
{
        bool again = true;
        int r = head_failure(head);

        while (r == 0 && again) { /* a step at a time: an append may need the lock meanwhile */
                struct slot *slot;
                uint64_t used, ahead;

                pthread_mutex_lock(&head->lock);
                slot = slot_of(head, head->newest);
                used = word_end(atomic_load(&slot->word));
                ahead = ahead_of(used, READY_AHEAD_MAX);
                again = slot->ready < slot->segment->brief.bytes && slot->ready < used + ahead &&
                        !too_dirty(head);
                if (again) {
                        uint64_t wanted = slot->ready + READY_STEP_MAX < used + ahead
                                                  ? slot->ready + READY_STEP_MAX
                                                  : used + ahead;
                        r = make_ready(slot->segment, &slot->ready, wanted - os_page_bytes(), 0,
                                       ready_how(head, used));
                        if (r == 0)
                                raise_limit(head, slot);
                }
                pthread_mutex_unlock(&head->lock);
        }
        return r;
}

/* ---- segments ---- */

static int add_index(struct catalog *catalog, struct segment *segment)
{
        int r = index_new(catalog->memory, segment->brief.bytes, &segment->index);

        return r < 0 ? detail(r, "%s: no memory for an index: %s", segment->name,
                              logstore_error_text(r))
                     : 0;
}

static int open_prepared(struct catalog *catalog, uint64_t segment_bytes, uint32_t mode,
                         uint64_t *ret_ready, struct segment **ret)
{
        uint64_t id = ++catalog->highest_id;
        struct segment *segment = NULL;
        uint64_t ready = 0;
        int r = segment_prepare(catalog->directory, catalog->uuid, id, segment_bytes, mode);

        if (r == 0)
                r = segment_open(catalog->memory, catalog->directory, catalog->uuid, id,
                                 OS_SHARED_WRITE, &segment);
        if (r == 0)
                r = add_index(catalog, segment);
        if (r == 0)
                r = make_ready(segment, &ready, FRAMES_OFFSET, 0, READY_PAGES);
        if (r < 0) {
                char name[32];
                segment_name(id, name);
                segment_close(segment);
                os_unlink(catalog->directory, name); /* never started: a leftover at worst */
                return r;
        }
        segment->index_shared = true;
        *ret_ready = ready;
        *ret = segment;
        return 0;
}

static int prepare_locked(struct head *head)
{
        const struct control_static *fixed = &head->control->page->fixed;
        int r;

        if (head->next)
                return 0;
        r = catalog_reserve(head->catalog);
        if (r == 0)
                r = open_prepared(head->catalog, fixed->segment_bytes, fixed->file_mode,
                                  &head->next_ready, &head->next);
        if (r == -EIO) { /* a failed sync is final, whatever it was of */
                head_fail(head, logstore_detail());
                r = head_failure(head);
        }
        return r;
}

int head_prepare(struct head *head)
{
        int r = head_failure(head);

        pthread_mutex_lock(&head->lock);
        if (r == 0)
                r = prepare_locked(head);
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

/* Publish a slot for @segment, in which claims go on behind @offset with @number. */
static void open_slot(struct head *head, struct segment *segment, uint64_t ready, uint64_t offset,
                      uint64_t number)
{
        struct slot *slot = slot_of(head, ++head->newest);

        slot->base = segment->map.base;
        slot->first_number = segment->brief.start.first_number;
        slot->segment = segment;
        slot->index = &segment->index;
        slot->ready = ready;
        raise_limit(head, slot);
        /* Pairs with the acquire load in head_claim(): who sees the word sees the rest. */
        atomic_store_explicit(&slot->word, number << 32 | offset / 8, memory_order_release);
        atomic_store_explicit(&head->active, slot, memory_order_release);
        /* A hint for readers in other processes; after the start frame that it leads to. */
        atomic_store_explicit(&head->control->page->head_id, segment->brief.id,
                              memory_order_release);
}

int head_begin(struct head *head, struct segment *segment, const struct tail *tail,
               uint32_t ordinal)
{
        uint64_t ready = 0;
        int r = make_ready(segment, &ready, tail->offset, 0, READY_PAGES);

        if (r == -ENOSPC) /* a full disk: open all the same, the next append asks again */
                ready = tail->offset & ~(uint64_t)(os_page_bytes() - 1);
        else if (r < 0)
                return r;
        head->oldest = 1;
        head->newest = 0;
        head->tail = *tail;
        head->tail.turn = 1;
        head->tail.segment_id = segment->brief.id;
        atomic_store(&head->tail_number, tail->number);
        open_slot(head, segment, ready, tail->offset, segment->brief.start.first_number + ordinal);
        return 0;
}

/* Close the active slot for good and say where it ended. */
static uint64_t freeze(struct slot *slot)
{
        return atomic_fetch_or(&slot->word, HEAD_CLOSED);
}

/* Everything is ready: this cannot fail. */
static void start_next(struct head *head, const struct start_payload *start)
{
        segment_start(head->next, start, os_now());
        catalog_add(head->catalog, head->next);
        open_slot(head, head->next, head->next_ready, FRAMES_OFFSET, start->first_number);
        head->next = NULL;
}

int head_roll(struct head *head, uint32_t turn)
{
        struct start_payload start = { 0 };
        struct slot *slot;
        struct tail tail;
        uint64_t word;
        int r = head_failure(head);

        pthread_mutex_lock(&head->lock);
        if (r == 0 && head->newest == turn) {
                r = head->newest + 1 - head->oldest >= HEAD_SLOTS ? -EAGAIN : prepare_locked(head);
                if (r == 0) {
                        slot = slot_of(head, turn);
                        word = freeze(slot);
                        start.previous_records = word_records(slot, word);
                        start.first_number = slot->first_number + start.previous_records;
                        start.epoch = head->control->epoch;
                        start.previous_id = slot->segment->brief.id;
                        start.previous_salt = slot->segment->brief.salt;
                        start.previous_end = word_end(word);
                        head_tail(head, &tail);
                        start.greatest_ns = tail.greatest_ns;
                        start_next(head, &start);
                }
        }
        pthread_mutex_unlock(&head->lock);
        if (r == 0)
                head_poke(head);
        return r;
}

int head_fork(struct head *head, const struct start_payload *start)
{
        int r;

        pthread_mutex_lock(&head->lock);
        r = prepare_locked(head);
        if (r == 0) {
                freeze(slot_of(head, head->newest));
                pthread_mutex_lock(&head->tail_lock);
                start_next(head, start);
                head->tail = (struct tail){
                        .number = start->first_number - 1,
                        .segment_id = slot_of(head, head->newest)->segment->brief.id,
                        .offset = FRAMES_OFFSET,
                        .greatest_ns = start->greatest_ns,
                        .turn = head->newest,
                };
                atomic_store(&head->tail_number, head->tail.number);
                pthread_mutex_unlock(&head->tail_lock);
        }
        pthread_mutex_unlock(&head->lock);
        return r;
}

int head_oldest_full(struct head *head, uint32_t *ret_turn, struct tail *ret_end)
{
        struct tail tail;
        int r = -EAGAIN;

        head_tail(head, &tail);
        pthread_mutex_lock(&head->lock);
        /* The tail enters a slot only when the one before is resolved to its end. */
        if (head->oldest != head->newest && tail.turn != head->oldest) {
                struct slot *slot = slot_of(head, head->oldest);
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
        segment = slot_of(head, turn)->segment;
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
                *ret = slot_of(head, turn)->segment;
                *ret_claimed_end = word_end(atomic_load(&slot_of(head, turn)->word));
                catalog_hold(head->catalog, *ret);
                r = 0;
        }
        pthread_mutex_unlock(&head->lock);
        return r;
}

/* ---- tail ---- */

static void walk_slot(struct head *head, struct slot *slot, uint64_t end, struct tail *tail)
{
        struct tail at = *tail;
        struct record_view view;
        int r;

        while (at.offset < end) {
                const struct frame *frame = (const struct frame *)(slot->base + at.offset);
                r = record_peek(slot->base, at.offset, end, &view);
                if (r == -EBADMSG)
                        head_fail(head, "a frame in memory was overwritten by a stray write");
                if (r < 0)
                        break;
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

/* Walks in pieces would do; a whole segment at most is walked at once. */
static void advance_tail(struct head *head)
{
        struct tail *tail = &head->tail;

        for (;;) {
                struct slot *slot = slot_of(head, tail->turn);
                uint64_t word = atomic_load(&slot->word);

                walk_slot(head, slot, word_end(word), tail);
                if (!(word & HEAD_CLOSED) || tail->offset < word_end(word))
                        break;
                /* Closed, so the next slot is, or is about to be, open. */
                if (atomic_load(&head->active) == slot)
                        break;
                slot->greatest_ns = tail->greatest_ns;
                tail->turn++;
                tail->segment_id = slot_of(head, tail->turn)->segment->brief.id;
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

void head_poke(struct head *head)
{
        if (!head->threaded)
                return;
        atomic_store(&head->asleep, 0);
        atomic_fetch_add(&head->poked, 1);
        os_futex_wake(&head->poked, 1, false);
}
