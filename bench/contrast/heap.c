/* heap.c - where malloc takes memory from below and above 128 KiB, and what free gives back */
#include "demo.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS 400u
#define BLOCK_BYTES (100 * KIB)

static void *take(size_t bytes)
{
        void *at = malloc(bytes);

        demo_need(at != NULL, "malloc");
        memset(at, 1, bytes);
        return at;
}

static const char *where(const void *at, const void *heap)
{
        return at >= heap && at < sbrk(0) ? "heap, by brk" : "a mapping of its own";
}

static size_t taken_since(size_t before)
{
        size_t now = demo_smaps("Rss:");

        return now > before ? now - before : 0;
}

static void fill(void **blocks)
{
        for (size_t i = 0; i < BLOCKS; i++)
                blocks[i] = take(BLOCK_BYTES);
}

static void empty(void **blocks)
{
        for (size_t i = 0; i < BLOCKS; i++)
                free(blocks[i]);
}

static void given_back(void)
{
        static void *blocks[BLOCKS];
        size_t before = demo_smaps("Rss:");

        fill(blocks);
        demo_bytes("400 blocks of 100 KiB: memory taken", BLOCKS * BLOCK_BYTES, taken_since(before),
                   MIB, "");
        empty(blocks);
        demo_bytes("all freed: memory still held", 0, taken_since(before), MIB,
                   "free gives back the top of the heap only");

        before = demo_smaps("Rss:");
        fill(blocks);
        void *last = take(100);
        empty(blocks);
        demo_bytes("all freed but 100 bytes at the end: still held", 0, taken_since(before), MIB,
                   "a heap grown by brk shrinks from its end only");
        malloc_trim(0);
        demo_bytes("the same after malloc_trim(0)", 0, taken_since(before), MIB, "");
        free(last);
}

int main(void)
{
        void *small = take(100 * KIB);
        void *heap = (char *)sbrk(0) - MIB;
        void *large = take(200 * KIB);

        demo_text("malloc of 100 KiB comes from", "heap, by brk", where(small, heap), "");
        demo_text("malloc of 200 KiB comes from", "a mapping of its own", where(large, heap), "");
        given_back();

        size_t held = demo_smaps("Rss:");
        free(large);
        demo_bytes("200 KiB freed: memory given back", 200 * KIB, held - demo_smaps("Rss:"),
                   8 * KIB, "");
        large = take(200 * KIB);
        demo_text("malloc of 200 KiB again comes from", "a mapping of its own", where(large, heap),
                  "freeing a mapped block raises the threshold of 128 KiB to that block's size");
        free(large);
        free(small);
        return 0;
}
