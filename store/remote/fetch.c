/*
 * fetch.c - make a store of what a bucket holds
 */
#include "logstore-remote.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "remote/fetch_private.h"
#include "remote/remote.h"
#include "remote/remote_detail.h"
#include "remote/ship_private.h"
#include "remote/workers.h"

#define ROUNDS 20
#define THREADS 4

static int fail(int error, const char *name, const char *what)
{
        return remote_detail(error, "%s: cannot %s: %s", name, what, strerror(-error));
}

/* ---- one segment ---- */

/* One at a time, so that what is told only grows. */
static void tell_progress(struct fetch *fetch, uint64_t bytes)
{
        if (!fetch->options->progress)
                return;
        pthread_mutex_lock(&fetch->lock);
        fetch->done_bytes += bytes;
        fetch->options->progress(fetch->options->context, fetch->done_bytes, fetch->total_bytes);
        pthread_mutex_unlock(&fetch->lock);
}

static int fetch_one(void *context, size_t which)
{
        struct fetch *fetch = context;
        const struct remote_segment *segment = &fetch->log.segments[which];
        int r = fetch_segment(fetch, segment);

        if (r == 0)
                r = fetch_check_segment(fetch, which);
        if (r == 0)
                tell_progress(fetch, segment->end);
        return r;
}

/* ---- all ---- */

static int fetch_round(struct fetch *fetch)
{
        unsigned threads = fetch->options->files ? fetch->options->files : THREADS;
        int r;

        remote_log_free(&fetch->log);
        fetch->done_bytes = fetch->total_bytes = 0;
        r = remote_log_read(fetch->bucket, &fetch->log);
        for (size_t i = 0; r == 0 && i < fetch->log.segment_count; i++)
                fetch->total_bytes += fetch->log.segments[i].end;
        if (r == 0)
                r = workers_run(fetch->log.segment_count, threads, fetch_one, fetch);
        if (r == 0) /* what an earlier round brought and this one does not want */
                r = fetch_remove_others(fetch);
        return r;
}

/* Look again until a round is whole. If an object is not there, and no commit has come since that
 * could have replaced it, it is missing. */
static int fetch_rounds(struct fetch *fetch)
{
        uint64_t seq = 0;
        int r = -EAGAIN;

        for (unsigned i = 0; i < ROUNDS; i++) {
                struct timespec pause = { 0, 50000000L << (i < 4 ? i : 4) };

                fetch->rounds++;
                r = fetch_round(fetch);
                if (r == REMOTE_LOG_CHANGED && fetch->log.head.seq != 0 &&
                    fetch->log.head.seq == seq)
                        return remote_detail_within(-EBADMSG, "an object is missing");
                if (r != -EAGAIN && r != REMOTE_LOG_CHANGED)
                        return r;
                seq = fetch->log.head.seq;
                nanosleep(&pause, NULL);
        }
        return r == -EAGAIN ? r
                            : remote_detail(-EAGAIN,
                                            "%s: the log changes faster than it can be "
                                            "fetched",
                                            fetch->bucket->url);
}

/* The directory gets its name. Its entry is durable on return. */
static int publish(struct fetch *fetch, const char *temporary, const char *directory)
{
        char parent[4096];
        char *slash;
        int fd, r = 0;

        if (fsync(fetch->directory) < 0)
                return fail(-errno, temporary, "sync");
        if (renameat2(AT_FDCWD, temporary, AT_FDCWD, directory, RENAME_NOREPLACE) < 0)
                return fail(-errno, directory, "rename to it what was fetched");
        snprintf(parent, sizeof(parent), "%s", directory);
        slash = strrchr(parent, '/');
        if (slash)
                slash[slash == parent] = '\0';
        fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
                r = fail(-errno, slash ? parent : ".", "sync");
        if (fd >= 0)
                close(fd); /* only synced */
        return r;
}

/* Two fetches to one place would write into each other's files, also into those of a store that the
 * first one has published. So the name is looked at once more under the lock. */
