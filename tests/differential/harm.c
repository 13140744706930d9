/*
 * harm.c - bits, blocks, files cut, deleted, swapped, put back from an older copy, forged
 */
#include "harm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/input.h"
#include "dice.h"
#include "format.h"
#include "harming.h"

void say(struct harming *h, const char *format, ...)
{
        size_t used = strlen(h->text);
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(h->text + used, h->capacity - used, format, arguments);
        va_end(arguments);
}

uint64_t below(struct harming *h, uint64_t limit)
{
        return dice_below(&h->state, limit);
}

struct tree_file *some_file(struct harming *h, const char *kind)
{
        for (unsigned tries = 0; h->tree->count && tries < 40; tries++) {
                struct tree_file *file = &h->tree->files[below(h, h->tree->count)];

                if (kind ? strstr(file->name, kind) != NULL : strcmp(file->name, "wake") != 0)
                        return file;
        }
        return NULL;
}

size_t some_place(struct harming *h, const struct tree_file *file)
{
        size_t used = file->bytes;

        if (below(h, 8) == 0 || used == 0)
                return below(h, used);
        while (used > 8 && file->data[used - 1] == 0)
                used--;
        return below(h, 3) ? below(h, used) : below(h, used < 4224 ? used : 4224);
}

static void flip(struct harming *h)
{
        struct tree_file *file = some_file(h, NULL);
        size_t at = file ? some_place(h, file) : 0;

        if (!file || file->bytes == 0)
                return;
        file->data[at] ^= (unsigned char)(1u << below(h, 8));
        say(h, "bit in %s at %zu; ", file->name, at);
}

static void zero(struct harming *h)
{
        static const size_t sizes[] = { 4, 8, 24, 512, 4096, 16384 };
        struct tree_file *file = some_file(h, NULL);
        size_t at = file ? some_place(h, file) : 0;
        size_t bytes = sizes[below(h, sizeof(sizes) / sizeof(sizes[0]))];

        if (!file)
                return;
        at -= at % (bytes < 512 ? 4 : 512);
        if (bytes > file->bytes - at)
                bytes = file->bytes - at;
        memset(file->data + at, 0, bytes);
        say(h, "%zu bytes of %s zeroed at %zu; ", bytes, file->name, at);
}

static void cut(struct harming *h)
{
        struct tree_file *file = some_file(h, below(h, 4) ? NULL : "control");

        if (!file)
                return;
        file->bytes = below(h, 6) == 0 ? 0 : some_place(h, file);
        say(h, "%s cut at %zu; ", file->name, file->bytes);
}

static void lose(struct harming *h)
{
        struct tree_file *file = some_file(h, below(h, 6) ? ".log" : NULL);

        if (!file)
                return;
        say(h, "%s deleted; ", file->name);
        tree_delete(h->tree, file->name);
}

static void swap(struct harming *h)
{
        struct tree_file *a = some_file(h, ".log"), *b = some_file(h, ".log"), c;

        if (!a || !b || a == b)
                return;
        c = *a;
        a->data = b->data;
        a->bytes = b->bytes;
        b->data = c.data;
        b->bytes = c.bytes;
        say(h, "%s and %s swapped; ", a->name, b->name);
}

static void replace(struct harming *h, const struct tree_file *old)
{
        char name[TREE_NAME_BYTES];

        memcpy(name, old->name, sizeof(name));
        if (tree_find(h->tree, name))
                tree_delete(h->tree, name);
        tree_add(h->tree, name, old->data, old->bytes);
}

/* One file of an older copy, or all of it over what is there, or all of it instead. */
static void put_back(struct harming *h)
{
        const struct tree *old;
        unsigned which = (unsigned)below(h, 6);

        if (h->grown->age_count == 0) {
                flip(h);
                return;
        }
        old = &h->grown->ages[below(h, h->grown->age_count)];
        if (which >= 2) {
                size_t i = below(h, old->count);
                replace(h, &old->files[i]);
                say(h, "%s put back; ", old->files[i].name);
                return;
        }
        for (size_t i = 0; i < old->count; i++)
                replace(h, &old->files[i]);
        say(h, "an older copy put over it; ");
}

static void spoil_control(struct harming *h)
{
        struct tree_file *file = tree_find(h->tree, "control");
        unsigned which = (unsigned)below(h, 4);

        if (!file || file->bytes < 1536)
                return;
        for (unsigned slot = 0; slot < 2; slot++)
                if (which & (slot + 1) || which == 0)
                        file->data[512 * (slot + 1) + below(h, 64)] ^=
                                (unsigned char)(1 + below(h, 255));
        say(h, "slots %s spoilt; ", which == 0 || which == 3 ? "both" : which == 1 ? "0" : "1");
}

static bool is_newest(const struct harming *h, const struct tree_file *file)
{
        for (size_t i = 0; i < h->tree->count; i++)
                if (strstr(h->tree->files[i].name, ".log") &&
                    strcmp(h->tree->files[i].name, file->name) > 0)
                        return false;
        return true;
}

