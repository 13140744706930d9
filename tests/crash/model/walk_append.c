/*
 * walk_append.c - appending in all forms, claims, refusals, sync
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "walk.h"

#define BATCH_MAX 8

static uint32_t some_size(struct walk *walk)
{
        uint64_t dice = walk_below(walk, 100);

        if (dice < 5)
                return 0;
        if (dice < 90)
                return (uint32_t)walk_below(walk, 200);
        return (uint32_t)walk_below(walk, dice < 99 ? 2000 : 30000);
}

static int64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* What the store is about to be given under the next number, entered into the model. */
static const unsigned char *enter(struct walk *walk, uint32_t size, int64_t time_ns, bool more)
{
        uint64_t number = model_add(&walk->model, MODEL_RECORD, size, walk->random, time_ns, more);

        return model_payload(&walk->model, number);
}

void walk_append(struct walk *walk)
{
        uint32_t size = some_size(walk);
        const unsigned char *data = enter(walk, size, 0, false);
        uint64_t number = 0;

        walk_expect(walk, logstore_append(walk->writer, data, size, &number), 0);
        walk_expect(walk, (int64_t)number, (int64_t)walk->model.last);
}

void walk_appendv(struct walk *walk)
{
        uint32_t size = some_size(walk), one = (uint32_t)walk_below(walk, size + 1u);
        unsigned char *data = (unsigned char *)enter(walk, size, 0, false);
        struct iovec pieces[3] = { { data, one }, { NULL, 0 }, { data + one, size - one } };
        uint64_t number = 0;

        walk_expect(walk, logstore_appendv(walk->writer, pieces, 3, &number), 0);
        walk_expect(walk, (int64_t)number, (int64_t)walk->model.last);
}

void walk_batch(struct walk *walk)
{
        static unsigned char copies[BATCH_MAX][32000];
        struct logstore_entry entries[BATCH_MAX];
        unsigned count = 1 + (unsigned)walk_below(walk, BATCH_MAX);
        uint64_t first = 0, want = walk->model.last + 1;

        for (unsigned i = 0; i < count; i++) {
                uint32_t size = some_size(walk) % 4000;
                int64_t time_ns = 0;

                if (walk_below(walk, 2))
                        time_ns = now_ns() + (int64_t)walk_below(walk, 20000000) - 10000000;
                memcpy(copies[i], enter(walk, size, time_ns, i + 1 < count), size);
                entries[i] = (struct logstore_entry){ copies[i], size, time_ns };
        }
        walk_expect(walk, logstore_append_batch(walk->writer, entries, count, &first), 0);
        walk_expect(walk, (int64_t)first, (int64_t)want);
}

void walk_claim(struct walk *walk)
{
        unsigned slot = (unsigned)walk_below(walk, WALK_CLAIMS);
        struct logstore_claim *claim = &walk->claims[slot].claim;
        uint32_t size = some_size(walk) % 3000;

        if (walk->claims[slot].open)
                return;
        model_add(&walk->model, MODEL_PENDING, size, walk->random, 0, false);
        walk_expect(walk, logstore_claim(walk->writer, size, claim), 0);
        walk_expect(walk, (int64_t)claim->number, (int64_t)walk->model.last);
        walk_expect(walk, (int64_t)claim->size, size);
        walk->claims[slot].open = true;
}

static void become_void(struct walk *walk, uint64_t number)
{
        struct model_entry *entry = &walk->model.entries[number];

        entry->kind = MODEL_VOID;
        entry->timed = true;
        entry->time_ns = now_ns();
}

static void resolve_slot(struct walk *walk, unsigned slot)
{
        struct logstore_claim *claim = &walk->claims[slot].claim;
        struct model_entry *entry = &walk->model.entries[claim->number];

        walk->claims[slot].open = false;
        if (walk_below(walk, 3) == 0) {
                become_void(walk, claim->number);
                walk_expect(walk, logstore_abort(walk->writer, claim), 0);
        } else {
                entry->kind = MODEL_RECORD;
                entry->size = (uint32_t)walk_below(walk, claim->size + 1);
                memcpy(claim->data, model_payload(&walk->model, claim->number), entry->size);
                walk_expect(walk, logstore_commit(walk->writer, claim, entry->size), 0);
        }
        if (walk_below(walk, 16) == 0) {
                walk_expect(walk, logstore_commit(walk->writer, claim, 0), -ECANCELED);
                walk_expect(walk, logstore_abort(walk->writer, claim), -ECANCELED);
        }
}

static unsigned open_claims(const struct walk *walk)
{
        unsigned count = 0;

        for (unsigned i = 0; i < WALK_CLAIMS; i++)
                count += walk->claims[i].open;
        return count;
}

static void cancel_all(struct walk *walk)
{
        walk_expect(walk, logstore_cancel_claims(walk->writer, 0), open_claims(walk));
        for (unsigned i = 0; i < WALK_CLAIMS; i++) {
                if (!walk->claims[i].open)
                        continue;
                walk->claims[i].open = false;
                become_void(walk, walk->claims[i].claim.number);
                walk_expect(walk, logstore_commit(walk->writer, &walk->claims[i].claim, 0),
                            -ECANCELED);
        }
}

void walk_resolve(struct walk *walk)
{
        unsigned slot = (unsigned)walk_below(walk, WALK_CLAIMS);

        if (walk_below(walk, 20) == 0)
                cancel_all(walk);
        else if (walk->claims[slot].open)
                resolve_slot(walk, slot);
}

void walk_resolve_claims(struct walk *walk)
{
        for (unsigned i = 0; i < WALK_CLAIMS; i++)
                if (walk->claims[i].open)
                        resolve_slot(walk, i);
}

/* What must use no number and change nothing. */
void walk_refused(struct walk *walk)
{
        size_t too_large = (size_t)logstore_max_record(walk->writer) + 1;
        static unsigned char data[70000];
        struct logstore_entry entries[2] = { { data, 40000, 0 }, { data, 40000, 0 } };
        struct logstore_claim claim;
        uint64_t number = 77;

        switch (walk_below(walk, 4)) {
        case 0:
                walk_expect(walk, logstore_append(walk->writer, data, too_large, &number),
                            -EMSGSIZE);
                break;
        case 1:
                walk_expect(walk, logstore_append_batch(walk->writer, entries, 2, &number),
                            -EMSGSIZE);
                break;
        case 2:
                walk_expect(walk, logstore_claim(walk->writer, too_large, &claim), -EMSGSIZE);
                break;
        default:
                if (walk->reader)
                        walk_expect(walk, logstore_append(walk->reader, "x", 1, &number), -EROFS);
        }
        walk_expect(walk, (int64_t)number, 77);
}

void walk_sync(struct walk *walk)
{
        uint64_t tail = model_tail(&walk->model), durable = 0;
        uint64_t number = walk_below(walk, 2) ? 0 : walk_some_number(walk);
        int want = 0;

        if (number > walk->model.last)
                want = -EAGAIN;
        else if (number > tail)
                want = -EDEADLK; /* all claims are this thread's */
        else if (number == 0 && tail < walk->model.last)
                want = -EDEADLK; /* everything so far, own claims too */
        walk_expect(walk, logstore_sync(walk->writer, number), want);
        if (want < 0)
                return;
        if (number == 0)
                number = tail;
        walk_expect(walk, logstore_durable(walk->writer, &durable), 0);
        if (durable < number || durable > tail)
                walk_fail(walk, "durable is %llu, synced %llu, tail %llu",
                          (unsigned long long)durable, (unsigned long long)number,
                          (unsigned long long)tail);
        if (number > walk->model.durable)
                walk->model.durable = number;
}
