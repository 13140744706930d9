/*
 * repair.c - cut a damaged store back to the prefix before its first damage
 *
 * Lock:       what is to be cut is read under the writer's lock, which is held until it is cut. An
 *             append that was acknowledged in between would be cut with it. A dry run needs none.
 * Verdict:    verify says what is damaged, and up to where the log is sound.
 * Cut:        what is cut is linked, copied or moved to quarantine/ and durable there. Then a new
 *             segment says where the log ends, as recovery does. Then files behind are unlinked.
 *             Where the oldest segments are missing, the log begins later instead.
 */
#include <errno.h>
#include <string.h>

#include "care/quarantine.h"
#include "care/repair_private.h"
#include "chain/control_rebuild.h"
#include "chain/directory.h"
#include "os/file.h"
#include "verify/verdict.h"

/* Is it a sealed segment to which nobody writes any more? Whoever opens the store next, even before
 * the next repair, may seal the head anew and, where that is empty, the segment before it. */
static bool is_left_alone(const struct chain *chain, uint64_t id)
{
        return chain->count > 2 && id < chain->entries[chain->count - 2].id &&
               segment_is_sealed(chain->directory, chain->uuid, id);
}

/* Count what is cut of a file, without the zeros at its end. With @aside put it into the
 * quarantine; *ret_went says that names there are to be synced. A segment newer than the head is
 * not part of the log, and nobody has mapped what is no file: these are moved. */
static int cut_file(struct repair *repair, uint64_t id, bool aside, bool *ret_went)
{
        struct logstore *store = repair->store;
        struct chain *chain = &store->chain;
        uint64_t head = chain->count ? chain->entries[chain->count - 1].id : 0;
        uint64_t from = id == repair->keep.tail.segment_id ? repair->keep.tail.offset : 0;
        uint64_t used = 0;
        struct os_stat st;
        char name[32];
        int r;

        segment_name(id, name);
        r = os_stat_name(store->directory, name, &st);
        if (r < 0) /* it would be cut without a copy */
                return detail(r, "%s: cannot look at it: %s", name, logstore_error_text(r));
        if (st.regular && quarantine_measure(store->directory, name, from, &used) < 0)
                used = st.bytes > from ? st.bytes - from : 0; /* it cannot be read */
        if (__builtin_add_overflow(repair->report.cut_bytes, used, &repair->report.cut_bytes))
                repair->report.cut_bytes = UINT64_MAX;
        if (!aside || (st.regular && used == 0 && id <= head))
                return 0;
        *ret_went = true;
        if (id > head || !st.regular)
                return quarantine_move(store->directory, name);
        if (from == 0 && is_left_alone(chain, id))
                return quarantine_link(store->directory, name);
        return quarantine_copy(store->directory, name);
}

/* Count, or with @aside put into the quarantine, the segment files with ids from @from to before
 * @to: those that exist. Ids may be far apart. */
static int each_file(struct repair *repair, uint64_t from, uint64_t to, bool aside)
{
        struct memory *memory = &repair->store->memory;
        bool went = false;
        size_t count = 0;
        uint64_t *ids = NULL;
        int r = segment_list(memory, repair->store->directory, from, &ids, &count);

        for (size_t i = 0; r == 0 && i < count && ids[i] < to; i++)
                r = cut_file(repair, ids[i], aside, &went);
        if (r == 0 && went)
                r = quarantine_sync(repair->store->directory);
        memory_free(memory, ids);
        return r;
}

/* Count or put aside everything behind the kept prefix. */
static int each_cut_file(struct repair *repair, bool aside)
{
        return each_file(repair, repair->keep.tail.segment_id, UINT64_MAX, aside);
}

/* Count or put aside what is older than a log that begins later, unreadable as it is. */
static int each_older_file(struct repair *repair, bool aside)
{
        return each_file(repair, 1, repair->store->chain.entries[0].id, aside);
}

