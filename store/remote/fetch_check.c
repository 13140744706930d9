/*
 * fetch_check.c - what was fetched is checked, and made a store
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "remote/fetch_private.h"
#include "remote/frames.h"
#include "remote/remote_detail.h"
#include "segment/hash.h"

/* Does the segment before lead here, and with which number? */
static int check_link(const struct fetch *fetch, size_t which, const struct segment_brief *brief)
{
        const struct remote_segment *before = which ? &fetch->log.segments[which - 1] : NULL;
        const struct start_payload *start = &brief->start;

        if (!before || (start->previous_id == before->id && start->previous_salt == before->salt &&
                        start->previous_end <= before->end))
                return 0;
        return remote_detail(-EBADMSG,
                             "segment %" PRIu64 ": the log before record %" PRIu64
                             " ends in segment %" PRIu64 ", which is not what was shipped",
                             brief->id, start->first_number, start->previous_id);
}

int fetch_check_segment(struct fetch *fetch, size_t which)
{
        const struct remote_segment *segment = &fetch->log.segments[which];
        struct segment_brief brief;
        struct frames_at at;
        char name[32];
        int fd, r;

        snprintf(name, sizeof(name), SEGMENT_NAME_FORMAT, segment->id);
        fd = openat(fetch->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
                return remote_detail(-errno, "%s: cannot open: %s", name, strerror(errno));
        r = frames_brief(fd, name, fetch->log.head.uuid, segment->id, &brief);
        if (r == 0 && brief.salt != segment->salt)
                r = remote_detail(-EBADMSG, "%s: its salt is not what its commit says", name);
        if (r == 0)
                r = check_link(fetch, which, &brief);
        if (r == 0) {
                at = frames_begin(&brief);
                r = frames_walk(fd, name, &brief, segment->end, UINT64_MAX, &at, NULL);
        }
        if (r == 0 && at.number - 1 != segment->last_number)
                r = remote_detail(-EBADMSG, "%s: it ends with record %" PRIu64 ", not %" PRIu64,
                                  name, at.number - 1, segment->last_number);
        close(fd); /* only read */
        return r;
}

static int compare_id(const void *key, const void *element)
{
        uint64_t id = *(const uint64_t *)key, other = ((const struct remote_segment *)element)->id;

        return id < other ? -1 : id > other;
}

static bool is_of_log(const struct fetch *fetch, const char *name)
{
        uint64_t id = strtoull(name, NULL, 10);
        char own[32];

        snprintf(own, sizeof(own), SEGMENT_NAME_FORMAT, id);
        return strcmp(name, own) == 0 && bsearch(&id, fetch->log.segments, fetch->log.segment_count,
                                                 sizeof(*fetch->log.segments), compare_id);
}

int fetch_remove_others(struct fetch *fetch)
{
        int fd = openat(fetch->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *directory = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *file;
        int r = 0;

        if (!directory)
                return remote_detail(-errno, "cannot read the directory: %s", strerror(errno));
        while (r == 0 && (file = readdir(directory))) {
                if (strcmp(file->d_name, ".") == 0 || strcmp(file->d_name, "..") == 0 ||
                    is_of_log(fetch, file->d_name))
                        continue;
                if (unlinkat(fetch->directory, file->d_name, 0) < 0)
                        r = remote_detail(-errno, "%s: cannot remove: %s", file->d_name,
                                          strerror(errno));
        }
        closedir(directory);
        return r;
}

/* Without a segment the log is empty. */
static void describe_mark(const struct remote_log *log, struct control_slot *slot)
{
        const struct remote_place *end = &log->head.end;

        if (log->segment_count > 0) {
                slot->mark_number = end->number;
                slot->mark_id = end->id;
                slot->mark_offset = end->offset;
                return;
        }
        slot->mark_number = slot->first_number - 1;
}

static struct control_page *make_control(const struct remote_log *log)
{
        const struct commit_header *head = &log->head;
        struct control_page *page = calloc(1, sizeof(*page));
        struct control_static *fixed;
        struct control_slot *slot;

        if (!page)
                return NULL;
        fixed = &page->fixed;
        slot = &page->slots[1].slot;
        *fixed = (struct control_static){
                .magic = CONTROL_MAGIC,
                .version = FORMAT_VERSION,
                .file_mode = head->file_mode,
                .segment_bytes = head->segment_bytes,
                .created_ns = head->store_created_ns,
                .first_number = head->store_first_number,
        };
        memcpy(fixed->uuid, head->uuid, sizeof(fixed->uuid));
        fixed->check = hash_seeded(0, fixed, offsetof(struct control_static, check));
        *slot = (struct control_slot){
                .generation = 1,
                .first_number = head->first_number,
                .epoch = head->epoch,
        };
        describe_mark(log, slot);
        slot->check = hash_seeded(0, slot, offsetof(struct control_slot, check));
        return page;
}

int fetch_write_control(struct fetch *fetch)
{
        struct control_page *page = make_control(&fetch->log);
        int fd, r = 0;

        if (!page)
                return remote_detail(-ENOMEM, "no memory for a control file");
        fd = openat(fetch->directory, CONTROL_NAME,
                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                    0600 | (fetch->log.head.file_mode & 0064));
        if (fd < 0 || pwrite(fd, page, sizeof(*page), 0) != (ssize_t)sizeof(*page) || fsync(fd) < 0)
                r = remote_detail(errno ? -errno : -EIO, CONTROL_NAME ": cannot write: %s",
                                  strerror(errno));
        if (fd >= 0 && close(fd) < 0 && r == 0)
                r = remote_detail(-errno, CONTROL_NAME ": cannot close: %s", strerror(errno));
        free(page);
        return r;
}
