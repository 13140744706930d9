/*
 * open.c - opening and closing a store
 *
 * Open for writing: directory, lock, control page, chain; then either go on where a clean close
 * ended, or recover; then the clean flag is off, durably, before the first claim; then the thread.
 * Open read-only: the same without lock, recovery, or any change.
 * Close: everything synced, then the clean flag.
 */
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory.h"
#include "fork.h"
#include "recovery.h"

#define DEFAULT(field, value) ((field) ? (field) : (value))

static int check_options(const struct logstore_options *given, struct logstore_options *options)
{
        if (given->struct_bytes != sizeof(*given))
                return detail(-EINVAL,
                              "options.struct_bytes is %u, must be %zu: use "
                              "LOGSTORE_OPTIONS_INIT",
                              given->struct_bytes, sizeof(*given));
        *options = *given;
        options->segment_bytes = DEFAULT(given->segment_bytes, SEGMENT_BYTES_DEFAULT);
        options->file_mode = DEFAULT(given->file_mode, 0600);
        options->sync_bytes = DEFAULT(given->sync_bytes, UINT64_C(1) << 20);
        options->sync_ms = DEFAULT(given->sync_ms, 10);
        options->mapped_segments = DEFAULT(given->mapped_segments, 64);
        options->anonymous_budget_bytes =
                DEFAULT(given->anonymous_budget_bytes, UINT64_C(64) << 20);
        options->private_budget_bytes = DEFAULT(given->private_budget_bytes, UINT64_C(64) << 20);
        options->dirty_soft_bytes = DEFAULT(given->dirty_soft_bytes, UINT64_C(4) << 20);
        options->dirty_hard_bytes = DEFAULT(given->dirty_hard_bytes, UINT64_C(256) << 20);
        options->first_number = DEFAULT(given->first_number, 1);
        if (options->segment_bytes < SEGMENT_BYTES_MIN ||
            options->segment_bytes > SEGMENT_BYTES_MAX || options->segment_bytes % GROW_BYTES != 0)
                return detail(-EINVAL,
                              "options.segment_bytes is %llu: 64 KiB to 4 GiB, in "
                              "multiples of 64 KiB",
                              (unsigned long long)options->segment_bytes);
        if (options->file_mode != 0600 && options->file_mode != 0640 && options->file_mode != 0644)
                return detail(-EINVAL, "options.file_mode is %o: 600, 640 or 644",
                              options->file_mode);
        if (options->sync_policy > LOGSTORE_SYNC_EACH || options->keep_ns < 0 ||
            options->flags >= LOGSTORE_DIRTY_EAGAIN << 1 ||
            (options->flags & LOGSTORE_CREATE && options->flags & LOGSTORE_READ_ONLY))
                return detail(-EINVAL, "options: an unknown policy or flag, a negative time, or "
                                       "read-only creation");
        return 0;
}

/* ---- opening ---- */

static int open_alive_page(struct logstore *store)
{
        int r = map_anonymous(&store->memory, os_page_bytes(), &store->alive_page);

        if (r == 0)
                r = os_wipe_on_fork(store->alive_page.base, store->alive_page.bytes);
        if (r < 0)
                return detail(r, "no memory: %s", logstore_error_text(r));
        store->alive = store->alive_page.base;
        *store->alive = 1;
        return 0;
}

static int create_control(struct logstore *store)
{
        struct control_options create = {
                .segment_bytes = store->options.segment_bytes,
                .first_number = store->options.first_number,
                .file_mode = store->options.file_mode,
        };
        int r = control_create(store->directory, &create);

        return r < 0 ? detail_prefix(r, "%s: cannot create the store", store->path) : 0;
}

static int check_control(struct logstore *store)
{
        struct control control;
        int r = control_open(&store->memory, store->directory, false, &control);

        if (r == 0)
                control_close(&control);
        return r;
}

