/*
 * harm_later.c - files under other names or too long, and lies that agree with each other
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/input.h"
#include "format.h"
#include "harming.h"

#define FIX_CHECKS                                                                    \
        (INPUT_FIX_CONTROL | INPUT_FIX_HEADERS | INPUT_FIX_FRAMES | INPUT_FIX_SEALS | \
         INPUT_FIX_INDEXES)
#define FRAMES_MAX 4096u
#define SEAL_RECORDS 520u
#define SEAL_END 528u
#define SEAL_FIRST 536u
#define SEAL_LAST 544u
#define START_FIRST 4120u
#define START_EPOCH 4128u
#define START_PREVIOUS 4136u
#define START_END 4152u
#define START_RECORDS 4160u

static uint64_t id_of(const struct tree_file *file)
{
        return strtoull(file->name, NULL, 10);
}

static uint64_t highest(const struct harming *h)
{
        uint64_t most = 0;

        for (size_t i = 0; i < h->tree->count; i++)
                if (strstr(h->tree->files[i].name, ".log") && id_of(&h->tree->files[i]) > most)
                        most = id_of(&h->tree->files[i]);
        return most;
}

static struct tree_file *segment_with(struct harming *h, uint64_t id)
{
        char name[TREE_NAME_BYTES];

        snprintf(name, sizeof(name), SEGMENT_NAME_FORMAT, id);
        return tree_find(h->tree, name);
}

static bool has_room(const struct harming *h)
{
        return h->tree->count < TREE_FILES_MAX - 1;
}

/* Put a copy of @file under @name, in place of what is there. @old gets the file's old name,
 * because adding moves files. */
static struct tree_file *copy_as(struct harming *h, const struct tree_file *file, const char *name,
                                 char old[TREE_NAME_BYTES])
{
        memcpy(old, file->name, TREE_NAME_BYTES);
        if (tree_find(h->tree, name))
                tree_delete(h->tree, name);
        file = tree_find(h->tree, old);
        return tree_add(h->tree, name, file->data, file->bytes);
}

/* Offsets behind each numbered frame of @file, and how many: [0] is behind the start frame. */
static unsigned walk(const struct tree_file *file, uint64_t *ends)
{
        uint64_t offset = HEADER_BYTES, bytes;
        unsigned count = 0;
        uint32_t word;

        while (count < FRAMES_MAX && (bytes = input_frame_bytes(file, offset)) > 0) {
                memcpy(&word, file->data + offset, sizeof(word));
                offset += bytes;
                if (word >> FRAME_KIND_SHIFT != FRAME_PAD)
                        ends[count++] = offset;
        }
        return count;
}

/* The oldest, the newest, or some between. */
static void lose_run(struct harming *h)
{
        uint64_t last = highest(h), count = 1 + below(h, last ? last : 1),
                 from = 1 + below(h, last + 1);
        struct tree_file *file;

        switch (below(h, 3)) {
        case 0:
                from = 1;
                break;
        case 1:
                from = last + 1 - count;
                break;
        default:
                break;
        }
        for (uint64_t id = from; id < from + count; id++)
                if ((file = segment_with(h, id)) != NULL)
                        tree_delete(h->tree, file->name);
        say(h, "segments %llu to %llu deleted; ", (unsigned long long)from,
            (unsigned long long)(from + count - 1));
}

/* A segment under another id, as a copy or instead, that of its header made right or not. */
static void renumber(struct harming *h)
{
        struct tree_file *file = some_file(h, ".log"), *copy;
        uint64_t id = 1 + below(h, highest(h) + 3);
        bool moved = below(h, 2) == 0, own = below(h, 2) == 0;
        char name[TREE_NAME_BYTES], old[TREE_NAME_BYTES];

        snprintf(name, sizeof(name), SEGMENT_NAME_FORMAT, id);
        if (!file || id == id_of(file) || !has_room(h))
                return;
        copy = copy_as(h, file, name, old);
        if (own && copy->bytes >= HEADER_BYTES) {
                tree_put(copy->data + offsetof(struct segment_header, id), id);
                input_fix(h->tree, INPUT_FIX_HEADERS);
        }
        if (moved)
                tree_delete(h->tree, old);
        say(h, "%s %s %s%s; ", old, moved ? "renamed" : "copied to", name,
            own ? " with its id" : "");
}

