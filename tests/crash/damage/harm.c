/*
 * harm.c - the list of all damages to one store, each with a number
 *
 * For each file: every bit flipped, every truncation, every block of 512 bytes and of 4 KiB
 * zeroed, swapped with and copied over every other. For each pair of names: deleted, copied,
 * renamed, exchanged.
 */
#include "harm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"

bool harm_all;

enum harm_kind {
        HARM_BIT, /* in the first page: headers, slots, seal */
        HARM_FRAME_BIT,
        HARM_CUT,
        HARM_ZERO_SMALL,
        HARM_SWAP_SMALL,
        HARM_DOUBLE_SMALL,
        HARM_ZERO_LARGE,
        HARM_SWAP_LARGE,
        HARM_DOUBLE_LARGE,
        HARM_NAMES,
        HARM_KINDS,
};
static const char *const kind_names[] = {
        "bit flipped",
        "bit flipped behind the first page",
        "cut",
        "512 bytes zeroed",
        "512 bytes swapped",
        "512 bytes doubled",
        "4 KiB zeroed",
        "4 KiB swapped",
        "4 KiB doubled",
        "names",
};

/* Names that a file may be put under; the first ones are those of a small store. */
static const char *const other_names[] = {
        "control",        "0000000001.log", "0000000002.log", "0000000003.log",
        "0000000007.log", "0000000001.idx", "0000000002.idx", "wake",
};
#define OTHER_NAMES (sizeof(other_names) / sizeof(other_names[0]))
#define NAME_WAYS 3 /* copied, renamed, exchanged */

/* Only what is used of a file matters: the rest was never written. */
static size_t used_bytes(const struct tree_file *file)
{
        size_t used = file->bytes;

        if (strcmp(file->name, "0000000001.log") == 0)
                used = BASE_USED_BYTES;
        else if (strstr(file->name, ".log"))
                used = HEADER_BYTES + SECTOR_BYTES;
        else if (strcmp(file->name, "control") == 0)
                used = 4 * SECTOR_BYTES;
        else if (strcmp(file->name, "wake") == 0)
                used = 64;
        return used < file->bytes ? used : file->bytes;
}

static size_t block_bytes(enum harm_kind kind)
{
        return kind >= HARM_ZERO_LARGE ? 4096 : 512;
}

/*
 * Of how many places one is damaged. All of the crashed store; the frames of the sealed one are the
 * same frames, and the closed one is the same but for its control page: there one bit of each byte
 * and every eighth truncation, unless all is asked for.
 */
static uint64_t stride(const struct base *base, const struct tree_file *file, enum harm_kind kind)
{
        bool closed = strcmp(base->name, "closed") == 0, sealed = strcmp(base->name, "sealed") == 0;

        if (harm_all || strcmp(file->name, "control") == 0)
                return 1;
        return closed || (sealed && kind != HARM_BIT) ? 8 : 1;
}

static uint64_t place_of(const struct base *base, const struct tree_file *file, enum harm_kind kind,
                         uint64_t index)
{
        return stride(base, file, kind) == 1 ? index : index * 8 + index % 8;
}

static uint64_t kind_count(const struct base *base, const struct tree_file *file,
                           enum harm_kind kind)
{
        uint64_t used = used_bytes(file), blocks = used / block_bytes(kind);
        uint64_t head = used < HEADER_BYTES ? used : HEADER_BYTES;

        switch (kind) {
        case HARM_BIT:
                return head * 8 / stride(base, file, kind);
        case HARM_FRAME_BIT:
                return (used - head) * 8 / stride(base, file, kind);
        case HARM_CUT:
                return used / stride(base, file, kind);
        case HARM_ZERO_SMALL:
        case HARM_ZERO_LARGE:
                return blocks;
        case HARM_SWAP_SMALL:
        case HARM_SWAP_LARGE:
        case HARM_DOUBLE_SMALL:
        case HARM_DOUBLE_LARGE:
                return blocks * blocks;
        case HARM_NAMES:
                return 1 + NAME_WAYS * OTHER_NAMES;
        default:
                return 0;
        }
}

uint64_t harm_count(const struct base *base)
{
        uint64_t count = 0;

        for (size_t i = 0; i < base->tree.count; i++)
                for (int kind = 0; kind < HARM_KINDS; kind++)
                        count += kind_count(base, &base->tree.files[i], kind);
        return count;
}

static void swap_blocks(unsigned char *data, size_t one, size_t two, size_t bytes)
{
        unsigned char aside[4096];

        memcpy(aside, data + one, bytes);
        memcpy(data + one, data + two, bytes);
        memcpy(data + two, aside, bytes);
}

static void harm_content(const struct base *base, struct tree_file *file, enum harm_kind kind,
                         uint64_t index)
{
        size_t block = block_bytes(kind), blocks = used_bytes(file) / block;

        switch (kind) {
        case HARM_BIT:
        case HARM_FRAME_BIT:
                index = place_of(base, file, kind, index) +
                        (kind == HARM_BIT ? 0 : HEADER_BYTES * 8);
                file->data[index / 8] ^= (unsigned char)(1u << index % 8);
                break;
        case HARM_CUT:
                file->bytes = place_of(base, file, kind, index);
                break;
        case HARM_ZERO_SMALL:
        case HARM_ZERO_LARGE:
                memset(file->data + index * block, 0, block);
                break;
        case HARM_SWAP_SMALL:
        case HARM_SWAP_LARGE:
                swap_blocks(file->data, index / blocks * block, index % blocks * block, block);
                break;
        case HARM_DOUBLE_SMALL:
        case HARM_DOUBLE_LARGE:
                memmove(file->data + index / blocks * block, file->data + index % blocks * block,
                        block);
                break;
        default:
                abort();
        }
}

static void harm_names(struct tree *tree, const char *name, uint64_t index)
{
        const char *other = index ? other_names[(index - 1) / NAME_WAYS] : NULL;
        struct tree_file *file = tree_find(tree, name), *target;
        struct tree_file aside;

        if (!other) {
                tree_delete(tree, name);
                return;
        }
        if (strcmp(other, name) == 0)
                return;
        target = tree_find(tree, other);
        switch ((index - 1) % NAME_WAYS) {
        case 0: /* copied */
        case 1: /* renamed */
                tree_delete(tree, other);
                file = tree_find(tree, name);
                tree_add(tree, other, file->data, file->bytes);
                if ((index - 1) % NAME_WAYS == 1)
                        tree_delete(tree, name);
                break;
        default: /* exchanged */
                if (!target)
                        return;
                aside = *file;
                file->data = target->data, file->bytes = target->bytes;
                target->data = aside.data, target->bytes = aside.bytes;
        }
}

bool harm_do(const struct base *base, uint64_t index, struct tree *tree, char *text,
             size_t text_bytes)
{
        for (size_t i = 0; i < base->tree.count; i++) {
                const char *name = base->tree.files[i].name;

                for (int kind = 0; kind < HARM_KINDS; kind++) {
                        uint64_t count = kind_count(base, &base->tree.files[i], kind);

                        if (index >= count) {
                                index -= count;
                                continue;
                        }
                        snprintf(text, text_bytes, "%s, %s: %s %" PRIu64, base->name, name,
                                 kind_names[kind], index);
                        if (kind == HARM_NAMES)
                                harm_names(tree, name, index);
                        else
                                harm_content(base, tree_find(tree, name), kind, index);
                        if (kind != HARM_BIT && kind != HARM_FRAME_BIT)
                                return true;
                        index = place_of(base, &base->tree.files[i], kind, index);
                        return index % 8 == index / 8 % 8;
                }
        }
        abort();
}
