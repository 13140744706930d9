/*
 * reader_look.c - what the log in the bucket is, as of a look
 */
#include <errno.h>
#include <string.h>

#include "remote/reader_private.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define CHANGES_MAX 20 /* looks one after the other in which something went away */

bool reader_ask_again(const struct logstore_remote *remote, int r, struct patience *patience)
{
        bool changed = r == REMOTE_LOG_CHANGED;
        int64_t ns = clock_backoff_ns(patience->tries < 6 ? patience->tries : 6);

        if (!changed && r != -EAGAIN)
                return false;
        if (patience->tries++ == 0)
                patience->begun_ns = clock_boot_ns();
        if (changed ? ++patience->changes > CHANGES_MAX
                    : clock_boot_ns() - patience->begun_ns >=
                              remote->options.patience_ms * NS_PER_MS)
                return false;
        return clock_sleep(ns, NULL);
}

/* What is told to callers: -EAGAIN is theirs for a record that is not there. */
static int tell(int r)
{
        if (r == REMOTE_LOG_CHANGED)
                return remote_detail_within(-EBADMSG, "a commit or checkpoint is missing");
        return r == -EAGAIN ? -EREMOTEIO : r;
}

int reader_list(struct logstore_remote *remote)
{
        struct patience patience = { 0 };
        int r;

        do
                r = commit_list_newest(remote->bucket, &remote->listed, NULL);
        while (reader_ask_again(remote, r, &patience));
        if (r == 0 && remote->listed.seq == 0)
                r = remote_detail(-ENODATA, "%s: no log was shipped here", remote->bucket->url);
        remote->is_listed = r == 0;
        return tell(r);
}

/* What is read from the bucket is one store's. */
static int check_store(struct logstore_remote *remote, const struct remote_log *log)
{
        if (remote->generation == 0) {
                memcpy(remote->uuid, log->head.uuid, sizeof(remote->uuid));
                pieces_set_store(remote->pieces, remote->uuid);
                return 0;
        }
        if (memcmp(remote->uuid, log->head.uuid, sizeof(remote->uuid)) == 0)
                return 0;
        return remote_detail(-EMEDIUMTYPE, "%s: the log of another store is there now",
                             remote->bucket->url);
}

static int take_view(struct logstore_remote *remote,
                     int (*read)(struct logstore_remote *remote, struct remote_log *ret))
{
        struct patience patience = { 0 };
        struct remote_log log;
        int r;

        remote->looked_ns = clock_boot_ns();
        do
                r = read(remote, &log);
        while (reader_ask_again(remote, r, &patience));
        if (r != 0)
                return tell(r);
        r = check_store(remote, &log);
        if (r < 0) {
                remote_log_free(&log);
                return r;
        }
        remote_log_free(&remote->log);
        remote->log = log;
        remote->has_view = true;
        remote->generation++;
        return 0;
}

/* What the open has listed need not be listed again. */
static int read_whole(struct logstore_remote *remote, struct remote_log *ret)
{
        bool listed = remote->is_listed;

        remote->is_listed = false;
        return listed ? remote_log_read_at(remote->bucket, remote->listed.seq, ret)
                      : remote_log_read(remote->bucket, ret);
}

static int read_part(struct logstore_remote *remote, struct remote_log *ret)
{
        return remote_log_read_checkpoint(remote->bucket, &remote->listed, ret);
}

static bool has_whole(const struct logstore_remote *remote)
{
        return remote->has_view && !remote->log.is_part;
}

int reader_look_whole(struct logstore_remote *remote)
{
        return has_whole(remote) ? 0 : take_view(remote, read_whole);
}

/* Can a checkpoint alone tell of the record? */
static bool knows(const struct logstore_remote *remote, uint64_t number)
{
        if (remote->has_view)
                return remote_log_find(&remote->log, number) != SIZE_MAX;
        return remote->listed.checkpoint != 0 && !remote->listed.cut &&
               number <= remote->listed.checkpoint_number;
}

int reader_look_for(struct logstore_remote *remote, uint64_t number)
{
        int r;

        if (has_whole(remote) || !knows(remote, number))
                return reader_look_whole(remote);
        r = !remote->has_view ? take_view(remote, read_part) : 0;
        /* Gone, or below what it has: the newest commit knows. */
        return r == -EBADMSG || (r == 0 && !knows(remote, number)) ? reader_look_whole(remote) : r;
}

static int list_one(struct logstore_remote *remote, uint64_t *ret_seq)
{
        struct patience patience = { 0 };
        int r;

        remote->looked_ns = clock_boot_ns();
        do
                r = commit_list_one(remote->bucket, ret_seq);
        while (reader_ask_again(remote, r, &patience));
        return tell(r);
}

int logstore_remote_look(struct logstore_remote *remote)
{
        uint64_t seq;
        int r;

        if (!remote)
                return remote_detail(-EINVAL, "an argument is NULL");
        remote->is_listed = false;
        if (!has_whole(remote))
                return reader_look_whole(remote);
        r = list_one(remote, &seq);
        if (r < 0 || seq == remote->log.head.seq)
                return r;
        remote->generation++;
        r = remote_log_update(remote->bucket, &remote->log, seq);
        if (r == 0)
                return 0;
        remote_log_free(&remote->log); /* it may be half taken on */
        remote->has_view = false;
        return r == -EMEDIUMTYPE ? r : reader_look_whole(remote);
}

int reader_again(struct logstore_remote *remote, int error, unsigned *tries)
{
        bool was_part = remote->log.is_part;
        uint64_t seq = remote->log.head.seq;
        int r;

        if (error != -ENOENT)
                return error;
        if (++*tries > CHANGES_MAX)
                return remote_detail_within(-EBADMSG, "objects go away faster than they are read");
        remote->is_listed = false;
        r = take_view(remote, read_whole);
        if (r < 0)
                return r;
        if (!was_part && remote->log.head.seq == seq)
                return -EBADMSG; /* no newer commit has replaced it */
        return 1;
}