/* Lock it if we write; make sure that there is a control file. */
static int open_control(struct logstore *store)
{
        bool create = store->options.flags & LOGSTORE_CREATE && store->writer;
        int r = directory_is_store(store->directory);

        if (r == 0 && !create)
                r = detail(-ENOENT, "the directory holds no store");
        if (r == 1 && store->writer) /* what we cannot use is not touched, not even its lock */
                r = check_control(store);
        if (r < 0)
                return r;
        if (store->writer) {
                fork_hold();
                r = directory_lock(store->directory, &store->lock_fd);
                fork_release();
                if (r < 0)
                        return r;
                r = directory_is_store(store->directory); /* again, under the lock */
                if (r == 0)
                        r = create_control(store);
                if (r >= 0)
                        r = directory_clean(store->directory);
                if (r < 0)
                        return r;
        }
        return control_open(&store->memory, store->directory, store->writer, &store->control);
}

static int refuse_fault(struct logstore *store)
{
        return store->catalog.fault ? detail(store->catalog.fault, "%s", store->catalog.fault_text)
                                    : 0;
}

static int recover(struct logstore *store, const struct control_slot *slot, struct segment **ret,
                   struct tail *ret_tail, uint32_t *ret_records)
{
        struct control_slot in_place;
        struct recovery recovery;
        int r = recovery_scan(&store->catalog, slot, !(store->options.flags & LOGSTORE_NO_RING),
                              &recovery);

        if (r == 0 && recovery.damage)
                r = recovery.damage;
        if (r == 0)
                r = recovery_start(&store->catalog, &store->control, &recovery, ret, ret_tail);
        if (r == -ENOSPC && recovery_in_place(&store->catalog, slot, &recovery, &in_place)) {
                r = recovery_resume(&store->catalog, &in_place, ret, ret_tail, ret_records);
                ret_tail->greatest_ns = recovery.tail.greatest_ns;
                return r;
        }
        if (r == 0) {
                store->dropped_records = recovery.dropped_records;
                store->dropped_bytes = recovery.dropped_bytes;
        }
        return r;
}

/* May the head go on at the mark, with nothing but the head read? A close seals what is full; what
 * is not sealed all the same, as a recovery on a full disk leaves it, was not read by anybody. */
static bool closed_cleanly(struct catalog *catalog, const struct control_slot *slot)
{
        size_t head = catalog->count - 1;
        struct segment_brief before;

        if (!(slot->flags & CONTROL_CLEAN) || slot->flags & CONTROL_FAILED ||
            catalog->entries[head].id != slot->mark_id)
                return false;
        return head == 0 || (segment_brief_read(catalog->directory, catalog->uuid,
                                                catalog->entries[head - 1].id, &before) == 0 &&
                             before.sealed);
}

/* Find or make the active segment; the caller gets it pinned. */
static int find_active(struct logstore *store, const struct control_slot *slot,
                       struct segment **ret, struct tail *ret_tail, uint32_t *ret_records)
{
        struct catalog *catalog = &store->catalog;
        int r = 1;

        *ret_records = 0;
        if (catalog->count == 0) {
                /* The names of the control file and the directory, whoever made them and died
                 * then; from the first segment on they are known to be durable. */
                r = os_sync_directory(store->directory);
                if (r < 0)
                        return detail(r, "%s: cannot sync the directory: %s", store->path,
                                      logstore_error_text(r));
                r = directory_sync_parent(store->path);
                return r < 0 ? r : recovery_start(catalog, &store->control, NULL, ret, ret_tail);
        }
        if (closed_cleanly(catalog, slot))
                r = recovery_resume(catalog, slot, ret, ret_tail, ret_records);
        if (r == 1) {
                *ret_records = 0;
                return recover(store, slot, ret, ret_tail, ret_records);
        }
        return r < 0 ? r : catalog_drop_leftovers(catalog);
}

