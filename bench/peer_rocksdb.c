/*
 * peer_rocksdb.c - RocksDB by its C interface
 *
 * No compression, 128 MiB write buffers, background threads for both cores, batches, a block
 * cache. Not durable: the log is written but not synced. Durable: sync=true per record, recycled
 * log files so that a sync need not grow one; RocksDB groups the writers that wait.
 */
#include "peer.h"

#include <errno.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rocksdb {
        rocksdb_t *db;
        rocksdb_options_t *options;
        rocksdb_block_based_table_options_t *table;
        rocksdb_cache_t *cache;
        rocksdb_writeoptions_t *write;
        rocksdb_readoptions_t *read;
        rocksdb_writebatch_t *batch;
        unsigned pending;
        bool durable;
};

static int rocksdb_result(char *error)
{
        if (!error)
                return 0;
        fprintf(stderr, "rocksdb: %s\n", error);
        rocksdb_free(error);
        return -EIO;
}

static int rocksdb_send(struct rocksdb *rocksdb)
{
        char *error = NULL;

        rocksdb_write(rocksdb->db, rocksdb->write, rocksdb->batch, &error);
        rocksdb_writebatch_clear(rocksdb->batch);
        rocksdb->pending = 0;
        return rocksdb_result(error);
}

static int rocksdb_close_all(void *db)
{
        struct rocksdb *rocksdb = db;
        int r = 0;

        if (!rocksdb)
                return 0;
        if (rocksdb->db && rocksdb->pending)
                r = rocksdb_send(rocksdb);
        if (rocksdb->db)
                rocksdb_close(rocksdb->db);
        rocksdb_options_destroy(rocksdb->options);
        rocksdb_block_based_options_destroy(rocksdb->table);
        rocksdb_cache_destroy(rocksdb->cache);
        rocksdb_writeoptions_destroy(rocksdb->write);
        rocksdb_readoptions_destroy(rocksdb->read);
        rocksdb_writebatch_destroy(rocksdb->batch);
        free(rocksdb);
        return r;
}

static void rocksdb_tune(struct rocksdb *rocksdb)
{
        rocksdb_options_set_create_if_missing(rocksdb->options, 1);
        rocksdb_options_increase_parallelism(rocksdb->options, 2);
        rocksdb_options_set_compression(rocksdb->options, rocksdb_no_compression);
        rocksdb_options_set_write_buffer_size(rocksdb->options, 128 << 20);
        rocksdb_options_set_max_write_buffer_number(rocksdb->options, 4);
        rocksdb_options_set_target_file_size_base(rocksdb->options, 128 << 20);
        rocksdb_options_set_bytes_per_sync(rocksdb->options, 1 << 20);
        rocksdb_options_set_recycle_log_file_num(rocksdb->options, rocksdb->durable ? 2 : 0);
        rocksdb_block_based_options_set_block_cache(rocksdb->table, rocksdb->cache);
        rocksdb_options_set_block_based_table_factory(rocksdb->options, rocksdb->table);
}

static int rocksdb_open_all(const char *dir, bool durable, void **ret)
{
        struct rocksdb *rocksdb = calloc(1, sizeof(*rocksdb));
        char *error = NULL;
        int r;

        if (!rocksdb)
                return -ENOMEM;
        rocksdb->durable = durable;
        rocksdb->options = rocksdb_options_create();
        rocksdb->table = rocksdb_block_based_options_create();
        rocksdb->cache = rocksdb_cache_create_lru(2048ul << 20);
        rocksdb->write = rocksdb_writeoptions_create();
        rocksdb->read = rocksdb_readoptions_create();
        rocksdb->batch = rocksdb_writebatch_create();
        rocksdb_tune(rocksdb);
        rocksdb_writeoptions_set_sync(rocksdb->write, durable);
        rocksdb->db = rocksdb_open(rocksdb->options, dir, &error);
        r = rocksdb_result(error);
        if (r < 0)
                rocksdb_close_all(rocksdb);
        else
                *ret = rocksdb;
        return r;
}

static int rocksdb_append(void *db, uint64_t key, const void *data, size_t size)
{
        struct rocksdb *rocksdb = db;
        char *error = NULL;
        uint8_t k[8];

        peer_key(key, k);
        if (rocksdb->durable) {
                rocksdb_put(rocksdb->db, rocksdb->write, (char *)k, 8, data, size, &error);
                return rocksdb_result(error);
        }
        rocksdb_writebatch_put(rocksdb->batch, (char *)k, 8, data, size);
        return ++rocksdb->pending == PEER_BATCH ? rocksdb_send(rocksdb) : 0;
}

static int rocksdb_sync(void *db)
{
        struct rocksdb *rocksdb = db;
        char *error = NULL;
        int r = rocksdb_send(rocksdb);

        if (r == 0)
                rocksdb_flush_wal(rocksdb->db, 1, &error);
        return r < 0 ? r : rocksdb_result(error);
}

static int rocksdb_scan(void *db, uint64_t *ret_records, uint64_t *ret_sum)
{
        struct rocksdb *rocksdb = db;
        rocksdb_iterator_t *i = rocksdb_create_iterator(rocksdb->db, rocksdb->read);
        uint64_t records = 0, sum = 0;
        char *error = NULL;
        size_t size;

        for (rocksdb_iter_seek_to_first(i); rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
                records++;
                sum += *(const uint8_t *)rocksdb_iter_value(i, &size);
        }
        rocksdb_iter_get_error(i, &error);
        rocksdb_iter_destroy(i);
        *ret_records = records;
        *ret_sum = sum;
        return rocksdb_result(error);
}

static int rocksdb_get_copy(void *db, uint64_t key, void *buffer, size_t capacity)
{
        struct rocksdb *rocksdb = db;
        rocksdb_pinnableslice_t *slice;
        const char *value;
        char *error = NULL;
        uint8_t k[8];
        size_t size;
        int r;

        peer_key(key, k);
        slice = rocksdb_get_pinned(rocksdb->db, rocksdb->read, (char *)k, 8, &error);
        r = rocksdb_result(error);
        if (r < 0)
                return r;
        value = slice ? rocksdb_pinnableslice_value(slice, &size) : NULL;
        r = !value ? -ENOENT : size > capacity ? -ENOBUFS : 0;
        if (r == 0)
                memcpy(buffer, value, size);
        rocksdb_pinnableslice_destroy(slice);
        return r;
}

const struct peer peer_rocksdb = {
        .name = "rocksdb",
        .open = rocksdb_open_all,
        .append = rocksdb_append,
        .sync = rocksdb_sync,
        .scan = rocksdb_scan,
        .get = rocksdb_get_copy,
        .close = rocksdb_close_all,
};
