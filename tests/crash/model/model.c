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
        *model = (struct model){ .first = 1, .origin = 1, .carried = INT64_MIN };
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
        if (number < model->first) {
                if (number > 0 && model->entries[number].greatest_high > model->carried)
                        model->carried = model->entries[number].greatest_high;
                model->last = number;
                while (model->last + 1 < next)
                        model_add(model, MODEL_VOID, 0, 0, 1, false);
                model->first = model->origin = model->last + 1;
                number = model->last;
                model->timed = model->settled = model->durable = number;
        }
        model->last = number;
        if (model->timed > number)
                model->timed = number;
        if (model->settled > number)
                model->settled = number;
        if (model->durable > number)
                model->durable = number;
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
                bool anew = number == model->origin;

                entry->greatest_low = anew ? INT64_MIN : entry[-1].greatest_low;
                entry->greatest_high = anew ? model->carried : entry[-1].greatest_high;
                if (entry->kind == MODEL_RECORD && entry->time_ns > entry->greatest_low)
                        entry->greatest_low = entry->time_ns;
                if (entry->time_ns > entry->greatest_high)
                        entry->greatest_high = entry->time_ns;
                model->timed = number;
        }
}

static uint64_t first_reaching(struct model *model, int64_t time_ns, bool high)
{
        uint64_t low = model->first, end = model_tail(model) + 1;

        while (low < end) {
                uint64_t middle = low + (end - low) / 2;
                const struct model_entry *entry = &model->entries[middle];

                if ((high ? entry->greatest_high : entry->greatest_low) >= time_ns)
                        end = middle;
                else
                        low = middle + 1;
        }
        return low;
}

void model_find_time(struct model *model, int64_t time_ns, uint64_t *ret_from, uint64_t *ret_to)
{
        *ret_from = first_reaching(model, time_ns, true);
        *ret_to = first_reaching(model, time_ns, false);
}
