/*
 * ship_proof.c - the end of what is shipped, and the bytes before it that prove it
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "remote/ship_private.h"

/* So many bytes before the end prove that two logs are the same there. */
#define PROOF_BYTES UINT64_C(4096)

static int hash_before(int fd, const struct remote_place *end, uint64_t bytes, uint64_t *ret)
{
        char name[32];

        snprintf(name, sizeof(name), SEGMENT_NAME_FORMAT, end->id);
        return frames_hash(fd, name, end->offset - bytes, end->offset, end->salt, true, ret);
}

static int set_end(int fd, const struct remote_place *end, struct commit_header *header)
{
        header->end = *end;
        header->tail_bytes = end->offset < PROOF_BYTES ? end->offset : PROOF_BYTES;
        return hash_before(fd, end, header->tail_bytes, &header->tail_check);
}

int ship_set_end(const struct ship_part *part, const struct remote_place *end,
                 struct commit_header *header)
{
        header->epoch = part->brief.start.epoch;
        return set_end(part->fd, end, header);
}

static int open_segment(const struct logstore_ship *ship, const struct remote_place *end)
{
        char name[32];
        int fd;

        snprintf(name, sizeof(name), SEGMENT_NAME_FORMAT, end->id);
        fd = openat(ship->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        return fd < 0 ? remote_detail(-errno, "%s: cannot open: %s", name, strerror(errno)) : fd;
}

/* Cut or trimmed just now. */
static int gone(int r)
{
        return r == -ENOENT ? SHIP_AGAIN : r;
}

int ship_set_end_at(const struct logstore_ship *ship, const struct remote_place *end,
                    struct commit_header *header)
{
        int fd = open_segment(ship, end), r;

        if (fd < 0)
                return gone(fd);
        r = set_end(fd, end, header);
        close(fd); /* only read */
        return r;
}

int ship_check_end(const struct logstore_ship *ship, const struct commit_header *header,
                   bool *ret_same)
{
        int fd = open_segment(ship, &header->end), r;
        uint64_t check;

        if (fd < 0)
                return gone(fd);
        r = hash_before(fd, &header->end, header->tail_bytes, &check);
        *ret_same = r == 0 && check == header->tail_check;
        close(fd); /* only read */
        return r;
}