static int begin_head(struct logstore *store, const struct control_slot *slot)
{
        struct segment *segment = NULL;
        uint32_t records;
        struct tail tail;
        int r = find_active(store, slot, &segment, &tail, &records);

        if (r == 0 && store->catalog.first_number > tail.number + 1)
                r = detail(-EBADMSG,
                           CONTROL_NAME ": the first number, %llu, lies beyond the log, "
                                        "which ends with %llu: run verify, then repair",
                           (unsigned long long)slot->first_number, (unsigned long long)tail.number);
        if (r == 0)
                r = head_begin(&store->head, segment, &tail, records);
        if (r < 0) {
                if (segment) {
                        catalog_forget(&store->catalog, segment);
                        catalog_unpin(&store->catalog, segment);
                }
                return r;
        }
        sync_begin(&store->sync, &store->head.tail);
        return 0;
}

static int start_keeper(struct logstore *store)
{
        struct keeper *keeper = &store->keeper;
        const struct logstore_options *options = &store->options;
        int r = 0;

        *keeper = (struct keeper){
                .head = &store->head,
                .sync = &store->sync,
                .retention = &store->retention,
                .writeback_bytes = options->dirty_soft_bytes,
                .sync_bytes =
                        options->sync_policy == LOGSTORE_SYNC_INTERVAL ? options->sync_bytes : 0,
                .sync_ns = options->sync_ms * INT64_C(1000000),
                .written_turn = 1,
        };
        pthread_mutex_init(&keeper->lock, NULL);
        if (!(options->flags & LOGSTORE_NO_THREAD))
                r = keeper_start(keeper);
        return r < 0 ? detail(r, "cannot start the background thread") : 0;
}

static int open_writer(struct logstore *store)
{
        struct control_slot slot;
        int r = refuse_fault(store);

        if (r < 0)
                return r;
        catalog_slot(&store->catalog, &slot);
        control_adopt(&store->control, &slot);
        head_init(&store->head, &store->catalog, &store->control, &store->wake);
        store->head.dirty_hard_bytes = store->options.dirty_hard_bytes;
        head_keep_ready(&store->head, store->options.ready_bytes);
        store->head.dirty_refuses = store->options.flags & LOGSTORE_DIRTY_EAGAIN;
        store->head.fine_time = store->options.flags & LOGSTORE_FINE_TIME;
        sync_init(&store->sync, &store->head, &store->claims,
                  store->options.flags & LOGSTORE_NO_RING);
        retention_init(&store->retention, &store->sync, &store->catalog, &store->control);
        store->retention.keep_bytes = store->options.keep_bytes;
        store->retention.keep_records = store->options.keep_records;
        store->retention.keep_ns = store->options.keep_ns;
        r = claims_init(&store->claims, &store->head);
        if (r == 0)
                r = begin_head(store, &slot);
        if (r == 0) {
                control_set_flags(&store->control, 0, CONTROL_CLEAN | CONTROL_FAILED);
                r = control_sync(&store->control);
                if (r < 0)
                        detail(r, CONTROL_NAME ": a sync failed: %s", logstore_error_text(r));
        }
        if (r == 0) {
                atomic_store(&store->control.page->writer_epoch, store->control.epoch);
                store->batch_bytes_max = store->control.page->fixed.segment_bytes - FRAMES_OFFSET;
                r = start_keeper(store);
        }
        return r;
}

static void free_store(struct logstore *store)
{
        keeper_stop(&store->keeper);
        if (store->writer && store->sync.head) {
                if (store->claims.head)
                        claims_free(&store->claims);
                sync_free(&store->sync);
                head_free(&store->head);
        }
        ring_free(store->get_ring);
        if (store->catalog.memory)
                catalog_free(&store->catalog);
        wake_close(&store->wake);
        control_close(&store->control);
        map_close(&store->alive_page);
        fork_hold();
        if (store->lock_fd >= 0)
                os_close(store->lock_fd);
        store->lock_fd = -1;
        fork_release();
        fork_unregister(store);
        if (store->directory >= 0)
                os_close(store->directory);
        free(store->path);
        free(store);
}

