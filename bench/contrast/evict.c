/*
 * evict.c - which pages the kernel can take back: file pages clean and dirty, private, anonymous
 *
 * MADV_PAGEOUT asks for just the reclaim that a lack of memory causes, for this range alone.
 */
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define BYTES (32 * MIB)

static int swap_is_on(void)
{
        FILE *file = fopen("/proc/swaps", "re");
        char line[256];
        int lines = 0;

        while (file && fgets(line, sizeof(line), file))
                lines++;
        if (file)
                fclose(file);
        return lines > 1;
}

/* MADV_PAGEOUT takes the pages that are in the page table, so put them there. */
static void load(const char *at)
{
        for (size_t i = 0; i < BYTES; i += 4 * KIB)
                (void)*(const volatile char *)(at + i);
}

/* Bytes still in memory after the kernel was asked to take all. */
static size_t after_reclaim(void *at)
{
        demo_need(madvise(at, BYTES, MADV_PAGEOUT) == 0, "MADV_PAGEOUT");
        return demo_resident(at, BYTES);
}

static void files(const char *dir)
{
        int fd = demo_file(dir, BYTES);
        char *at = demo_map(BYTES, MAP_SHARED, fd);

        load(at);
        demo_bytes("32 MiB of a file, mapped shared, clean: left after reclaim", 0,
                   after_reclaim(at), MIB, "some pages were busy");
        demo_touch(at, BYTES);
        demo_bytes("the same, dirty", 0, after_reclaim(at), MIB,
                   "dirty pages must be written first; reclaim alone leaves that to writeback");
        demo_need(msync(at, BYTES, MS_SYNC) == 0, "msync");
        load(at);
        demo_bytes("the same, after msync", 0, after_reclaim(at), MIB, "some pages were busy");
}

static void copies(const char *dir)
{
        size_t kept = swap_is_on() ? 0 : BYTES;
        int fd = demo_file(dir, BYTES);
        char *at = demo_map(BYTES, MAP_PRIVATE, fd);
        char *plain = demo_map(BYTES, MAP_PRIVATE, -1);

        size_t before = demo_smaps("Anonymous:");

        demo_touch(at, BYTES);
        after_reclaim(at);
        demo_bytes("32 MiB of a file, mapped private, stored to: still held", kept,
                   demo_smaps("Anonymous:") - before, MIB, "swap took only a part");
        demo_need(madvise(at, BYTES, MADV_DONTNEED) == 0, "MADV_DONTNEED");
        demo_text("the same, after MADV_DONTNEED: our edits are", "there",
                  at[0] == 'b' ? "there" : "gone",
                  "private copies are dropped and the file's bytes are back");
        demo_touch(plain, BYTES);
        demo_bytes("32 MiB anonymous: left after reclaim", kept, after_reclaim(plain), MIB,
                   "swap took only a part");
}

int main(int argc, char **argv)
{
        const char *dir = argc > 1 ? argv[1] : "/var/tmp";

        files(dir);
        copies(dir);
        return 0;
}
