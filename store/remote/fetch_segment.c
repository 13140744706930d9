/*
 * fetch_segment.c - one segment's file, from its object and the tails behind it
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remote/fetch_private.h"
#include "remote/frames.h"
#include "remote/remote_detail.h"

struct file {
        int fd;
        char name[32];
        uint64_t offset, end; /* of what comes next; of what may come */
};

static int fail(const struct file *file, const char *what)
{
        return remote_detail(-errno, "%s: offset %" PRIu64 ": cannot %s: %s", file->name,
                             file->offset, what, strerror(errno));
}

static int write_on(void *context, const void *bytes, size_t size)
{
        struct file *file = context;
        const char *from = bytes;

        if (size > file->end - file->offset)
                return remote_detail(-EBADMSG, "%s: more comes than its commit says", file->name);
        while (size > 0) {
                ssize_t r = pwrite(file->fd, from, size, (off_t)file->offset);

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return fail(file, "write");
                from += r;
                size -= (size_t)r;
                file->offset += (uint64_t)r;
        }
        return 0;
}

static int open_file(struct fetch *fetch, uint64_t id, struct file *ret)
{
        struct stat st;

        *ret = (struct file){ 0 };
        snprintf(ret->name, sizeof(ret->name), SEGMENT_NAME_FORMAT, id);
        ret->fd = openat(fetch->directory, ret->name,
                         O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (ret->fd < 0 || fstat(ret->fd, &st) < 0)
                return fail(ret, "open");
        if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
                return remote_detail(-EPERM, "%s: not a regular file with one name", ret->name);
        return 0;
}

static int changed(int r)
{
        return r == -ENOENT ? REMOTE_LOG_CHANGED : r;
}

/* From a fetch that was killed. */
static bool is_there(const struct file *file, const struct remote_entry *entry)
{
        struct stat st;
        uint64_t check;

        return fstat(file->fd, &st) == 0 && (uint64_t)st.st_size >= entry->to &&
               frames_hash(file->fd, file->name, 0, entry->to, 0, !entry->sealed, &check) == 0 &&
               check == entry->bytes_check;
}

static int fetch_whole(struct fetch *fetch, struct file *file, const struct remote_entry *entry)
{
        const struct bucket_sink sink = { write_on, file };
        uint64_t received;
        int r;

        if (is_there(file, entry)) {
                atomic_fetch_add(&fetch->kept_bytes, entry->to);
                return 0;
        }
        file->offset = 0;
        file->end = entry->to;
        r = changed(fetch_object(fetch->bucket, entry, &sink, &received));
        atomic_fetch_add(&fetch->bytes, received);
        return r;
}

static int fetch_tail(struct fetch *fetch, struct file *file, const struct remote_entry *entry)
{
        struct commit commit;
        int r = changed(commit_read(fetch->bucket, entry->seq, &commit, NULL));

        if (r != 0)
                return r;
        if (commit.header->kind != COMMIT_TAIL ||
            commit.header->payload_bytes != entry->to - entry->from ||
            commit.header->end.id != entry->id || commit.header->end.salt != entry->salt ||
            memcmp(commit.header->uuid, fetch->log.head.uuid, sizeof(fetch->log.head.uuid)) != 0) {
                r = remote_detail(-EBADMSG,
                                  "commit %" PRIu64 ": it is not the tail that later "
                                  "commits name",
                                  entry->seq);
        } else {
                file->offset = entry->from;
                file->end = entry->to;
                r = write_on(file, commit.payload, commit.header->payload_bytes);
                atomic_fetch_add(&fetch->bytes, commit.size);
        }
        commit_free(&commit);
        return r;
}

/* As long as a writer leaves it: a multiple of GROW_BYTES with zeros at the end. */
static int finish(struct file *file, uint64_t end)
{
        uint64_t bytes = (end + GROW_BYTES - 1) / GROW_BYTES * GROW_BYTES;

        if (ftruncate(file->fd, (off_t)end) < 0 || ftruncate(file->fd, (off_t)bytes) < 0)
                return fail(file, "set its length");
        if (fsync(file->fd) < 0)
                return fail(file, "sync");
        return 0;
}

/* A seal that is not of these bytes: the log was cut before them, or the seal came later. */
static int remove_seal(struct file *file)
{
        static const char none[SECTOR_BYTES];

        file->offset = SECTOR_BYTES;
        file->end = file->offset + sizeof(none);
        return write_on(file, none, sizeof(none));
}

int fetch_segment(struct fetch *fetch, const struct remote_segment *segment)
{
        struct file file;
        const struct remote_entry *last = &segment->lines[segment->line_count - 1].entry;
        int r = open_file(fetch, segment->id, &file);

        for (size_t i = 0; r == 0 && i < segment->line_count; i++) {
                const struct remote_entry *entry = &segment->lines[i].entry;
                r = entry->object_bytes ? fetch_whole(fetch, &file, entry)
                                        : fetch_tail(fetch, &file, entry);
        }
        if (r == 0 && (!last->sealed || last->to != segment->end))
                r = remove_seal(&file);
        if (r == 0)
                r = finish(&file, segment->end);
        if (file.fd >= 0 && close(file.fd) < 0 && r == 0)
                r = fail(&file, "close");
        return r;
}