/* Sync what is kept, as a mark is set behind it: a killed writer may have left it in the cache. */
static int sync_kept(struct repair *repair, struct chain *chain)
{
        char name[32];
        int r = 0, fd;

        for (size_t i = 0; r == 0 && i < chain->count; i++) {
                uint64_t id = chain->entries[i].id;

                if (id > repair->keep.tail.segment_id ||
                    segment_is_sealed(chain->directory, chain->uuid, id))
                        continue;
                segment_name(id, name);
                fd = file_open(chain->directory, name, OS_READ, NULL);
                r = fd < 0 ? fd : os_sync_file(fd);
                if (fd >= 0 && os_close(fd) < 0 && r == 0)
                        r = -EIO;
                r = detail_sync(r, name);
        }
        return r;
}

/* Where the segment at the end of the kept prefix is sealed, have it sealed again as the log now
 * ends. The old seal would bring back what is cut, or contradict the segment that goes on. */
static void seal_anew(struct repair *repair, struct chain *chain)
{
        struct recovery *keep = &repair->keep;

        if (keep->records == 0 ||
            !segment_is_sealed(chain->directory, chain->uuid, keep->tail.segment_id))
                return;
        repair->anew = (struct unsealed){ keep->tail.segment_id, keep->tail.offset, keep->records,
                                          keep->tail.greatest_ns };
        keep->unsealed = &repair->anew;
        keep->unsealed_count = 1;
}

/* Become the writer of a chain that ends at the kept prefix. */
static int cut(struct repair *repair)
{
        struct logstore *store = repair->store;
        struct control control;
        struct chain chain;
        struct segment *segment;
        struct tail tail;
        int r = control_open(&store->memory, store->directory, true, &control);

        if (r < 0)
                return r;
        repair->slot.flags = 0;
        repair->slot.first_number = repair->begin;
        r = control_check_counts(&repair->slot);
        if (r < 0) {
                control_close(&control);
                return r;
        }
        control_adopt(&control, &repair->slot);
        chain_init(&chain, &store->memory, &control, store->directory, 8);
        chain.highest_id = store->chain.highest_id; /* also of what was moved away */
        r = chain_load(&chain);
        if (r == 0)
                r = sync_kept(repair, &chain);
        if (r == 0)
                seal_anew(repair, &chain);
        if (r == 0)
                r = recovery_start(&chain, &control,
                                   repair->keep.tail.segment_id ? &repair->keep : NULL, &segment,
                                   &tail);
        if (r == 0) {
                r = control_sync(&control);
                chain_forget(&chain, segment);
                chain_unpin(&chain, segment);
        }
        chain_free(&chain);
        control_close(&control);
        return r;
}

static int begin_later(struct repair *repair, bool apply)
{
        int r = each_older_file(repair, apply);

        repair->report.lost_records = repair->begin - repair->store->chain.first_number;
        return r == 0 && apply ? cut(repair) : r;
}

static int apply(struct repair *repair)
{
        int r = 0;

        if (repair->begin > repair->store->chain.first_number)
                r = each_older_file(repair, true);
        if (r == 0)
                r = each_cut_file(repair, true);
        if (r == 0)
                r = cut(repair);
        return r;
}

