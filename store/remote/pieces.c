/*
 * pieces.c - the cache: what is kept, and what goes
 */
#include "remote/pieces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote/pieces_private.h"
#include "remote/remote_detail.h"

static struct kept **slot_of(const struct pieces *pieces, uint64_t seq, uint32_t index)
{
        uint64_t hash =
                (seq * UINT64_C(0x9e3779b97f4a7c15)) ^ (index * UINT64_C(0xc2b2ae3d27d4eb4f));

        return (struct kept **)&pieces->slots[hash >> 32 & (TABLE_SLOTS - 1)];
}

struct kept *pieces_find(const struct pieces *pieces, uint64_t seq, uint32_t index)
{
        struct kept *kept = *slot_of(pieces, seq, index);

        while (kept && (kept->seq != seq || kept->index != index))
                kept = kept->next;
        return kept;
}

static void unlink_use(struct pieces *pieces, struct kept *kept)
{
        *(kept->older ? &kept->older->newer : &pieces->oldest) = kept->newer;
        *(kept->newer ? &kept->newer->older : &pieces->newest) = kept->older;
        kept->older = kept->newer = NULL;
}

static void link_use(struct pieces *pieces, struct kept *kept)
{
        kept->older = pieces->newest;
        *(pieces->newest ? &pieces->newest->newer : &pieces->oldest) = kept;
        pieces->newest = kept;
}

void pieces_touch(struct pieces *pieces, struct kept *kept)
{
        unlink_use(pieces, kept);
        link_use(pieces, kept);
}

/* Most pieces have the same size. Their memory is kept for the next one, so that the heap does not
 * get holes, nor the kernel work. */
struct spare {
        struct spare *next;
};

static uint8_t *take_bytes(struct pieces *pieces, uint64_t bytes)
{
        struct spare *spare = pieces->spare;

        if (!spare || bytes != BLOCK_SPAN)
                return malloc(bytes);
        pieces->spare = spare->next;
        pieces->spare_bytes -= BLOCK_SPAN;
        return (uint8_t *)spare;
}

static void give_bytes(struct pieces *pieces, uint8_t *at, uint64_t bytes)
{
        struct spare *spare = (struct spare *)(void *)at; /* as malloc aligns it */

        if (bytes != BLOCK_SPAN) {
                free(at);
                return;
        }
        spare->next = pieces->spare;
        pieces->spare = spare;
        pieces->spare_bytes += BLOCK_SPAN;
}

void pieces_free_spare(struct pieces *pieces, uint64_t most)
{
        while (pieces->spare && pieces->spare_bytes > most)
                free(take_bytes(pieces, BLOCK_SPAN));
}

static void free_kept(struct pieces *pieces, struct kept *kept)
{
        uint64_t bytes = kept->piece.to - kept->piece.from;

        pieces->kept_bytes -= bytes;
        give_bytes(pieces, kept->bytes, bytes);
        free(kept);
}

void pieces_drop(struct pieces *pieces, struct kept *kept)
{
        struct kept **at = slot_of(pieces, kept->seq, kept->index);

        while (*at != kept)
                at = &(*at)->next;
        *at = kept->next;
        unlink_use(pieces, kept);
        kept->dropped = true;
        if (kept->pins == 0)
                free_kept(pieces, kept);
}

/* Let go of old pieces until there is room for @bytes more. Those that were read ahead and not used
 * as yet go only if @must. */
static bool make_room(struct pieces *pieces, uint64_t bytes, bool must)
{
        struct kept *kept = pieces->oldest;

        while (kept && pieces->kept_bytes + bytes > pieces->options.budget_bytes) {
                struct kept *newer = kept->newer;

                if (kept->pins == 0 && !kept->loading && (kept->used || must))
                        pieces_drop(pieces, kept);
                kept = newer;
        }
        return pieces->kept_bytes + bytes <= pieces->options.budget_bytes;
}

static bool have_room(struct pieces *pieces, uint64_t bytes, bool must)
{
        bool room = make_room(pieces, bytes, false) || (must && make_room(pieces, bytes, true));
        uint64_t taken = pieces->kept_bytes + bytes, budget = pieces->options.budget_bytes;

        /* What has the size of a spare one takes it. */
        pieces_free_spare(pieces, taken < budget ? budget - taken + BLOCK_SPAN : BLOCK_SPAN);
        return room || must;
}

/* Something else is needed than what was read ahead: that may go as well. */
static void give_up_ahead(struct pieces *pieces)
{
        for (struct kept *kept = pieces->oldest; kept; kept = kept->newer)
                kept->used = true;
}

