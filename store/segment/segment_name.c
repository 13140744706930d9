/*
 * segment_name.c - segment files by their names: to an id and back, and those of a directory
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logstore.h"
#include "os/detail.h"
#include "segment/segment.h"

void segment_name(uint64_t id, char name[32])
{
        snprintf(name, 32, SEGMENT_NAME_FORMAT, id);
}

uint64_t segment_name_id(const char *name, bool *ret_is_index)
{
        char *rest, again[32];
        uint64_t id;

        if (name[0] < '0' || name[0] > '9')
                return 0;
        errno = 0;
        id = strtoull(name, &rest, 10);
        if (errno != 0)
                return 0;
        *ret_is_index = strcmp(rest, ".idx") == 0;
        snprintf(again, sizeof(again), *ret_is_index ? INDEX_NAME_FORMAT : SEGMENT_NAME_FORMAT, id);
        return id <= ID_MAX && strcmp(name, again) == 0 ? id : 0;
}

struct listing {
        struct memory *memory;
        uint64_t from, *ids;
        size_t count, room;
};

static int list_one(void *context, const char *name)
{
        struct listing *listing = context;
        bool is_index;
        uint64_t id = segment_name_id(name, &is_index), *ids;
        size_t room = listing->room * 2 + 16;

        if (id == 0 || is_index || id < listing->from)
                return 0;
        if (listing->count == listing->room) {
                ids = memory_resize(listing->memory, listing->ids, room * sizeof(*ids));
                if (!ids)
                        return -ENOMEM;
                listing->ids = ids;
                listing->room = room;
        }
        listing->ids[listing->count++] = id;
        return 0;
}

static int by_number(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

int segment_list(struct memory *memory, int directory, uint64_t from, uint64_t **ret,
                 size_t *ret_count)
{
        struct listing listing = { .memory = memory, .from = from };
        int r = os_list(directory, list_one, &listing);

        if (r < 0) {
                memory_free(memory, listing.ids);
                return detail(r, "cannot list the directory: %s", logstore_error_text(r));
        }
        if (listing.count > 0)
                qsort(listing.ids, listing.count, sizeof(*listing.ids), by_number);
        *ret = listing.ids;
        *ret_count = listing.count;
        return 0;
}
