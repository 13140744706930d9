/*
 * make_corpus.c - write fuzzer inputs from real stores: make_corpus DIRECTORY
 *
 * Small stores in every state: empty, crashed, closed, rolled, trimmed, truncated. Run by hand when
 * the format changes; the results are committed.
 */
#include <logstore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"

static const char *directory;
static char path[512];

static void must(int64_t r, const char *what)
{
        if (r >= 0)
                return;
        fprintf(stderr, "%s: %s\n", what, logstore_detail());
        exit(EXIT_FAILURE);
}

static void write_input(const char *name)
{
        static unsigned char data[INPUT_BYTES_MAX];
        struct tree tree;
        char file_name[600];
        FILE *file;
        size_t size;

        tree_load(path, &tree);
        size = input_encode(INPUT_FIX_ALL & ~INPUT_FIX_ORDINALS, &tree, data, sizeof(data));
        snprintf(file_name, sizeof(file_name), "%s/%s", directory, name);
        file = fopen(file_name, "wb");
        if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
                perror(file_name);
                exit(EXIT_FAILURE);
        }
        tree_free(&tree);
}

static void append_some(struct logstore *store)
{
        struct logstore_entry entries[3] = { { "one", 3, 1000 },
                                             { "", 0, 2000 },
                                             { "three", 5, 0 } };
        struct logstore_claim claim;

        must(logstore_append(store, "a record", 8, NULL), "append");
        must(logstore_append_batch(store, entries, 3, NULL), "batch");
        must(logstore_claim(store, 40, &claim), "claim");
        memset(claim.data, 'c', 40);
        must(logstore_commit(store, &claim, 9), "commit");
        must(logstore_claim(store, 16, &claim), "claim");
        must(logstore_abort(store, &claim), "abort");
        must(logstore_append(store, "the last record of some", 23, NULL), "append");
}

/* A claim that does not fit what is left, and then holds nothing: a new segment at little cost. */
static void roll(struct logstore *store)
{
        struct logstore_claim claim;

        must(logstore_claim(store, (size_t)logstore_max_record(store), &claim), "claim");
        must(logstore_commit(store, &claim, 3), "commit");
}

int main(int argc, char **argv)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        const char *scratch = tree_scratch("corpus");
        struct logstore_bounds bounds;
        struct logstore *store;

        if (argc != 2) {
                fprintf(stderr, "usage: make_corpus DIRECTORY\n");
                return 2;
        }
        directory = argv[1];
        snprintf(path, sizeof(path), "%s/store", scratch);
        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = INPUT_SEGMENT_BYTES;
        must(logstore_open(path, &options, &store), "open");
        write_input("empty");
        append_some(store);
        write_input("crashed");
        must(logstore_sync(store, 0), "sync");
        append_some(store);
        write_input("half-synced");
        must(logstore_close(store), "close");
        write_input("closed");
        must(logstore_open(path, &options, &store), "open");
        append_some(store);
        roll(store);
        append_some(store);
        must(logstore_sync(store, 0), "sync");
        write_input("rolled");
        must(logstore_trim_before(store, UINT64_MAX >> 1, NULL), "trim");
        append_some(store);
        write_input("trimmed");
        must(logstore_bounds(store, &bounds), "bounds");
        must(logstore_truncate_after(store, bounds.tail - 1, 0), "truncate");
        append_some(store);
        write_input("truncated");
        must(logstore_close(store), "close");
        tree_remove(scratch);
        return 0;
}
