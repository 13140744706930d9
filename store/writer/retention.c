/*
 * retention.c - letting go of old segments
 *
 * Whole segments go, oldest first, by unlink only. A reader that maps one keeps it until it lets
 * go; then its space is returned. The new first number is durable in the control page before the
 * first unlink. So a crash in between leaves leftovers, and never a log that seems to miss its
 * start. Syncs go on while files are unlinked; the background thread unlinks a few at each look.
 *
 * Floors: named positions that retention obeys are looked for under their lock. It is held until
 *         the new first number is published. A process that sets a position looks for its place
 *         under the same lock, so no floor is set for what goes.
 *
 * Age: a segment is as old as the oldest start of any segment behind it. So one record, or one
 *      clock, that was in the future holds up nothing.
 */
#include "writer/retention.h"

#include <errno.h>

#include "logstore.h"
#include "os/detail.h"
#include "position/floors.h"
#include "position/position.h"

#define POSITIONS_WAIT_NS INT64_C(5000000000) /* for a process that sets one */
#define WALK_BATCH 4    /* segments whose records one look of *behind* counts */
#define UNLINK_BATCH 16 /* files that one look of *behind* unlinks */

void retention_init(struct retention *retention, struct sync *sync, struct chain *chain,
                    struct control *control)
{
        *retention = (struct retention){
                .sync = sync, .chain = chain, .control = control, .floor = UINT64_MAX
        };
        pthread_mutex_init(&retention->lock, NULL);
}

static uint64_t file_bytes(struct chain *chain, uint64_t id)
{
        struct os_stat st;
        char name[32];

        segment_name(id, name);
        return os_stat_name(chain->directory, name, &st) == 0 ? st.bytes : 0;
}

/* What the segments looked at so far keep. The oldest of them begins with @first. */
struct kept {
        uint64_t bytes, first;
        uint64_t records; /* durable ones, */
        uint64_t durable; /* up to this number */
        int64_t oldest_start_ns;
};

static bool enough(const struct retention *retention, const struct kept *kept)
{
        return (retention->keep_bytes && kept->bytes > retention->keep_bytes) ||
               (retention->keep_records && kept->records >= retention->keep_records) ||
               (retention->keep_ns && os_now() - kept->oldest_start_ns > retention->keep_ns);
}

/* Count the segment of @entry as kept. @walks NULL: take its durable numbers for records. */
static int keep_records(struct retention *retention, const struct chain_entry *entry, size_t *walks,
                        struct kept *kept)
{
        uint64_t behind =
                kept->first && kept->first <= kept->durable ? kept->first : kept->durable + 1;
        uint64_t records = behind > entry->first_number ? behind - entry->first_number : 0;
        int r = walks ? retention_records(retention->chain, entry, records, walks, &records) : 0;

        kept->records += records;
        return r;
}

/* Go back from the newest segment until a limit is reached: what is older goes. A segment whose
 * first page cannot be read is kept, with its neighbours. */
static uint64_t find_target(struct retention *retention, size_t *walks)
{
        struct chain *chain = retention->chain;
        struct kept kept = {
                .durable = atomic_load(&retention->sync->durable),
                .oldest_start_ns = INT64_MAX,
        };
        struct chain_entry entry = { .id = UINT64_MAX };
        bool readable = false;
        int r;

        for (;;) {
                r = chain_entry_before(chain, entry.id, &entry);
                if (r == -ENOENT)
                        return 0; /* all is kept */
                if (retention->keep_bytes)
                        kept.bytes += file_bytes(chain, entry.id);
                if (kept.first != 0 && enough(retention, &kept))
                        return readable ? kept.first : 0;
                readable = r == 0;
                if (!readable)
                        continue;
                if (retention->keep_records && keep_records(retention, &entry, walks, &kept) < 0)
                        return 0; /* another look counts on */
                kept.first = entry.first_number;
                if (entry.started_ns < kept.oldest_start_ns)
                        kept.oldest_start_ns = entry.started_ns;
        }
}

