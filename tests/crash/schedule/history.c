/*
 * history.c - operations in the order of their beginnings
 */
#include "history.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "scheduler.h"
#include "weak.h"

struct history history = { .ticks = 1, .keys = 100 };

uint64_t history_now(void)
{
        clock_meet();
        return history.ticks++;
}

struct op *history_begin(enum act act, uint64_t number)
{
        struct op *op;

        if (history.count == sizeof(history.ops) / sizeof(history.ops[0]))
                verdict("the scenario does too much");
        op = &history.ops[history.count++];
        *op = (struct op){ .act = act, .number = number, .result = 1, .begin = history_now() };
        return op;
}

int history_end(struct op *op, int result)
{
        weak_drain_all_of(scheduler_current);
        op->result = result;
        op->end = history_now();
        return result;
}

void history_fill(char *data, size_t size, uint64_t key)
{
        if (size < sizeof(key))
                verdict("a payload has room for its key");
        memcpy(data, &key, sizeof(key));
        for (size_t i = sizeof(key); i < size; i += 8) {
                uint64_t word = (key << 32 | i) * 0x9e3779b97f4a7c15;
                memcpy(data + i, &word, size - i < 8 ? size - i : 8);
        }
}

struct op *history_of(const char *how, const void *data, size_t size)
{
        static char want[70000];
        uint64_t key = 0;

        if (size >= sizeof(key))
                memcpy(&key, data, sizeof(key));
        for (unsigned i = 0; i < history.count; i++) {
                struct op *op = &history.ops[i];
                if (op->act != ACT_APPEND || op->key != key || key == 0)
                        continue;
                if (size != op->size)
                        verdict("%s: a record of %zu bytes has %zu", how, op->size, size);
                history_fill(want, size, key);
                if (memcmp(want, data, size) != 0)
                        verdict("%s: wrong bytes in a record", how);
                return op;
        }
        verdict("%s: %zu bytes that nobody appended", how, size);
}

static bool truncates(const struct op *op, uint64_t number)
{
        return op->act == ACT_TRUNCATE && op->number < number &&
               (op->result == 0 || op->result == 1 || op->result == -EIO);
}

bool history_may_be_cut(const struct op *append, uint64_t number)
{
        return history_cut_since(number, append ? append->begin : 0);
}

bool history_cut_since(uint64_t number, uint64_t since)
{
        for (unsigned i = 0; i < history.count; i++) {
                const struct op *op = &history.ops[i];
                if (truncates(op, number) && (!has_ended(op) || op->end > since))
                        return true;
        }
        return false;
}

bool history_may_be_trimmed(uint64_t number)
{
        if (history.retention)
                return true;
        for (unsigned i = 0; i < history.count; i++) {
                const struct op *op = &history.ops[i];
                if ((op->act == ACT_TRIM && op->number > number) ||
                    (op->act == ACT_TRUNCATE && op->next > number))
                        return true;
        }
        return false;
}

const struct op *history_there(uint64_t number, uint64_t now)
{
        for (unsigned i = history.count; i-- > 0;) {
                const struct op *op = &history.ops[i];
                if (op->act == ACT_APPEND && has_ended(op) && op->result == 0 &&
                    op->number == number && op->end < now && !history_may_be_cut(op, number))
                        return op;
        }
        return NULL;
}

bool history_appends_beside(uint64_t begin)
{
        for (unsigned i = 0; i < history.count; i++)
                if (history.ops[i].act == ACT_APPEND &&
                    (!has_ended(&history.ops[i]) || history.ops[i].end > begin))
                        return true;
        return false;
}

void history_print(void *file)
{
        static const char *const names[] = { "append", "truncate", "trim", "sync" };
        unsigned i = history.count > 60 ? history.count - 60 : 0;

        for (; i < history.count; i++) {
                const struct op *op = &history.ops[i];
                fprintf(file, "  %s %llu key %llu next %llu: %d, from %llu to %llu\n",
                        names[op->act], (unsigned long long)op->number, (unsigned long long)op->key,
                        (unsigned long long)op->next, op->result, (unsigned long long)op->begin,
                        (unsigned long long)op->end);
        }
        fprintf(file, "  now %llu\n", (unsigned long long)history.ticks);
}
