/*
 * frames.c - the frames of a segment file, walked and checked by reads
 */
#include "remote/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "remote/remote_detail.h"

#define WINDOW_BYTES (UINT64_C(1) << 20)

int frames_read(int fd, const char *name, void *bytes, size_t size, uint64_t offset)
{
        for (size_t done = 0; done < size;) {
                ssize_t r = pread(fd, (char *)bytes + done, size - done, (off_t)(offset + done));

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return remote_detail(-errno, "%s: offset %" PRIu64 ": cannot read: %s",
                                             name, offset + done, strerror(errno));
                if (r == 0)
                        return remote_detail(-EBADMSG, "%s: offset %" PRIu64 ": the file ends here",
                                             name, offset + done);
                done += (size_t)r;
        }
        return 0;
}

int frames_brief(int fd, const char *name, const uint8_t uuid[16], uint64_t id,
                 struct segment_brief *ret)
{
        _Alignas(8) char page[FRAMES_OFFSET];
        struct brief_fault fault;
        off_t bytes = lseek(fd, 0, SEEK_END);
        int r = bytes < 0 ? -errno : frames_read(fd, name, page, sizeof(page), 0);

        if (r < 0)
                return r;
        r = brief_read(page, sizeof(page), (uint64_t)bytes, uuid, id, ret, &fault);
        if (r < 0)
                return remote_detail(r, "%s: offset %" PRIu64 ": %s", name, fault.offset,
                                     fault.what);
        if (!ret->started)
                return remote_detail(-EBADMSG, "%s: offset %u: its start frame is damaged", name,
                                     HEADER_BYTES);
        return 0;
}

struct frames_at frames_begin(const struct segment_brief *brief)
{
        return (struct frames_at){ FRAMES_OFFSET, brief->start.first_number };
}

/* A piece of the file that is in memory. */
struct window {
        int fd;
        const char *name;
        struct hash_key key;
        char *bytes;
        uint64_t from, to, end; /* of the piece; of the frames */
        int error;              /* of a read */
};

/* Have @size bytes at @offset in the window, of which it can hold so many. */
static int have(struct window *window, uint64_t offset, uint64_t size)
{
        uint64_t to = offset + WINDOW_BYTES;
        int r;

        if (offset >= window->from && offset + size <= window->to)
                return 0;
        if (to > window->end)
                to = window->end;
        r = frames_read(window->fd, window->name, window->bytes, to - offset, offset);
        window->from = offset;
        window->to = r < 0 ? offset : to;
        return r;
}

/* record_peek() counts offsets from the start of the file; the window has them from its own. */
static const char *base_of(const struct window *window)
{
        return (const char *)((uintptr_t)window->bytes - window->from);
}

static int window_peek(void *from, uint64_t offset, struct record_view *ret)
{
        struct window *window = from;
        uint64_t header = FRAME_HEADER_BYTES;
        int r;

        if (offset + PAD_HEADER_BYTES > window->end)
                return -EAGAIN;
        if (offset + header > window->end)
                header = PAD_HEADER_BYTES;
        r = have(window, offset, header);
        if (r < 0)
                return window->error = r;
        return record_peek(base_of(window), offset, window->end, ret);
}

/* The check of a frame that is larger than the window: its payload is hashed in pieces. */
static int check_long(struct window *window, uint64_t offset, const struct record_view *view)
{
        const struct frame *frame = (const struct frame *)(base_of(window) + offset);
        const uint64_t place = view->word | (uint64_t)view->ordinal << 32;
        const uint64_t want = frame->check;
        uint64_t at = offset + offsetof(struct frame, time_ns);
        uint64_t end = offset + FRAME_HEADER_BYTES + view->size;
        XXH3_state_t *state = XXH3_createState();
        uint64_t hash;
        int r = 0;

        if (!state || XXH3_64bits_reset_withSeed(state, window->key.seed) != XXH_OK) {
                XXH3_freeState(state);
                return window->error = remote_detail(-ENOMEM, "no memory to check a record");
        }
        while (at < end && r == 0) {
                uint64_t piece = end - at < WINDOW_BYTES ? end - at : WINDOW_BYTES;

                r = have(window, at, piece);
                if (r == 0)
                        XXH3_64bits_update(state, window->bytes + (at - window->from), piece);
                at += piece;
        }
        hash = XXH3_64bits_digest(state);
        XXH3_freeState(state);
        if (r < 0)
                return window->error = r;
        return want == (hash ^ place * CHECK_WORD_FACTOR ^ offset * CHECK_OFFSET_FACTOR);
}

static int window_check(void *from, uint64_t offset, const struct record_view *view)
{
        struct window *window = from;
        int r;

        if (view->kind == FRAME_PAD || view->kind == FRAME_VOID)
                return record_valid(&window->key, base_of(window), offset, view);
        if (view->frame_bytes > WINDOW_BYTES)
                return check_long(window, offset, view);
        r = have(window, offset, view->frame_bytes);
        return r < 0 ? (window->error = r)
                     : record_valid(&window->key, base_of(window), offset, view);
}

