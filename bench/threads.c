/*
 * threads.c - row 12: several threads append at once
 *
 * Limit one by one: a loop with nothing but the store's kind of claim (a compare-and-swap on one
 * shared word), header, memcpy, XXH3 and commit, into memory that is ready. Limit for batches:
 * threads that make the same frames, each in its own memory, sharing nothing. The store makes its
 * space ready meanwhile, by a further thread on the same processors, or has it ready as the limits
 * have (option ready_bytes): both are shown.
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { ENTRIES = 256, THREADS_MAX = 64 };
enum { SHARED_CLAIM, SHARED_NOTHING };

struct crew {
        const struct work *work;
        void (*loop)(struct crew *crew, uint64_t records, unsigned thread);
        uint64_t records; /* per thread */
        struct logstore *store;
        uint8_t *memory;
        pthread_barrier_t barrier;
        _Atomic int error;
        _Alignas(128) _Atomic uint64_t claim; /* records << 32 | units of 8 bytes */
};

struct hand {
        struct crew *crew;
        pthread_t thread;
        unsigned index;
        uint64_t start_ns, end_ns;
};

static void *hand_main(void *argument)
{
        struct hand *hand = argument;

        pthread_barrier_wait(&hand->crew->barrier);
        hand->start_ns = now_ns();
        hand->crew->loop(hand->crew, hand->crew->records, hand->index);
        hand->end_ns = now_ns();
        return NULL;
}

static void crew_run(struct crew *crew, struct sample *ret)
{
        unsigned threads = crew->work->threads;
        struct hand hands[THREADS_MAX];
        uint64_t start = UINT64_MAX, end = 0;

        crew->records = crew->work->records / threads / ENTRIES * ENTRIES;
        pthread_barrier_init(&crew->barrier, NULL, threads);
        for (unsigned i = 0; i < threads; i++) {
                hands[i] = (struct hand){ .crew = crew, .index = i };
                if (pthread_create(&hands[i].thread, NULL, hand_main, &hands[i]))
                        abort();
        }
        for (unsigned i = 0; i < threads; i++) {
                pthread_join(hands[i].thread, NULL);
                start = hands[i].start_ns < start ? hands[i].start_ns : start;
                end = hands[i].end_ns > end ? hands[i].end_ns : end;
        }
        ret->value[0] = (double)(crew->records * threads) * 1e9 / (double)(end - start);
}

static void one_by_one(struct crew *crew, uint64_t records, unsigned thread)
{
        size_t size = crew->work->record_bytes;
        int r = 0;

        (void)thread;
        for (uint64_t i = 0; i < records && r == 0; i++)
                r = logstore_append(crew->store, record_data(i), size, NULL);
        if (r < 0)
                atomic_store(&crew->error, r);
}

static void in_batches(struct crew *crew, uint64_t records, unsigned thread)
{
        struct logstore_entry entries[ENTRIES];
        uint64_t first;
        int r = 0;

        (void)thread;
        for (uint64_t i = 0; i < records && r == 0; i += ENTRIES) {
                for (unsigned k = 0; k < ENTRIES; k++)
                        entries[k] = (struct logstore_entry){ .data = record_data(i + k),
                                                              .size = crew->work->record_bytes };
                r = logstore_append_batch(crew->store, entries, ENTRIES, &first);
        }
        if (r < 0)
                atomic_store(&crew->error, r);
}

static void bare_shared(struct crew *crew, uint64_t records, unsigned thread)
{
        size_t size = crew->work->record_bytes;
        uint64_t units = frame_bytes(size) / 8, limit = crew->work->records * units;

        (void)thread;
        for (uint64_t i = 0; i < records; i++) {
                uint64_t word = atomic_load_explicit(&crew->claim, memory_order_relaxed);

                do {
                        if ((uint32_t)word + units > limit)
                                return;
                } while (!atomic_compare_exchange_weak_explicit(
                        &crew->claim, &word, word + (UINT64_C(1) << 32) + units,
                        memory_order_relaxed, memory_order_relaxed));
                frame_put(crew->memory + (uint64_t)(uint32_t)word * 8, record_data(i), size,
                          (uint32_t)(word >> 32) + 1);
        }
}

static void bare_apart(struct crew *crew, uint64_t records, unsigned thread)
{
        size_t size = crew->work->record_bytes;
        uint8_t *at = crew->memory + thread * records * frame_bytes(size);

        for (uint64_t i = 0; i < records; i++)
                at = frame_put(at, record_data(i), size, (uint32_t)i + 1);
}

static int threads_ours(const struct work *work, struct sample *ret)
{
        struct crew crew = { .work = work,
                             .loop = work->flags == SHARED_CLAIM ? one_by_one : in_batches };
        int r = ours_open(work, LOGSTORE_CREATE, &crew.store);

        if (r < 0)
                return r;
        crew_run(&crew, ret);
        return ours_close(crew.store, crew.error);
}

static int threads_limit(const struct work *work, struct sample *ret)
{
        struct crew crew = { .work = work,
                             .loop = work->flags == SHARED_CLAIM ? bare_shared : bare_apart,
                             .memory = memory_ready(work->records *
                                                    frame_bytes(work->record_bytes)) };

        if (!crew.memory)
                return -ENOMEM;
        crew_run(&crew, ret);
        return 0;
}

static void threads_variant(const struct options *options, unsigned threads, uint32_t flags,
                            bool ready, const char *required)
{
        uint64_t bytes = bytes_in_memory(options);
        size_t record_bytes = options->record_bytes ? options->record_bytes : 100;
        struct variant variant = {
                .row = 12,
                .work = { .options = options,
                          .records = bytes / frame_bytes(record_bytes),
                          .record_bytes = record_bytes,
                          .threads = threads,
                          .segment_bytes = options->segment_bytes,
                          .takes_bytes = 2 * bytes,
                          .ready_bytes = ready ? bytes + 2 * MIB : 0,
                          .burst = true,
                          .flags = flags },
                .metrics = { { "", "records/s", required } },
                .ours = threads_ours,
                .limit = threads_limit,
        };

        snprintf(variant.name, sizeof(variant.name), "append %zu B, %u thread%s, %s%s",
                 record_bytes, threads, threads == 1 ? "" : "s",
                 flags == SHARED_CLAIM ? "one by one" : "batches of 256",
                 ready ? ", space ready" : "");
        variant_run(&variant);
}

void row_threads(const struct options *options)
{
        unsigned threads = options->threads ? options->threads : 2;

        if (threads > THREADS_MAX)
                threads = THREADS_MAX;
        for (int ready = 0; ready < 2; ready++)
                for (uint32_t flags = SHARED_CLAIM; flags <= SHARED_NOTHING; flags++) {
                        threads_variant(options, 1, flags, ready, "");
                        threads_variant(options, threads, flags, ready, "limit>=0.9");
                }
}
