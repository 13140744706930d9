/*
 * ship_part.c - one segment, on its way to be an object
 *
 * The plan: check every frame; hash the file; put it. If it is to be packed, or if its seal may
 * still be written, it first goes into a file without a name, since a request says how many bytes
 * it brings, and one that is sent again must bring the same. That file is in $TMPDIR, else in the
 * store's directory, else in /var/tmp, and is as large as the object.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "remote/codec.h"
#include "remote/ship_private.h"

int ship_part_open(const struct logstore_ship *ship, struct ship_part *part)
{
        const struct logstore_extent *extent = part->extent;
        int r;

        part->fd = openat(ship->directory, extent->name,
                          O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (part->fd < 0 && errno == ENOENT)
                return SHIP_LOOK_AGAIN; /* trimmed */
        if (part->fd < 0)
                return remote_detail(-errno, "%s: cannot open: %s", extent->name, strerror(errno));
        r = frames_brief(part->fd, extent->name, ship->identity.uuid, extent->id, &part->brief);
        if (r == 0 && part->brief.salt != extent->salt)
                r = remote_detail(-EBADMSG, "%s: the file was replaced", extent->name);
        return r;
}

void ship_part_close(struct ship_part *part)
{
        free(part->directory.blocks);
        part->directory = (struct frames_directory){ 0 };
        if (part->fd >= 0)
                close(part->fd); /* only read */
        part->fd = -1;
}

struct remote_entry ship_part_entry(const struct ship_part *part, uint64_t from, uint64_t to,
                                    uint64_t first_number, uint64_t last_number)
{
        const struct start_payload *start = &part->brief.start;

        return (struct remote_entry){
                .term = part->term,
                .id = part->extent->id,
                .salt = part->extent->salt,
                .from = from,
                .to = to,
                .first_number = first_number,
                .last_number = last_number,
                .segment_number = start->first_number,
                .previous_id = start->previous_id,
                .previous_salt = start->previous_id ? start->previous_salt : 0,
                .previous_end = start->previous_end,
        };
}

/* ---- its object ---- */

static int open_spool(const struct logstore_ship *ship)
{
        const char *said = getenv("TMPDIR");
        int fd = said && *said ? open(said, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;

        if (fd < 0)
                fd = openat(ship->directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0)
                fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        return fd < 0 ? remote_detail(-errno,
                                      "no temporary file for a packed segment: %s: set TMPDIR to "
                                      "a directory that has room for it",
                                      strerror(errno))
                      : fd;
}

static int put_object(struct logstore_ship *ship, const struct ship_part *part, int fd)
{
        const struct remote_entry *entry = &part->entry;
        const struct bucket_source source = { .fd = fd,
                                              .size = entry->object_bytes,
                                              .connections = part->connections };
        char name[BUCKET_NAME_MAX];
        int r;

        segment_object_name(name, entry);
        r = ship_ask(ship, bucket_put, name, &source, NULL);
        return r == -EAGAIN ? SHIP_AGAIN : r;
}

/* The object is the file itself. */
static int put_file(struct logstore_ship *ship, struct ship_part *part)
{
        struct remote_entry *entry = &part->entry;
        int r = frames_hash(part->fd, part->extent->name, 0, entry->to, 0, false,
                            &entry->bytes_check);

        entry->object_bytes = entry->to;
        entry->object_check = entry->bytes_check;
        return r == 0 ? put_object(ship, part, part->fd) : r;
}

static int put_packed(struct logstore_ship *ship, struct ship_part *part)
{
        struct remote_entry *entry = &part->entry;
        struct codec_packed packed;
        int spool = open_spool(ship), r;

        if (spool < 0)
                return spool;
        r = codec_pack(part->fd, part->extent->name, entry->to, !entry->sealed,
                       (int)ship->options.compress, spool, part->directory.blocks,
                       part->directory.count, &packed);
        if (r == 0) {
                entry->codec = ship->options.compress ? CODEC_ZSTD : CODEC_PLAIN;
                entry->object_bytes = packed.object_bytes;
                entry->object_check = packed.object_check;
                entry->bytes_check = packed.bytes_check;
                r = put_object(ship, part, spool);
        }
        close(spool); /* it had no name, and goes with it */
        return r;
}

/* A truncation stores the seal again. So if it is the segment's own behind the last read, it was so
 * in each: else the log was cut, and the object may have bytes of both. */
static int check_seal(const struct logstore_ship *ship, const struct ship_part *part)
{
        const struct logstore_extent *extent = part->extent;
        struct segment_brief brief;
        int r = frames_brief(part->fd, extent->name, ship->identity.uuid, extent->id, &brief);

        if (r == 0 && (!brief.sealed || brief.seal.end != extent->end))
                r = remote_detail(SHIP_AGAIN, "%s: its seal is not that of offset %" PRIu64,
                                  extent->name, extent->end);
        return r;
}

int ship_part_put(struct logstore_ship *ship, struct ship_part *part)
{
        struct frames_at at = frames_begin(&part->brief);
        int r = frames_walk(part->fd, part->extent->name, &part->brief, part->extent->end,
                            UINT64_MAX, &at, &part->directory);

        if (r < 0)
                return r;
        part->entry =
                ship_part_entry(part, 0, at.offset, part->brief.start.first_number, at.number - 1);
        part->entry.nonce = ship_random();
        part->entry.sealed = part->extent->sealed;
        r = part->entry.sealed && !ship->options.compress ? put_file(ship, part)
                                                          : put_packed(ship, part);
        return r == 0 && part->entry.sealed ? check_seal(ship, part) : r;
}
