/*
 * peer_sqlite.c - SQLite in WAL mode
 *
 * One table by integer key, prepared statements, one connection in exclusive mode (no shared
 * memory index). Not durable: synchronous=OFF, many rows in a transaction. Durable:
 * synchronous=FULL, one transaction per row.
 */
#include "peer.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sqlite {
        sqlite3 *connection;
        sqlite3_stmt *insert, *select;
        unsigned pending;
        bool durable, open;
        pthread_mutex_t mutex;
};

static int sqlite_error(int r)
{
        return r == SQLITE_OK || r == SQLITE_DONE || r == SQLITE_ROW ? 0 : -EIO;
}

static int sqlite_run(struct sqlite *sqlite, const char *text)
{
        return sqlite_error(sqlite3_exec(sqlite->connection, text, NULL, NULL, NULL));
}

static int sqlite_commit(struct sqlite *sqlite)
{
        int r = sqlite->open ? sqlite_run(sqlite, "COMMIT") : 0;

        sqlite->open = false;
        sqlite->pending = 0;
        return r;
}

static int sqlite_close(void *db)
{
        struct sqlite *sqlite = db;
        int r;

        if (!sqlite)
                return 0;
        r = sqlite_commit(sqlite);
        sqlite3_finalize(sqlite->insert);
        sqlite3_finalize(sqlite->select);
        sqlite3_close(sqlite->connection);
        pthread_mutex_destroy(&sqlite->mutex);
        free(sqlite);
        return r;
}

static int sqlite_open(const char *dir, bool durable, void **ret)
{
        struct sqlite *sqlite = calloc(1, sizeof(*sqlite));
        char path[4096];
        int r = -EIO;

        if (!sqlite)
                return -ENOMEM;
        sqlite->durable = durable;
        pthread_mutex_init(&sqlite->mutex, NULL);
        snprintf(path, sizeof(path), "%s/log.db", dir);
        if (sqlite3_open(path, &sqlite->connection) != SQLITE_OK)
                goto fail;
        r = sqlite_run(sqlite, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
                               "PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=16384;"
                               "PRAGMA mmap_size=42949672960;"
                               "CREATE TABLE IF NOT EXISTS log(n INTEGER PRIMARY KEY, d BLOB)");
        if (r == 0)
                r = sqlite_run(sqlite,
                               durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF");
        if (r < 0)
                goto fail;
        r = sqlite3_prepare_v2(sqlite->connection, "INSERT INTO log VALUES(?,?)", -1,
                               &sqlite->insert, NULL);
        if (r == SQLITE_OK)
                r = sqlite3_prepare_v2(sqlite->connection, "SELECT d FROM log WHERE n=?", -1,
                                       &sqlite->select, NULL);
        r = sqlite_error(r);
        if (r < 0)
                goto fail;
        *ret = sqlite;
        return 0;
fail:
        sqlite_close(sqlite);
        return r;
}

static int sqlite_put(struct sqlite *sqlite, uint64_t key, const void *data, size_t size)
{
        int r = 0;

        if (!sqlite->durable && !sqlite->open) {
                r = sqlite_run(sqlite, "BEGIN");
                sqlite->open = r == 0;
        }
        if (r < 0)
                return r;
        sqlite3_bind_int64(sqlite->insert, 1, (sqlite3_int64)key);
        sqlite3_bind_blob(sqlite->insert, 2, data, (int)size, SQLITE_STATIC);
        r = sqlite_error(sqlite3_step(sqlite->insert));
        sqlite3_reset(sqlite->insert);
        if (r == 0 && sqlite->open && ++sqlite->pending == PEER_BATCH)
                r = sqlite_commit(sqlite);
        return r;
}

static int sqlite_append(void *db, uint64_t key, const void *data, size_t size)
{
        struct sqlite *sqlite = db;
        int r;

        if (!sqlite->durable)
                return sqlite_put(sqlite, key, data, size);
        pthread_mutex_lock(&sqlite->mutex);
        r = sqlite_put(sqlite, key, data, size);
        pthread_mutex_unlock(&sqlite->mutex);
        return r;
}

/* A checkpoint under synchronous=FULL syncs the log and then the database. */
static int sqlite_sync(void *db)
{
        struct sqlite *sqlite = db;
        int r = sqlite_commit(sqlite);

        if (r == 0)
                r = sqlite_run(sqlite, "PRAGMA synchronous=FULL; PRAGMA wal_checkpoint(TRUNCATE)");
        if (r == 0 && !sqlite->durable)
                r = sqlite_run(sqlite, "PRAGMA synchronous=OFF");
        return r;
}

static int sqlite_scan(void *db, uint64_t *ret_records, uint64_t *ret_sum)
{
        struct sqlite *sqlite = db;
        uint64_t records = 0, sum = 0;
        sqlite3_stmt *all;
        int r;

        r = sqlite3_prepare_v2(sqlite->connection, "SELECT d FROM log ORDER BY n", -1, &all, NULL);
        if (r != SQLITE_OK)
                return -EIO;
        while ((r = sqlite3_step(all)) == SQLITE_ROW) {
                records++;
                sum += *(const uint8_t *)sqlite3_column_blob(all, 0);
        }
        sqlite3_finalize(all);
        if (r != SQLITE_DONE)
                return -EIO;
        *ret_records = records;
        *ret_sum = sum;
        return 0;
}

static int sqlite_get(void *db, uint64_t key, void *buffer, size_t capacity)
{
        struct sqlite *sqlite = db;
        int r = -ENOENT;

        sqlite3_bind_int64(sqlite->select, 1, (sqlite3_int64)key);
        if (sqlite3_step(sqlite->select) == SQLITE_ROW) {
                size_t size = (size_t)sqlite3_column_bytes(sqlite->select, 0);

                r = size > capacity ? -ENOBUFS : 0;
                if (r == 0)
                        memcpy(buffer, sqlite3_column_blob(sqlite->select, 0), size);
        }
        sqlite3_reset(sqlite->select);
        return r;
}

const struct peer peer_sqlite = {
        .name = "sqlite",
        .open = sqlite_open,
        .append = sqlite_append,
        .sync = sqlite_sync,
        .scan = sqlite_scan,
        .get = sqlite_get,
        .close = sqlite_close,
};
