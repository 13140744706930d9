/*
 * open.c - opening and closing a store
 *
 * Open:  directory, lock, control page, chain; open_writer.c goes on for a writer. A read-only open
 *        takes no lock, except for a repair, and changes nothing.
 * Close: sync, seal what is full, unlink what is trimmed, then store the clean flag.
 */
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "care/fork.h"
#include "chain/control_rebuild.h"
#include "chain/directory.h"
#include "verify/verdict.h"

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
                              "options.segment_bytes is %" PRIu64
                              ": 64 KiB to 4 GiB, in multiples of 64 KiB",
                              options->segment_bytes);
        if ((options->file_mode & ~0064u) != 0600)
                return detail(-EINVAL, "options.file_mode is %o: 600, 640, 644, 660 or 664",
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

static int take_lock(struct logstore *store)
{
        int r;

        fork_hold();
        r = directory_lock(store->directory, &store->lock_fd);
        fork_release();
        return r;
}

/* The file that is locked and the one that is mapped must be the same. */
static int check_same(struct logstore *store)
{
        struct os_stat st;
        int r = os_stat(store->lock_fd, &st);

        if (r == 0 && !os_is_same(&st, &store->control.file))
                r = detail(-EBUSY, CONTROL_NAME ": the file was replaced during the open");
        return r;
}

/* Make sure that there is a control file, and lock it if @lock says so. */
static int open_control(struct logstore *store, bool lock)
{
        bool create = store->options.flags & LOGSTORE_CREATE && store->writes;
        struct fault fault;
        int r = directory_is_store(store->directory);

        if (r == 0 && !create)
                r = detail(-ENOENT, "the directory holds no store");
        if (r == 0)
                r = create_control(store);
        if (r >= 0 && lock)
                r = take_lock(store);
        if (r >= 0)
                r = control_open(&store->memory, store->directory, store->writes, &store->control);
        if (r == -EMEDIUMTYPE && directory_has_segments(store->directory)) {
                fault_last(-EBADMSG, &fault); /* the directory was a store */
                r = fault_tell(&fault);
        }
        if (r == -EBADMSG && store->imagines)
                r = control_imagine(&store->memory, store->directory, &store->control);
        if (r == 0 && lock)
                r = check_same(store);
        return r;
}

static void free_store(struct logstore *store)
{
        keeper_stop(&store->keeper);
        if (store->writes && store->sync.writer) {
                if (store->claims.writer)
                        claims_free(&store->claims);
                sync_free(&store->sync);
                writer_free(&store->writer);
        }
        ring_free(store->get_ring);
        if (store->chain.memory)
                chain_free(&store->chain);
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

static int open_rest(struct logstore *store, bool lock)
{
        int r = open_alive_page(store);

        if (r == 0)
                r = fork_register(store);
        if (r == 0)
                r = directory_open(store->path, store->options.flags, store->options.file_mode,
                                   &store->directory);
        if (r == 0)
                r = open_control(store, lock);
        if (r < 0)
                return r;
        chain_init(&store->chain, &store->memory, &store->control, store->directory,
                   store->options.mapped_segments);
        store->chain.writes = store->writes;
        store->live = (struct view){ store, NULL, &store->chain };
        if (store->writes) { /* write nothing before store_open_writer() finds no fault */
                r = wake_check(store->directory, &store->wake);
                if (r == 0)
                        r = control_believe_disk(&store->control, store->directory);
        } else {
                r = wake_open(&store->memory, store->directory, false,
                              control_file_mode(store->control.page), &store->wake);
        }
        if (r == 0)
                r = chain_load(&store->chain);
        if (r == 0 && store->writes) {
                r = store_open_writer(store);
                if (r == -EBADMSG) /* tell it as verify does */
                        r = verify_tell_first(store, r);
        }
        return r;
}

static int open_path(const char *path, const struct logstore_options *given, bool lock,
                     bool imagine, struct logstore **ret)
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
        store->imagines = imagine;
        store->writes = !(options.flags & LOGSTORE_READ_ONLY);
        store->directory = store->lock_fd = store->control.fd = -1;
        memory_init(&store->memory);
        store->memory.anonymous_budget_bytes = options.anonymous_budget_bytes;
        pthread_mutex_init(&store->follower.lock, NULL);
        pthread_mutex_init(&store->ring_lock, NULL);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        guard_enter();
        r = open_rest(store, lock || store->writes);
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

int logstore_open(const char *path, const struct logstore_options *options, struct logstore **ret)
{
        return open_path(path, options, false, false, ret);
}

int store_open_locked(const char *path, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_READ_ONLY;
        return open_path(path, &options, true, false, ret);
}

int store_open_imagined(const char *path, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_READ_ONLY;
        return open_path(path, &options, false, true, ret);
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
                return detail(-EBUSY, "%" PRIu64 " cursors or snapshots are open: close them first",
                              children);
        if (!store->writes)
                return 0;
        writer_tail(&store->writer, &tail);
        if (tail.number != writer_claimed(&store->writer) && !atomic_load(&store->writer.failed))
                return detail(-EBUSY,
                              "record %" PRIu64 ": a claim is open: commit, abort or cancel it",
                              tail.number + 1);
        return 0;
}

/* Make everything durable, seal what is full, then store the flag that says so. */
static int close_writer(struct logstore *store)
{
        int r = sync_until(&store->sync, writer_claimed(&store->writer), -1);

        while (r == 0) /* so that the next open need not read it */
                r = sync_seal(&store->sync);
        if (r == -EAGAIN) {
                /* The next open unlinks what cannot be unlinked here. A failed sync is sticky. */
                retention_unlink_all(&store->retention);
                r = writer_failure(&store->writer);
        }
        if (r == 0)
                r = control_held(&store->control);
        if (r < 0)
                return r;
        control_set_flags(&store->control, CONTROL_CLEAN, 0);
        keeper_touch_now(&store->keeper); /* before the sync, so that the times are durable, too */
        return control_sync(&store->control);
}

int logstore_close(struct logstore *store)
{
        int r, cancel;

        if (!store)
                return 0;
        if (*store->alive == 0) /* in a forked child nothing here is its own to close */
                return 0;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        guard_enter();
        r = check_busy(store);
        if (r == 0) {
                keeper_stop(&store->keeper);
                if (store->writes)
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
