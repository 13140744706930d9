/*
 * ceph_remove.c - a bucket in RADOS: removing objects, and what killed writers left
 *
 * A note says which pieces there are that no object has. "Coming": somebody writes them, and may
 * name them as long as the note is as it was. "Going": they have no name and never get one, so
 * anybody may remove them at any time.
 */
#include <errno.h>
#include <string.h>

#include "remote/ceph.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define LEFTOVER_AGE_NS (INT64_C(24) * 3600 * NS_PER_S)
#define LEFTOVERS_MOST 1000
#define REMOVE_TRIES 8
#define CASES(array) (sizeof(array) / sizeof(*(array)))

static struct ceph_pending going_of(const struct ceph_entry *entry, const char *name, int64_t since)
{
        struct ceph_pending going = { .entry = *entry };

        memcpy(going.entry.magic, CEPH_MAGIC_GOING, sizeof(going.entry.magic));
        going.entry.changed_ns = since;
        memcpy(going.name, name, strlen(name) + 1);
        return going;
}

int ceph_finish_going(struct ceph_bucket *bucket, const struct ceph_pending *going)
{
        char nonce[CEPH_NONCE_BYTES];
        const struct ceph_step step = { CEPH_DROP, CEPH_PENDING, nonce, NULL, 0 };
        int r = ceph_pieces_remove(bucket, going);

        ceph_nonce(&going->entry, nonce);
        return r < 0 ? r : ceph_change(bucket, &step, 1);
}

/* ---- what writers left ---- */

int ceph_settle_time(struct ceph_bucket *bucket, const struct ceph_pending *coming,
                     const struct ceph_entry *named, int64_t time_ns)
{
        struct ceph_entry timed = *named;
        char nonce[CEPH_NONCE_BYTES];
        const struct ceph_step steps[] = {
                { CEPH_EXPECT, CEPH_PENDING, nonce, coming, ceph_pending_bytes(coming) },
                { CEPH_EXPECT, CEPH_ENTRY, coming->name, named, sizeof(*named) },
                { CEPH_SET, CEPH_ENTRY, coming->name, &timed, sizeof(timed) },
                { CEPH_DROP, CEPH_PENDING, nonce, NULL, 0 },
        };

        timed.changed_ns = time_ns;
        ceph_nonce(&coming->entry, nonce);
        return ceph_change(bucket, steps, CASES(steps));
}

/* @other: what has the name, or NULL. */
static int take_away(struct ceph_bucket *bucket, const struct ceph_pending *coming,
                     const struct ceph_entry *other)
{
        struct ceph_pending going =
                going_of(&coming->entry, coming->name, coming->entry.changed_ns);
        char nonce[CEPH_NONCE_BYTES];
        const struct ceph_step steps[] = {
                { CEPH_EXPECT, CEPH_PENDING, nonce, coming, ceph_pending_bytes(coming) },
                { CEPH_EXPECT, CEPH_ENTRY, coming->name, other, other ? sizeof(*other) : 0 },
                { CEPH_SET, CEPH_PENDING, nonce, &going, ceph_pending_bytes(&going) },
        };
        int r;

        ceph_nonce(&coming->entry, nonce);
        r = ceph_change(bucket, steps, CASES(steps));
        return r == 0 ? ceph_finish_going(bucket, &going) : r;
}

static int settle_named(struct ceph_bucket *bucket, const struct ceph_pending *coming,
                        const struct ceph_entry *named)
{
        int64_t now;
        int r = ceph_clock_ask(bucket, &now);

        return r < 0 ? r : ceph_settle_time(bucket, coming, named, now);
}

int ceph_settle(struct ceph_bucket *bucket, const struct ceph_pending *coming)
{
        struct ceph_entry named;
        int r = ceph_look(bucket, coming->name, &named, NULL, NULL);

        if (r == -ENOENT)
                return take_away(bucket, coming, NULL);
        if (r < 0)
                return r;
        if (memcmp(named.nonce, coming->entry.nonce, sizeof(named.nonce)) == 0)
                return settle_named(bucket, coming, &named);
        return take_away(bucket, coming, &named);
}

static void end_leftover(struct ceph_bucket *bucket, const struct ceph_pending *pending)
{
        if (memcmp(pending->entry.magic, CEPH_MAGIC_GOING, sizeof(pending->entry.magic)) == 0)
                (void)ceph_finish_going(bucket, pending);
        else
                (void)ceph_settle(bucket, pending);
}

void ceph_remove_leftovers(struct ceph_bucket *bucket)
{
        const struct ceph_question question = { .prefix = "p",
                                                .after = "",
                                                .most = LEFTOVERS_MOST };
        struct ceph_answer answer;
        struct ceph_pending pending;
        const char *key;
        const void *value;
        size_t size;

        if (ceph_ask(bucket, &question, true, &answer, NULL) != 0)
                return;
        while (answer.server_ns && ceph_answer_next(&answer, &key, &value, &size))
                if (ceph_pending_read(value, size, &pending) == 0 &&
                    answer.server_ns - pending.entry.changed_ns > LEFTOVER_AGE_NS)
                        end_leftover(bucket, &pending);
        ceph_answer_free(&answer);
}

/* ---- removing ---- */

/* CEPH_CHANGED_ALREADY: it is another one meanwhile, or gone. */
static int remove_found(struct ceph_bucket *bucket, const char *name,
                        const struct ceph_entry *entry, int64_t now)
{
        struct ceph_pending going = going_of(entry, name, now);
        char nonce[CEPH_NONCE_BYTES];
        bool has_pieces = entry->piece_bytes != 0;
        const struct ceph_step steps[] = {
                { CEPH_EXPECT, CEPH_ENTRY, name, entry, sizeof(*entry) },
                { CEPH_DROP, CEPH_ENTRY, name, NULL, 0 },
                has_pieces ? (struct ceph_step){ CEPH_SET, CEPH_PENDING, nonce, &going,
                                                 ceph_pending_bytes(&going) }
                           : (struct ceph_step){ CEPH_DROP, CEPH_BYTES, name, NULL, 0 },
        };
        int r;

        ceph_nonce(entry, nonce);
        r = ceph_change(bucket, steps, CASES(steps));
        if (r == 0 && has_pieces)
                (void)ceph_finish_going(bucket, &going); /* or it is a leftover */
        return r;
}

int ceph_remove(struct bucket *bucket, const char *name, struct bucket_reply *ret_reply)
{
        struct ceph_bucket *own = (struct ceph_bucket *)bucket;
        struct bucket_reply reply = { 0 };
        struct ceph_entry entry;
        int r = CEPH_CHANGED_ALREADY;

        for (int tries = 0; r == CEPH_CHANGED_ALREADY && tries < REMOVE_TRIES; tries++) {
                r = ceph_look(own, name, &entry, NULL, &reply);
                if (r == 0)
                        r = remove_found(own, name, &entry, reply.server_ns);
        }
        if (ret_reply)
                *ret_reply = reply;
        if (r == CEPH_CHANGED_ALREADY)
                return remote_detail(-EAGAIN, "others change it, too");
        return r == -ENOENT ? 0 : r;
}