static const struct frame_source window_frames = { window_peek, window_check };

int frames_note_place(struct frames_directory *directory, uint64_t reached,
                      const struct walk_place *at)
{
        while (directory->count <= reached / BLOCK_SPAN) {
                if (directory->count == directory->room) {
                        uint32_t room = directory->room ? 2 * directory->room : 16;
                        struct remote_block *blocks =
                                reallocarray(directory->blocks, room, sizeof(*blocks));

                        if (!blocks)
                                return remote_detail(-ENOMEM, "no memory for a directory");
                        directory->blocks = blocks;
                        directory->room = room;
                }
                directory->blocks[directory->count] = (struct remote_block){
                        .offset8 = (uint32_t)(at->offset / FRAME_ALIGN),
                        .ordinal = at->due,
                        .object_offset = directory->count * BLOCK_SPAN,
                };
                directory->count++;
        }
        return 0;
}

/* The walk cannot go on before @end. */
static int tell_stop(const struct window *window, const struct walk *walk, uint64_t number,
                     int step)
{
        if (window->error < 0)
                return window->error;
        return remote_detail(-EBADMSG, "%s: offset %" PRIu64 ", record %" PRIu64 ": %s",
                             window->name, walk->at.offset, number,
                             step == WALK_END ? "no frame is committed here" : walk->why);
}

static int walk_frames(struct window *window, const struct segment_brief *brief, uint64_t most,
                       struct frames_at *at, struct frames_directory *directory)
{
        uint64_t before = brief->start.first_number - 1, begin = at->offset;
        struct walk walk = walk_from(at->offset, (uint32_t)(at->number - before), WALK_CHECK_ALL);
        bool enough = false;
        int r = 0;

        while (walk.at.offset < window->end && !enough) {
                int step;

                if (directory && !walk.in_batch &&
                    (r = frames_note_place(directory, walk.at.offset, &walk.at)) < 0)
                        return r;
                step = walk_next(&walk, &window_frames, window);
                if (step != WALK_FRAME && step != WALK_PAD)
                        return tell_stop(window, &walk, before + walk.at.due, step);
                enough = walk.at.offset - begin > most;
                if (!walk.in_batch && !enough)
                        *at = (struct frames_at){ walk.whole.offset, before + walk.whole.due };
        }
        /* The last record may reach over spans in which none begins. */
        if (directory && (r = frames_note_place(directory, window->end - 1, &walk.at)) < 0)
                return r;
        if (at->offset == begin && begin < window->end)
                return remote_detail(-E2BIG,
                                     "%s: offset %" PRIu64 ": a batch beyond %" PRIu64 " bytes",
                                     window->name, begin, most);
        if (!enough && at->offset != window->end)
                return remote_detail(-EBADMSG, "%s: offset %" PRIu64 ": a batch is not complete",
                                     window->name, at->offset);
        return 0;
}

int frames_walk(int fd, const char *name, const struct segment_brief *brief, uint64_t end,
                uint64_t most, struct frames_at *at, struct frames_directory *directory)
{
        struct window window = { .fd = fd, .name = name, .end = end };
        int r;

        window.bytes = malloc(WINDOW_BYTES);
        if (!window.bytes)
                return remote_detail(-ENOMEM, "no memory to read %s", name);
        hash_key_init(&window.key, brief->salt);
        r = walk_frames(&window, brief, most, at, directory);
        free(window.bytes);
        return r;
}

int frames_hash(int fd, const char *name, uint64_t from, uint64_t to, uint64_t seed, bool unsealed,
                uint64_t *ret)
{
        XXH3_state_t *state = XXH3_createState();
        char *bytes = malloc(WINDOW_BYTES);
        int r = 0;

        if (!state || !bytes || XXH3_64bits_reset_withSeed(state, seed) != XXH_OK)
                r = remote_detail(-ENOMEM, "no memory to read %s", name);
        while (r == 0 && from < to) {
                size_t piece = to - from < WINDOW_BYTES ? to - from : WINDOW_BYTES;

                r = frames_read(fd, name, bytes, piece, from);
                if (r < 0)
                        break;
                if (unsealed)
                        frames_blank_seal(bytes, piece, from);
                XXH3_64bits_update(state, bytes, piece);
                from += piece;
        }
        if (r == 0)
                *ret = XXH3_64bits_digest(state);
        XXH3_freeState(state);
        free(bytes);
        return r;
}

void frames_blank_seal(void *bytes, size_t size, uint64_t offset)
{
        for (uint64_t at = SECTOR_BYTES; at < 2 * SECTOR_BYTES; at++)
                if (at >= offset && at < offset + size)
                        ((char *)bytes)[at - offset] = 0;
}
