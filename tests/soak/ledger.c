/* ledger.c - see ledger.h */
#include "ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PAYLOAD_MOST 32768u
#define TOLD 20u

struct ledger *ledger_new(void)
{
        void *memory = mmap(NULL, sizeof(struct ledger), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                return NULL;
        ledger_restart(memory);
        return memory;
}

void ledger_restart(struct ledger *ledger)
{
        atomic_store(&ledger->low, 0);
        atomic_store(&ledger->high, 0);
        atomic_store(&ledger->first_asked, 1);
        atomic_store(&ledger->first_done, 1);
        ledger->open.change = NO_CHANGE;
        for (size_t i = 0; i < LEDGER_NUMBERS; i++) {
                atomic_store(&ledger->numbers[i].number, 0);
                atomic_store(&ledger->numbers[i].least, 0);
        }
}

uint64_t mix64(uint64_t x)
{
        x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
        return x ^ x >> 32;
}

void say_false(struct ledger *ledger, const char *what, uint64_t number, int error)
{
        if (atomic_fetch_add(&ledger->falses, 1) < TOLD)
                fprintf(stderr, "false: %s, record %" PRIu64 ": %s: %s\n", what, number,
                        logstore_error_text(error), logstore_detail());
}

/* ---- payloads ---- */

static uint64_t payload_word(uint64_t serial, uint64_t number, size_t i)
{
        return mix64(serial * 31 + number) + i;
}

/* The number and the size, the serial, and words that follow from number and serial. */
static void make_payload(uint64_t *words, uint64_t number, uint64_t serial, size_t size)
{
        words[0] = number << 16 | size;
        words[1] = serial;
        for (size_t i = 2; i * 8 < size; i++)
                words[i] = payload_word(serial, number, i);
}

static bool is_payload_of(uint64_t number, const void *data, size_t size)
{
        uint64_t head[2];
        size_t at = sizeof(head);

        if (size < sizeof(head))
                return false;
        memcpy(head, data, sizeof(head));
        if (head[0] != (number << 16 | size))
                return false;
        for (; at < size; at += 8) {
                uint64_t word = payload_word(head[1], number, at / 8);

                if (memcmp((const char *)data + at, &word, size - at < 8 ? size - at : 8) != 0)
                        return false;
        }
        return true;
}

static uint64_t serial_of(const void *data)
{
        uint64_t head[2];

        memcpy(head, data, sizeof(head));
        return head[1];
}

const void *append_begins(struct ledger *ledger, uint64_t number, size_t large, size_t *ret_size)
{
        static uint64_t words[PAYLOAD_MOST / 8 + 1];
        uint64_t serial = atomic_load(&ledger->serial) + 1;
        uint64_t chance = mix64(serial);
        uint64_t slot = number % LEDGER_NUMBERS;

        ledger->open.number = number;
        ledger->open.serial = serial;
        ledger->open.change = APPENDS;
        atomic_store(&ledger->serial, serial);
        if (atomic_load(&ledger->numbers[slot].number) != number) {
                atomic_store(&ledger->numbers[slot].least, 0);
                atomic_store(&ledger->numbers[slot].number, number);
        }
        atomic_store(&ledger->numbers[slot].greatest, serial);
        if (number > atomic_load(&ledger->high))
                atomic_store(&ledger->high, number);
        *ret_size =
                chance % large ? 16 + chance / 64 % 200 : 16 + chance / 64 % (PAYLOAD_MOST - 16);
        if (large == 1)
                *ret_size = 30000;
        make_payload(words, number, serial, *ret_size);
        return words;
}

void append_done(struct ledger *ledger)
{
        uint64_t number = ledger->open.number;

        atomic_store(&ledger->numbers[number % LEDGER_NUMBERS].least, ledger->open.serial);
        atomic_store(&ledger->low, number);
        ledger->open.change = NO_CHANGE;
}

void trim_begins(struct ledger *ledger, uint64_t number)
{
        if (number > atomic_load(&ledger->first_asked))
                atomic_store(&ledger->first_asked, number);
        ledger->open.change = TRIMS;
}

void trim_done(struct ledger *ledger, uint64_t first)
{
        if (first > atomic_load(&ledger->first_asked) || first < atomic_load(&ledger->first_done))
                say_false(ledger, "trim's first number", first, 0);
        atomic_store(&ledger->first_done, first);
        ledger->open.change = NO_CHANGE;
}

void cut_begins(struct ledger *ledger, uint64_t tail)
{
        uint64_t i = atomic_load(&ledger->cuts_begun);

        ledger->open.number = tail;
        ledger->open.before = atomic_load(&ledger->low);
        ledger->open.change = CUTS;
        atomic_store(&ledger->cuts[i % LEDGER_CUTS].tail, tail);
        atomic_store(&ledger->cuts[i % LEDGER_CUTS].happened, false);
        atomic_store(&ledger->cuts_begun, i + 1);
        atomic_store(&ledger->low, tail);
}

/* The cut that is open has happened, or will not. */
static void cut_ends(struct ledger *ledger, bool happened)
{
        uint64_t i = atomic_load(&ledger->cuts_done);
        uint64_t serial = atomic_load(&ledger->serial) + 1;

        for (uint64_t n = ledger->open.number + 1; happened && n <= ledger->open.before; n++)
                if (atomic_load(&ledger->numbers[n % LEDGER_NUMBERS].number) == n)
                        atomic_store(&ledger->numbers[n % LEDGER_NUMBERS].least, serial);
        atomic_store(&ledger->cuts[i % LEDGER_CUTS].happened, happened);
        atomic_store(&ledger->cuts_done, i + 1);
        atomic_store(&ledger->low, happened ? ledger->open.number : ledger->open.before);
        ledger->open.change = NO_CHANGE;
}

void cut_done(struct ledger *ledger)
{
        cut_ends(ledger, true);
}

void settle(struct ledger *ledger, const struct logstore_bounds *bounds)
{
        uint64_t low = atomic_load(&ledger->low);
        uint64_t first = atomic_load(&ledger->first_done);
        bool trims = ledger->open.change == TRIMS && bounds->first > first &&
                     bounds->first <= atomic_load(&ledger->first_asked);

        if (bounds->first != first && !trims)
                say_false(ledger, "the first number at an open for writing", bounds->first, 0);
        atomic_store(&ledger->first_done, bounds->first);
        if (ledger->open.change == APPENDS && bounds->tail == ledger->open.number)
                append_done(ledger);
        else if (ledger->open.change == CUTS && bounds->tail == ledger->open.before)
                cut_ends(ledger, false);
        else if (bounds->tail != low)
                say_false(ledger, "the tail at an open for writing", bounds->tail, 0);
        else if (ledger->open.change == CUTS)
                cut_ends(ledger, true);
        ledger->open.change = NO_CHANGE;
}

/* ---- readers ---- */

struct moment look(struct ledger *ledger)
{
        return (struct moment){
                .low = atomic_load(&ledger->low),
                .high = atomic_load(&ledger->high),
                .first_asked = atomic_load(&ledger->first_asked),
                .first_done = atomic_load(&ledger->first_done),
                .cuts_begun = atomic_load(&ledger->cuts_begun),
                .cuts_done = atomic_load(&ledger->cuts_done),
        };
}

bool may_be_cut(struct ledger *ledger, uint64_t from, uint64_t number)
{
        uint64_t begun = atomic_load(&ledger->cuts_begun);
        uint64_t done = atomic_load(&ledger->cuts_done);

        for (uint64_t i = from; i < begun; i++)
                if (atomic_load(&ledger->cuts[i % LEDGER_CUTS].tail) < number &&
                    (i >= done || atomic_load(&ledger->cuts[i % LEDGER_CUTS].happened)))
                        return true;
        return false;
}

bool must_be_cut(struct ledger *ledger, uint64_t from, const struct moment *moment, uint64_t number)
{
        for (uint64_t i = from; i < moment->cuts_done; i++)
                if (atomic_load(&ledger->cuts[i % LEDGER_CUTS].tail) < number &&
                    atomic_load(&ledger->cuts[i % LEDGER_CUTS].happened))
                        return true;
        return false;
}

/* The cuts are looked at last: what lowers the end is noted as begun first. */
bool is_there(struct ledger *ledger, const struct moment *before, uint64_t number)
{
        return number <= before->low && number >= atomic_load(&ledger->first_asked) &&
               before->cuts_begun == atomic_load(&ledger->cuts_begun);
}

uint64_t least_serial(struct ledger *ledger, uint64_t number)
{
        uint64_t slot = number % LEDGER_NUMBERS;
        uint64_t least = atomic_load(&ledger->numbers[slot].least);

        return atomic_load(&ledger->numbers[slot].number) == number ? least : 0;
}

void judge_record(struct ledger *ledger, const char *what, const struct logstore_record *record,
                  uint64_t least)
{
        uint64_t slot = record->number % LEDGER_NUMBERS;

        if (!is_payload_of(record->number, record->data, record->size))
                say_false(ledger, what, record->number, -EILSEQ);
        else if (serial_of(record->data) < least ||
                 serial_of(record->data) > atomic_load(&ledger->numbers[slot].greatest))
                say_false(ledger, what, record->number, -ESTALE);
        atomic_fetch_add(&ledger->records, 1);
}

void judge_bounds(struct ledger *ledger, const char *what, const struct moment *before,
                  const struct logstore_bounds *bounds)
{
        struct moment after = look(ledger);

        if (bounds->first < before->first_done || bounds->first > after.first_asked)
                say_false(ledger, what, bounds->first, 0);
        if (bounds->tail > after.high ||
            (bounds->tail < before->low && before->cuts_begun == after.cuts_begun))
                say_false(ledger, what, bounds->tail, 0);
}
