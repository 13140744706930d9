/*
 * ceph_index.c - a bucket in RADOS: the map that says which objects there are
 *
 * A change is one operation on one object, so it happens whole or not at all, and RADOS puts all
 * changes into one order. A read sees every change that was answered before it was sent.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/ceph.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define INDEX_NAME "logstore.index"
#define KEY_BYTES (BUCKET_NAME_MAX + 2)

/* ---- the pool ---- */

int ceph_open(struct ceph_bucket *bucket, rados_ioctx_t *ret)
{
        int r = 0;

        pthread_mutex_lock(&bucket->lock);
        if (!bucket->io) {
                r = ceph_cluster_open_pool(bucket->cluster, bucket->pool, &bucket->io);
                if (r < 0)
                        bucket->io = NULL;
                else
                        librados.ioctx_set_namespace(bucket->io, bucket->prefix);
        }
        *ret = bucket->io;
        pthread_mutex_unlock(&bucket->lock);
        return r;
}

/* ---- changes ---- */

static void add_step(rados_write_op_t op, const struct ceph_step *step)
{
        char key[KEY_BYTES];
        const char *one = key, *value = step->value ? step->value : "";
        size_t size = (size_t)snprintf(key, sizeof(key), "%c%s", step->kind, step->name);

        switch (step->verb) {
        case CEPH_EXPECT: /* a key that is not there compares as one of no bytes */
                librados.write_op_omap_cmp2(op, key, LIBRADOS_CMPXATTR_OP_EQ, value, size,
                                            step->size, NULL);
                break;
        case CEPH_SET:
                librados.write_op_omap_set2(op, &one, &value, &size, &step->size, 1);
                break;
        case CEPH_DROP:
                librados.write_op_omap_rm_keys2(op, &one, &size, 1);
                break;
        }
}

int ceph_change(struct ceph_bucket *bucket, const struct ceph_step *steps, size_t count)
{
        rados_ioctx_t io;
        rados_write_op_t op;
        int r = ceph_open(bucket, &io);

        if (r < 0)
                return r;
        op = librados.create_write_op();
        if (!op)
                return remote_detail(-ENOMEM, "out of memory");
        librados.write_op_create(op, LIBRADOS_CREATE_IDEMPOTENT, NULL);
        for (size_t i = 0; i < count; i++)
                add_step(op, &steps[i]);
        r = librados.write_op_operate2(op, io, INDEX_NAME, NULL, LIBRADOS_OPERATION_NOFLAG);
        librados.release_write_op(op);
        if (r == -ECANCELED)
                return CEPH_CHANGED_ALREADY;
        return r < 0 ? ceph_failed(r, "index") : 0;
}

/* ---- reads ---- */

static void add_question(rados_read_op_t op, const struct ceph_question *question,
                         struct ceph_answer *answer, unsigned char *more)
{
        char entry[KEY_BYTES], bytes[KEY_BYTES];
        const char *const keys[] = { entry, bytes };
        size_t size;

        if (!question->name) {
                librados.read_op_omap_get_vals2(op, question->after, question->prefix,
                                                question->most, &answer->values, more, NULL);
                return;
        }
        size = (size_t)snprintf(entry, sizeof(entry), "%c%s", CEPH_ENTRY, question->name);
        snprintf(bytes, sizeof(bytes), "%c%s", CEPH_BYTES, question->name);
        librados.read_op_omap_get_vals_by_keys2(op, keys, 2, (const size_t[]){ size, size },
                                                &answer->values, NULL);
}

/* What librados says. */
static int ask_once(rados_ioctx_t io, const struct ceph_question *question, bool clock,
                    struct ceph_answer *ret, int64_t *ret_sent_ns)
{
        struct ceph_answer answer = { 0 };
        unsigned char more = 0;
        char time[32];
        size_t time_bytes = 0;
        rados_read_op_t op = librados.create_read_op();
        int r;

        if (!op)
                return -ENOMEM;
        add_question(op, question, &answer, &more);
        if (clock)
                librados.read_op_exec_user_buf(op, "otp", "get_current_time", ceph_clock_request,
                                               sizeof(ceph_clock_request), time, sizeof(time),
                                               &time_bytes, NULL);
        *ret_sent_ns = clock_boot_ns();
        r = librados.read_op_operate(op, io, INDEX_NAME, LIBRADOS_OPERATION_NOFLAG);
        librados.release_read_op(op);
        if (r < 0) {
                ceph_answer_free(&answer);
                return r;
        }
        answer.more = more;
        if (clock)
                answer.server_ns = ceph_clock_read(time, time_bytes);
        *ret = answer;
        return 0;
}

/* Whoever may only read the objects may not ask for the time, and is not told it. */
int ceph_ask(struct ceph_bucket *bucket, const struct ceph_question *question, bool clock,
             struct ceph_answer *ret, int64_t *ret_sent_ns)
{
        int64_t sent_ns = 0;
        bool asks = clock && !atomic_load(&bucket->clock_denied);
        rados_ioctx_t io;
        int r = ceph_open(bucket, &io);

        if (r < 0)
                return r;
        r = ask_once(io, question, asks, ret, &sent_ns);
        if (asks && (r == -EPERM || r == -EACCES || r == -EOPNOTSUPP)) {
                r = ask_once(io, question, false, ret, &sent_ns);
                atomic_store(&bucket->clock_denied, r == 0);
        }
        if (ret_sent_ns)
                *ret_sent_ns = sent_ns;
        if (r == -ENOENT)
                return CEPH_NO_INDEX;
        if (r < 0)
                return ceph_failed(r, "index");
        ceph_clock_note(bucket, ret->server_ns, sent_ns);
        return 0;
}

