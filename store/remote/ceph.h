/*
 * ceph.h - a bucket in RADOS, the object store below Ceph: what its files share
 *
 * A pool and a namespace in it, which is the prefix, hold a bucket:
 *
 *   logstore.index    its omap, a sorted map that lies with this object, says which objects there
 *                     are. It is the only truth: an object exists once the map has its key
 *   NAME.NONCE.K      bytes of an object, 4 MiB each, from K * 4 MiB on
 *
 * Keys of the map:
 *
 *   oNAME    an object: struct ceph_entry
 *   dNAME    its bytes, if it was created by put_new and has up to 16 KiB
 *   pNONCE   pieces that no object has, or not yet: struct ceph_entry and NAME
 *
 * Why a map: RADOS lists objects in no order and has to look at the whole pool for it, and the
 * newest commit is looked for all the time. It cannot rename, and an object of its own may have
 * 128 MiB. But it changes one object's map atomically and on conditions, and lists that in order.
 *
 * New:     one change of the map, on condition that it lacks the key. Larger objects: note pNONCE,
 *          write the pieces, then name them, on condition that pNONCE is as it was.
 * Removed: one change takes the name and notes pNONCE; then the pieces go, then pNONCE. Whoever
 *          takes pieces away changes pNONCE first, so that a late change cannot name them.
 * Times:   the OSD that has the map tells its time (class otp). An entry says when it was made by
 *          that clock. put() writes 0, and the time only once it has asked for it behind the
 *          change: so an object never seems older than it is, even if this machine slept. A list
 *          takes 0 for now. put_new() does without: nothing is removed by the age of a commit.
 * Killed:  leaves pNONCE. The first put into a bucket ends what is a day old. Only a piece whose
 *          write was given up, and which landed after the others had been removed, stays.
 */
#ifndef LOGSTORE_CEPH_H
#define LOGSTORE_CEPH_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "remote/bucket.h"
#include "remote/ceph_cluster.h"

#define CEPH_NONCE_BYTES 33 /* in hexadecimal, with a 0 */
#define CEPH_PIECE_BYTES (UINT32_C(4) << 20)
#define CEPH_PIECES_MAX (UINT64_C(1) << 21) /* of an object: 8 TiB */
#define CEPH_INLINE_MAX (UINT32_C(16) << 10)

enum ceph_kind { CEPH_ENTRY = 'o', CEPH_BYTES = 'd', CEPH_PENDING = 'p' };

/* A value of the map, for the kinds 'o' and 'p'. Integers are little-endian. */
struct ceph_entry {
        char magic[4];        /* CEPH_MAGIC_..., with the version */
        uint32_t piece_bytes; /* a power of 2; 0: the bytes are in the map */
        uint64_t size;
        int64_t changed_ns; /* 0: not known yet; of 'p': since when it is so */
        char nonce[32];
};
static_assert(sizeof(struct ceph_entry) == 56, "entry is 56 bytes");

#define CEPH_MAGIC_OBJECT "LSo1"
#define CEPH_MAGIC_COMING "LSp1" /* pieces that are being written */
#define CEPH_MAGIC_GOING "LSr1"  /* pieces that are being removed */

/* Pieces that are noted, with the name that they have or were to have. */
struct ceph_pending {
        struct ceph_entry entry;
        char name[BUCKET_NAME_MAX + 1];
};

struct ceph_bucket {
        struct bucket bucket;
        struct ceph_cluster *cluster;
        bool borrows; /* the cluster is another's */
        char *pool, *prefix;
        uint32_t connections;
        atomic_bool cleaned;      /* leftovers were looked for; no partner: twice does no harm */
        atomic_bool clock_denied; /* we may not ask for the time; no partner: a hint */
        pthread_mutex_t lock;     /* of all below */
        rados_ioctx_t io;         /* NULL: not open yet */
        int64_t server_ns;        /* the last time told; 0: none */
        int64_t asked_ns;         /* and when it was asked for, by the boot clock */
};

/* The pool with its namespace; opened at the first call. */
int ceph_open(struct ceph_bucket *bucket, rados_ioctx_t *ret);

/* ---- the map ---- */

enum ceph_verb { CEPH_EXPECT, CEPH_SET, CEPH_DROP };

struct ceph_step {
        enum ceph_verb verb;
        enum ceph_kind kind;
        const char *name; /* behind the kind */
        const void *value;
        size_t size; /* CEPH_EXPECT: 0 is that the key is not there */
};

