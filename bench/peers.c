/* peers.c - which peers there are, and the measures that they share */
#include "peer.h"

#include "bench.h"

#include <errno.h>

const struct peer *const peers[] = {
#ifdef HAVE_LMDB
        &peer_lmdb,
#endif
#ifdef HAVE_ROCKSDB
        &peer_rocksdb,
#endif
#ifdef HAVE_LEVELDB
        &peer_leveldb,
#endif
#ifdef HAVE_SQLITE
        &peer_sqlite,
#endif
        NULL,
};

const char *const peers_missing[] = {
#ifndef HAVE_LMDB
        "lmdb",
#endif
#ifndef HAVE_ROCKSDB
        "rocksdb",
#endif
#ifndef HAVE_LEVELDB
        "leveldb",
#endif
#ifndef HAVE_SQLITE
        "sqlite",
#endif
        NULL,
};

int peer_fill(const struct work *work, struct sample *unused)
{
        const struct peer *peer = work->peer;
        void *db;
        int r, closed;

        (void)unused;
        r = peer->open(work->dir, false, &db);
        if (r < 0)
                return r;
        for (uint64_t i = 0; i < work->records && r == 0; i++)
                r = peer->append(db, i + 1, record_data(i), work->record_bytes);
        if (r == 0)
                r = peer->sync(db);
        closed = peer->close(db);
        return r < 0 ? r : closed;
}

/* Twice, and the second time counts: what is cached is cached by then. */
int peer_scan(const struct work *work, struct sample *ret)
{
        const struct peer *peer = work->peer;
        uint64_t records, sum, start = 0, end = 0;
        void *db;
        int r, closed;

        r = peer->open(work->dir, false, &db);
        if (r < 0)
                return r;
        for (int pass = 0; pass < 2 && r == 0; pass++) {
                start = now_ns();
                r = peer->scan(db, &records, &sum);
                end = now_ns();
        }
        if (r == 0 && records != work->records)
                r = -EBADMSG;
        closed = peer->close(db);
        if (r < 0 || closed < 0)
                return r < 0 ? r : closed;
        ret->value[0] = (double)records * 1e9 / (double)(end - start);
        return 0;
}