static int open_rest(struct logstore *store)
{
        int r = open_alive_page(store);

        if (r == 0)
                r = fork_register(store);
        if (r == 0)
                r = directory_open(store->path, store->options.flags, store->options.file_mode,
                                   &store->directory);
        if (r == 0)
                r = open_control(store);
        if (r < 0)
                return r;
        catalog_init(&store->catalog, &store->memory, &store->control, store->directory,
                     store->options.mapped_segments);
        store->catalog.writer = store->writer;
        r = wake_open(&store->memory, store->directory, store->writer,
                      store->control.page->fixed.file_mode, &store->wake);
        if (r == 0 && store->writer)
                r = control_believe_disk(&store->control, store->directory);
        if (r == 0)
                r = catalog_load(&store->catalog);
        return r == 0 && store->writer ? open_writer(store) : r;
}

int logstore_open(const char *path, const struct logstore_options *given, struct logstore **ret)
{
        static const struct logstore_options defaults = LOGSTORE_OPTIONS_INIT;
        struct logstore_options options;
        struct logstore *store;
        int r, cancel;

        detail_clear();
        if (!path || !ret || !*path)
                return detail(-EINVAL, "path or ret is NULL");
        r = check_options(given ? given : &defaults, &options);
        if (r < 0)
                return r;
        store = calloc(1, sizeof(*store));
        if (!store || !(store->path = strdup(path))) {
                free(store);
                return detail(-ENOMEM, "no memory for a store");
        }
        store->options = options;
        store->writer = !(options.flags & LOGSTORE_READ_ONLY);
        store->directory = store->lock_fd = store->control.fd = -1;
        memory_init(&store->memory);
        store->memory.anonymous_budget_bytes = options.anonymous_budget_bytes;
        pthread_mutex_init(&store->follower.lock, NULL);
        pthread_mutex_init(&store->ring_lock, NULL);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        guard_enter();
        r = open_rest(store);
        if (r < 0) {
                detail_prefix(r, "%s", path);
                free_store(store);
        } else {
                *ret = store;
        }
        guard_leave();
        pthread_setcancelstate(cancel, NULL);
        return r;
}

int store_open_new(const char *path, const struct logstore_options *options, struct logstore **ret)
{
        int fd = os_open_directory(path), r;

        if (fd >= 0) {
                r = directory_is_store(fd);
                os_close(fd); /* only read */
                if (r != 0)
                        return detail(-EEXIST, "%s: there is something already", path);
        } else if (fd != -ENOENT) {
                return detail(-EEXIST, "%s: there is something already", path);
        }
        return logstore_open(path, options, ret);
}

/* ---- closing ---- */

static int check_busy(struct logstore *store)
{
        uint64_t children = atomic_load(&store->children);
        struct tail tail;

        if (children > 0)
                return detail(-EBUSY, "%llu cursors or snapshots are open: close them first",
                              (unsigned long long)children);
        if (!store->writer)
                return 0;
        head_tail(&store->head, &tail);
        if (tail.number != head_claimed(&store->head) && !atomic_load(&store->head.failed))
                return detail(-EBUSY, "record %llu: a claim is open: commit, abort or cancel it",
                              (unsigned long long)(tail.number + 1));
        return 0;
}

/* Everything durable, what is full sealed, then the flag that says so. */
static int close_writer(struct logstore *store)
{
        int r = sync_until(&store->sync, head_claimed(&store->head), -1);

        while (r == 0) /* the next to open need not read what is full */
                r = sync_seal(&store->sync);
        if (r == -EAGAIN)
                r = head_failure(&store->head);
        if (r < 0)
                return r;
        control_set_flags(&store->control, CONTROL_CLEAN, 0);
        r = control_sync(&store->control);
        return r < 0 ? detail(r, CONTROL_NAME ": a sync failed: %s", logstore_error_text(r)) : 0;
}

int logstore_close(struct logstore *store)
{
        int r, cancel;

        if (!store)
                return 0;
        if (*store->alive == 0) /* a fork's child: nothing here is its own to close */
                return 0;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        guard_enter();
        r = check_busy(store);
        if (r == 0) {
                keeper_stop(&store->keeper);
                if (store->writer)
                        r = close_writer(store);
                free_store(store);
        }
        guard_leave();
        pthread_setcancelstate(cancel, NULL);
        return r;
}

const char *logstore_version(void)
{
        return LOGSTORE_VERSION;
}
