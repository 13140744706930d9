/*
 * pieces_load.c - the cache: what is loaded, by who needs it or ahead of need
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote/pieces_private.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

/* ---- one request ---- */

static int finish_piece(struct load *load)
{
        struct pieces *pieces = load->pieces;
        bool stopping;

        pthread_mutex_lock(&pieces->lock);
        load->run[load->done++]->loading = false;
        stopping = pieces->stopping;
        pthread_cond_broadcast(&pieces->loaded);
        pthread_mutex_unlock(&pieces->lock);
        return stopping ? remote_detail(-ECANCELED, "closed") : 0;
}

static int fill(void *context, const void *bytes, size_t size)
{
        struct load *load = context;
        const uint8_t *from = bytes;
        uint64_t part = size < load->skip ? size : load->skip;
        int r = 0;

        load->skip -= part;
        from += part;
        size -= part;
        while (r == 0 && size > 0) {
                struct kept *kept = load->done < load->count ? load->run[load->done] : NULL;
                struct piece *piece;

                if (!kept)
                        return remote_detail(-EBADMSG, "more comes than was asked for");
                piece = &kept->piece;
                part = load->until[load->done] - piece->have;
                if (part > size)
                        part = size;
                memcpy(kept->bytes + (piece->have - piece->from), from, part);
                piece->have += part;
                from += part;
                size -= part;
                if (piece->have == load->until[load->done])
                        r = finish_piece(load);
        }
        return r;
}

/* Once more: pieces that are whole stay as they are. */
static int load_once(struct load *load)
{
        struct piece *piece = &load->run[load->done]->piece;
        const struct bucket_sink sink = { fill, load };
        int r;

        piece->have = piece->from;
        load->skip = piece->from - load->span.from;
        r = span_read(load->pieces->bucket, load->pieces->uuid, &load->span, &sink);
        if (r == 0 && load->done < load->count)
                r = remote_detail(-EBADMSG, "fewer bytes come than were asked for");
        return r;
}

static bool is_stopping(struct pieces *pieces)
{
        bool stopping;

        pthread_mutex_lock(&pieces->lock);
        stopping = pieces->stopping;
        pthread_mutex_unlock(&pieces->lock);
        return stopping;
}

int pieces_load(struct load *load, int64_t patience_ns)
{
        struct pieces *pieces = load->pieces;
        int64_t begun = clock_boot_ns();
        int r = load_once(load);

        for (unsigned tries = 0; r == -EAGAIN && clock_boot_ns() - begun < patience_ns; tries++) {
                clock_sleep(clock_backoff_ns(tries < 6 ? tries : 6), NULL);
                if (is_stopping(pieces))
                        break;
                r = load_once(load);
        }
        pthread_mutex_lock(&pieces->lock);
        pieces->kept_bytes -= load->extra_bytes;
        while (load->done < load->count) {
                load->run[load->done]->loading = false;
                pieces_drop(pieces, load->run[load->done++]);
        }
        pthread_cond_broadcast(&pieces->loaded);
        pthread_mutex_unlock(&pieces->lock);
        return r;
}

/* ---- ahead of need ---- */

static struct load *take_first(struct pieces *pieces)
{
        struct load *load;

        pieces->idle++;
        while (!pieces->first && !pieces->stopping)
                pthread_cond_wait(&pieces->work, &pieces->lock);
        pieces->idle--;
        load = pieces->stopping ? NULL : pieces->first;
        if (load) {
                pieces->first = load->next;
                pieces->last = pieces->first ? pieces->last : NULL;
                pieces->queued--;
        }
        return load;
}

static void *load_ahead(void *context)
{
        struct pieces *pieces = context;
        struct load *load;

        pthread_mutex_lock(&pieces->lock);
        while ((load = take_first(pieces))) {
                pthread_mutex_unlock(&pieces->lock);
                (void)pieces_load(load, 0); /* who needs it is told */
                free(load);
                pthread_mutex_lock(&pieces->lock);
        }
        pthread_mutex_unlock(&pieces->lock);
        return NULL;
}

/* Under the lock. */
static bool have_thread(struct pieces *pieces)
{
        if (pieces->idle <= pieces->queued && pieces->started < pieces->options.threads &&
            pthread_create(&pieces->threads[pieces->started], NULL, load_ahead, pieces) == 0)
                pieces->started++;
        return pieces->started > 0;
}

/* Under the lock. Queue one request. 1: nothing was missing. -EAGAIN: no room. */
static int queue_run(struct pieces *pieces, const struct remote_entry *entry,
                     const struct remote_block *blocks, uint64_t *from, uint64_t to)
{
        struct load *load;
        uint64_t begin, end;
        int r;

        if (pieces->queued >= QUEUE_MAX || !have_thread(pieces))
                return -EAGAIN;
        load = malloc(sizeof(*load));
        if (!load)
                return -ENOMEM;
        r = pieces_take_run(pieces, entry, blocks, *from, to, false, load);
        if (r < 0 || load->count == 0) {
                free(load);
                return r < 0 ? r : -EAGAIN;
        }
        (void)pieces_index(entry, load->run[load->count - 1]->piece.from, &begin, &end);
        *from = end;
        *(pieces->last ? &pieces->last->next : &pieces->first) = load;
        pieces->last = load;
        pieces->queued++;
        pthread_cond_signal(&pieces->work);
        return 0;
}

bool pieces_ahead(struct pieces *pieces, const struct remote_entry *entry,
                  const struct remote_block *blocks, uint64_t from, uint64_t to)
{
        uint64_t begin, end;
        int r = 0;

        pthread_mutex_lock(&pieces->lock);
        while (r == 0 && from < to) {
                uint32_t index = pieces_index(entry, from, &begin, &end);

                if (pieces_find(pieces, entry->seq, index))
                        from = end;
                else
                        r = queue_run(pieces, entry, blocks, &from, to);
        }
        pthread_mutex_unlock(&pieces->lock);
        return r == 0;
}

/* ---- life ---- */

int pieces_new(struct bucket *bucket, const struct pieces_options *options, struct pieces **ret)
{
        struct pieces *pieces = calloc(1, sizeof(*pieces));

        if (!pieces)
                return remote_detail(-ENOMEM, "no memory for a cache");
        pieces->bucket = bucket;
        pieces->options = *options;
        if (pieces->options.threads > THREADS_MAX)
                pieces->options.threads = THREADS_MAX;
        pthread_mutex_init(&pieces->lock, NULL);
        pthread_cond_init(&pieces->loaded, NULL);
        pthread_cond_init(&pieces->work, NULL);
        *ret = pieces;
        return 0;
}

void pieces_set_store(struct pieces *pieces, const uint8_t uuid[16])
{
        memcpy(pieces->uuid, uuid, sizeof(pieces->uuid));
}

void pieces_free(struct pieces *pieces)
{
        if (!pieces)
                return;
        pthread_mutex_lock(&pieces->lock);
        pieces->stopping = true;
        pthread_cond_broadcast(&pieces->work);
        pthread_mutex_unlock(&pieces->lock);
        while (pieces->started > 0)
                pthread_join(pieces->threads[--pieces->started], NULL);
        while (pieces->first) {
                struct load *load = pieces->first;

                pieces->first = load->next;
                free(load);
        }
        while (pieces->oldest)
                pieces_drop(pieces, pieces->oldest);
        pieces_free_spare(pieces, 0);
        pthread_mutex_destroy(&pieces->lock);
        pthread_cond_destroy(&pieces->loaded);
        pthread_cond_destroy(&pieces->work);
        free(pieces);
}
