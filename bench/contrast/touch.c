/* touch.c - memory is taken at first touch, not at mmap or malloc */
#include "demo.h"

#include <stdlib.h>
#include <sys/mman.h>

static size_t before;

static void begin(void)
{
        before = demo_smaps("Rss:");
}

/* Resident bytes gained since begin(). */
static size_t gained(void)
{
        size_t now = demo_smaps("Rss:");

        return now > before ? now - before : 0;
}

static void promised(void)
{
        begin();
        char *at = demo_map(64 * MIB, MAP_PRIVATE, -1);
        demo_bytes("mmap of 64 MiB, anonymous: memory taken", 0, gained(), 32 * KIB, "");

        begin();
        demo_touch(at, 16 * MIB);
        demo_bytes("one byte written in each page of 16 MiB of it", 16 * MIB, gained(), 64 * KIB,
                   "huge pages are on for all memory here");

        begin();
        for (size_t i = 16 * MIB; i < 32 * MIB; i += 4 * KIB)
                (void)*(volatile char *)(at + i);
        demo_bytes("one byte read in each page of another 16 MiB", 16 * MIB, gained(), 64 * KIB,
                   "reads of untouched memory all map one page of zeros, which is not counted");
        munmap(at, 64 * MIB);
}

static void allocated(void)
{
        begin();
        void *plain = malloc(64 * MIB);
        demo_need(plain != NULL, "malloc");
        demo_bytes("malloc of 64 MiB: memory taken", 0, gained(), 32 * KIB, "");

        begin();
        void *zeroed = calloc(64, MIB);
        demo_need(zeroed != NULL, "calloc");
        demo_bytes("calloc of 64 MiB, which returns zeroed memory", 64 * MIB, gained(), 32 * KIB,
                   "fresh pages are zero already, so calloc touches none");
        free(plain);
        free(zeroed);
}

static void huge(void)
{
        char *at = demo_map(34 * MIB, MAP_PRIVATE, -1);
        char *aligned = at + (2 * MIB - (uintptr_t)at % (2 * MIB)) % (2 * MIB);

        madvise(aligned, 32 * MIB,
                MADV_HUGEPAGE); /* refused without huge pages: then no row differs */
        begin();
        for (size_t i = 0; i < 32 * MIB; i += 2 * MIB)
                aligned[i] = 1;
        demo_bytes("16 bytes written, 2 MiB apart, after MADV_HUGEPAGE", 16 * 4 * KIB, gained(),
                   64 * KIB, "the first touch takes 2 MiB at once where huge pages are advised");
        munmap(at, 34 * MIB);
}

static void page_tables(void)
{
        size_t tables = demo_status("VmPTE:");
        char *at = demo_map(1024 * MIB, MAP_PRIVATE | MAP_NORESERVE, -1);

        begin();
        madvise(at, 1024 * MIB, MADV_NOHUGEPAGE);
        for (size_t i = 0; i < 1024 * MIB; i += 2 * MIB)
                at[i] = 1;
        demo_bytes("512 pages written, 2 MiB apart: resident", 2 * MIB, gained(), 64 * KIB, "");
        demo_bytes("the same: page tables", 0, demo_status("VmPTE:") - tables, 64 * KIB,
                   "a page of page table for each 2 MiB touched; resident size does not show it");
        munmap(at, 1024 * MIB);
}

int main(void)
{
        demo_smaps("Rss:"); /* takes what the looking itself needs */
        promised();
        allocated();
        huge();
        page_tables();
        return 0;
}
