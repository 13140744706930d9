/*
 * floors.c - how far retention may go for the sake of named positions
 *
 * A floor keeps the segment that its place is in, or that the log was cut in before the place. If
 * the place is trimmed, it keeps what is left. Limits are those of retention: the newest segments
 * within them are kept, and no older one.
 */
#include "position/floors.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "logstore.h"
#include "os/detail.h"
#include "position/position.h"

struct look {
        struct chain *chain;
        int folder;
        struct floor floor;
};

static uint64_t file_bytes(struct chain *chain, uint64_t id)
{
        struct os_stat st;
        char name[32];

        segment_name(id, name);
        return os_stat_name(chain->directory, name, &st) == 0 ? st.bytes : 0;
}

static bool is_beyond(const struct position_slot *slot, uint64_t bytes, int64_t oldest_start_ns)
{
        return (slot->limit_bytes && bytes > slot->limit_bytes) ||
               (slot->limit_ns && os_now() - oldest_start_ns > slot->limit_ns);
}

/* Go back from the newest segment to @keep, or to where a limit is passed. */
static uint64_t within_limits(struct chain *chain, const struct position_slot *slot, uint64_t keep)
{
        struct chain_entry entry = { .id = UINT64_MAX };
        int64_t oldest_start_ns = INT64_MAX;
        uint64_t bytes = 0, first = 0;

        if (!slot->limit_bytes && !slot->limit_ns)
                return keep;
        while (chain_entry_before(chain, entry.id, &entry) == 0) {
                bytes += file_bytes(chain, entry.id);
                if (first != 0 && is_beyond(slot, bytes, oldest_start_ns))
                        return first > keep ? first : keep;
                first = entry.first_number;
                if (first <= keep)
                        break;
                if (entry.started_ns < oldest_start_ns)
                        oldest_start_ns = entry.started_ns;
        }
        return keep;
}

static int find_one(struct look *look, const struct position_slot *slot, uint64_t *ret)
{
        const struct chain_place place = { slot->segment_id, slot->segment_salt, slot->offset,
                                           slot->number, slot->epoch };
        struct chain_found found;
        int r = chain_find_place(look->chain, &place, &found);

        if (r == CHAIN_MOVED)
                r = detail(-EAGAIN, "the chain has changed");
        if (r == 0)
                *ret = within_limits(look->chain, slot, found.keep);
        return r;
}

/* Is it the error of a file that no position of this store can have become? */
static bool is_none_of_ours(int error)
{
        return error == -ENOENT || error == -EMEDIUMTYPE || error == -EPERM;
}

static int look_at(void *context, const char *name)
{
        struct look *look = context;
        struct position_slot slot;
        uint64_t number = 0;
        int r;

        if (!position_name_valid(name))
                return 0;
        r = position_read(look->folder, look->chain->uuid, name, &slot);
        if (is_none_of_ours(r) || (r == 0 && !(slot.flags & LOGSTORE_POSITION_FLOOR)))
                return 0;
        if (r == 0)
                r = find_one(look, &slot, &number);
        if (r == 0 && number >= look->floor.number)
                return 0;
        look->floor = (struct floor){ .number = number, .error = r };
        memcpy(look->floor.name, name, strlen(name));
        return 0;
}

int floors_find(struct chain *chain, struct floor *ret)
{
        struct look look = { .chain = chain, .floor = { .number = UINT64_MAX } };
        int r;

        look.folder = position_folder(chain->directory);
        if (look.folder < 0 && !is_none_of_ours(look.folder))
                return look.folder;
        if (look.folder >= 0) {
                r = os_list(look.folder, look_at, &look);
                os_close(look.folder); /* only read */
                if (r < 0)
                        return detail(r, POSITIONS_NAME ": cannot list: %s",
                                      logstore_error_text(r));
        }
        *ret = look.floor;
        return 0;
}

int floors_tell(const struct floor *floor)
{
        if (floor->error < 0)
                return detail(floor->error,
                              POSITIONS_NAME "/%s: cannot be used (%s), and may be a floor: set it "
                                             "anew or remove it",
                              floor->name, logstore_error_text(floor->error));
        return detail(-EBUSY,
                      "position %s keeps the records from %" PRIu64
                      " on: trim before that number at most, or set or remove the position",
                      floor->name, floor->number);
}
