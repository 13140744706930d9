/*
 * promise.c - the oracle
 */
#include "promise.h"

#include <stdlib.h>
#include <string.h>

#include "disk.h"

#define TABLE_BYTES (1u << 20)

static uint8_t table[TABLE_BYTES + PROMISE_PAYLOAD_MAX];

const uint8_t *promise_payload(uint32_t ticket, uint32_t size)
{
        uint64_t where = rng_mix(ticket + ((uint64_t)size << 32));

        if (!table[0]) {
                struct rng rng = { 1 };
                for (size_t i = 0; i < sizeof(table); i += 8)
                        memcpy(table + i, &(uint64_t){ rng_next(&rng) }, 8);
                table[0] |= 1;
        }
        return table + where % TABLE_BYTES;
}

void promise_begin(struct promise *promise, uint64_t first, uint32_t tickets)
{
        *promise = (struct promise){ .first_low = first,
                                     .first_high = first,
                                     .base = first,
                                     .tail = first - 1,
                                     .tickets = tickets };
}

static struct entry *copy_entries(const struct entry *entries, uint32_t count)
{
        struct entry *copy;

        if (count == 0)
                return NULL;
        copy = malloc(count * sizeof(*copy));
        if (!copy)
                disk_refuse("no memory for an oracle");
        memcpy(copy, entries, count * sizeof(*copy));
        return copy;
}

void promise_copy(struct promise *to, const struct promise *from)
{
        uint32_t skip = from->first_low > from->base ? (uint32_t)(from->first_low - from->base) : 0;

        *to = *from;
        if (skip > from->count)
                skip = from->count;
        to->base += skip;
        to->count = to->capacity = from->count - skip;
        to->entries = copy_entries(from->entries + skip, to->count);
        to->behind = copy_entries(from->behind, from->behind_count);
}

void promise_free(struct promise *promise)
{
        free(promise->entries);
        free(promise->behind);
        promise->entries = promise->behind = NULL;
}

struct entry *promise_entry(const struct promise *promise, uint64_t number)
{
        if (number < promise->base || number - promise->base >= promise->count)
                return NULL;
        return &promise->entries[number - promise->base];
}

static void push(struct promise *promise, struct entry entry)
{
        if (promise->count == promise->capacity) {
                promise->capacity = promise->capacity * 2 + 64;
                promise->entries =
                        realloc(promise->entries, promise->capacity * sizeof(*promise->entries));
                if (!promise->entries)
                        disk_refuse("no memory for an oracle");
        }
        promise->entries[promise->count++] = entry;
}

static void forget_behind(struct promise *promise)
{
        free(promise->behind);
        promise->behind = NULL;
        promise->behind_count = 0;
}

/* What is under way may also come to stand behind the cut. */
static void ask_behind(struct promise *promise)
{
        forget_behind(promise);
        promise->behind_count = promise->asked;
        promise->behind =
                copy_entries(&promise->entries[promise->count - promise->asked], promise->asked);
}

uint64_t promise_ask(struct promise *promise, enum entry_kind kind, const uint32_t *sizes,
                     uint32_t count)
{
        uint64_t first = promise->tail + 1;

        for (uint32_t i = 0; i < count; i++)
                push(promise, (struct entry){ .size = sizes[i],
                                              .ticket = promise->tickets++,
                                              .kind = (uint8_t)kind,
                                              .more = i + 1 < count });
        promise->tail += count;
        promise->asked = count;
        if (promise->truncating)
                ask_behind(promise);
        return first;
}

void promise_take_back(struct promise *promise, uint32_t count)
{
        forget_behind(promise);
        promise->asked = 0;
        promise->tail -= count;
        promise->count -= count;
}

/* ---- a truncation ---- */

void promise_cut(struct promise *promise, uint64_t cut, bool emptying)
{
        promise->truncating = true;
        promise->emptying = emptying;
        promise->cut = cut;
        ask_behind(promise);
}

