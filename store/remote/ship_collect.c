/*
 * ship_collect.c - remove what nobody needs any more
 *
 * A checkpoint that is an hour old stands for all commits up to its own, except tails that no
 * whole covers. Whoever looked at the bucket within that hour has seen it, or a newer one. So older
 * commits go, and objects that neither it nor anything newer names. The oldest go first: a reader
 * that meets a gap then knows that it has to look anew.
 *
 * A sleeping shipper of an older term may wake up and create a name that was removed. It finds out
 * by the list (ship_commit.c), because an hour is longer than all that it may go without a look.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/ship_private.h"

#define GRACE_NS (3600 * SECOND_NS)
#define COLLECT_NS (600 * SECOND_NS) /* not more often */
#define REMOVE_MOST 4096u            /* in one go; the rest next time */

/* The last REMOVE_MOST of those that were noted: commits are listed from the newest to the oldest,
 * and of a longer list the oldest must go first. */
struct names {
        char (*list)[BUCKET_NAME_MAX];
        size_t count;
};

static int note(struct names *names, const char *name)
{
        snprintf(names->list[names->count++ % REMOVE_MOST], BUCKET_NAME_MAX, "%s", name);
        return 0;
}

/* ---- what is old enough ---- */

struct old {
        int64_t before_ns;
        uint64_t named_seq;   /* commits name this checkpoint; a newer one none as yet */
        uint64_t seq, number; /* the newest checkpoint from before; 0: none */
        int64_t changed_ns;   /* of that one */
};

static int find_old(void *context, const struct bucket_listed *listed)
{
        struct old *old = context;
        uint64_t seq, number;
        bool checkpoint;

        if (!commit_name_read(listed->name, &seq, &checkpoint, &number) || !checkpoint ||
            listed->changed_ns > old->before_ns || seq > old->named_seq)
                return 0;
        old->seq = seq;
        old->number = number;
        old->changed_ns = listed->changed_ns;
        return 1; /* the newest sort first */
}

/* ---- commits ---- */

struct commits {
        struct names *names;
        uint64_t needed_from, checkpoint;
};

static int note_commit(void *context, const struct bucket_listed *listed)
{
        struct commits *commits = context;
        uint64_t seq, number;
        bool checkpoint;

        if (!commit_name_read(listed->name, &seq, &checkpoint, &number))
                return 0;
        if (checkpoint ? seq < commits->checkpoint : seq < commits->needed_from)
                return note(commits->names, listed->name);
        return 0;
}

static int find_commits(struct logstore_ship *ship, const struct table *kept, uint64_t checkpoint,
                        struct names *names)
{
        uint64_t base = table_base(kept);
        struct commits commits = { names, base ? base : checkpoint + 1, checkpoint };
        char after[COMMIT_NAME_BYTES];

        commit_name(after, commits.needed_from);
        return bucket_list(ship->bucket, COMMIT_PREFIX, after, SIZE_MAX, note_commit, &commits,
                           NULL);
}

/* ---- objects of segments ---- */

struct objects {
        struct names *names;
        const struct logstore_ship *ship;
        const struct table *kept;
        int64_t before_ns;  /* an hour before the checkpoint, which could have named them */
        uint64_t oldest_id; /* of the log that is there */
};

static bool is_named(const struct table *table, const char *name)
{
        char own[BUCKET_NAME_MAX];

        for (size_t i = 0; i < table->count; i++) {
                if (!table->lines[i].entry.object_bytes)
                        continue;
                segment_object_name(own, &table->lines[i].entry);
                if (strcmp(own, name) == 0)
                        return true;
        }
        return false;
}

static uint64_t oldest_id(const struct table *table)
{
        uint64_t id = table->count ? UINT64_MAX : 0; /* of an empty log any may come */

        for (size_t i = 0; i < table->count; i++)
                if (table->lines[i].entry.id < id)
                        id = table->lines[i].entry.id;
        return id;
}

/* An object of the newest term may be on its way, to be named by a commit to come. One of ours is
 * named long before the hour is over. Another's shipper may sleep as long as it likes; but it ships
 * nothing that is older than the log, before it claims anew. */
static bool may_come(const struct objects *objects, const struct bucket_listed *listed)
{
        const struct logstore_ship *ship = objects->ship;
        unsigned long long term;
        uint64_t id, salt;

        if (sscanf(listed->name, SEGMENT_OBJECT_PREFIX "%" SCNu64 "-%" SCNx64 "-%llu-", &id, &salt,
                   &term) != 3)
                return true; /* somebody else's */
        if (term < ship->last.term)
                return false;
        return !ship->store && id >= objects->oldest_id;
}

static int note_object(void *context, const struct bucket_listed *listed)
{
        struct objects *objects = context;

        if (listed->changed_ns < objects->before_ns && !may_come(objects, listed) &&
            !is_named(objects->kept, listed->name) &&
            !is_named(&objects->ship->table, listed->name))
                return note(objects->names, listed->name);
        return 0;
}

/* ---- all ---- */

static int remove_all(struct logstore_ship *ship, const struct names *names)
{
        size_t first = names->count > REMOVE_MOST ? names->count - REMOVE_MOST : 0;
        int r = 0;

        for (size_t i = names->count; r == 0 && i > first; i--) {
                r = bucket_remove(ship->bucket, names->list[(i - 1) % REMOVE_MOST], NULL);
                ship->removed += r == 0;
                if (r == 0 && ship->stopped)
                        r = remote_detail(-ECANCELED, "stopped");
        }
        return r;
}

static int collect_from(struct logstore_ship *ship, const struct old *old, struct names *names)
{
        struct table kept = { 0 };
        struct objects objects = { names, ship, &kept, old->changed_ns - GRACE_NS,
                                   oldest_id(&ship->table) };
        int r = table_read(ship->bucket, ship->identity.uuid, old->seq, old->number, &kept);

        if (r == 0)
                r = find_commits(ship, &kept, old->seq, names);
        if (r == 0)
                r = remove_all(ship, names);
        names->count = 0;
        if (r == 0)
                r = bucket_list(ship->bucket, SEGMENT_OBJECT_PREFIX, NULL, SIZE_MAX, note_object,
                                &objects, NULL);
        if (r == 0)
                r = remove_all(ship, names);
        table_free(&kept);
        return r;
}

int ship_collect(struct logstore_ship *ship)
{
        int64_t now = ship_clock_ns();
        struct old old = { .before_ns = ship->confirmed.server_ns - GRACE_NS,
                           .named_seq = ship->said.checkpoint_seq };
        struct names names = { 0 };
        int r;

        if (now < ship->collect_ns || ship->confirmed.server_ns == 0)
                return 0;
        ship->collect_ns = now + COLLECT_NS;
        r = bucket_list(ship->bucket, COMMIT_PREFIX, NULL, SIZE_MAX, find_old, &old, NULL);
        if (r < 0 || old.seq == 0)
                return r == -EAGAIN ? 0 : r < 0 ? r : 0;
        names.list = malloc(REMOVE_MOST * sizeof(*names.list));
        if (!names.list)
                return remote_detail(-ENOMEM, "no memory for names");
        r = collect_from(ship, &old, &names);
        free(names.list);
        if (r == -EACCES) { /* without the right to remove all stays, which only costs room */
                ship->collect_ns = INT64_MAX;
                ship->may_not_remove = true;
        }
        return r == -EACCES || r == -EAGAIN || r == -ENOENT ? 0 : r;
}