static int lock_temporary(struct fetch *fetch, const char *temporary)
{
        struct stat own, there;

        if (flock(fetch->directory, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK
                               ? remote_detail(-EBUSY, "%s: another fetch is at work", temporary)
                               : fail(-errno, temporary, "lock");
        if (fstat(fetch->directory, &own) < 0 || lstat(temporary, &there) < 0)
                return fail(-errno, temporary, "look at");
        if (own.st_dev != there.st_dev || own.st_ino != there.st_ino)
                return remote_detail(-EBUSY, "%s: another fetch was at work", temporary);
        return 0;
}

/* The store is there already, so nothing that fails here is told. */
static void note_end(const struct fetch *fetch, const char *directory)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;

        options.flags = LOGSTORE_READ_ONLY | LOGSTORE_NO_THREAD;
        if (logstore_open(directory, &options, &store) < 0)
                return;
        ship_note_fetched(store, fetch->bucket, &fetch->log.head);
        logstore_close(store); /* read-only, and nothing of it is open */
}

static int make_temporary(struct fetch *fetch, const char *temporary)
{
        if (mkdir(temporary, 0700) < 0 && errno != EEXIST)
                return fail(-errno, temporary, "make the directory");
        fetch->directory = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        return fetch->directory < 0 ? fail(-errno, temporary, "open")
                                    : lock_temporary(fetch, temporary);
}

/* "DIR/" and "DIR" are the same directory. */
static char *name_beside(const char *directory, const char *suffix)
{
        size_t length = strlen(directory);
        char *name = malloc(length + strlen(suffix) + 1);

        while (length > 1 && directory[length - 1] == '/')
                length--;
        if (name)
                sprintf(name, "%.*s%s", (int)length, directory, suffix);
        return name;
}

static struct logstore_fetch_report describe(const struct fetch *fetch, uint32_t struct_bytes)
{
        const struct commit_header *head = &fetch->log.head;

        return (struct logstore_fetch_report){
                .struct_bytes = struct_bytes,
                .rounds = fetch->rounds,
                .end = { head->end.id, head->end.salt, head->end.offset, head->end.number },
                .first_number = head->first_number,
                .segments = fetch->log.segment_count,
                .bytes = fetch->bytes,
                .kept_bytes = fetch->kept_bytes,
                .commit = head->seq,
        };
}

static int fetch_into(struct fetch *fetch, const char *directory, const char *temporary)
{
        struct stat st;
        int r;

        if (lstat(directory, &st) == 0)
                return remote_detail(-EEXIST, "%s: there is something: fetch to another place",
                                     directory);
        r = make_temporary(fetch, temporary);
        if (r == 0)
                r = fetch_rounds(fetch);
        if (r == 0)
                r = fetch_write_control(fetch);
        if (r == 0)
                r = publish(fetch, temporary, directory);
        if (fetch->directory >= 0)
                close(fetch->directory); /* lets go of the lock, too */
        if (r == 0)
                note_end(fetch, directory);
        return r;
}

int logstore_fetch(const char *url, const char *directory,
                   const struct logstore_remote_options *remote,
                   const struct logstore_fetch_options *options, struct logstore_fetch_report *ret)
{
        const struct logstore_fetch_options otherwise = LOGSTORE_FETCH_OPTIONS_INIT;
        struct fetch fetch = { .options = options ? options : &otherwise,
                               .directory = -1,
                               .lock = PTHREAD_MUTEX_INITIALIZER };
        char *temporary, *plain;
        int r;

        if (!url || !directory || fetch.options->struct_bytes != sizeof(*options) ||
            (ret && ret->struct_bytes != sizeof(*ret)))
                return remote_detail(-EINVAL, "an argument is NULL, or struct_bytes is not set");
        r = remote_open(url, remote, &fetch.bucket);
        if (r < 0)
                return r;
        fetch.bucket->patience_ns = PATIENCE_NS;
        temporary = name_beside(directory, ".fetch");
        plain = name_beside(directory, "");
        r = temporary && plain ? fetch_into(&fetch, plain, temporary)
                               : remote_detail(-ENOMEM, "no memory for a name");
        if (r == 0 && ret)
                *ret = describe(&fetch, ret->struct_bytes);
        remote_log_free(&fetch.log);
        bucket_close(fetch.bucket);
        free(temporary);
        free(plain);
        return r;
}