void promise_settle_cut(struct promise *promise, uint32_t tickets)
{
        struct entry *behind = promise->behind;
        uint32_t count = promise->behind_count;

        promise->behind = NULL;
        promise_adopt(promise, promise->emptying ? promise->cut + 1 : promise->first_low,
                      promise->cut, tickets);
        for (uint32_t i = 0; i < count; i++)
                push(promise, behind[i]);
        promise->tail += count;
        promise->asked = count;
        free(behind);
}

void promise_forget_cut(struct promise *promise)
{
        promise->truncating = promise->emptying = false;
        forget_behind(promise);
}

void promise_got(struct promise *promise, uint64_t number, uint32_t tickets)
{
        if (promise->behind_count > 0 && number == promise->cut + 1)
                promise_settle_cut(promise, tickets);
        forget_behind(promise);
        promise->asked = 0;
}

void promise_ack_ticket(struct promise *promise, uint64_t number, uint32_t ticket)
{
        const struct entry *entry = promise_entry(promise, number);

        if (entry && entry->ticket == ticket)
                promise_ack(promise, number);
}

uint64_t promise_resolved(const struct promise *promise)
{
        for (uint64_t number = promise->first_low; number <= promise->tail; number++) {
                const struct entry *entry = promise_entry(promise, number);
                if (entry && entry->kind == ENTRY_OPEN)
                        return number - 1;
        }
        return promise->tail;
}

void promise_ack(struct promise *promise, uint64_t number)
{
        if (promise->acked < number)
                promise->acked = number;
}

/* What stands at numbers below @number is not what was appended, or may not be. */
static void forget_before(struct promise *promise, uint64_t number)
{
        uint32_t skip = number > promise->base ? (uint32_t)(number - promise->base) : 0;

        if (skip > promise->count)
                skip = promise->count;
        if (skip > 0)
                memmove(promise->entries, promise->entries + skip,
                        (promise->count - skip) * sizeof(*promise->entries));
        promise->base += skip;
        promise->count -= skip;
}

void promise_adopt(struct promise *promise, uint64_t first, uint64_t tail, uint32_t tickets)
{
        forget_behind(promise);
        promise->asked = 0;
        promise->created = true;
        promise->truncating = promise->emptying = promise->damaged = false;
        promise->restored = promise->may_be_damaged = promise->unproven = false;
        if (promise->came_back > tail + 1)
                promise->came_back = tail + 1;
        promise->first_low = promise->first_high = first;
        promise->tail = promise->acked = tail;
        promise->tickets = tickets;
        if (first > tail || tail < promise->base ||
            tail - promise->base >= promise->count + UINT64_C(1)) {
                promise->base = tail + 1; /* emptied, and perhaps begun elsewhere */
                promise->count = 0;
        } else {
                promise->count = (uint32_t)(tail - promise->base + 1);
        }
        forget_before(promise, promise->came_back);
}

/* The end alone: between what was acknowledged and what was asked for, at no forbidden place. */
static const char *refuse_tail(const struct promise *promise, uint64_t tail, const char **ret_class)
{
        const struct entry *last = promise_entry(promise, tail);

        if (promise->truncating && !promise->emptying && tail == promise->cut)
                return NULL;
        *ret_class = "LOST";
        if (promise->damaged)
                return "the log does not end where a repair cut it";
        if (tail < promise->acked)
                return "the log ends before what was acknowledged";
        *ret_class = "INVENTED";
        if (tail > promise->tail)
                return "the log ends behind all that was appended";
        if (tail > promise_resolved(promise))
                return "the log goes beyond an unresolved claim";
        *ret_class = "HOLE";
        return last && last->more ? "the log ends inside a batch" : NULL;
}

const char *promise_refuses(const struct promise *promise, uint64_t first, uint64_t tail,
                            const char **ret_class)
{
        if (promise->truncating && promise->emptying && tail == promise->cut && first == tail + 1)
                return NULL;
        *ret_class = "INVENTED";
        if (first < promise->first_low)
                return "the log begins before what a trim made its first number";
        *ret_class = "LOST";
        if (first > promise->first_high)
                return "the log begins behind its first number";
        *ret_class = "HOLE";
        if (first > tail + 1)
                return "the log begins behind its end";
        return refuse_tail(promise, tail, ret_class);
}