/* Walk frames only if something would go were voids counted as records. */
static uint64_t target_within(struct retention *retention, size_t walks)
{
        uint64_t target;

        if (!retention->keep_bytes && !retention->keep_records && !retention->keep_ns)
                return 0;
        target = find_target(retention, NULL);
        return target > retention->control->first_number && retention->keep_records
                       ? find_target(retention, &walks)
                       : target;
}

uint64_t retention_target(struct retention *retention)
{
        return target_within(retention, SIZE_MAX);
}

struct trim {
        struct retention *retention;
        uint64_t number, first;
        bool asked;                /* for this number: a floor below it is an error */
        int64_t positions_wait_ns; /* for their lock */
};

static int fail(struct retention *retention, int error)
{
        detail_sync(error, "a trim");
        return writer_give_up(retention->sync->writer, logstore_detail());
}

/* Nothing else syncs meanwhile, so a failure of the control page's sync is known as such. */
static int trim_alone(void *context)
{
        struct trim *trim = context;
        struct retention *retention = trim->retention;
        int r = writer_failure(retention->sync->writer);

        if (r < 0)
                return r;
        trim->first = chain_trim(retention->chain, trim->number);
        /* The log must not begin with a segment whose start frame is in memory only. */
        if (trim->first > atomic_load(&retention->sync->durable))
                r = sync_all_started_alone(retention->sync);
        if (r == 0 && trim->first > retention->control->first_number) {
                control_set_first(retention->control, trim->first);
                r = control_sync(retention->control);
                if (r < 0)
                        return writer_give_up(retention->sync->writer, logstore_detail());
        }
        return r == -EIO ? fail(retention, r) : r;
}

/* Trim only what is durable: else a crash could leave a log that ends before it begins. */
static int settle(struct retention *retention, struct trim *trim)
{
        struct sync *sync = retention->sync;
        uint64_t tail = writer_tail_number(sync->writer, UINT64_MAX);
        uint64_t durable = atomic_load(&sync->durable);
        int r = 0;

        if (trim->number > durable + 1 && tail > durable)
                r = sync_until(sync, tail < trim->number ? tail : trim->number - 1, -1);
        durable = atomic_load(&sync->durable);
        if (trim->number > durable + 1)
                trim->number = durable + 1;
        return r;
}

/* The first number that a trim before @number would leave; @number itself if that is not known. */
static uint64_t first_left(struct retention *retention, uint64_t number)
{
        uint64_t id = chain_id_of(retention->chain, number);
        struct chain_entry entry;

        if (id == 0 || chain_entry_after(retention->chain, id - 1, &entry) < 0 || entry.id != id)
                return number;
        return entry.first_number;
}

/* Lower *number to the lowest floor. A trim that was @asked for is refused instead. */
static int obey_floors(struct retention *retention, bool asked, uint64_t *number)
{
        struct floor floor;
        int r = floors_find(retention->chain, &floor);

        if (r < 0 || first_left(retention, *number) <= floor.number)
                return r;
        if (asked || floor.error < 0)
                return floors_tell(&floor);
        *number = floor.number;
        return 0;
}

/* Where the file system has no such lock, nobody can set a position, either. */
static int lock_positions(const struct trim *trim, int *ret)
{
        int r = position_lock(trim->retention->chain->directory, trim->positions_wait_ns, ret);

        return r == -EBADF || r == -EOPNOTSUPP || r == -ENOLCK || r == -ENOSYS ? 0 : r;
}

static int trim_beside_positions(struct trim *trim)
{
        struct retention *retention = trim->retention;
        uint64_t first = retention->control->first_number;
        bool goes = first_left(retention, trim->number) > first;
        int lock = -1, r = goes ? lock_positions(trim, &lock) : 0;

        if (r == 0 && goes)
                r = obey_floors(retention, trim->asked, &trim->number);
        if (r == 0 && goes && first_left(retention, trim->number) <= first) {
                trim->first = first; /* a floor holds all: a turn for nothing would hold up syncs */
                r = writer_failure(retention->sync->writer);
        } else if (r == 0) {
                r = sync_alone(retention->sync, trim_alone, trim);
        }
        if (lock >= 0)
                position_unlock(lock);
        return r;
}

