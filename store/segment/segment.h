/*
 * segment.h - one append-only file of frames
 */
#ifndef LOGSTORE_SEGMENT_H
#define LOGSTORE_SEGMENT_H

#include <pthread.h>
#include <stdbool.h>

#include "format.h"
#include "os/memory.h"
#include "segment/brief.h"
#include "segment/index.h"
#include "segment/record.h"
#include "segment/walk.h"

/* One mapped segment, which all its readers share. A count pins it. */
struct segment {
        struct segment_brief brief; /* seal: as found when opened */
        struct hash_key key;
        struct map map; /* at full size; the file may be shorter */
        int fd;         /* kept while unsealed, else -1 */
        char name[32];
        _Atomic uint64_t file_bytes;  /* as last seen; grows while unsealed */
        _Atomic uint64_t last_number; /* UINT64_MAX while nothing follows the segment */
        _Atomic uint64_t end;         /* where its frames end; brief.bytes while unknown */
        uint32_t pins;                /* these three under the chain's lock */
        bool forgotten;               /* not in the chain any more: close at the last unpin */
        uint64_t used;                /* when last pinned, in pins */

        /* Index: the writer's own is complete up to the tail; a reader's is extended on demand. */
        pthread_mutex_t index_lock;
        struct index index;
        uint32_t index_mode; /* of an index file that may be written if missing; 0: none may */
        bool index_shared;   /* mapped from a file, or kept by appends: complete */
        struct index own;    /* in the place of a mapped one that is wrong */
        struct walk indexed; /* an index that is not complete has the entries below its ordinal */
        bool mended;         /* the index file that was wrong was written anew */
        struct memory *memory;
        int directory;
};

void segment_name(uint64_t id, char name[32]);

/* The id that a file name stands for; 0: it is none. */
uint64_t segment_name_id(const char *name, bool *ret_is_index);

/* The ids of the segment files in a directory, from @from on, ascending. The caller frees them. */
int segment_list(struct memory *memory, int directory, uint64_t from, uint64_t **ret,
                 size_t *ret_count);

/* Make the file of a new segment. Its header and its name are durable on return. */
int segment_prepare(int directory, const uint8_t uuid[16], uint64_t id, uint64_t bytes,
                    uint32_t mode);

/* What a header says without the control file, whatever store it belongs to. */
struct segment_identity {
        uint8_t uuid[16];
        uint64_t bytes; /* of a full segment of the store */
        int64_t created_ns;
        uint32_t mode; /* of the file: 0600, 0640 or 0644 */
};
int segment_identify(int directory, uint64_t id, struct segment_identity *ret);

/* Read and check the first page. -ENOENT; -EBADMSG: damaged or of another store; -EPROTONOSUPPORT;
 * -EPERM: no regular file. */
int segment_brief_read(int directory, const uint8_t uuid[16], uint64_t id,
                       struct segment_brief *ret);

/* Has it a valid seal? No, if its first page cannot be read. */
bool segment_is_sealed(int directory, const uint8_t uuid[16], uint64_t id);

/* May it be written? Asked where a later failure would leave something half done. */
int segment_check_writable(int directory, uint64_t id);

/* Open and map it: shared to read or write, or private. Errors as segment_brief_read(). */
int segment_open(struct memory *memory, int directory, const uint8_t uuid[16], uint64_t id,
                 enum os_map_kind kind, struct segment **ret);
void segment_close(struct segment *segment);

/* Write the start frame of a prepared segment that is mapped writable; not synced. */
void segment_start(struct segment *segment, const struct start_payload *start, int64_t time_ns);

/* Write the seal into the mapping. Everything before @end was synced; the caller syncs the seal. */
void segment_seal(struct segment *segment, uint64_t records, uint64_t end, int64_t greatest_ns);

/* Sync the first @bytes of the mapping, which hold header, seal and start frame. */
int segment_sync_start(const struct segment *segment, size_t bytes);

/* Store the start frame once more, as it is, and sync it: a failed sync may have left its page
 * clean and off the disk. By write(2), since a full disk may have no room for it: then -ENOSPC. */
