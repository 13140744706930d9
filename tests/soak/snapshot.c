/*
 * snapshot.c - private snapshots under a budget: edit, compare with the store, drop, close
 *
 * An edit turns every byte over. It must be seen in the snapshot, never in the store, and be gone
 * after a drop.
 */
#include <errno.h>
#include <time.h>

#include "oracle.h"
#include "soak.h"

#define BUDGET_BYTES ((uint64_t)1 << 20)
#define EDITS_MAX 400u

static void check_snapshot(struct round *round, struct logstore_snapshot *snapshot, uint64_t number,
                           uint8_t flip)
{
        struct logstore_record found;
        int r = logstore_snapshot_get(snapshot, number, &found);

        if (r < 0 || !oracle_is_right(number, found.data, found.size, flip))
                wrong(round, flip ? "snapshot lost an edit" : "snapshot has other bytes", number,
                      r);
}

static void check_store(struct round *round, uint64_t number)
{
        char buffer[ORACLE_BYTES_MAX];
        struct logstore_record found;
        int r = logstore_get(round->store, number, buffer, sizeof(buffer), &found);

        if (r == -ESTALE)
                return; /* retention; the getting thread looks closer at that */
        if (r < 0 || !oracle_is_right(number, found.data, found.size, 0))
                wrong(round, "an edit reached the store", number, r);
}

static int edit(struct round *round, struct logstore_snapshot *snapshot, uint64_t number)
{
        void *data;
        size_t size;
        int r = logstore_snapshot_edit(snapshot, number, &data, &size);

        if (r == -ENOBUFS) {
                round->shared->refused_edits++;
                return r;
        }
        if (r < 0) {
                wrong(round, "snapshot_edit", number, r);
                return r;
        }
        for (size_t i = 0; i < size; i++)
                ((uint8_t *)data)[i] ^= 0xff;
        round->shared->edits++;
        return 0;
}

/* Edit records spread over the snapshot until the budget is used; returns how many. */
static size_t edit_many(struct round *round, struct logstore_snapshot *snapshot,
                        const struct logstore_bounds *bounds, uint64_t *numbers)
{
        uint64_t stride = (bounds->tail - bounds->first) / EDITS_MAX + 1;
        uint64_t number = bounds->first + oracle_mix(now_ns()) % stride;
        size_t count = 0;

        for (; number <= bounds->tail && count < EDITS_MAX && !atomic_load(&round->over);
             number += stride) {
                if (oracle_is_void(number))
                        continue;
                if (edit(round, snapshot, number) < 0)
                        break;
                numbers[count++] = number;
        }
        return count;
}

static void check_edits(struct round *round, struct logstore_snapshot *snapshot,
                        const uint64_t *numbers, size_t count)
{
        if (logstore_snapshot_edited(snapshot, NULL, 0) != (int64_t)count)
                wrong(round, "snapshot_edited", count, 0);
        if (logstore_snapshot_copied_bytes(snapshot) > BUDGET_BYTES)
                wrong(round, "snapshot over its budget", logstore_snapshot_copied_bytes(snapshot),
                      0);
        for (size_t i = 0; i < count && !atomic_load(&round->over); i++) {
                uint64_t neighbour = oracle_from(numbers[i] + 1);

                check_snapshot(round, snapshot, numbers[i], 0xff);
                check_store(round, numbers[i]);
                if (i + 1 < count && neighbour < numbers[i + 1])
                        check_snapshot(round, snapshot, neighbour, 0);
        }
        if (logstore_snapshot_drop(snapshot, 0, UINT64_MAX) < 0 ||
            logstore_snapshot_copied_bytes(snapshot) != 0)
                wrong(round, "snapshot_drop left copies", logstore_snapshot_copied_bytes(snapshot),
                      0);
        for (size_t i = 0; i < count; i++)
                check_snapshot(round, snapshot, numbers[i], 0);
}

static void one_snapshot(struct round *round)
{
        struct logstore_snapshot *snapshot;
        struct logstore_bounds bounds;
        uint64_t numbers[EDITS_MAX];
        int r = logstore_snapshot_open(round->store, BUDGET_BYTES, &snapshot);

        if (r < 0) {
                failed(round, "snapshot_open", r);
                return;
        }
        r = logstore_snapshot_bounds(snapshot, &bounds);
        if (r < 0)
                failed(round, "snapshot_bounds", r);
        else if (bounds.tail >= bounds.first)
                check_edits(round, snapshot, numbers, edit_many(round, snapshot, &bounds, numbers));
        logstore_snapshot_close(snapshot);
        round->shared->snapshots++;
}

void *snapshot_and_edit(void *argument)
{
        struct round *round = argument;

        while (!atomic_load(&round->over)) {
                one_snapshot(round);
                nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
        }
        return NULL;
}

static void keep_peak(uint64_t *peak, uint64_t now)
{
        if (now > *peak)
                *peak = now;
}

void *watch_memory(void *argument)
{
        struct round *round = argument;
        struct shared *shared = round->shared;

        while (!atomic_load(&round->over)) {
                struct logstore_memory memory = { .struct_bytes = sizeof(memory) };
                int r = logstore_memory(round->store, &memory);

                if (r < 0)
                        failed(round, "memory", r);
                if (r == 0) {
                        shared->library_anonymous = memory.anonymous_resident;
                        shared->library_heap = memory.heap;
                        shared->library_copied = memory.private_copied;
                        shared->library_mapped = memory.shared_mapped;
                        shared->library_resident = memory.shared_resident;
                        keep_peak(&shared->anonymous_peak, memory.anonymous_resident);
                        keep_peak(&shared->heap_peak, memory.heap);
                        keep_peak(&shared->copied_peak, memory.private_copied);
                }
                nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
        }
        return NULL;
}
