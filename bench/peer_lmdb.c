/*
 * peer_lmdb.c - LMDB
 *
 * Integer keys and a map larger than the data. Not durable: MDB_APPEND, MDB_WRITEMAP with
 * MDB_NOSYNC, many records in a transaction. Durable: a transaction and its two syncs per record;
 * threads come in any order, which MDB_APPEND refuses.
 */
#include "peer.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAP_BYTES (UINT64_C(40) << 30)

struct lmdb {
        MDB_env *env;
        MDB_dbi dbi;
        MDB_txn *write, *read;
        unsigned pending;
        bool durable;
        pthread_mutex_t mutex; /* a handle of a transaction belongs to one thread */
};

/* LMDB's own codes are below zero already, the system's above. */
static int lmdb_error(int r)
{
        return r > 0 ? -r : r < 0 ? -EIO : 0;
}

static int lmdb_close(void *db)
{
        struct lmdb *lmdb = db;
        int r = 0;

        if (!lmdb)
                return 0;
        if (lmdb->write)
                r = lmdb_error(mdb_txn_commit(lmdb->write));
        if (lmdb->read)
                mdb_txn_abort(lmdb->read);
        mdb_env_close(lmdb->env);
        pthread_mutex_destroy(&lmdb->mutex);
        free(lmdb);
        return r;
}

static int lmdb_open(const char *dir, bool durable, void **ret)
{
        struct lmdb *lmdb = calloc(1, sizeof(*lmdb));
        MDB_txn *txn;
        int r;

        if (!lmdb)
                return -ENOMEM;
        lmdb->durable = durable;
        pthread_mutex_init(&lmdb->mutex, NULL);
        r = mdb_env_create(&lmdb->env);
        if (r)
                goto fail;
        r = mdb_env_set_mapsize(lmdb->env, MAP_BYTES);
        if (r == 0)
                r = mdb_env_open(lmdb->env, dir, durable ? 0 : MDB_WRITEMAP | MDB_NOSYNC, 0600);
        if (r == 0)
                r = mdb_txn_begin(lmdb->env, NULL, 0, &txn);
        if (r)
                goto fail;
        r = mdb_dbi_open(txn, NULL, MDB_INTEGERKEY | MDB_CREATE, &lmdb->dbi);
        if (r == 0)
                r = mdb_txn_commit(txn);
        else
                mdb_txn_abort(txn);
        if (r)
                goto fail;
        *ret = lmdb;
        return 0;
fail:
        lmdb_close(lmdb);
        return lmdb_error(r);
}

static int lmdb_put(struct lmdb *lmdb, uint64_t key, const void *data, size_t size)
{
        MDB_val k = { sizeof(key), &key }, v = { size, (void *)(uintptr_t)data };
        int r = 0;

        if (!lmdb->write)
                r = mdb_txn_begin(lmdb->env, NULL, 0, &lmdb->write);
        if (r == 0)
                r = mdb_put(lmdb->write, lmdb->dbi, &k, &v, lmdb->durable ? 0 : MDB_APPEND);
        if (r == 0 && (lmdb->durable || ++lmdb->pending == PEER_BATCH)) {
                r = mdb_txn_commit(lmdb->write);
                lmdb->write = NULL;
                lmdb->pending = 0;
        }
        return lmdb_error(r);
}

static int lmdb_append(void *db, uint64_t key, const void *data, size_t size)
{
        struct lmdb *lmdb = db;
        int r;

        if (!lmdb->durable)
                return lmdb_put(lmdb, key, data, size);
        pthread_mutex_lock(&lmdb->mutex);
        r = lmdb_put(lmdb, key, data, size);
        pthread_mutex_unlock(&lmdb->mutex);
        return r;
}

static int lmdb_sync(void *db)
{
        struct lmdb *lmdb = db;
        int r = 0;

        if (lmdb->write)
                r = mdb_txn_commit(lmdb->write);
        lmdb->write = NULL;
        lmdb->pending = 0;
        return lmdb_error(r ? r : mdb_env_sync(lmdb->env, 1));
}

static int lmdb_reader(struct lmdb *lmdb)
{
        return lmdb->read ? 0 : mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &lmdb->read);
}

static int lmdb_scan(void *db, uint64_t *ret_records, uint64_t *ret_sum)
{
        struct lmdb *lmdb = db;
        uint64_t records = 0, sum = 0;
        MDB_cursor *cursor;
        MDB_val k, v;
        int r = lmdb_reader(lmdb);

        if (r == 0)
                r = mdb_cursor_open(lmdb->read, lmdb->dbi, &cursor);
        if (r)
                return lmdb_error(r);
        while ((r = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0) {
                records++;
                sum += *(const uint8_t *)v.mv_data;
        }
        mdb_cursor_close(cursor);
        if (r != MDB_NOTFOUND)
                return lmdb_error(r);
        *ret_records = records;
        *ret_sum = sum;
        return 0;
}

static int lmdb_get(void *db, uint64_t key, void *buffer, size_t capacity)
{
        struct lmdb *lmdb = db;
        MDB_val k = { sizeof(key), &key }, v;
        int r = lmdb_reader(lmdb);

        if (r == 0)
                r = mdb_get(lmdb->read, lmdb->dbi, &k, &v);
        if (r)
                return lmdb_error(r);
        if (v.mv_size > capacity)
                return -ENOBUFS;
        memcpy(buffer, v.mv_data, v.mv_size);
        return 0;
}

const struct peer peer_lmdb = {
        .name = "lmdb",
        .open = lmdb_open,
        .append = lmdb_append,
        .sync = lmdb_sync,
        .scan = lmdb_scan,
        .get = lmdb_get,
        .close = lmdb_close,
};
