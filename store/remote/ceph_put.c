/*
 * ceph_put.c - a bucket in RADOS: putting an object, whole or not at all
 *
 * The plan for a small new one: one change of the map, if it lacks the name. For any other: note
 * the pieces as coming; write them; give them the name. The object of put_new has its time at once,
 * and the note goes with the same change. That of put() gets its time from the clock behind it.
 *
 * A failure before the name is given leaves nothing, or a note for the first put of a later day. If
 * nobody says whether the name was given, the pieces stay unless it can be ruled out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "remote/bucket_source.h"
#include "remote/ceph.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define DISPLACE_TRIES 8
#define CASES(array) (sizeof(array) / sizeof(*(array)))

/* One object on its way. */
struct placing {
        struct ceph_bucket *bucket;
        const char *name;
        const struct bucket_source *source;
        struct bucket_reply *reply;
        struct ceph_pending coming;
        char nonce[CEPH_NONCE_BYTES];
};

static int make_nonce(char nonce[32])
{
        static const char digits[] = "0123456789abcdef";
        uint8_t dice[16];

        if (getrandom(dice, sizeof(dice), 0) != sizeof(dice))
                return remote_detail(-EIO, "getrandom: %s", strerrordesc_np(errno));
        for (size_t i = 0; i < sizeof(dice); i++) {
                nonce[2 * i] = digits[dice[i] >> 4];
                nonce[2 * i + 1] = digits[dice[i] & 15];
        }
        return 0;
}

/* Without the server's clock nothing is put: removal rests on it. */
static int init(struct placing *p, uint32_t piece_bytes)
{
        struct ceph_entry *entry = &p->coming.entry;
        int r = ceph_clock_now(p->bucket, &entry->changed_ns);

        if (r == 0)
                r = make_nonce(entry->nonce);
        if (r < 0)
                return r;
        memcpy(entry->magic, CEPH_MAGIC_COMING, sizeof(entry->magic));
        entry->piece_bytes = piece_bytes;
        entry->size = p->source->size;
        snprintf(p->coming.name, sizeof(p->coming.name), "%s", p->name);
        ceph_nonce(entry, p->nonce);
        return 0;
}

/* The entry of the object that it becomes. */
static struct ceph_entry entry_as_of(const struct placing *p, int64_t changed_ns)
{
        struct ceph_entry entry = p->coming.entry;

        memcpy(entry.magic, CEPH_MAGIC_OBJECT, sizeof(entry.magic));
        entry.changed_ns = changed_ns;
        return entry;
}

/* The moment that is compared is the one before the change is sent. */
static int be_in_time(struct placing *p)
{
        int64_t now = clock_boot_ns();

        if (p->source->not_after_ns && now > p->source->not_after_ns)
                return remote_detail(-ESTALE, "too late");
        p->reply->sent_ns = now;
        return 0;
}

/* Asked for behind the change: a machine that slept before it was sent must see that. One that
 * sleeps behind it sees a later time; if that is by more than 30 minutes, the shipper looks at the
 * bucket, and 30 more pass before it would again: no more than the hour in which no name is
 * removed. 0 says that nobody told it, which is safe. */
static int tell_time(struct placing *p, int r)
{
        if ((r == 0 || r == CEPH_CHANGED_ALREADY) &&
            ceph_clock_ask(p->bucket, &p->reply->server_ns) < 0)
                p->reply->server_ns = 0;
        return r;
}

static int is_there(void)
{
        return remote_detail(-EEXIST, "it is there");
}

/* ---- small and new ---- */

static int put_inline(struct placing *p)
{
        char bytes[CEPH_INLINE_MAX];
        struct ceph_entry entry = entry_as_of(p, p->coming.entry.changed_ns);
        const struct ceph_step steps[] = {
                { CEPH_EXPECT, CEPH_ENTRY, p->name, NULL, 0 },
                { CEPH_SET, CEPH_ENTRY, p->name, &entry, sizeof(entry) },
                { CEPH_SET, CEPH_BYTES, p->name, bytes, p->source->size },
        };
        int r = source_read(p->source, 0, bytes, p->source->size);

        if (r == 0)
                r = be_in_time(p);
        if (r == 0)
                r = tell_time(p, ceph_change(p->bucket, steps, CASES(steps)));
        return r == CEPH_CHANGED_ALREADY ? is_there() : r;
}

/* ---- in pieces ---- */

static int note(struct placing *p)
{
        const struct ceph_step step = { CEPH_SET, CEPH_PENDING, p->nonce, &p->coming,
                                        ceph_pending_bytes(&p->coming) };

        return ceph_change(p->bucket, &step, 1);
}

static struct ceph_step expect_note(const struct placing *p)
{
        return (struct ceph_step){ CEPH_EXPECT, CEPH_PENDING, p->nonce, &p->coming,
                                   ceph_pending_bytes(&p->coming) };
}

/* Whether another has the name, or the note is not what it was. */
static int why_not(struct placing *p, struct ceph_entry *ret_other)
{
        int r = ceph_look(p->bucket, p->name, ret_other, NULL, NULL);

        if (r == -ENOENT)
                return remote_detail(-EAGAIN, "its pieces were removed meanwhile");
        return r < 0 ? r : is_there();
}

