/*
 * peer_leveldb.c - LevelDB by its C interface
 *
 * No compression, a 64 MiB write buffer, batches. Not durable: the log is written but not synced.
 * Durable: sync=true per record; LevelDB groups the writers that wait.
 */
#include "peer.h"

#include <errno.h>
#include <leveldb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct leveldb {
        leveldb_t *db;
        leveldb_options_t *options;
        leveldb_writeoptions_t *write;
        leveldb_readoptions_t *read;
        leveldb_writebatch_t *batch;
        leveldb_cache_t *cache;
        unsigned pending;
        bool durable;
};

static int leveldb_result(char *error)
{
        if (!error)
                return 0;
        fprintf(stderr, "leveldb: %s\n", error);
        leveldb_free(error);
        return -EIO;
}

static int leveldb_flush(struct leveldb *leveldb)
{
        char *error = NULL;

        leveldb_write(leveldb->db, leveldb->write, leveldb->batch, &error);
        leveldb_writebatch_clear(leveldb->batch);
        leveldb->pending = 0;
        return leveldb_result(error);
}

static int leveldb_close_all(void *db)
{
        struct leveldb *leveldb = db;
        int r = 0;

        if (!leveldb)
                return 0;
        if (leveldb->db && leveldb->pending)
                r = leveldb_flush(leveldb);
        if (leveldb->db)
                leveldb_close(leveldb->db);
        leveldb_options_destroy(leveldb->options);
        leveldb_writeoptions_destroy(leveldb->write);
        leveldb_readoptions_destroy(leveldb->read);
        leveldb_writebatch_destroy(leveldb->batch);
        leveldb_cache_destroy(leveldb->cache);
        free(leveldb);
        return r;
}

static int leveldb_open_all(const char *dir, bool durable, void **ret)
{
        struct leveldb *leveldb = calloc(1, sizeof(*leveldb));
        char *error = NULL;
        int r;

        if (!leveldb)
                return -ENOMEM;
        leveldb->durable = durable;
        leveldb->options = leveldb_options_create();
        leveldb->write = leveldb_writeoptions_create();
        leveldb->read = leveldb_readoptions_create();
        leveldb->batch = leveldb_writebatch_create();
        leveldb->cache = leveldb_cache_create_lru(256 << 20);
        leveldb_options_set_create_if_missing(leveldb->options, 1);
        leveldb_options_set_compression(leveldb->options, leveldb_no_compression);
        leveldb_options_set_write_buffer_size(leveldb->options, 64 << 20);
        leveldb_options_set_cache(leveldb->options, leveldb->cache);
        leveldb_writeoptions_set_sync(leveldb->write, durable);
        leveldb->db = leveldb_open(leveldb->options, dir, &error);
        r = leveldb_result(error);
        if (r < 0)
                leveldb_close_all(leveldb);
        else
                *ret = leveldb;
        return r;
}

static int leveldb_append(void *db, uint64_t key, const void *data, size_t size)
{
        struct leveldb *leveldb = db;
        char *error = NULL;
        uint8_t k[8];

        peer_key(key, k);
        if (leveldb->durable) {
                leveldb_put(leveldb->db, leveldb->write, (char *)k, 8, data, size, &error);
                return leveldb_result(error);
        }
        leveldb_writebatch_put(leveldb->batch, (char *)k, 8, data, size);
        return ++leveldb->pending == PEER_BATCH ? leveldb_flush(leveldb) : 0;
}

/* An empty batch written with sync=true syncs the log before it; older logs were synced or
 * became tables, which are synced. */
static int leveldb_sync(void *db)
{
        struct leveldb *leveldb = db;
        int r;

        leveldb_writeoptions_set_sync(leveldb->write, 1);
        r = leveldb_flush(leveldb);
        leveldb_writeoptions_set_sync(leveldb->write, leveldb->durable);
        return r;
}

static int leveldb_scan(void *db, uint64_t *ret_records, uint64_t *ret_sum)
{
        struct leveldb *leveldb = db;
        leveldb_iterator_t *i = leveldb_create_iterator(leveldb->db, leveldb->read);
        uint64_t records = 0, sum = 0;
        char *error = NULL;
        size_t size;

        for (leveldb_iter_seek_to_first(i); leveldb_iter_valid(i); leveldb_iter_next(i)) {
                records++;
                sum += *(const uint8_t *)leveldb_iter_value(i, &size);
        }
        leveldb_iter_get_error(i, &error);
        leveldb_iter_destroy(i);
        *ret_records = records;
        *ret_sum = sum;
        return leveldb_result(error);
}

static int leveldb_get_copy(void *db, uint64_t key, void *buffer, size_t capacity)
{
        struct leveldb *leveldb = db;
        char *error = NULL, *value;
        uint8_t k[8];
        size_t size;
        int r;

        peer_key(key, k);
        value = leveldb_get(leveldb->db, leveldb->read, (char *)k, 8, &size, &error);
        r = leveldb_result(error);
        if (r == 0)
                r = !value ? -ENOENT : size > capacity ? -ENOBUFS : 0;
        if (r == 0)
                memcpy(buffer, value, size);
        leveldb_free(value);
        return r;
}

const struct peer peer_leveldb = {
        .name = "leveldb",
        .open = leveldb_open_all,
        .append = leveldb_append,
        .sync = leveldb_sync,
        .scan = leveldb_scan,
        .get = leveldb_get_copy,
        .close = leveldb_close_all,
};
