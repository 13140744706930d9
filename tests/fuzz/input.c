/*
 * input.c - a store's directory as one short fuzzer input, and back
 */
#include "input.h"

#include <string.h>

#include "odd.h"

#define UNIT 8u
#define SIZE_UNIT 512u
#define PIECES_MAX 255u
#define ODD 0x8000u /* a size from here on: 64 KiB of a file of some kind or length */

const char *const input_names[] = {
        "control",
        "0000000001.log",
        "0000000002.log",
        "0000000003.log",
        "0000000004.log",
        "0000000001.idx",
        "0000000002.idx",
        "0000000003.idx",
        "wake",
        "new.segment",
        "0000000005.log",
        "0000000000.log",
        "1000000000000000000.log", /* the greatest id */
        "1000000000000000001.log",
        "18446744073709551615.log",
        "999999999999999999.idx",
        "new.0000000005.log",
        "new.0000000004.idx",
        "new.control",
        "quarantine",
        "LOCK",
};
const unsigned input_name_count = sizeof(input_names) / sizeof(input_names[0]);

struct cursor {
        const unsigned char *data;
        size_t left;
};

static bool take(struct cursor *c, void *to, size_t bytes)
{
        if (c->left < bytes)
                return false;
        memcpy(to, c->data, bytes);
        c->data += bytes;
        c->left -= bytes;
        return true;
}

static bool take_piece(struct cursor *c, struct tree_file *file)
{
        uint16_t place[2];
        size_t offset, bytes;

        if (!take(c, place, sizeof(place)))
                return false;
        offset = place[0] * UNIT;
        bytes = place[1] * UNIT;
        if (bytes > c->left)
                bytes = c->left;
        if (offset < file->bytes)
                memcpy(file->data + offset, c->data,
                       bytes < file->bytes - offset ? bytes : file->bytes - offset);
        c->data += bytes;
        c->left -= bytes;
        return true;
}

static bool take_file(struct cursor *c, struct tree *tree)
{
        unsigned char name, pieces;
        struct tree_file *file;
        uint16_t size;

        if (!take(c, &name, 1) || !take(c, &size, sizeof(size)) || !take(c, &pieces, 1))
                return false;
        name %= (unsigned char)input_name_count;
        tree_delete(tree, input_names[name]);
        file = tree_add(tree, input_names[name], NULL,
                        size >= ODD ? INPUT_SEGMENT_BYTES
                                    : size % (INPUT_SEGMENT_BYTES / SIZE_UNIT + 1) * SIZE_UNIT);
        if (size >= ODD) {
                file->kind = (unsigned char)(size >> 8 & 0x7f) % ODD_KINDS;
                file->extent = (unsigned char)(size & 0x3f);
        }
        while (pieces-- > 0)
                if (!take_piece(c, file))
                        return false;
        return true;
}

void input_decode(const unsigned char *data, size_t size, unsigned *ret_flags, struct tree *ret)
{
        struct cursor c = { data, size };
        unsigned char flags = 0;

        ret->count = 0;
        take(&c, &flags, 1);
        *ret_flags = flags;
        while (take_file(&c, ret))
                ;
}

static bool is_zero(const unsigned char *data)
{
        static const unsigned char zero[UNIT];

        return memcmp(data, zero, UNIT) == 0;
}

/* The next run of bytes that are not zero, with single zero units inside it. */
static bool find_piece(const struct tree_file *file, size_t *offset, size_t *bytes)
{
        size_t end = file->bytes / UNIT * UNIT;

        while (*offset < end && is_zero(file->data + *offset))
                *offset += UNIT;
        *bytes = 0;
        while (*offset + *bytes < end &&
               (!is_zero(file->data + *offset + *bytes) ||
                (*offset + *bytes + UNIT < end && !is_zero(file->data + *offset + *bytes + UNIT))))
                *bytes += UNIT;
        return *bytes > 0;
}

size_t input_encode(unsigned flags, const struct tree *tree, unsigned char *data, size_t capacity)
{
        size_t used = 0;

        data[used++] = (unsigned char)flags;
        for (size_t i = 0; i < tree->count; i++) {
                const struct tree_file *file = &tree->files[i];
                uint16_t size = file->kind == 0 && file->extent == 0
                                        ? (uint16_t)(file->bytes / SIZE_UNIT)
                                        : (uint16_t)(ODD | file->kind << 8 | file->extent);
                unsigned char *pieces;
                size_t offset = 0, bytes;
                unsigned name = 0;

                while (name < input_name_count && strcmp(input_names[name], file->name) != 0)
                        name++;
                if (name == input_name_count || used + 4 > capacity)
                        continue;
                data[used++] = (unsigned char)name;
                memcpy(data + used, &size, sizeof(size));
                pieces = data + used + sizeof(size);
                used += sizeof(size) + 1;
                *pieces = 0;
                for (; *pieces < PIECES_MAX && find_piece(file, &offset, &bytes); offset += bytes) {
                        uint16_t place[2] = { (uint16_t)(offset / UNIT), (uint16_t)(bytes / UNIT) };

                        if (used + sizeof(place) + bytes > capacity)
                                break;
                        memcpy(data + used, place, sizeof(place));
                        memcpy(data + used + sizeof(place), file->data + offset, bytes);
                        used += sizeof(place) + bytes;
                        (*pieces)++;
                }
        }
        return used;
}
