/*
 * memory.c - free memory that the machine has got, for a run that fills the page cache
 *
 * A virtual machine may hand free memory back to its host (free page reporting) and then has to ask
 * for it again. The page cache fills at 0.2 to 0.3 GiB/s where memory was away, at 2 to 3 where it
 * was not. A run in such memory measures the host. So we hold what a run will take until it starts,
 * and let go of it piece by piece while the run takes it, sooner than it can be handed back.
 */
#include "bench.h"

#include <sys/mman.h>
#include <sys/sysinfo.h>

#define PIECE_BYTES (128 * MIB)
enum { PIECES_MAX = 256 };

static void *pieces[PIECES_MAX];
static unsigned held;
static uint64_t keep_free; /* while there are pieces left */

static uint64_t free_bytes(void)
{
        struct sysinfo info;

        return sysinfo(&info) < 0 ? 0 : (uint64_t)info.freeram * info.mem_unit;
}

static void *take_piece(void)
{
        void *piece =
                mmap(NULL, PIECE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (piece == MAP_FAILED)
                return NULL;
        madvise(piece, PIECE_BYTES, MADV_HUGEPAGE); /* only sooner */
        /* Not a child's, or it would stay taken when it is let go of here. */
        if (madvise(piece, PIECE_BYTES, MADV_DONTFORK) == 0 &&
            madvise(piece, PIECE_BYTES, MADV_POPULATE_WRITE) == 0)
                return piece;
        munmap(piece, PIECE_BYTES);
        return NULL;
}

void memory_hold(uint64_t bytes)
{
        uint64_t most = held * PIECE_BYTES + free_bytes() / 2;

        if (bytes > most)
                bytes = most;
        while (held < PIECES_MAX && held * PIECE_BYTES < bytes && (pieces[held] = take_piece()))
                held++;
        keep_free = free_bytes() + 2 * PIECE_BYTES;
}

bool memory_yield(void)
{
        while (held && free_bytes() < keep_free)
                munmap(pieces[--held], PIECE_BYTES);
        return held > 0;
}

void memory_drop(void)
{
        while (held)
                munmap(pieces[--held], PIECE_BYTES);
}