static int trim_locked(struct trim *trim, uint64_t *ret_first)
{
        struct retention *retention = trim->retention;
        int r;

        if (trim->number > retention->floor)
                trim->number = retention->floor;
        r = settle(retention, trim);
        if (r == 0)
                r = trim_beside_positions(trim);
        if (r == 0 && ret_first)
                *ret_first = trim->first;
        return r;
}

/* Unlink what is trimmed, at most @most files. Returns 0, LEFTOVERS_REMAIN or an error. Syncs go on
 * meanwhile, because the kernel may take milliseconds for each file. Under retention->lock, so that
 * a truncation does not meet these files among its own. */
static int unlink_locked(struct retention *retention, size_t most)
{
        int r = writer_failure(retention->sync->writer);

        if (r == 0)
                r = chain_drop_some(retention->chain, most);
        return r == -EIO ? fail(retention, r) : r;
}

/* Judge the limits under the lock, whatever was found before. A truncation may take back records
 * that the limits counted; a plan from before it would then let go of what they keep. */
static int limit_locked(struct trim *trim, size_t walks, uint64_t *ret_first)
{
        trim->number = target_within(trim->retention, walks);
        return trim_locked(trim, ret_first);
}

static int trim_and_unlink(struct trim *trim, uint64_t *ret_first)
{
        struct retention *retention = trim->retention;
        uint64_t first = 0;
        int r;

        pthread_mutex_lock(&retention->lock);
        r = trim->asked ? trim_locked(trim, &first) : limit_locked(trim, SIZE_MAX, &first);
        if (r == 0)
                r = unlink_locked(retention, SIZE_MAX);
        pthread_mutex_unlock(&retention->lock);
        if (r == 0 && ret_first)
                *ret_first = first;
        return r;
}

int retention_trim(struct retention *retention, uint64_t number, uint64_t *ret_first)
{
        struct trim trim = { .retention = retention,
                             .number = number,
                             .asked = true,
                             .positions_wait_ns = POSITIONS_WAIT_NS };

        return trim_and_unlink(&trim, ret_first);
}

int retention_apply(struct retention *retention, uint64_t *ret_first)
{
        struct trim trim = { .retention = retention, .positions_wait_ns = POSITIONS_WAIT_NS };

        retention_target(retention); /* count now, while others may trim */
        return trim_and_unlink(&trim, ret_first);
}

int retention_plan(struct retention *retention, uint64_t *ret_first)
{
        uint64_t number = retention_target(retention), first = retention->control->first_number;
        int r = 0;

        if (number > retention->floor)
                number = retention->floor;
        if (first_left(retention, number) > first)
                r = obey_floors(retention, false, &number);
        if (r == 0)
                *ret_first = number > first ? number : first;
        return r;
}

int retention_apply_some(struct retention *retention)
{
        struct trim trim = { .retention = retention }; /* it waits for no setter */
        int r;

        if (target_within(retention, WALK_BATCH) <= retention->control->first_number ||
            pthread_mutex_trylock(&retention->lock) != 0) /* another thread is at it */
                return 0;
        r = limit_locked(&trim, WALK_BATCH, NULL);
        pthread_mutex_unlock(&retention->lock);
        return r;
}

int retention_unlink_some(struct retention *retention)
{
        int r;

        if (pthread_mutex_trylock(&retention->lock) != 0)
                return 0;
        r = unlink_locked(retention, UNLINK_BATCH);
        pthread_mutex_unlock(&retention->lock);
        return r;
}

int retention_unlink_all(struct retention *retention)
{
        int r;

        pthread_mutex_lock(&retention->lock);
        r = unlink_locked(retention, SIZE_MAX);
        pthread_mutex_unlock(&retention->lock);
        return r;
}