static struct kept *add(struct pieces *pieces, uint64_t seq, uint32_t index, uint64_t from,
                        uint64_t to)
{
        struct kept *kept = calloc(1, sizeof(*kept));
        struct kept **slot = slot_of(pieces, seq, index);

        if (kept)
                kept->bytes = take_bytes(pieces, to - from);
        if (!kept || !kept->bytes) {
                free(kept);
                return NULL;
        }
        kept->piece = (struct piece){ kept->bytes, from, from, to };
        kept->seq = seq;
        kept->index = index;
        kept->loading = true;
        kept->next = *slot;
        *slot = kept;
        link_use(pieces, kept);
        pieces->kept_bytes += to - from;
        return kept;
}

uint32_t pieces_index(const struct remote_entry *entry, uint64_t offset, uint64_t *ret_from,
                      uint64_t *ret_to)
{
        uint64_t index = offset / BLOCK_SPAN, to = (index + 1) * BLOCK_SPAN;

        if (entry->object_bytes == 0) {
                *ret_from = entry->from;
                *ret_to = entry->to;
                return 0;
        }
        *ret_from = index * BLOCK_SPAN;
        *ret_to = to < entry->to ? to : entry->to;
        return (uint32_t)index;
}

int pieces_take_run(struct pieces *pieces, const struct remote_entry *entry,
                    const struct remote_block *blocks, uint64_t from, uint64_t to, bool must,
                    struct load *ret)
{
        uint64_t at = from, begin, end = from;
        int r;

        *ret = (struct load){ .pieces = pieces };
        while (at < to && ret->count < RUN_MAX) {
                uint32_t index = pieces_index(entry, at, &begin, &end);
                struct kept *kept;

                uint64_t extra = entry->object_bytes ? 0 : end - begin;

                if (pieces_find(pieces, entry->seq, index) ||
                    !have_room(pieces, end - begin + extra, must && ret->count == 0))
                        break;
                kept = add(pieces, entry->seq, index, begin, end);
                if (!kept)
                        break;
                ret->extra_bytes += extra;
                pieces->kept_bytes += extra;
                ret->until[ret->count] = must && to < end && entry->object_bytes ? to : end;
                ret->run[ret->count++] = kept;
                at = end;
        }
        if (ret->count == 0)
                return must && !pieces_find(pieces, entry->seq,
                                            pieces_index(entry, from, &begin, &end))
                               ? remote_detail(-ENOMEM, "no memory for a piece of a segment")
                               : 0;
        r = span_of(entry, blocks, ret->run[0]->piece.from, ret->until[ret->count - 1], &ret->span);
        if (r < 0)
                pieces->kept_bytes -= ret->extra_bytes;
        while (r < 0 && ret->count > 0)
                pieces_drop(pieces, ret->run[--ret->count]);
        return r;
}

void pieces_release(struct pieces *pieces, const struct piece *piece)
{
        struct kept *kept = (struct kept *)piece; /* its first member */

        if (!piece)
                return;
        pthread_mutex_lock(&pieces->lock);
        kept->pins--;
        if (kept->dropped && kept->pins == 0)
                free_kept(pieces, kept);
        pthread_mutex_unlock(&pieces->lock);
}

/* The piece if it holds enough. One that is too short makes room for a longer one. */
static struct kept *find_ready(struct pieces *pieces, uint64_t seq, uint32_t index, uint64_t until)
{
        struct kept *kept;

        while ((kept = pieces_find(pieces, seq, index)) && kept->loading)
                pthread_cond_wait(&pieces->loaded, &pieces->lock);
        if (!kept)
                return NULL;
        if (kept->piece.have < until && kept->piece.have < kept->piece.to) {
                pieces_drop(pieces, kept);
                return NULL;
        }
        pieces_touch(pieces, kept);
        kept->used = true;
        kept->pins++;
        return kept;
}

int pieces_get(struct pieces *pieces, const struct remote_entry *entry,
               const struct remote_block *blocks, uint64_t offset, uint64_t until,
               const struct piece **ret)
{
        uint64_t from, to;
        uint32_t index = pieces_index(entry, offset, &from, &to);
        struct kept *kept = NULL;
        int r = 0;

        if (until > entry->to)
                until = entry->to;
        pthread_mutex_lock(&pieces->lock);
        while (r == 0 && !(kept = find_ready(pieces, entry->seq, index, until))) {
                struct load load;

                give_up_ahead(pieces);
                r = pieces_take_run(pieces, entry, blocks, from, until, true, &load);
                pthread_mutex_unlock(&pieces->lock);
                if (load.count > 0)
                        r = pieces_load(&load, pieces->options.patience_ns);
                pthread_mutex_lock(&pieces->lock);
        }
        pthread_mutex_unlock(&pieces->lock);
        if (r == 0)
                *ret = &kept->piece;
        return r;
}

uint64_t pieces_ahead_bytes(const struct pieces *pieces)
{
        return pieces->options.budget_bytes / 2;
}

uint64_t pieces_kept_bytes(struct pieces *pieces)
{
        uint64_t bytes;

        pthread_mutex_lock(&pieces->lock);
        bytes = pieces->kept_bytes;
        pthread_mutex_unlock(&pieces->lock);
        return bytes;
}
