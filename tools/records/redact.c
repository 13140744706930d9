/*
 * redact.c - cover what a regular expression matches
 *
 * The edit happens in a private copy, of the page, through a snapshot, or of the record: the store,
 * its file and every other reader keep what they have.
 */
#include "records/redact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pattern.h"

static int cover(const regex_t *pattern, char *data, size_t size, regmatch_t match)
{
        size_t from;
        int r;

        do {
                size_t end = (size_t)match.rm_eo;

                memset(data + match.rm_so, 'x', end - (size_t)match.rm_so);
                from = match.rm_eo == match.rm_so ? end + 1 : end;
                r = from < size ? pattern_find(pattern, data, from, size, &match) : 0;
        } while (r > 0);
        return r;
}

int redact_record(struct logstore_snapshot *snapshot, const regex_t *pattern,
                  struct logstore_record *record)
{
        regmatch_t match;
        void *data;
        size_t size;
        int r = pattern_find(pattern, record->data, 0, record->size, &match);

        if (r <= 0)
                return r;
        r = logstore_snapshot_edit(snapshot, record->number, &data, &size);
        if (r < 0)
                return r;
        r = cover(pattern, data, size, match);
        if (r < 0)
                return r;
        record->data = data;
        record->size = size;
        return 1;
}

void redact_copy_free(struct redact_copy *copy)
{
        free(copy->bytes);
        *copy = (struct redact_copy){ 0 };
}

static int copy_room(struct redact_copy *copy, size_t size)
{
        char *bytes;

        if (size <= copy->capacity)
                return 0;
        bytes = realloc(copy->bytes, size);
        if (!bytes)
                return -ENOMEM;
        copy->bytes = bytes;
        copy->capacity = size;
        return 0;
}

int redact_in_copy(struct redact_copy *copy, const regex_t *pattern, struct logstore_record *record)
{
        regmatch_t match;
        int r = pattern_find(pattern, record->data, 0, record->size, &match);

        if (r <= 0)
                return r;
        r = copy_room(copy, record->size + 1); /* one that is empty matches, too */
        if (r < 0)
                return r;
        memcpy(copy->bytes, record->data, record->size);
        r = cover(pattern, copy->bytes, record->size, match);
        if (r < 0)
                return r;
        record->data = copy->bytes;
        return 1;
}
