/*
 * node.c - one file: its pages in the cache and on the media
 *
 * A page is dirty if the cache differs from the media, or, after a failed sync of it, from what the
 * cache was then. Syncs carry dirty pages only.
 */
#include "node.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"

#define SECTOR 512u

static uint32_t pages_of(uint64_t bytes)
{
        return (uint32_t)((bytes + DISK_PAGE_BYTES - 1) / DISK_PAGE_BYTES);
}

static uint64_t least(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static uint64_t greatest(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

static struct node *node_with(struct disk *disk, uint32_t mode, struct buffer *cache,
                              struct buffer *media)
{
        struct node *node = calloc(1, sizeof(*node));

        if (!node)
                disk_refuse("no memory for a file");
        node->disk = disk;
        node->refs = 1;
        node->mode = mode;
        node->cache = cache;
        node->media = media;
        return node;
}

struct node *node_new(struct disk *disk, uint32_t mode)
{
        struct buffer *empty = buffer_new();

        return node_with(disk, mode, empty, buffer_get(empty));
}

void node_get(struct node *node)
{
        node->refs++;
}

void node_put(struct node *node)
{
        if (--node->refs > 0)
                return;
        buffer_put(node->cache);
        buffer_put(node->media);
        buffer_put(node->lost);
        free(node);
}

void node_own_cache(struct node *node)
{
        buffer_own(&node->cache);
        node->cache->owner = node;
        buffer_use(node->cache, node->size);
}

struct node *node_of_mapping(const void *base, uint64_t *ret_offset)
{
        struct buffer *buffer = buffer_at(base, ret_offset);

        return buffer ? buffer->owner : NULL;
}

void node_resize(struct node *node, uint64_t size)
{
        node->size = size;
        if (node->mappings > 0)
                buffer_use(node->cache, size);
}

static bool page_is_lost(const struct node *node, uint32_t page)
{
        return node->lost_map[page / 64] >> page % 64 & 1;
}

static void note_lost(struct node *node, uint32_t page, bool lost)
{
        if (page_is_lost(node, page) == lost)
                return;
        node->lost_map[page / 64] ^= UINT64_C(1) << page % 64;
        node->lost_pages += lost ? 1 : -1;
}

static bool page_is_dirty(const struct node *node, uint32_t page)
{
        const struct buffer *clean = page_is_lost(node, page) ? node->lost : node->media;
        size_t at = (size_t)page * DISK_PAGE_BYTES;

        return buffer_differs(node->cache->bytes + at, clean->bytes + at, DISK_PAGE_BYTES);
}

/* The 512-byte pieces of a page that get through: one bit each. */
static uint32_t draw_pieces(enum page_mood mood, struct rng *rng)
{
        uint32_t torn = rng_below(rng, 256);

        switch (mood) {
        case PAGES_OLD:
                return 0;
        case PAGES_NEW:
                return 255;
        case PAGES_ONE_NEW:
                return rng_one_in(rng, 6) ? (rng_one_in(rng, 2) ? 255 : torn) : 0;
        case PAGES_ONE_OLD:
                return rng_one_in(rng, 6) ? (rng_one_in(rng, 2) ? 0 : torn) : 255;
        case PAGES_TORN:
                return torn;
        default:
                return (const uint32_t[]){ 0, 255, torn }[rng_below(rng, 3)];
        }
}

/* Carry @pieces of a page from the cache of @from to the media of @to. */
static void carry(const struct node *from, struct node *to, uint32_t page, uint32_t pieces)
{
        size_t at = (size_t)page * DISK_PAGE_BYTES;

        if (!pieces)
                return;
        buffer_own(&to->media);
        buffer_use(to->media, at + DISK_PAGE_BYTES);
        for (uint32_t i = 0; i < DISK_PAGE_BYTES / SECTOR; i++)
                if (pieces >> i & 1)
                        buffer_read(to->media->bytes + at + i * SECTOR,
                                    from->cache->bytes + at + i * SECTOR, SECTOR);
        /* What lies beyond the old end is there only if the size is. */
        to->media_size = greatest(to->media_size, least(from->size, at + DISK_PAGE_BYTES));
}

struct node *node_after_power_cut(const struct node *node, struct disk *disk, enum page_mood mood,
                                  struct rng *rng)
{
        struct node *cut = node_with(disk, node->mode, NULL, buffer_get(node->media));

        cut->media_size = node->media_size;
        if (rng_one_in(rng, 4))
                mood = (enum page_mood)rng_below(rng, PAGE_MOODS);
        if (node->cache != node->media && mood != PAGES_OLD)
                for (uint32_t page = 0; page < pages_of(node->size); page++)
                        if (page_is_dirty(node, page))
                                carry(node, cut, page, draw_pieces(mood, rng));
        if (node->size > cut->media_size && rng_one_in(rng, 2))
                cut->media_size = node->size;
        cut->size = cut->media_size;
        cut->cache = buffer_get(cut->media);
        return cut;
}

/* A page whose sync failed is clean, so it may be evicted: the media is seen again. */
static void evict_lost(struct node *node, struct rng *rng)
{
        for (uint32_t page = 0; page < pages_of(node->size); page++) {
                size_t at = (size_t)page * DISK_PAGE_BYTES;
                if (!page_is_lost(node, page) || page_is_dirty(node, page) || rng_one_in(rng, 2))
                        continue;
                memcpy(node->cache->bytes + at, node->media->bytes + at, DISK_PAGE_BYTES);
                note_lost(node, page, false);
        }
}

struct node *node_after_kill(const struct node *node, struct disk *disk, struct rng *rng)
{
        struct node *copy =
                node_with(disk, node->mode, buffer_get(node->cache), buffer_get(node->media));

        copy->size = node->size;
        copy->media_size = node->media_size;
        copy->lost = node->lost ? buffer_get(node->lost) : NULL;
        copy->lost_pages = node->lost_pages;
        memcpy(copy->lost_map, node->lost_map, sizeof(copy->lost_map));
        /* Who still has the old file mapped must not see what the copy does. */
        if (node->mappings > 0 || node->lost_pages)
                buffer_own(&copy->cache);
        if (copy->lost_pages)
                evict_lost(copy, rng);
        return copy;
}

void node_write_back(struct node *node, struct rng *rng)
{
        enum page_mood mood = (enum page_mood)rng_below(rng, PAGE_MOODS);

        if (node->cache == node->media || mood == PAGES_OLD)
                return;
        for (uint32_t page = 0; page < pages_of(node->size); page++)
                if (!page_is_lost(node, page) && page_is_dirty(node, page))
                        carry(node, node, page, draw_pieces(mood, rng));
}

static void sync_page(struct node *node, uint32_t page)
{
        if (!page_is_dirty(node, page))
                return;
        carry(node, node, page, 255);
        note_lost(node, page, false);
}

void node_sync(struct node *node, uint64_t from, uint64_t to)
{
        uint32_t last = pages_of(least(to, node->size));

        if (node->cache != node->media)
                for (uint32_t page = (uint32_t)(from / DISK_PAGE_BYTES); page < last; page++)
                        sync_page(node, page);
        node->media_size = greatest(node->media_size, least(to, node->size));
}

void node_fail_sync(struct node *node, uint64_t from, uint64_t to, struct rng *rng)
{
        enum page_mood mood = (enum page_mood)rng_below(rng, PAGE_MOODS);
        uint32_t last = pages_of(least(to, node->size));

        node->error = true;
        if (node->cache == node->media)
                return;
        if (!node->lost)
                node->lost = buffer_new();
        buffer_own(&node->lost);
        for (uint32_t page = (uint32_t)(from / DISK_PAGE_BYTES); page < last; page++) {
                size_t at = (size_t)page * DISK_PAGE_BYTES;
                if (!page_is_dirty(node, page))
                        continue;
                buffer_use(node->lost, at + DISK_PAGE_BYTES);
                buffer_read(node->lost->bytes + at, node->cache->bytes + at, DISK_PAGE_BYTES);
                note_lost(node, page, true);
                carry(node, node, page, draw_pieces(mood, rng));
        }
}

void node_read_direct(struct node *node, void *to, uint64_t offset, uint64_t bytes)
{
        for (uint64_t done = 0; done < bytes;) {
                uint32_t page = (uint32_t)((offset + done) / DISK_PAGE_BYTES);
                uint64_t piece = least(bytes - done,
                                       (page + 1) * (uint64_t)DISK_PAGE_BYTES - (offset + done));
                const struct buffer *from = page_is_dirty(node, page) ? node->cache : node->media;
                buffer_read((uint8_t *)to + done, from->bytes + offset + done, piece);
                done += piece;
        }
}
