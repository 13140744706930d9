/*
 * test_sim.c - the simulated disk proves something: a toy log that syncs as it must passes, and
 * each way of syncing too little is caught
 *
 * The toy is one file of 64 KiB with frames of one size. Frame i holds i and a check. Recovery ends
 * at the first wrong frame, fills what follows with zeros, and syncs before it serves.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"

#include "disk.h"
#include "os_disk.h"

#define TOY_BYTES (64u << 10)
#define FRAME_BYTES 304u
#define FRAMES (TOY_BYTES / FRAME_BYTES)
#define SEEDS 300u

enum breakage {
        NOTHING_BROKEN,
        NO_MSYNC,
        SHORT_RANGE,
        NO_DIRECTORY_SYNC,
        NO_PARENT_SYNC,
        NO_FILE_SYNC,
        ACK_BEFORE_SYNC,
        NO_RECOVERY_SYNC,
        SYNC_AGAIN_AFTER_FAILURE,
        CACHE_BELIEVED,
        BREAKAGES,
};

static const char *const breakage_names[BREAKAGES] = {
        [NOTHING_BROKEN] = "a toy that syncs as it must loses nothing",
        [NO_MSYNC] = "no msync is caught",
        [SHORT_RANGE] = "a range one page short is caught",
        [NO_DIRECTORY_SYNC] = "no sync of the directory is caught",
        [NO_PARENT_SYNC] = "no sync of the parent directory is caught",
        [NO_FILE_SYNC] = "no sync before the rename is caught",
        [ACK_BEFORE_SYNC] = "an acknowledgement before the sync is caught",
        [NO_RECOVERY_SYNC] = "no sync at recovery is caught",
        [SYNC_AGAIN_AFTER_FAILURE] = "believing the second sync after a failed one is caught",
        [CACHE_BELIEVED] = "believing the cache after a failed sync is caught",
};

struct toy {
        enum breakage broken;
        int directory, fd;
        uint8_t *base;
        uint32_t count, synced;
};

struct shot { /* an image, and what was acknowledged when it was drawn */
        struct disk *disk;
        uint32_t acked, appended;
};

struct trial {
        enum breakage broken;
        struct disk *disk;
        struct rng rng;
        struct toy toy;
        uint32_t acked, appended;
        bool created;
        struct shot shots[64];
        uint32_t shot_count;
        uint32_t caught;
};

/* ---- the toy ---- */

static void make_frame(uint32_t number, uint8_t frame[FRAME_BYTES])
{
        struct rng rng = { number + 1 };

        for (size_t i = 0; i < FRAME_BYTES; i += 8)
                memcpy(frame + i, &(uint64_t){ rng_next(&rng) }, 8);
}

static bool frame_is(uint32_t number, const uint8_t *at)
{
        uint8_t frame[FRAME_BYTES];

        make_frame(number, frame);
        return memcmp(frame, at, FRAME_BYTES) == 0;
}

static int sync_names(const struct toy *toy, const char *parent)
{
        int fd, r = 0;

        if (toy->broken != NO_DIRECTORY_SYNC)
                r = os_sync_directory(toy->directory);
        if (r == 0 && toy->broken != NO_PARENT_SYNC) {
                fd = os_open_directory(parent);
                r = os_sync_directory(fd);
                os_close(fd);
        }
        return r;
}

static int toy_prepare(struct toy *toy, const char *parent)
{
        uint8_t frame[FRAME_BYTES];
        int r;

        os_unlink(toy->directory, "new.log");
        toy->fd = os_open(toy->directory, "new.log", OS_WRITE | OS_CREATE, 0600);
        make_frame(0, frame);
        r = os_write(toy->fd, frame, FRAME_BYTES, 0);
        if (r == 0)
                r = os_grow(toy->fd, TOY_BYTES);
        if (r == 0 && toy->broken != NO_FILE_SYNC)
                r = os_sync_file(toy->fd);
        if (r == 0)
                r = os_rename_fresh(toy->directory, "new.log", "log");
        return r < 0 ? r : sync_names(toy, parent);
}

/* Count the frames that the disk has, and put zeros behind them. */
static int toy_recover(struct toy *toy)
{
        static _Alignas(4096) uint8_t disk[TOY_BYTES];
        size_t bytes = TOY_BYTES;
        int r, direct;

        r = toy->broken == NO_RECOVERY_SYNC ? 0 : os_sync_file(toy->fd);
        memcpy(disk, toy->base, TOY_BYTES);
        if (r == 0 && toy->broken != CACHE_BELIEVED) {
                direct = os_open(toy->directory, "log", OS_DIRECT, 0);
                r = os_read(direct, disk, TOY_BYTES, 0, &bytes);
                os_close(direct);
        }
        while (toy->count < FRAMES && frame_is(toy->count, disk + toy->count * FRAME_BYTES))
                toy->count++;
        memcpy(toy->base, disk, toy->count * FRAME_BYTES);
        memset(toy->base + toy->count * FRAME_BYTES, 0, TOY_BYTES - toy->count * FRAME_BYTES);
        if (r == 0 && toy->broken != NO_RECOVERY_SYNC)
                r = os_sync_map(toy->base, TOY_BYTES);
        toy->synced = toy->count;
        return r;
}

static void toy_close(struct toy *toy)
{
        if (toy->base)
                os_unmap(toy->base, TOY_BYTES);
        os_close(toy->fd);
        os_close(toy->directory);
}

