/*
 * follow.c - the store that a directory's name means, while it is followed
 *
 * A look costs a stat(2) of the control file; only when that is another file, or was touched, the
 * store is opened anew and compared. The same store is gone on in if the new opening has records
 * that the old one does not: on an overlay the first write gives a file a copy, which is not seen
 * through what was opened before.
 */
#include "records/follow.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/report.h"
#include "lib/times.h"
#include "records/session.h"

#define LOOK_MS 200                  /* for a store that is not there */
#define DOUBT_NS INT64_C(5000000000) /* files may be on their way, one by one */

bool follow_output_closed(void)
{
        struct pollfd out = { .fd = STDOUT_FILENO };

        return poll(&out, 1, 0) > 0 && out.revents & POLLERR;
}

static int look(const struct follow *follow, struct stat *ret)
{
        char path[4096 + sizeof("/control")];

        if (snprintf(path, sizeof(path), "%s/control", follow->dir) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        return stat(path, ret) < 0 ? -errno : 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool follow_left(const struct follow *follow)
{
        struct stat st;

        return look(follow, &st) < 0 || !is_same(&st, &follow->control);
}

/* Is the end of the log damaged? It is where the newest file is not there yet. */
static int check_end(struct logstore *store)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        int r = logstore_cursor_open(store, 0, &cursor);

        if (r < 0)
                return r;
        r = logstore_cursor_seek(cursor, UINT64_MAX);
        if (r == 0)
                r = logstore_cursor_next(cursor, &record);
        logstore_cursor_close(cursor);
        return r == -EBADMSG ? r : 0;
}

/* A status; *ret is NULL if it is to be tried again. */
static int try_open(struct follow *follow, bool patient, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct stat st;
        bool seen = look(follow, &st) == 0, doubts;
        int r;

        *ret = NULL;
        options.flags = LOGSTORE_READ_ONLY | session_flags();
        doubts = patient && (!follow->doubt_ns || times_monotonic() - follow->doubt_ns < DOUBT_NS);
        r = logstore_open(follow->dir, &options, ret);
        if (r == 0 && doubts) {
                r = check_end(*ret);
                if (r < 0)
                        logstore_close(*ret);
        }
        if (r == 0) {
                if (seen)
                        follow->control = st;
                follow->waiting = false;
                follow->doubt_ns = 0;
                return STATUS_DONE;
        }
        *ret = NULL;
        if (r == -ENOENT) {
                if (!follow->waiting)
                        report_note("%s: there is no store: waiting for it", follow->dir);
                follow->waiting = true;
                return STATUS_DONE;
        }
        if (!follow->doubt_ns)
                follow->doubt_ns = times_monotonic();
        return doubts ? STATUS_DONE : report_open(r, follow->dir);
}

int follow_open(struct follow *follow, const char *dir, struct logstore **ret)
{
        int status;

        *follow = (struct follow){ .dir = dir };
        do {
                status = try_open(follow, follow->waiting, ret);
                if (status != STATUS_DONE || *ret || follow_output_closed())
                        return status;
        } while (poll(NULL, 0, LOOK_MS) == 0 || errno == EINTR);
        return STATUS_DONE;
}

/* 1: another store. 0: the same. */
static int compare(struct logstore *a, struct logstore *b)
{
        struct logstore_info infos[2] = { { .struct_bytes = sizeof(infos[0]) },
                                          { .struct_bytes = sizeof(infos[0]) } };
        int r = logstore_info(a, &infos[0]);

        if (r == 0)
                r = logstore_info(b, &infos[1]);
        return r < 0 ? r : memcmp(infos[0].uuid, infos[1].uuid, sizeof(infos[0].uuid)) != 0;
}

int follow_look(struct follow *follow, struct logstore *store, uint64_t tail, struct logstore **ret,
                bool *ret_other)
{
        struct stat before = follow->control, st;
        struct logstore_bounds bounds;
        struct logstore *opened;
        int r = look(follow, &st), status;

        *ret = NULL;
        *ret_other = false;
        if (r == 0 && !follow->waiting && !follow->doubt_ns && is_same(&st, &before) &&
            st.st_mtim.tv_sec == before.st_mtim.tv_sec &&
            st.st_mtim.tv_nsec == before.st_mtim.tv_nsec)
                return STATUS_DONE;
        status = try_open(follow, true, &opened);
        if (!opened)
                return status;
        r = compare(store, opened);
        if (r == 0)
                r = logstore_bounds(opened, &bounds);
        if (r == 0 && is_same(&before, &follow->control) && bounds.tail <= tail) {
                logstore_close(opened);
                return STATUS_DONE;
        }
        if (r < 0) {
                status = report_store(r, follow->dir);
                logstore_close(opened);
                return status;
        }
        if (r == 1)
                report_note("%s: another store is there now: going on in that", follow->dir);
        *ret_other = r == 1;
        *ret = opened;
        return STATUS_DONE;
}