int segment_store_start(const struct segment *segment);

/* May the bytes up to @end be touched? Looks again how long the file is. -EBADMSG: they are not
 * there. */
int segment_reach(struct segment *segment, uint64_t end);

static inline int segment_readable(struct segment *segment, uint64_t end)
{
        if (__builtin_expect(
                    end <= atomic_load_explicit(&segment->file_bytes, memory_order_relaxed), 1))
                return 0;
        return segment_reach(segment, end);
}

/* Peek at the frame at @offset without touching what lies beyond the file. Errors as
 * record_peek(). */
int segment_peek(struct segment *segment, uint64_t offset, struct record_view *ret);

/* Does the valid frame with @ordinal, or do pads behind it, end at @end? Looks 1 MiB back. */
bool segment_ends_with(struct segment *segment, uint64_t end, uint64_t ordinal,
                       struct record_view *ret);

/* Of a sealed segment: is the last frame before the seal's end the last of a batch, and has it the
 * ordinal that the seal says? Where a damaged frame hides that, the seal is believed. @first: the
 * log's first number. */
bool segment_seal_holds(struct segment *segment, uint64_t first);

/* Find the frame with @ordinal, by index and a few hops. -EAGAIN: it is not there. -EBADMSG. On
 * both *ret_offset is where the search ended. */
int segment_locate(struct segment *segment, uint32_t ordinal, uint64_t *ret_offset,
                   struct record_view *ret_view);

/* Walk to it from the frame with ordinal @at at @offset. Errors as segment_locate(). */
int segment_walk_to(struct segment *segment, uint32_t at, uint64_t offset, uint32_t ordinal,
                    uint64_t *ret_offset, struct record_view *ret_view);

/* Find the frame without the index file, if there is one: what that led to, *ret_offset, did not
 * validate. A writer mends an index file that was wrong. */
int segment_relocate(struct segment *segment, uint32_t ordinal, uint64_t *ret_offset,
                     struct record_view *ret_view);

/* Frames that lie together. */
struct segment_span {
        uint64_t offset, end;
        uint32_t ordinal; /* of the first one */
};

/* The frames that @number is among, by the index alone: no frame is touched. -ENOENT: the segment
 * is not sealed, or has no index. */
int segment_span(struct segment *segment, uint64_t number, struct segment_span *ret);

/* Write the index file of a segment. -ENOENT: the segment's file is gone, so no index is left. */
int segment_write_index(const struct segment *segment, const struct index *index, uint32_t mode,
                        uint64_t records, uint64_t end);

/* A descriptor of the file for reading, kept open with the segment. */
int segment_descriptor(struct segment *segment);

static inline const struct frame *segment_frame(const struct segment *segment, uint64_t offset)
{
        return (const struct frame *)((const char *)segment->map.base + offset);
}

/* The frames of a mapped segment, to be walked; @from is the segment. */
static inline int segment_source_peek(void *from, uint64_t offset, struct record_view *ret)
{
        return segment_peek(from, offset, ret);
}

static inline int segment_source_check(void *from, uint64_t offset, const struct record_view *view)
{
        const struct segment *segment = from;

        return record_valid(&segment->key, segment->map.base, offset, view);
}

static const struct frame_source segment_frames = { segment_source_peek, segment_source_check };

static inline uint64_t segment_number(const struct segment *segment, uint32_t ordinal)
{
        return segment->brief.start.first_number + ordinal - 1;
}

static inline uint32_t segment_ordinal_from(const struct segment *segment, uint64_t number)
{
        return walk_ordinal_from(segment->brief.start.first_number, number);
}

/* Drop the clean pages that the page cache has of a part of the file, page-aligned. */
void segment_drop(struct segment *segment, uint64_t from, uint64_t to);

/* Report damage at a place of this segment: -EBADMSG, or -EIO if the guard saw a fault. */
int segment_damage(const struct segment *segment, uint64_t offset, uint64_t number,
                   const char *what);

#endif
