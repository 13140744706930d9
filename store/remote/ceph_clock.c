/*
 * ceph_clock.c - a bucket in RADOS: the time of the OSD that has the map
 *
 * RADOS tells no time with its answers, and an object's own time is what its writer said. But a
 * method of the class otp, which OSDs load if not told otherwise, says what time it is there.
 * Calling it needs the right "class-read", which is part of "x".
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "remote/ceph.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define CLOCK_LASTS_NS (60 * NS_PER_S)

/* A structure without fields, as Ceph encodes it: version, oldest version, bytes that follow. */
const char ceph_clock_request[6] = { 1, 1, 0, 0, 0, 0 };

/* The same head, then seconds and nanoseconds. 0: it is nothing of the kind. */
int64_t ceph_clock_read(const char *answer, size_t size)
{
        uint32_t seconds, nanoseconds;

        if (size < 14)
                return 0;
        memcpy(&seconds, answer + 6, 4);
        memcpy(&nanoseconds, answer + 10, 4);
        return le32toh(seconds) * NS_PER_S + le32toh(nanoseconds);
}

void ceph_clock_note(struct ceph_bucket *bucket, int64_t server_ns, int64_t asked_ns)
{
        if (server_ns == 0)
                return;
        pthread_mutex_lock(&bucket->lock);
        bucket->server_ns = server_ns;
        bucket->asked_ns = asked_ns;
        pthread_mutex_unlock(&bucket->lock);
}

/* Asks for a key that is never there. */
int ceph_clock_ask(struct ceph_bucket *bucket, int64_t *ret_ns)
{
        const struct ceph_question question = { .name = "~" };
        struct ceph_answer answer;
        int r;

        atomic_store(&bucket->clock_denied, false); /* the right may have been given meanwhile */
        r = ceph_ask(bucket, &question, true, &answer, NULL);
        if (r == CEPH_NO_INDEX) { /* a clock needs an object to be at */
                r = ceph_change(bucket, NULL, 0);
                if (r == 0)
                        r = ceph_ask(bucket, &question, true, &answer, NULL);
        }
        if (r == CEPH_NO_INDEX)
                return remote_detail(-EAGAIN, "the index was removed");
        if (r < 0)
                return r;
        ceph_answer_free(&answer);
        if (answer.server_ns == 0)
                return remote_detail(-EACCES, "the cluster does not tell its time: the user needs "
                                              "class-read (or x) on the pool");
        *ret_ns = answer.server_ns;
        return 0;
}

int ceph_clock_now(struct ceph_bucket *bucket, int64_t *ret_ns)
{
        int64_t now = clock_boot_ns(), server_ns, asked_ns;

        pthread_mutex_lock(&bucket->lock);
        server_ns = bucket->server_ns;
        asked_ns = bucket->asked_ns;
        pthread_mutex_unlock(&bucket->lock);
        if (server_ns == 0 || now - asked_ns > CLOCK_LASTS_NS)
                return ceph_clock_ask(bucket, ret_ns);
        *ret_ns = server_ns + (now - asked_ns);
        return 0;
}
