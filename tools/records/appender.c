/*
 * appender.c - records on their way into the store: batches, syncs and acknowledgements
 *
 * Without a batch a record is appended from where it lies in the input. A batch is copied together
 * first, since the input may move its bytes, and then appended as one: all of it or nothing.
 * A number is printed once it is durable and not before.
 */
#include "records/appender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int appender_open(struct appender *appender, struct logstore *store, size_t batch_records)
{
        struct logstore_bounds bounds;
        int r = logstore_bounds(store, &bounds);

        if (r < 0)
                return r;
        *appender = (struct appender){ .store = store, .batch_records = batch_records };
        appender->acked = bounds.tail; /* those that others appended are not ours to acknowledge */
        if (batch_records == 0)
                return 0;
        appender->entries = calloc(batch_records, sizeof(appender->entries[0]));
        return appender->entries ? 0 : -ENOMEM;
}

void appender_close(struct appender *appender)
{
        free(appender->entries);
        free(appender->bytes);
        appender->entries = NULL;
        appender->bytes = NULL;
}

static void acknowledge(struct appender *appender, uint64_t number)
{
        char line[32];
        int size;

        appender->durable = number;
        if (!appender->acks || number <= appender->acked)
                return;
        appender->acked = number;
        size = snprintf(line, sizeof(line), "%llu\n", (unsigned long long)number);
        (void)buffer_write(appender->acks, line, (size_t)size); /* the error stays in the buffer */
}

static int sync_now(struct appender *appender)
{
        int r;

        if (appender->durable == appender->last)
                return 0;
        r = logstore_sync(appender->store, appender->last);
        if (r == 0)
                acknowledge(appender, appender->last);
        return r;
}

static int batch_append(struct appender *appender)
{
        const char *data = appender->bytes;
        uint64_t first;
        size_t count;
        int r;

        if (appender->entry_count == 0)
                return 0;
        for (size_t i = 0; i < appender->entry_count; i++) {
                appender->entries[i].data = data;
                data += appender->entries[i].size;
        }
        r = logstore_append_batch(appender->store, appender->entries, appender->entry_count,
                                  &first);
        count = appender->entry_count;
        appender->refused = r < 0 ? count : 0;
        appender->entry_count = 0; /* a batch refused is not tried again */
        appender->bytes_used = 0;
        if (r < 0)
                return r;
        appender->last = first + count - 1;
        if (appender->sync == APPEND_SYNC_EACH)
                acknowledge(appender, appender->last);
        return appender->sync == APPEND_SYNC_BATCH ? sync_now(appender) : 0;
}

static int batch_add(struct appender *appender, const struct logstore_entry *entry)
{
        size_t wanted = appender->bytes_used + entry->size;

        if (wanted > appender->bytes_capacity || !appender->bytes) {
                size_t capacity = wanted * 2 + 4096;
                char *bytes = realloc(appender->bytes, capacity);

                if (!bytes)
                        return -ENOMEM;
                appender->bytes = bytes;
                appender->bytes_capacity = capacity;
        }
        memcpy(appender->bytes + appender->bytes_used, entry->data, entry->size);
        appender->bytes_used = wanted;
        appender->entries[appender->entry_count++] = *entry;
        return appender->entry_count == appender->batch_records ? batch_append(appender) : 0;
}

int appender_add(struct appender *appender, const struct logstore_entry *entry)
{
        int r;

        if (appender->batch_records)
                return batch_add(appender, entry);
        if (entry->time_ns)
                r = logstore_append_batch(appender->store, entry, 1, &appender->last);
        else
                r = logstore_append(appender->store, entry->data, entry->size, &appender->last);
        if (r == 0 && appender->sync == APPEND_SYNC_EACH)
                acknowledge(appender, appender->last);
        return r;
}

int appender_pause(struct appender *appender)
{
        uint64_t durable;
        int r;

        if (appender->sync == APPEND_SYNC_BATCH && appender->batch_records == 0)
                return sync_now(appender);
        if (!appender_waits(appender))
                return 0;
        r = logstore_durable(appender->store, &durable);
        if (r == 0 && durable > appender->durable)
                acknowledge(appender, durable < appender->last ? durable : appender->last);
        return r;
}

int appender_flush(struct appender *appender)
{
        return batch_append(appender);
}

int appender_sync(struct appender *appender)
{
        int r = logstore_sync(appender->store, 0);

        if (r == 0 && appender->last)
                acknowledge(appender, appender->last);
        return r;
}

bool appender_waits(const struct appender *appender)
{
        return appender->sync == APPEND_SYNC_INTERVAL && appender->acks &&
               appender->acked < appender->last;
}