/* Zeros, garbage or its own frames behind a file's end. */
static void lengthen(struct harming *h)
{
        struct tree_file *file = some_file(h, below(h, 3) ? ".log" : NULL);
        size_t more = (size_t)(below(h, 3) ? 8 * (1 + below(h, 16384)) : 1 + below(h, 5000)), old;
        unsigned which = (unsigned)below(h, 3);
        unsigned char *data;

        if (!file)
                return;
        old = file->bytes;
        data = realloc(file->data, old + more + 1);
        if (!data)
                return;
        file->data = data;
        file->bytes += more;
        for (size_t i = old; i < file->bytes; i++)
                data[i] = which == 0   ? 0
                          : which == 1 ? (unsigned char)below(h, 256)
                                       : data[old ? i % old : i];
        say(h, "%s longer by %zu %s; ", file->name, more,
            which == 0   ? "zeros"
            : which == 1 ? "random bytes"
                         : "of its bytes");
}

/* An index of another segment, of none, or one too long. */
static void mix_indexes(struct harming *h)
{
        struct tree_file *file = some_file(h, ".idx");
        uint64_t id = 1 + below(h, highest(h) + 2);
        char name[TREE_NAME_BYTES], old[TREE_NAME_BYTES];
        bool right = below(h, 2) == 0;

        snprintf(name, sizeof(name), INDEX_NAME_FORMAT, id);
        if (!file || strcmp(name, file->name) == 0 || !has_room(h))
                return;
        file = copy_as(h, file, name, old);
        if (right && file->bytes >= 24) {
                tree_put(file->data + 16, id);
                input_fix(h->tree, INPUT_FIX_INDEXES);
        }
        say(h, "%s is a copy of %s%s; ", name, old, right ? " with its id" : "");
}

/* Names that are none of the format's, and wake. */
static void litter(struct harming *h)
{
        static const char *const names[] = { "new.0000000099.log",
                                             "new.control.01234567",
                                             "00000000001.log",
                                             "0000000000.log",
                                             "1.log",
                                             "9999999999999999999.log",
                                             "1000000000000000001.log",
                                             "0000000001.log.0",
                                             "0000000001.LOG",
                                             "99999999999999999999.log",
                                             "+000000001.log",
                                             "wake",
                                             "LOCK" };
        const char *name = names[below(h, sizeof(names) / sizeof(names[0]))];
        struct tree_file *file = some_file(h, NULL);

        if (!file || strcmp(file->name, name) == 0 || !has_room(h))
                return;
        if (strcmp(name, "wake") == 0 && tree_find(h->tree, name))
                tree_delete(h->tree, name);
        if (tree_find(h->tree, name) || !(file = some_file(h, NULL)))
                return;
        say(h, "%s is a copy of %s; ", name, file->name);
        tree_add(h->tree, name, file->data, file->bytes);
}

/* Does a slot say that the mark's record ends there? Readers believe a mark that holds. */
static bool is_marked(const struct harming *h, uint64_t end)
{
        const struct tree_file *file = tree_find(h->tree, "control");

        for (unsigned slot = 1; file && file->bytes >= 4096 && slot <= 2; slot++)
                if (tree_get(file->data + (size_t)slot * SECTOR_BYTES + 24) == end)
                        return true;
        return false;
}