static int toy_open(struct toy *toy, enum breakage broken, uint64_t disk_id)
{
        char parent[64], path[80];
        struct os_stat st;
        int r;

        *toy = (struct toy){ .broken = broken };
        snprintf(parent, sizeof(parent), "/disk/%llu", (unsigned long long)disk_id);
        snprintf(path, sizeof(path), "%s/store", parent);
        r = os_make_directory(OS_HERE, path, 0700);
        toy->directory = os_open_directory(path);
        toy->fd = os_open(toy->directory, "log", OS_WRITE, 0);
        if (toy->fd == -ENOENT)
                r = toy_prepare(toy, parent);
        else
                r = sync_names(toy, parent);
        if (r == 0)
                r = os_stat(toy->fd, &st);
        if (r == 0 && st.bytes != TOY_BYTES)
                r = -EBADMSG;
        if (r == 0)
                r = os_map(toy->fd, OS_SHARED_WRITE, TOY_BYTES, (void **)&toy->base);
        if (r == 0)
                r = toy_recover(toy);
        return r == 0 && toy->count == 0 ? -EBADMSG : r;
}

static int toy_sync(struct toy *toy)
{
        uint32_t from = toy->synced * FRAME_BYTES / DISK_PAGE_BYTES * DISK_PAGE_BYTES;
        uint32_t end = toy->count * FRAME_BYTES;
        int r;

        if (toy->broken == SHORT_RANGE)
                end = end > from + DISK_PAGE_BYTES ? end - DISK_PAGE_BYTES : end;
        r = toy->broken == NO_MSYNC ? 0 : os_sync_map(toy->base + from, end - from);
        if (r < 0 && toy->broken == SYNC_AGAIN_AFTER_FAILURE)
                r = os_sync_map(toy->base + from, end - from);
        if (r == 0)
                toy->synced = toy->count;
        return r;
}

/* ---- a life of it ---- */

static void on_call(struct disk *disk, const char *call, bool after)
{
        struct trial *trial = disk->watcher;
        struct shot *shot = &trial->shots[trial->shot_count];

        (void)call, (void)after;
        if (trial->shot_count == 64 || !rng_one_in(&trial->rng, 2))
                return;
        trial->shot_count++;
        shot->disk = rng_one_in(&trial->rng, 8) ? disk_after_kill(disk, &trial->rng)
                                                : disk_after_power_cut(disk, &trial->rng);
        shot->acked = trial->acked;
        shot->appended = trial->appended;
}

/* Open what a crash left, look, and crash again: what was seen must stay. */
static void check(struct trial *trial, struct disk *disk, uint32_t acked, uint32_t appended,
                  bool again)
{
        struct disk *after;
        struct toy toy;
        int r = toy_open(&toy, trial->broken, disk->id);

        if (r < 0 || toy.count < acked || toy.count > appended + 1)
                trial->caught++;
        else if (again) {
                after = disk_after_power_cut(disk, &trial->rng);
                check(trial, after, toy.count, toy.count, false);
        }
        toy_close(&toy);
        disk_free(disk);
}

static void check_shots(struct trial *trial)
{
        for (uint32_t i = 0; i < trial->shot_count; i++)
                check(trial, trial->shots[i].disk, trial->shots[i].acked, trial->shots[i].appended,
                      true);
        trial->shot_count = 0;
}

static void reopen_after_failure(struct trial *trial)
{
        toy_close(&trial->toy);
        trial->disk->syncs_to_fail = 0;
        if (toy_open(&trial->toy, trial->broken, trial->disk->id) < 0 ||
            trial->toy.count < trial->acked)
                trial->caught++;
        trial->acked = trial->toy.count;
        trial->appended = trial->acked - 1;
}

static void append_some(struct trial *trial)
{
        uint32_t more = 1 + rng_below(&trial->rng, 20);
        int r;

        while (more-- > 0 && trial->toy.count < FRAMES) {
                trial->appended = trial->toy.count;
                make_frame(trial->toy.count, trial->toy.base + trial->toy.count * FRAME_BYTES);
                trial->toy.count++;
        }
        if (rng_one_in(&trial->rng, 4))
                trial->disk->syncs_to_fail = 1;
        if (trial->broken == ACK_BEFORE_SYNC)
                trial->acked = trial->toy.count;
        r = toy_sync(&trial->toy);
        trial->disk->syncs_to_fail = 0;
        if (r == 0)
                trial->acked = trial->toy.count;
        else
                reopen_after_failure(trial);
}

static uint32_t live(enum breakage broken, uint64_t seed)
{
        struct trial *trial = calloc(1, sizeof(*trial));
        struct os_world world = { { seed }, 0 };
        uint32_t caught;

        os_disk_enter(&world);
        trial->broken = broken;
        trial->rng.state = rng_mix(seed);
        trial->disk = disk_new(seed);
        trial->disk->watch = on_call;
        trial->disk->watcher = trial;
        if (toy_open(&trial->toy, broken, trial->disk->id) < 0)
                trial->caught++;
        trial->acked = trial->toy.count;
        check_shots(trial);
        for (uint32_t i = 0; i < 12 && !trial->caught; i++) {
                append_some(trial);
                on_call(trial->disk, "nothing", true);
                check_shots(trial);
        }
        trial->disk->watch = NULL;
        toy_close(&trial->toy);
        disk_free(trial->disk);
        caught = trial->caught;
        free(trial);
        return caught;
}

int main(void)
{
        int failures = 0;

        printf("1..%d\n", BREAKAGES);
        for (int broken = 0; broken < BREAKAGES; broken++) {
                uint32_t seed = 0, caught = 0;
                while (seed < SEEDS && caught == 0)
                        caught = live((enum breakage)broken, ++seed);
                bool right = broken == NOTHING_BROKEN ? caught == 0 : caught > 0;
                printf("%sok %d - %s # seed %u\n", right ? "" : "not ", broken + 1,
                       breakage_names[broken], seed);
                failures += !right;
        }
        return failures > 0;
}
