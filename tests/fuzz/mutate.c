/*
 * mutate.c - a mutator that knows what a store is made of
 *
 * One in four mutations is libFuzzer's own, on the bytes of the input. The others decode it, change
 * one field, frame or file, and encode it again; checksums are made true when it is run.
 */
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "fuzz.h"
#include "input.h"
#include "odd.h"

static uint64_t state;

static uint64_t below(uint64_t limit)
{
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return limit ? (state >> 33) % limit : 0;
}

static uint64_t some_value(uint64_t old)
{
        static const uint64_t values[] = {
                0,
                1,
                2,
                8,
                24,
                4096,
                4224,
                65535,
                65536,
                65537,
                UINT32_MAX,
                INT64_MAX,
                UINT64_MAX,
                FRAME_SIZE_MASK,
                UINT64_C(1) << 32,
                UINT64_C(1) << 63,
        };

        switch (below(4)) {
        case 0:
                return values[below(sizeof(values) / sizeof(values[0]))];
        case 1:
                return old + below(17) - 8;
        case 2:
                return old ^ UINT64_C(1) << below(64);
        default:
                return old + (below(129) - 64) * 8;
        }
}

/* Places of the numbers that something is believed by. */
static const size_t control_fields[] = {
        8,    12,   16,   20,   40,   48,   56,   /* fixed */
        512,  520,  528,  536,  544,  552,  560,  /* first slot */
        1024, 1032, 1040, 1048, 1056, 1064, 1072, /* second slot */
        1536, 1544,                               /* live words */
};
static const size_t segment_fields[] = {
        8,    12,   16,   20,   40,   48,   56,   64, /* header */
        520,  528,  536,  544,  552,                  /* seal */
        4096, 4100, 4112,                             /* start frame, */
        4120, 4128, 4136, 4144, 4152, 4160, 4168,     /* and its payload */
};
static const size_t index_fields[] = { 8, 12, 16, 24, 32, 40, 48, 72, 76, 80 };

#define PICK(table) ((table)[below(sizeof(table) / sizeof((table)[0]))])

static struct tree_file *some_file(struct tree *tree, const char *kind)
{
        for (unsigned tries = 0; tree->count > 0 && tries < 16; tries++) {
                struct tree_file *file = &tree->files[below(tree->count)];

                if (!kind || strstr(file->name, kind))
                        return file;
        }
        return NULL;
}

static void change_field(struct tree *tree)
{
        struct tree_file *file = some_file(tree, NULL);
        uint64_t value;
        size_t at;

        if (!file)
                return;
        if (strstr(file->name, ".log"))
                at = PICK(segment_fields);
        else if (strstr(file->name, ".idx"))
                at = PICK(index_fields);
        else
                at = PICK(control_fields);
        if (at + sizeof(value) > file->bytes)
                return;
        memcpy(&value, file->data + at, sizeof(value));
        value = some_value(value);
        memcpy(file->data + at, &value, below(2) ? 8 : 4);
}

/* The offset of a random frame, by walking; its length to *ret_bytes. 0: none. */
static size_t some_frame(const struct tree_file *file, size_t *ret_bytes)
{
        size_t offset = HEADER_BYTES, found = 0, seen = 0, bytes;

        while ((bytes = input_frame_bytes(file, offset)) > 0) {
                if (below(++seen) == 0) {
                        found = offset;
                        *ret_bytes = bytes;
                }
                offset += bytes;
        }
        return found;
}

static void change_word(unsigned char *frame)
{
        uint32_t word;

        memcpy(&word, frame, sizeof(word));
        switch (below(4)) {
        case 0:
                word = (word & FRAME_SIZE_MASK) | (uint32_t)below(4) << FRAME_KIND_SHIFT;
                break;
        case 1:
                word = (word & ~(uint32_t)FRAME_SIZE_MASK) |
                       (some_value(word & FRAME_SIZE_MASK) & FRAME_SIZE_MASK);
                break;
        case 2:
                word = 0;
                break;
        default:
                word = (uint32_t)some_value(word);
        }
        memcpy(frame, &word, sizeof(word));
}