/* A field of a frame, its check right again: kind, size, ordinal, time. */
static void forge_frame(struct harming *h)
{
        struct tree_file *file = some_file(h, ".log");
        static uint64_t ends[FRAMES_MAX];
        unsigned count = file ? walk(file, ends) : 0, at;
        unsigned char *frame;
        uint32_t word;

        if (count < 2)
                return;
        at = (unsigned)below(h, count - 1);
        frame = file->data + ends[at];
        memcpy(&word, frame, sizeof(word));
        if (is_marked(h, ends[at + 1]))
                return;
        switch (below(h, 5)) {
        case 0:
                word ^= (uint32_t)(1 + below(h, 3)) << FRAME_KIND_SHIFT;
                memcpy(frame, &word, sizeof(word));
                say(h, "kind");
                break;
        case 1:
                word += (uint32_t)(below(h, 65) - 32);
                memcpy(frame, &word, sizeof(word));
                say(h, "size");
                break;
        case 2:
                frame[4 + below(h, 4)] ^= (unsigned char)(1u << below(h, 8));
                say(h, "ordinal");
                break;
        case 3:
                frame[16 + below(h, 8)] ^= (unsigned char)(1u << below(h, 8));
                say(h, "time");
                break;
        default:
                memset(frame, 0, 4);
                say(h, "no commit word");
        }
        input_fix(h->tree, FIX_CHECKS);
        say(h, " in %s at %llu with its check; ", file->name, (unsigned long long)ends[at]);
}

/* Seal a segment behind some frame, in agreement with the frames; or seal the head with another
 * count; or remove a seal. */
static void reseal(struct harming *h)
{
        struct tree_file *file = some_file(h, ".log");
        static uint64_t ends[FRAMES_MAX];
        unsigned count = file ? walk(file, ends) : 0, at;
        unsigned char *seal;
        uint64_t first, records;

        if (count == 0)
                return;
        seal = file->data + SECTOR_BYTES;
        if (below(h, 3) == 0) {
                memset(seal, 0, SECTOR_BYTES);
                say(h, "%s unsealed; ", file->name);
                return;
        }
        at = (unsigned)below(h, count);
        first = tree_get(file->data + START_FIRST);
        records = at;
        if (below(h, 4) == 0 && id_of(file) == highest(h)) /* else the segment behind it counts */
                records += below(h, 5) - 2;
        memcpy(seal, "LOGSEAL1", 8);
        tree_put(seal + 8, records);
        tree_put(seal + 16, ends[at]);
        tree_put(seal + 24, first);
        tree_put(seal + 32, first + records - 1);
        input_fix(h->tree, INPUT_FIX_SEALS);
        say(h, "%s sealed behind %u as %llu; ", file->name, at, (unsigned long long)records);
}

/* A link that leaves the segment before it earlier, and agrees with it or not. */
static void relink(struct harming *h)
{
        struct tree_file *file = some_file(h, ".log"), *before;
        static uint64_t ends[FRAMES_MAX];
        unsigned count, at;
        uint64_t first;
        bool agree = below(h, 3) != 0;

        if (!file || file->bytes < FRAMES_OFFSET)
                return;
        before = segment_with(h, below(h, 3) ? tree_get(file->data + START_PREVIOUS)
                                             : 1 + below(h, highest(h)));
        if (!before || before == file || (count = walk(before, ends)) == 0)
                return;
        at = (unsigned)below(h, count);
        first = tree_get(before->data + START_FIRST);
        tree_put(file->data + START_PREVIOUS, id_of(before));
        tree_put(file->data + START_PREVIOUS + 8,
                 tree_get(before->data + offsetof(struct segment_header, salt)));
        tree_put(file->data + START_END, ends[at]);
        tree_put(file->data + START_RECORDS, at);
        if (agree)
                tree_put(file->data + START_FIRST, first + at);
        if (below(h, 2))
                tree_put(file->data + START_EPOCH, tree_get(file->data + START_EPOCH) + 1);
        input_fix(h->tree, FIX_CHECKS);
        say(h, "%s goes on behind frame %u of %s%s; ", file->name, at, before->name,
            agree ? " by number" : "");
}