void ceph_answer_free(struct ceph_answer *answer)
{
        if (answer->values)
                librados.omap_get_end(answer->values);
        answer->values = NULL;
}

bool ceph_answer_next(struct ceph_answer *answer, const char **ret_key, const void **ret_value,
                      size_t *ret_size)
{
        char *key = NULL, *value = NULL;
        size_t key_size;

        if (librados.omap_get_next2(answer->values, &key, &value, &key_size, ret_size) < 0 || !key)
                return false;
        *ret_key = key;
        *ret_value = value;
        return true;
}

/* ---- values ---- */

static bool entry_is_good(const struct ceph_entry *entry, const char *magic)
{
        if (memcmp(entry->magic, magic, sizeof(entry->magic)) != 0 || entry->changed_ns < 0)
                return false;
        for (size_t i = 0; i < sizeof(entry->nonce); i++)
                if (!strchr("0123456789abcdef", entry->nonce[i]) || !entry->nonce[i])
                        return false;
        if (entry->piece_bytes == 0)
                return entry->size <= CEPH_INLINE_MAX;
        return entry->piece_bytes <= CEPH_PIECE_BYTES &&
               (entry->piece_bytes & (entry->piece_bytes - 1)) == 0 &&
               entry->size / entry->piece_bytes <= CEPH_PIECES_MAX;
}

int ceph_entry_read(const void *value, size_t size, struct ceph_entry *ret)
{
        struct ceph_entry entry;

        if (size == sizeof(entry))
                memcpy(&entry, value, sizeof(entry));
        if (size != sizeof(entry) || !entry_is_good(&entry, CEPH_MAGIC_OBJECT))
                return remote_detail(-EIO, "the index has a bad entry");
        *ret = entry;
        return 0;
}

int ceph_pending_read(const void *value, size_t size, struct ceph_pending *ret)
{
        struct ceph_pending pending = { 0 };

        if (size >= sizeof(pending.entry) && size < sizeof(pending))
                memcpy(&pending, value, size);
        if ((!entry_is_good(&pending.entry, CEPH_MAGIC_COMING) &&
             !entry_is_good(&pending.entry, CEPH_MAGIC_GOING)) ||
            pending.entry.piece_bytes == 0 || !bucket_name_is_valid(pending.name))
                return remote_detail(-EIO, "the index has a bad note");
        *ret = pending;
        return 0;
}

size_t ceph_pending_bytes(const struct ceph_pending *pending)
{
        static_assert(offsetof(struct ceph_pending, name) == sizeof(struct ceph_entry), "no gap");
        return sizeof(pending->entry) + strlen(pending->name);
}

void ceph_nonce(const struct ceph_entry *entry, char ret[CEPH_NONCE_BYTES])
{
        memcpy(ret, entry->nonce, sizeof(entry->nonce));
        ret[sizeof(entry->nonce)] = '\0';
}

/* ---- one object ---- */

static int keep_bytes(const void *value, size_t size, char **ret)
{
        *ret = malloc(size + 1);
        if (!*ret)
                return remote_detail(-ENOMEM, "out of memory");
        if (size)
                memcpy(*ret, value, size);
        return 0;
}

/* Of both keys: bytes sort before entries. */
static int read_object(struct ceph_answer *answer, struct ceph_entry *ret, char **ret_bytes)
{
        const char *key;
        const void *value;
        size_t size, bytes = 0;
        bool found = false, has_bytes = false;
        int r = 0;

        while (r == 0 && ceph_answer_next(answer, &key, &value, &size)) {
                if (*key == CEPH_ENTRY) {
                        found = true;
                        r = ceph_entry_read(value, size, ret);
                } else {
                        has_bytes = true;
                        bytes = size;
                        r = ret_bytes ? keep_bytes(value, size, ret_bytes) : 0;
                }
        }
        if (r == 0 && !found)
                r = remote_detail(-ENOENT, "no such object");
        if (r == 0 && ret->piece_bytes == 0 && (!has_bytes || bytes != ret->size))
                r = remote_detail(-EIO, "the index lacks bytes of the object");
        return r;
}

int ceph_look(struct ceph_bucket *bucket, const char *name, struct ceph_entry *ret,
              char **ret_bytes, struct bucket_reply *ret_reply)
{
        const struct ceph_question question = { .name = name };
        struct ceph_answer answer;
        struct ceph_entry entry;
        char *bytes = NULL;
        int64_t sent_ns = 0;
        int r = ceph_ask(bucket, &question, ret_reply != NULL, &answer, &sent_ns);

        if (r == CEPH_NO_INDEX)
                return remote_detail(-ENOENT, "no such object");
        if (r < 0)
                return r;
        if (ret_reply)
                *ret_reply = (struct bucket_reply){ sent_ns, answer.server_ns };
        r = read_object(&answer, &entry, ret_bytes ? &bytes : NULL);
        ceph_answer_free(&answer);
        if (r < 0) {
                free(bytes);
                return r;
        }
        *ret = entry;
        if (ret_bytes)
                *ret_bytes = bytes;
        return 0;
}
