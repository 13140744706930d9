/*
 * model.c - what a log is, in memory
 */
#include "model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/payload.h"

#define PAYLOAD_BYTES_MAX (64u << 10)

void model_init(struct model *model)
{
        *model = (struct model){ .first = 1 };
}

void model_free(struct model *model)
{
        free(model->entries);
}

uint64_t model_add(struct model *model, enum model_kind kind, uint32_t size, uint64_t seed,
                   int64_t time_ns, bool more)
{
        uint64_t number = ++model->last;

        if (number >= model->capacity) {
                model->capacity = 2 * number + 1024;
                model->entries = realloc(model->entries, model->capacity * sizeof(*model->entries));
                if (!model->entries)
                        abort();
        }
        model->entries[number] = (struct model_entry){
                .seed = seed,
                .size = size,
                .kind = (uint8_t)kind,
                .more = more,
                .timed = time_ns != 0,
                .time_ns = time_ns,
        };
        return number;
}

uint64_t model_tail(struct model *model)
{
        while (model->settled < model->last &&
               model->entries[model->settled + 1].kind != MODEL_PENDING)
                model->settled++;
        return model->settled;
}

uint64_t model_next(struct model *model, uint64_t position)
{
        uint64_t tail = model_tail(model);

        for (uint64_t number = position; number <= tail; number++)
                if (model->entries[number].kind == MODEL_RECORD)
                        return number;
        return 0;
}

uint64_t model_prev(const struct model *model, uint64_t position)
{
        for (uint64_t number = position - 1; number >= model->first; number--)
                if (model->entries[number].kind == MODEL_RECORD)
                        return number;
        return 0;
}

void model_truncate(struct model *model, uint64_t number, uint64_t next)
{
        model->last = number;
        if (model->timed > number)
                model->timed = number;
        if (model->settled > number)
                model->settled = number;
        if (model->durable > number)
                model->durable = number;
        while (model->last + 1 < next)
                model_add(model, MODEL_VOID, 0, 0, 1, false);
        if (number < model->first) {
                model_sum_times(model);
                model->first = model->last + 1;
        }
}

const unsigned char *model_payload(const struct model *model, uint64_t number)
{
        static unsigned char payload[PAYLOAD_BYTES_MAX];
        const struct model_entry *entry = &model->entries[number];

        payload_fill(payload, entry->size, entry->seed, number,
                     (struct payload_place){ .index = 0, .count = 1 });
        return payload;
}

const char *model_compare(struct model *model, const struct logstore_record *record)
{
        struct model_entry *entry = &model->entries[record->number];
        static char text[128];

        if (record->number == 0 || record->number > model->last || entry->kind != MODEL_RECORD)
                snprintf(text, sizeof(text), "no such record %" PRIu64, record->number);
        else if (record->size != entry->size)
                snprintf(text, sizeof(text), "record %" PRIu64 " has %zu bytes, not %u",
                         record->number, record->size, entry->size);
        else if (memcmp(record->data, model_payload(model, record->number), record->size) != 0)
                snprintf(text, sizeof(text), "record %" PRIu64 " has other bytes", record->number);
        else if (entry->timed && record->time_ns != entry->time_ns)
                snprintf(text, sizeof(text), "record %" PRIu64 " has another time", record->number);
        else {
                entry->timed = true;
                entry->time_ns = record->time_ns;
                return NULL;
        }
        return text;
}

int model_get_result(struct model *model, uint64_t number)
{
        if (number == 0)
                return -EINVAL;
        if (number < model->first)
                return -ESTALE;
        if (number > model_tail(model))
                return -EAGAIN;
        return model->entries[number].kind == MODEL_VOID ? -ENODATA : 0;
}

void model_sum_times(struct model *model)
{
        uint64_t tail = model_tail(model);

        for (uint64_t number = model->timed + 1; number <= tail; number++) {
                struct model_entry *entry = &model->entries[number];
                int64_t before = number == 1 ? INT64_MIN : entry[-1].greatest;

                entry->greatest = entry->time_ns > before ? entry->time_ns : before;
                model->timed = number;
        }
}

/* The greatest time so far reaches @time_ns no earlier than with everything counted that was ever
 * there, and no later than with what is there now alone. */
void model_find_time(struct model *model, int64_t time_ns, uint64_t *ret_from, uint64_t *ret_to)
{
        uint64_t low = model->first, tail = model_tail(model), end = tail + 1;

        while (low < end) {
                uint64_t middle = low + (end - low) / 2;

                if (model->entries[middle].greatest >= time_ns)
                        end = middle;
                else
                        low = middle + 1;
        }
        *ret_from = low;
        while (low <= tail &&
               (model->entries[low].kind != MODEL_RECORD || model->entries[low].time_ns < time_ns))
                low++;
        *ret_to = low;
}
