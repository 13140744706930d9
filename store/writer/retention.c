/*
 * retention.c - letting go of old segments
 *
 * Whole segments go, oldest first, by unlink only. A reader that maps one keeps it until it lets
 * go; then its space is returned. The new first number is durable in the control page before the
 * first unlink. So a crash in between leaves leftovers, and never a log that seems to miss its
 * start. Syncs go on while files are unlinked; the background thread unlinks a few at each look.
 *
 * Age: a segment is as old as the oldest start of any segment behind it. So one record, or one
 *      clock, that was in the future holds up nothing.
 */
#include "writer/retention.h"

#include <errno.h>

#include "logstore.h"
#include "os/detail.h"

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

static int trim_locked(struct retention *retention, uint64_t number, uint64_t *ret_first)
{
        struct trim trim = { .retention = retention };
        int r;

        trim.number = number < retention->floor ? number : retention->floor;
        r = settle(retention, &trim);
        if (r == 0)
                r = sync_alone(retention->sync, trim_alone, &trim);
        if (r == 0 && ret_first)
                *ret_first = trim.first;
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
static int limit_locked(struct retention *retention, size_t walks, uint64_t *ret_first)
{
        return trim_locked(retention, target_within(retention, walks), ret_first);
}

static int trim_and_unlink(struct retention *retention, const uint64_t *number, uint64_t *ret_first)
{
        uint64_t first = 0;
        int r;

        pthread_mutex_lock(&retention->lock);
        r = number ? trim_locked(retention, *number, &first)
                   : limit_locked(retention, SIZE_MAX, &first);
        if (r == 0)
                r = unlink_locked(retention, SIZE_MAX);
        pthread_mutex_unlock(&retention->lock);
        if (r == 0 && ret_first)
                *ret_first = first;
        return r;
}

int retention_trim(struct retention *retention, uint64_t number, uint64_t *ret_first)
{
        return trim_and_unlink(retention, &number, ret_first);
}

int retention_apply(struct retention *retention, uint64_t *ret_first)
{
        retention_target(retention); /* count now, while others may trim */
        return trim_and_unlink(retention, NULL, ret_first);
}

int retention_apply_some(struct retention *retention)
{
        int r;

        if (target_within(retention, WALK_BATCH) <= retention->control->first_number ||
            pthread_mutex_trylock(&retention->lock) != 0) /* another thread is at it */
                return 0;
        r = limit_locked(retention, WALK_BATCH, NULL);
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