static int run(struct repair *repair, uint32_t flags, const char *salvage)
{
        struct logstore *store = repair->store;
        uint64_t first_ever = store->control.page->fixed.first_number;
        struct verdict verdict;
        bool spoilt;
        int r;

        if (repair->control.error)
                verdict_hook(repair->hooks, &repair->control, true);
        r = verify_store(store, repair->hooks, &verdict);

        if (verdict.unknown.error)
                return fault_tell(&verdict.unknown); /* what is not understood is never cut */
        if (r < 0 && r != -EBADMSG)
                return r;
        repair->damaged = r == -EBADMSG;
        repair->begin = verdict.begin < first_ever ? first_ever : verdict.begin;
        repair->keep = verdict.keep;
        if (repair->keep.tail.segment_id == 0)
                repair->keep.tail.number = repair->begin - 1;
        if (repair->keep.tail.number + 1 < repair->begin) { /* the log ends before it begins */
                memset(&repair->keep, 0, sizeof(repair->keep));
                repair->keep.tail.number = repair->begin - 1;
        }
        spoilt = verdict.slot.generation == 0 || verdict.misplaced;
        chain_slot(&store->chain, &repair->slot); /* what a later epoch cut off is not lost */
        if (chain_newest_epoch(&store->chain) > repair->slot.epoch)
                repair->slot.epoch = chain_newest_epoch(&store->chain);
        if (verdict.epoch > repair->slot.epoch) /* epochs do not fall along the chain */
                repair->slot.epoch = verdict.epoch;
        repair->last_known = repair->slot.mark_number;
        repair->salvage_path = salvage;
        r = repair->damaged || salvage ? repair_read(repair) : 0;
        if (r < 0)
                return r;
        repair->report.kept_first = repair->begin;
        repair->report.kept_last = repair->keep.tail.number;
        if (verdict.only_begins_later)
                return begin_later(repair, flags & LOGSTORE_REPAIR_APPLY);
        if (!repair->damaged) /* make a wrong control page good; cut nothing */
                return flags & LOGSTORE_REPAIR_APPLY && spoilt ? cut(repair) : 0;
        if (repair->last_known > repair->keep.tail.number)
                repair->report.lost_records = repair->last_known - repair->keep.tail.number;
        return flags & LOGSTORE_REPAIR_APPLY ? apply(repair) : each_cut_file(repair, false);
}

/* Open without the lock. Beside a writer the end might look torn, so refuse that. A writer that
 * comes later is not seen. */
static int open_dry(const char *path, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        int r;

        options.flags = LOGSTORE_READ_ONLY;
        r = logstore_open(path, &options, ret);
        if (r < 0 || directory_locked((*ret)->directory) != 1)
                return r;
        r = directory_busy((*ret)->directory);
        detail_prefix(r, "%s", path);
        logstore_close(*ret); /* read-only, and nothing is open in it: cannot fail */
        return r;
}

/* Put a control file made from the segments in the place of one that is lost. Where there is
 * nothing to make it from, the old one stays. */
static int rebuild_control(const char *path)
{
        struct memory memory = { 0 };
        struct control imagined;
        int r, directory = os_open_directory(path);

        if (directory < 0)
                return directory;
        memory_init(&memory);
        r = directory_locked(directory) == 1 ? directory_busy(directory) : 0;
        if (r == 0)
                r = control_imagine(&memory, directory, &imagined);
        if (r == 0) {
                control_close(&imagined);
                r = quarantine_move(directory, CONTROL_NAME);
                if (r == 0)
                        r = quarantine_sync(directory);
                if (r == 0 || r == -ENOENT) /* -ENOENT: there was none, not even a damaged one */
                        r = control_rebuild(&memory, directory);
        }
        os_close(directory); /* only names were changed, and synced */
        return r;
}

static int open_any(struct repair *repair, const char *path, bool apply)
{
        int r = apply ? store_open_locked(path, &repair->store) : open_dry(path, &repair->store);

        if (r != -EBADMSG)
                return r;
        fault_last(r, &repair->control);
        r = apply ? rebuild_control(path) : store_open_imagined(path, &repair->store);
        if (r == 0 && apply)
                r = store_open_locked(path, &repair->store);
        return r == -ENOENT ? fault_tell(&repair->control) : r; /* there is no segment either */
}

int logstore_repair(const char *path, uint32_t flags, const char *salvage,
                    const struct logstore_verify_hooks *hooks, struct logstore_repair_report *ret)
{
        struct repair repair = { .hooks = hooks };
        int r = open_any(&repair, path, flags & LOGSTORE_REPAIR_APPLY);

        if (r < 0)
                return r;
        guard_enter();
        r = run(&repair, flags, salvage);
        guard_leave();
        if (r == 0 && ret)
                *ret = repair.report;
        logstore_close(repair.store); /* with the lock; nothing is open in it: cannot fail */
        return r;
}
