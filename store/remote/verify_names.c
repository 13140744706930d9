/*
 * verify_names.c - are the objects there that a table names, with their sizes?
 */
#include "remote/verify_names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"
#include "remote/span.h"

struct named {
        char name[BUCKET_NAME_MAX];
        const struct table_line *line;
        bool found;
        uint64_t size; /* that it has */
};

struct names {
        struct named *list;
        size_t count;
};

static int compare(const void *left, const void *right)
{
        return strcmp(((const struct named *)left)->name, ((const struct named *)right)->name);
}

static int compare_name(const void *key, const void *element)
{
        return strcmp(key, ((const struct named *)element)->name);
}

static int note(void *context, const struct bucket_listed *listed)
{
        const struct names *names = context;
        struct named *named = bsearch(listed->name, names->list, names->count, sizeof(*names->list),
                                      compare_name);

        if (named) {
                named->found = true;
                named->size = listed->size;
        }
        return 0;
}

/* A tail's commit has entries, too, but nobody says how many. */
static bool size_fits(const struct named *named)
{
        const struct remote_entry *entry = &named->line->entry;
        uint64_t least = sizeof(struct commit_header) + (entry->to - entry->from);

        if (entry->object_bytes)
                return named->size == entry->object_bytes;
        return named->size > least && (named->size - least) % sizeof(*entry) == 0 &&
               (named->size - least) / sizeof(*entry) <= COMMIT_ENTRIES_MAX;
}

static void describe(const struct named *named, char *what, size_t size)
{
        const struct remote_entry *entry = &named->line->entry;

        if (named->found)
                snprintf(what, size,
                         "it has %" PRIu64 " bytes, which is not its size; records %" PRIu64
                         "..%" PRIu64 " of segment %" PRIu64,
                         named->size, entry->first_number, entry->last_number, entry->id);
        else
                snprintf(what, size,
                         "it is missing, with records %" PRIu64 "..%" PRIu64 " of segment %" PRIu64,
                         entry->first_number, entry->last_number, entry->id);
}

static int tell(const struct names *names,
                int (*each)(void *context, const struct table_line *line, const char *what),
                void *context)
{
        char what[200];
        int r = 0;

        for (size_t i = 0; r == 0 && i < names->count; i++) {
                const struct named *named = &names->list[i];

                if (named->found && size_fits(named))
                        continue;
                describe(named, what, sizeof(what));
                r = each(context, named->line, what);
        }
        return r;
}

int verify_names(struct bucket *bucket, const struct table *table,
                 int (*each)(void *context, const struct table_line *line, const char *what),
                 void *context)
{
        struct names names = { calloc(table->count + 1, sizeof(*names.list)), table->count };
        int r;

        if (!names.list)
                return remote_detail(-ENOMEM, "no memory for %zu names", table->count);
        for (size_t i = 0; i < names.count; i++) {
                names.list[i].line = &table->lines[i];
                span_name(&table->lines[i].entry, names.list[i].name);
        }
        qsort(names.list, names.count, sizeof(*names.list), compare);
        r = bucket_list(bucket, SEGMENT_OBJECT_PREFIX, NULL, SIZE_MAX, note, &names, NULL);
        if (r == 0)
                r = bucket_list(bucket, COMMIT_PREFIX, NULL, SIZE_MAX, note, &names, NULL);
        if (r == 0)
                r = tell(&names, each, context);
        free(names.list);
        return r == -EAGAIN ? -EREMOTEIO : r;
}