/* Slots changed for each other or for older ones. */
static void mix_slots(struct harming *h)
{
        struct tree_file *file = tree_find(h->tree, "control"), *old = NULL;
        unsigned char sector[SECTOR_BYTES];
        unsigned to = 1 + (unsigned)below(h, 2), from = 1 + (unsigned)below(h, 2);

        if (!file || file->bytes < 4096)
                return;
        if (h->grown->age_count && below(h, 3))
                old = tree_find((struct tree *)&h->grown->ages[below(h, h->grown->age_count)],
                                "control");
        if (old && old->bytes >= 4096) {
                memcpy(file->data + (size_t)to * SECTOR_BYTES,
                       old->data + (size_t)from * SECTOR_BYTES, SECTOR_BYTES);
                say(h, "an older slot %u in the place of slot %u; ", from - 1, to - 1);
                return;
        }
        memcpy(sector, file->data + SECTOR_BYTES, SECTOR_BYTES);
        if (below(h, 2)) {
                memcpy(file->data + SECTOR_BYTES, file->data + (size_t)2 * SECTOR_BYTES,
                       SECTOR_BYTES);
                memcpy(file->data + (size_t)2 * SECTOR_BYTES, sector, SECTOR_BYTES);
                say(h, "slots swapped; ");
        } else {
                memcpy(file->data + (size_t)to * SECTOR_BYTES,
                       file->data + (size_t)(3 - to) * SECTOR_BYTES, SECTOR_BYTES);
                say(h, "both slots are slot %u; ", 2 - to);
        }
}

/* What says whose a file is, of which version, with its check; of one file, or of all segments. */
static void forge_identity(struct harming *h)
{
        static const unsigned char places[] = { 8, 12, 16, 20, 24, 39, 40, 42, 43, 56, 58 };
        size_t at = places[below(h, sizeof(places))];
        struct tree_file *file = some_file(h, below(h, 4) ? ".log" : "control");
        unsigned char by = (unsigned char)(1 + below(h, 3));
        bool all = file && strstr(file->name, ".log") && below(h, 4) == 0;

        if (!file)
                return;
        for (size_t i = 0; i < h->tree->count; i++) {
                struct tree_file *one = &h->tree->files[i];

                if ((one == file || (all && strstr(one->name, ".log"))) && one->bytes >= 512)
                        one->data[at] ^= by;
        }
        input_fix(h->tree, FIX_CHECKS);
        say(h, "byte %zu of %s is another, with its check; ", at,
            all ? "all segments" : file->name);
}

/* A write that went elsewhere. */
static void misdirect(struct harming *h)
{
        static const size_t sizes[] = { 512, 4096, 16384 };
        struct tree_file *to = some_file(h, below(h, 4) ? ".log" : NULL);
        struct tree_file *from = below(h, 2) ? to : some_file(h, below(h, 4) ? ".log" : NULL);
        size_t bytes = sizes[below(h, 3)], at, source;

        if (!to || !from || to->bytes < 4096 || from->bytes < 4096)
                return;
        at = some_place(h, to) / 512 * 512;
        source = some_place(h, from) / 512 * 512;
        if (bytes > to->bytes - at)
                bytes = to->bytes - at;
        if (bytes > from->bytes - source)
                bytes = from->bytes - source;
        memmove(to->data + at, from->data + source, bytes);
        say(h, "%zu bytes of %s at %zu are those of %s at %zu; ", bytes, to->name, at, from->name,
            source);
}

/* Nothing but zeros from some place on, the length as it was. */
static void hollow(struct harming *h)
{
        struct tree_file *file = some_file(h, below(h, 4) ? ".log" : NULL);
        size_t at = file ? some_place(h, file) : 0;

        if (!file || file->bytes == 0)
                return;
        at = below(h, 2) ? at : at / 4096 * 4096;
        memset(file->data + at, 0, file->bytes - at);
        say(h, "%s zeros from %zu on; ", file->name, at);
}

void harm_later(struct harming *h, bool afresh)
{
        static void (*const harms[])(struct harming *) = { lose_run,       renumber,  lengthen,
                                                           mix_indexes,    litter,    forge_frame,
                                                           forge_frame,    reseal,    reseal,
                                                           relink,         relink,    mix_slots,
                                                           forge_identity, misdirect, hollow };

        if (afresh) {
                tree_free(h->tree);
                tree_copy(&h->grown->now, h->tree);
                h->text[0] = '\0';
        }
        harms[below(h, sizeof(harms) / sizeof(harms[0]))](h);
}