/* A number that something is believed by, with its check made right. */
static void forge(struct harming *h)
{
        /* Readers believe a mark that holds: nobody looks for its record. So we change neither
         * its number and offset, nor what it counts from: the first number of the head or of the
         * log. */
        static const size_t control[] = {
                56, 512, 528, 544, 552, 560, 1024, 1040, 1056, 1064, 1072
        };
        static const size_t segment[] = { 48,   56,   64,   520,  528,  536,  544, 552,
                                          4120, 4128, 4136, 4144, 4152, 4160, 4168 };
        static const size_t indexes[] = { 12, 16, 24, 32, 40, 48, 72, 76, 80 };
        unsigned which = (unsigned)below(h, 8);
        struct tree_file *file = some_file(h, which < 2 ? "control" : which < 7 ? ".log" : ".idx");
        size_t at;
        uint64_t value;

        if (!file || file->bytes < 88)
                return;
        at = which < 2   ? control[below(h, 11)]
             : which < 7 ? segment[below(h, 15)]
                         : indexes[below(h, 9)];
        if (at == 4120 && (is_newest(h, file) || tree_get(file->data + 4136) == 0))
                return;
        if (at + 8 > file->bytes)
                return;
        value = tree_get(file->data + at);
        switch (below(h, 5)) {
        case 0:
                value += 1 + below(h, 3);
                break;
        case 1:
                value -= 1 + below(h, 3);
                break;
        case 2:
                value = below(h, 2) ? 0 : below(h, 300);
                break;
        case 3:
                value += (below(h, 129) - 64) * 8;
                break;
        default:
                value ^= UINT64_C(1) << below(h, 64);
        }
        tree_put(file->data + at, value);
        input_fix(h->tree, INPUT_FIX_CONTROL | INPUT_FIX_HEADERS | INPUT_FIX_FRAMES |
                                   INPUT_FIX_SEALS | INPUT_FIX_INDEXES);
        say(h, "%s says %llu at %zu; ", file->name, (unsigned long long)value, at);
}

/* A copy of a segment as the newest: of another version, with an unknown flag, or as it is. */
static void stray(struct harming *h)
{
        struct tree_file *file = some_file(h, ".log");
        char name[TREE_NAME_BYTES];
        uint64_t id = 0;
        unsigned which = (unsigned)below(h, 4);

        if (!file || file->bytes < 4096)
                return;
        for (size_t i = 0; i < h->tree->count; i++)
                if (strstr(h->tree->files[i].name, ".log") &&
                    strtoull(h->tree->files[i].name, NULL, 10) > id)
                        id = strtoull(h->tree->files[i].name, NULL, 10);
        snprintf(name, sizeof(name), SEGMENT_NAME_FORMAT, id + 1 + below(h, 3));
        if (h->tree->count >= TREE_FILES_MAX - 1)
                return;
        file = tree_add(h->tree, name, file->data, file->bytes);
        if (which == 1)
                file->data[8]++;
        if (which == 2)
                file->data[20]++;
        if (which == 3)
                tree_put(file->data + offsetof(struct segment_header, id),
                         strtoull(name, NULL, 10));
        if (which)
                input_fix(h->tree, INPUT_FIX_HEADERS);
        say(h, "%s is a copy%s; ", name,
            which == 0   ? ""
            : which == 1 ? " of another version"
            : which == 2 ? " with an unknown flag"
                         : " with its own id");
}

static void garbage(struct harming *h)
{
        struct tree_file *file = some_file(h, below(h, 2) ? ".log" : NULL);
        size_t at, bytes;

        if (!file || file->bytes == 0)
                return;
        at = some_place(h, file);
        bytes = 1 + below(h, 600);
        if (bytes > file->bytes - at)
                bytes = file->bytes - at;
        for (size_t i = 0; i < bytes; i++)
                file->data[at + i] = (unsigned char)dice(&h->state);
        say(h, "%zu bytes of %s garbled at %zu; ", bytes, file->name, at);
}

void harm(const struct grown *grown, uint64_t seed, struct tree *ret, char *text, size_t capacity)
{
        static void (*const harms[])(struct harming *) = { flip,  zero,     cut,      lose,
                                                           swap,  put_back, put_back, spoil_control,
                                                           forge, forge,    forge,    forge,
                                                           stray, garbage };
        struct harming h = { grown, ret, seed, text, capacity };
        unsigned count = below(&h, 4) ? 1 : 2 + (unsigned)below(&h, 2);

        text[0] = '\0';
        tree_copy(&grown->now, ret);
        if (below(&h, 30) == 0)
                return;
        for (unsigned i = 0; i < count; i++)
                harms[below(&h, sizeof(harms) / sizeof(harms[0]))](&h);
        if (below(&h, 6) == 0) {
                input_fix(ret, INPUT_FIX_CONTROL | INPUT_FIX_HEADERS | INPUT_FIX_FRAMES |
                                       INPUT_FIX_SEALS | INPUT_FIX_INDEXES);
                say(&h, "checks made right; ");
        }
        /* Kinds that came later; drawn apart, so that a seed does to a store what it always did. */
        h.state = seed ^ LATER_SEED;
        if (below(&h, 3) == 0)
                harm_later(&h, below(&h, 2) == 0);
}