static void change_frame(struct tree *tree)
{
        struct tree_file *file = some_file(tree, ".log");
        unsigned char *frame;
        size_t at, bytes = 0;
        uint64_t value;

        at = file ? some_frame(file, &bytes) : 0;
        if (at == 0)
                return;
        frame = file->data + at;
        switch (below(6)) {
        case 0:
        case 1:
                change_word(frame);
                break;
        case 2: /* ordinal, check or time */
                memcpy(&value, frame + below(3) * 8, sizeof(value));
                value = some_value(value);
                memcpy(frame + below(3) * 8, &value, sizeof(value));
                break;
        case 3: /* once more behind itself */
                if (file->bytes - at >= 2 * bytes)
                        memmove(frame + bytes, frame, file->bytes - at - bytes);
                break;
        case 4: /* taken out */
                memmove(frame, frame + bytes, file->bytes - at - bytes);
                break;
        default: /* nothing from here on */
                memset(frame + below(bytes), 0, file->bytes - at - bytes);
        }
}

/* A field of a start frame that says what the log is: made that of another file, or an extreme. */
static void change_link(struct tree *tree)
{
        static const uint64_t extremes[] = {
                0,          1,         2,          NUMBER_MAX,        NUMBER_MAX + 1,
                UINT64_MAX, INT64_MAX, UINT32_MAX, UINT64_C(1) << 40,
        };
        static const size_t fields[] = { 4120, 4128, 4136, 4136, 4136, 4152, 4160, 4168 };
        struct tree_file *file = some_file(tree, ".log"), *other = some_file(tree, ".log");
        size_t at = PICK(fields);
        uint64_t value = PICK(extremes);

        if (!file || file->bytes < FRAMES_OFFSET)
                return;
        if (at == 4136 && other && below(3))
                value = strtoull(other->name, NULL, 10);
        else if (other && other->bytes >= FRAMES_OFFSET && below(2))
                memcpy(&value, other->data + at, sizeof(value));
        memcpy(file->data + at, &value, sizeof(value));
}

/* Something that is no plain file, or one that ends far behind its bytes. */
static void change_kind(struct tree *tree)
{
        struct tree_file *file = some_file(tree, NULL);
        const char *name = input_names[below(input_name_count)];

        if (!file || below(3) == 0) {
                if (tree_find(tree, name) || tree->count == TREE_FILES_MAX)
                        return;
                file = tree_add(tree, name, NULL, INPUT_SEGMENT_BYTES);
        }
        file->kind = (unsigned char)below(ODD_KINDS);
        file->extent = (unsigned char)(file->kind == ODD_NONE ? below(64) : 0);
}

static void swap_files(struct tree_file *one, struct tree_file *two)
{
        struct tree_file aside = *one;

        *one = *two;
        *two = aside;
        memcpy(two->name, one->name, sizeof(two->name));
        memcpy(one->name, aside.name, sizeof(one->name));
}

static void change_files(struct tree *tree)
{
        struct tree_file *file = some_file(tree, NULL);
        const char *name = input_names[below(input_name_count)];
        struct tree_file aside, *other = some_file(tree, below(2) ? NULL : ".log");

        if (!file)
                return;
        switch (below(5)) {
        case 4:
                if (other && other != file)
                        swap_files(file, other);
                break;
        case 0:
                tree_delete(tree, file->name);
                break;
        case 1: /* cut */
                file->bytes = below(file->bytes / 512 + 1) * 512;
                break;
        case 2: /* copied */
                if (strcmp(name, file->name) == 0)
                        break;
                aside = *file;
                aside.data = malloc(aside.bytes + 1);
                memcpy(aside.data, file->data, aside.bytes);
                tree_delete(tree, name);
                tree_add(tree, name, aside.data, aside.bytes);
                free(aside.data);
                break;
        default: /* a piece of one moved to another place */
                if (file->bytes >= 1024)
                        memmove(file->data + below(file->bytes / 512) * 512,
                                file->data + below(file->bytes / 512) * 512, 512);
        }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
        struct tree tree;
        unsigned flags;

        state = seed;
        below(1);
        if (below(4) == 0)
                return LLVMFuzzerMutate(data, size, capacity);
        input_decode(data, size, &flags, &tree);
        for (uint64_t changes = 1 + below(3); changes > 0; changes--) {
                switch (below(10)) {
                case 0:
                        flags = below(3) ? INPUT_FIX_ALL : flags;
                        flags ^= 1u << below(8);
                        break;
                case 8:
                        change_link(&tree);
                        break;
                case 9:
                        change_kind(&tree);
                        break;
                case 1:
                        change_files(&tree);
                        break;
                case 2:
                case 3:
                case 4:
                        change_field(&tree);
                        break;
                default:
                        change_frame(&tree);
                }
        }
        size = input_encode(flags, &tree, data, capacity);
        tree_free(&tree);
        return size;
}
