/*
 * fix.c - make checksums, ordinals and identities of a store's files true, as docs/FORMAT.md says
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "format.h"
#include "input.h"

static void fix_control(struct tree_file *file)
{
        if (file->bytes < sizeof(struct control_page))
                return;
        tree_put(file->data + 504, XXH3_64bits(file->data, 504));
        for (unsigned slot = 0; slot < 2; slot++) {
                unsigned char *at = file->data + SECTOR_BYTES * (1 + slot);

                tree_put(at + offsetof(struct control_slot, check),
                         XXH3_64bits(at, offsetof(struct control_slot, check)));
        }
}

static uint64_t salt_of(const struct tree_file *file)
{
        return file->bytes < HEADER_BYTES
                       ? 0
                       : tree_get(file->data + offsetof(struct segment_header, salt));
}

static void fix_pad(unsigned char *frame, uint64_t salt, uint64_t offset, uint32_t word)
{
        struct {
                uint32_t word, zero;
                uint64_t offset;
        } text = { word, 0, offset };
        uint32_t check = (uint32_t)XXH3_64bits_withSeed(&text, sizeof(text), salt);

        memcpy(frame + offsetof(struct frame, ordinal), &check, sizeof(check));
}

static void fix_frame(unsigned char *frame, uint64_t salt, uint64_t offset, uint32_t word)
{
        uint32_t size = word >> FRAME_KIND_SHIFT == FRAME_VOID ? 0 : word & FRAME_SIZE_MASK;
        uint32_t ordinal;
        uint64_t check;

        memcpy(&ordinal, frame + offsetof(struct frame, ordinal), sizeof(ordinal));
        check = XXH3_64bits_withSeed(frame + offsetof(struct frame, time_ns), 8 + (size_t)size,
                                     salt);
        check ^= (word | (uint64_t)ordinal << 32) * CHECK_WORD_FACTOR;
        check ^= offset * CHECK_OFFSET_FACTOR;
        tree_put(frame + offsetof(struct frame, check), check);
}

uint64_t input_frame_bytes(const struct tree_file *file, uint64_t offset)
{
        uint64_t bytes;
        uint32_t word;

        if (offset + FRAME_HEADER_BYTES > file->bytes)
                return 0;
        memcpy(&word, file->data + offset, sizeof(word));
        bytes = word & FRAME_SIZE_MASK;
        if (word >> FRAME_KIND_SHIFT != FRAME_PAD)
                bytes += FRAME_HEADER_BYTES;
        bytes = (bytes + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
        return word == 0 || bytes > file->bytes - offset ? 0 : bytes;
}

static void fix_frames(struct tree_file *file, bool ordinals)
{
        uint64_t offset = HEADER_BYTES, salt = salt_of(file), bytes;
        uint32_t word, ordinal = 0;

        while ((bytes = input_frame_bytes(file, offset)) > 0) {
                unsigned char *frame = file->data + offset;

                memcpy(&word, frame, sizeof(word));
                if (word >> FRAME_KIND_SHIFT == FRAME_PAD) {
                        fix_pad(frame, salt, offset, word);
                } else {
                        if (ordinals)
                                memcpy(frame + offsetof(struct frame, ordinal), &ordinal,
                                       sizeof(ordinal));
                        ordinal++;
                        fix_frame(frame, salt, offset, word);
                }
                offset += bytes;
        }
}

static void fix_seal(struct tree_file *file)
{
        unsigned char *at = file->data + SECTOR_BYTES;

        if (file->bytes >= HEADER_BYTES)
                tree_put(at + offsetof(struct segment_seal, check),
                         XXH3_64bits_withSeed(at, offsetof(struct segment_seal, check),
                                              salt_of(file)));
}

static void fix_index(struct tree_file *file, uint64_t salt)
{
        uint64_t entries;

        if (file->bytes < sizeof(struct index_header))
                return;
        tree_put(file->data + offsetof(struct index_header, salt), salt);
        entries = tree_get(file->data + offsetof(struct index_header, entries));
        if (entries > (file->bytes - sizeof(struct index_header)) / sizeof(uint32_t))
                entries = (file->bytes - sizeof(struct index_header)) / sizeof(uint32_t);
        tree_put(file->data + offsetof(struct index_header, entries_check),
                 XXH3_64bits_withSeed(file->data + sizeof(struct index_header),
                                      entries * sizeof(uint32_t), salt));
        tree_put(file->data + offsetof(struct index_header, check),
                 XXH3_64bits_withSeed(file->data, offsetof(struct index_header, check), salt));
}

static void fix_identity(struct tree_file *file, const struct tree_file *control)
{
        if (file->bytes < HEADER_BYTES)
                return;
        tree_put(file->data + offsetof(struct segment_header, id), strtoull(file->name, NULL, 10));
        if (control && control->bytes >= SECTOR_BYTES)
                memcpy(file->data + offsetof(struct segment_header, uuid),
                       control->data + offsetof(struct control_static, uuid), 16);
}

static void fix_segment(struct tree *tree, struct tree_file *file, unsigned flags)
{
        if (flags & INPUT_FIX_IDENTITY)
                fix_identity(file, tree_find(tree, "control"));
        if (flags & INPUT_FIX_HEADERS && file->bytes >= HEADER_BYTES)
                tree_put(file->data + 504, XXH3_64bits(file->data, 504));
        if (flags & INPUT_FIX_FRAMES)
                fix_frames(file, flags & INPUT_FIX_ORDINALS);
        if (flags & INPUT_FIX_SEALS)
                fix_seal(file);
}

static unsigned char *start_of(const struct tree_file *file)
{
        return file && file->bytes >= FRAMES_OFFSET ? file->data + HEADER_BYTES + FRAME_HEADER_BYTES
                                                    : NULL;
}

static void fix_link(struct tree *tree, struct tree_file *file)
{
        unsigned char *start = start_of(file), *before;
        struct tree_file *previous;
        char name[TREE_NAME_BYTES];

        if (!start)
                return;
        snprintf(name, sizeof(name), SEGMENT_NAME_FORMAT,
                 tree_get(start + offsetof(struct start_payload, previous_id)));
        previous = tree_find(tree, name);
        before = start_of(previous);
        if (!before)
                return;
        tree_put(start + offsetof(struct start_payload, previous_salt), salt_of(previous));
        tree_put(start + offsetof(struct start_payload, previous_records),
                 tree_get(start + offsetof(struct start_payload, first_number)) -
                         tree_get(before + offsetof(struct start_payload, first_number)));
}

void input_fix(struct tree *tree, unsigned flags)
{
        char segment[TREE_NAME_BYTES];

        for (size_t i = 0; i < tree->count && flags & INPUT_FIX_LINKS; i++)
                if (strstr(tree->files[i].name, ".log"))
                        fix_link(tree, &tree->files[i]);
        for (size_t i = 0; i < tree->count; i++) {
                struct tree_file *file = &tree->files[i];

                if (strcmp(file->name, "control") == 0 && flags & INPUT_FIX_CONTROL)
                        fix_control(file);
                else if (strstr(file->name, ".log"))
                        fix_segment(tree, file, flags);
        }
        for (size_t i = 0; i < tree->count && flags & INPUT_FIX_INDEXES; i++) {
                struct tree_file *file = &tree->files[i], *log;

                if (!strstr(file->name, ".idx"))
                        continue;
                snprintf(segment, sizeof(segment), "%.*s.log", (int)strcspn(file->name, "."),
                         file->name);
                log = tree_find(tree, segment);
                fix_index(file, log ? salt_of(log) : 0);
        }
}