static int name_new(struct placing *p)
{
        struct ceph_entry entry = entry_as_of(p, p->coming.entry.changed_ns), other;
        const struct ceph_step steps[] = {
                expect_note(p),
                { CEPH_EXPECT, CEPH_ENTRY, p->name, NULL, 0 },
                { CEPH_SET, CEPH_ENTRY, p->name, &entry, sizeof(entry) },
                { CEPH_DROP, CEPH_PENDING, p->nonce, NULL, 0 },
        };
        int r = be_in_time(p);

        if (r == 0)
                r = tell_time(p, ceph_change(p->bucket, steps, CASES(steps)));
        return r == CEPH_CHANGED_ALREADY ? why_not(p, &other) : r;
}

/* Take the place of @other, an earlier try of ours. */
static int displace(struct placing *p, const struct ceph_entry *entry,
                    const struct ceph_entry *other)
{
        struct ceph_pending going = { .entry = *other };
        char nonce[CEPH_NONCE_BYTES];
        bool has_pieces = other->piece_bytes != 0;
        const struct ceph_step steps[] = {
                expect_note(p),
                { CEPH_EXPECT, CEPH_ENTRY, p->name, other, sizeof(*other) },
                { CEPH_SET, CEPH_ENTRY, p->name, entry, sizeof(*entry) },
                has_pieces ? (struct ceph_step){ CEPH_SET, CEPH_PENDING, nonce, &going,
                                                 sizeof(going.entry) + strlen(p->name) }
                           : (struct ceph_step){ CEPH_DROP, CEPH_BYTES, p->name, NULL, 0 },
        };
        int r;

        ceph_nonce(other, nonce);
        memcpy(going.entry.magic, CEPH_MAGIC_GOING, sizeof(going.entry.magic));
        going.entry.changed_ns = p->coming.entry.changed_ns;
        snprintf(going.name, sizeof(going.name), "%s", p->name);
        r = ceph_change(p->bucket, steps, CASES(steps));
        if (r == 0 && has_pieces)
                (void)ceph_finish_going(p->bucket, &going); /* or it is a leftover */
        return r;
}

static int name_over(struct placing *p)
{
        struct ceph_entry entry = entry_as_of(p, 0), other;
        const struct ceph_step steps[] = {
                expect_note(p),
                { CEPH_EXPECT, CEPH_ENTRY, p->name, NULL, 0 },
                { CEPH_SET, CEPH_ENTRY, p->name, &entry, sizeof(entry) },
        };
        int r = CEPH_CHANGED_ALREADY;

        for (int tries = 0; r == CEPH_CHANGED_ALREADY && tries < DISPLACE_TRIES; tries++) {
                p->reply->sent_ns = clock_boot_ns();
                r = ceph_change(p->bucket, steps, CASES(steps));
                if (r != CEPH_CHANGED_ALREADY)
                        break;
                r = why_not(p, &other);
                if (r == -EEXIST)
                        r = displace(p, &entry, &other);
        }
        if (r == CEPH_CHANGED_ALREADY)
                return remote_detail(-EAGAIN, "others put it, too");
        if (r == 0)
                r = tell_time(p, r);
        if (r == 0 && p->reply->server_ns) /* else it has no time as yet, and the note stays */
                (void)ceph_settle_time(p->bucket, &p->coming, &entry, p->reply->server_ns);
        return r;
}

/* Its own failure is no news: the one before it is. */
static int abandon(struct placing *p, int failure)
{
        char line[512];

        snprintf(line, sizeof(line), "%s", remote_detail_line());
        (void)ceph_settle(p->bucket, &p->coming);
        return remote_detail(failure, "%s", line);
}

static int put_pieces(struct placing *p, bool is_new)
{
        int r = note(p);

        if (r < 0)
                return r;
        r = ceph_pieces_write(p->bucket, &p->coming, p->source);
        if (r == 0)
                r = is_new ? name_new(p) : name_over(p);
        return r < 0 ? abandon(p, r) : r;
}

static int put(struct bucket *bucket, const char *name, const struct bucket_source *source,
               bool is_new, struct bucket_reply *ret_reply)
{
        struct placing p = { .bucket = (struct ceph_bucket *)bucket,
                             .name = name,
                             .source = source,
                             .reply = ret_reply };
        bool is_inline = is_new && source->size <= CEPH_INLINE_MAX;
        int r;

        ret_reply->sent_ns = clock_boot_ns();
        if (source->size > CEPH_PIECES_MAX * CEPH_PIECE_BYTES)
                return remote_detail(-EMSGSIZE, "more than 8 TiB");
        r = init(&p, is_inline ? 0 : CEPH_PIECE_BYTES);
        if (r < 0)
                return r;
        if (!atomic_exchange(&p.bucket->cleaned, true))
                ceph_remove_leftovers(p.bucket);
        return is_inline ? put_inline(&p) : put_pieces(&p, is_new);
}

int ceph_put_new(struct bucket *bucket, const char *name, const struct bucket_source *source,
                 struct bucket_reply *ret_reply)
{
        return put(bucket, name, source, true, ret_reply);
}

int ceph_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
             struct bucket_reply *ret_reply)
{
        return put(bucket, name, source, false, ret_reply);
}