#define CEPH_CHANGED_ALREADY 1

/* All steps in one, or none. CEPH_CHANGED_ALREADY: something was not as expected. */
int ceph_change(struct ceph_bucket *bucket, const struct ceph_step *steps, size_t count);

/* What to read: the two keys of an object, or a row of keys. */
struct ceph_question {
        const char *name;           /* NULL: a row */
        const char *prefix, *after; /* with the kind; after "": from the beginning */
        uint64_t most;
};

struct ceph_answer {
        rados_omap_iter_t values;
        bool more;         /* of the row */
        int64_t server_ns; /* 0: not asked, or not told */
};

#define CEPH_NO_INDEX 1

/* CEPH_NO_INDEX: there is no map, so there are no objects. ceph_answer_free() is needed after 0
 * only. @ret_sent_ns may be NULL. */
int ceph_ask(struct ceph_bucket *bucket, const struct ceph_question *question, bool clock,
             struct ceph_answer *ret, int64_t *ret_sent_ns);
void ceph_answer_free(struct ceph_answer *answer);

/* The next value. False: there is none. */
bool ceph_answer_next(struct ceph_answer *answer, const char **ret_key, const void **ret_value,
                      size_t *ret_size);

/* -EIO: it is no such thing. */
int ceph_entry_read(const void *value, size_t size, struct ceph_entry *ret);
int ceph_pending_read(const void *value, size_t size, struct ceph_pending *ret);

/* The value of a note is the beginning of the structure. */
size_t ceph_pending_bytes(const struct ceph_pending *pending);

/* The key of its note, without the kind. */
void ceph_nonce(const struct ceph_entry *entry, char ret[CEPH_NONCE_BYTES]);

/* The entry of an object, and its bytes if they are in the map (malloc'ed; NULL: not wanted).
 * -ENOENT. @ret_reply may be NULL. */
int ceph_look(struct ceph_bucket *bucket, const char *name, struct ceph_entry *ret,
              char **ret_bytes, struct bucket_reply *ret_reply);

/* ---- the clock ---- */

/* Ask for the time. -EACCES: we may not. */
int ceph_clock_ask(struct ceph_bucket *bucket, int64_t *ret_ns);

/* The time, from an answer that is less than a minute old. Never before the real one. */
int ceph_clock_now(struct ceph_bucket *bucket, int64_t *ret_ns);

/* Part of a read: the request, and what to do with its answer. */
extern const char ceph_clock_request[6];
int64_t ceph_clock_read(const char *answer, size_t size);
void ceph_clock_note(struct ceph_bucket *bucket, int64_t server_ns, int64_t asked_ns);

/* ---- pieces ---- */

int ceph_pieces_write(struct ceph_bucket *bucket, const struct ceph_pending *pieces,
                      const struct bucket_source *source);
/* -ENOENT: a piece is missing. */
int ceph_pieces_read(struct ceph_bucket *bucket, const struct ceph_pending *pieces, uint64_t offset,
                     uint64_t size, const struct bucket_sink *sink);
int ceph_pieces_remove(struct ceph_bucket *bucket, const struct ceph_pending *pieces);

/* ---- leftovers ---- */

/* Pieces are noted as coming, and nobody works on them any more. If an object has them, it gets its
 * time; else they are removed. */
int ceph_settle(struct ceph_bucket *bucket, const struct ceph_pending *coming);

/* The object @named has these pieces: give it its time, which was asked for behind its creation,
 * and drop the note. */
int ceph_settle_time(struct ceph_bucket *bucket, const struct ceph_pending *coming,
                     const struct ceph_entry *named, int64_t time_ns);

/* Pieces whose note says that they go: remove them, then the note. */
int ceph_finish_going(struct ceph_bucket *bucket, const struct ceph_pending *going);

/* End what was left a day ago. No failure: there is another time. */
void ceph_remove_leftovers(struct ceph_bucket *bucket);

/* ---- operations ---- */

int ceph_put_new(struct bucket *bucket, const char *name, const struct bucket_source *source,
                 struct bucket_reply *ret_reply);
int ceph_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
             struct bucket_reply *ret_reply);
int ceph_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
             const struct bucket_sink *sink, struct bucket_reply *ret_reply);
int ceph_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
              int (*each)(void *context, const struct bucket_listed *listed), void *context,
              struct bucket_reply *ret_reply);
int ceph_remove(struct bucket *bucket, const char *name, struct bucket_reply *ret_reply);

#endif
