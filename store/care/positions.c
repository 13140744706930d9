/*
 * positions.c - named positions: telling and removing them
 *
 * Telling takes no lock: of the two slots one is always whole. Whether the place is still in the
 * log is found out anew each time.
 */
#include "care/positions.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "os/detail.h"

#define PLACE_TRIES 100 /* beside a writer that trims each time */
#define LOCK_WAIT_NS INT64_C(10000000000)

int positions_check_name(const char *name)
{
        if (name && position_name_valid(name))
                return 0;
        return detail(-EINVAL, "a position's name has 1 to 63 letters, digits, '-', '_' and '.', "
                               "and does not begin with '.'");
}

int positions_find(struct logstore *store, const struct position_slot *slot,
                   struct chain_found *ret)
{
        const struct chain_place place = { slot->segment_id, slot->segment_salt, slot->offset,
                                           slot->number, slot->epoch };
        int r = CHAIN_MOVED;

        for (int i = 0; r == CHAIN_MOVED && i < PLACE_TRIES; i++) {
                r = i > 0 && !store->writes ? chain_load(&store->chain)
                                            : view_refresh(&store->live);
                if (r == 0)
                        r = chain_find_place(&store->chain, &place, ret);
        }
        return r == CHAIN_MOVED ? detail(-EAGAIN, "the log is cut again and again") : r;
}

/* Is the place behind the end of the log? An older copy of the store may have been put back. */
static int check_tail(struct logstore *store, struct chain_found *found)
{
        uint64_t tail;
        int r;

        if (found->place.number <= view_durable(&store->live) + 1)
                return 0;
        r = view_tail(&store->live, &tail);
        if (r == 0 && found->place.number > tail + 1) {
                found->state = PLACE_CUT;
                found->place = (struct chain_place){ .number = tail + 1 };
        }
        return r;
}

static int find_resume(struct logstore *store, const struct position_slot *slot,
                       struct logstore_position *position)
{
        struct chain_found found;
        int r = positions_find(store, slot, &found);

        if (r == 0)
                r = check_tail(store, &found);
        if (r < 0)
                return r;
        position->state = found.state == PLACE_HERE  ? LOGSTORE_POSITION_HERE
                          : found.state == PLACE_CUT ? LOGSTORE_POSITION_CUT
                                                     : LOGSTORE_POSITION_TRIMMED;
        position->resume_number = found.place.number;
        position->resume_id = found.place.id;
        position->resume_salt = found.place.salt;
        position->resume_offset = found.place.offset;
        return 0;
}

static int describe(struct logstore *store, int folder, const char *name,
                    struct logstore_position *ret)
{
        struct position_slot slot;
        int r = position_read(folder, store->chain.uuid, name, &slot);

        if (r < 0)
                return r;
        *ret = (struct logstore_position){
                .struct_bytes = sizeof(*ret),
                .flags = slot.flags,
                .number = slot.number,
                .segment_id = slot.segment_id,
                .segment_salt = slot.segment_salt,
                .offset = slot.offset,
                .limit_bytes = slot.limit_bytes,
                .limit_ns = slot.limit_ns,
                .note = slot.note,
                .set_ns = slot.set_ns,
        };
        memcpy(ret->name, slot.name, sizeof(ret->name));
        return find_resume(store, &slot, ret);
}

static int get(struct logstore *store, const char *name, struct logstore_position *ret)
{
        struct logstore_position position;
        int r = positions_check_name(name), folder;

        if (r == 0 && (!ret || ret->struct_bytes != sizeof(*ret)))
                r = detail(-EINVAL, "ret is NULL or ret->struct_bytes is not its size");
        if (r < 0)
                return r;
        folder = position_folder(store->directory);
        if (folder < 0)
                return folder;
        r = describe(store, folder, name, &position);
        os_close(folder); /* only read */
        if (r == 0)
                *ret = position;
        return r;
}

int logstore_position_get(struct logstore *store, const char *name, struct logstore_position *ret)
{
        int r = store_enter(store);

        if (r < 0)
                return r;
        r = get(store, name, ret);
        store_leave();
        return r;
}

struct listing {
        struct logstore *store;
        int folder;
        int (*each)(void *context, const struct logstore_position *);
        void *context;
};

static int list_one(void *context, const char *name)
{
        const struct listing *listing = context;
        struct logstore_position position = { 0 };
        int r;

        if (!position_name_valid(name))
                return 0;
        r = describe(listing->store, listing->folder, name, &position);
        if (r == -ENOENT)
                return 0; /* removed meanwhile */
        if (r < 0) {
                position = (struct logstore_position){ .struct_bytes = sizeof(position) };
                memcpy(position.name, name, strlen(name));
                position.error = r;
        }
        return listing->each(listing->context, &position);
}

int logstore_position_list(struct logstore *store,
                           int (*each)(void *context, const struct logstore_position *),
                           void *context)
{
        struct listing listing = { store, -1, each, context };
        int r = store_enter(store);

        if (r < 0)
                return r;
        r = each ? 0 : detail(-EINVAL, "each is NULL");
        if (r == 0)
                listing.folder = position_folder(store->directory);
        if (listing.folder >= 0) {
                r = os_list(listing.folder, list_one, &listing);
                os_close(listing.folder); /* only read */
        } else if (r == 0 && listing.folder != -ENOENT) {
                r = listing.folder;
        }
        store_leave();
        return r;
}

int logstore_position_remove(struct logstore *store, const char *name)
{
        int r = store_enter(store), lock;

        if (r < 0)
                return r;
        r = positions_check_name(name);
        if (r == 0)
                r = position_lock(store->directory, LOCK_WAIT_NS, &lock);
        if (r == 0) {
                r = position_remove(store->directory, name);
                position_unlock(lock);
        }
        store_leave();
        return r;
}
