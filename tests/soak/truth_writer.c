/* truth_writer.c - one life of a writer: append, sync, trim, cut, and be killed anywhere */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "truth.h"

static struct logstore *open_or_exit(struct ledger *ledger, const char *path)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;
        int r;

        options.flags = LOGSTORE_CREATE;
        options.segment_bytes = 65536;
        options.sync_policy = LOGSTORE_SYNC_NONE;
        r = logstore_open(path, &options, &store);
        if (r < 0) {
                say_false(ledger, "an open for writing", 0, r);
                _exit(1);
        }
        return store;
}

static void must(struct ledger *ledger, const char *what, uint64_t number, int r)
{
        if (r >= 0)
                return;
        say_false(ledger, what, number, r);
        _exit(1);
}

static void append_one(struct ledger *ledger, struct logstore *store, const struct life *life)
{
        uint64_t number = atomic_load(&ledger->low) + 1, given = number;
        size_t size;
        const void *data = append_begins(ledger, number, life->large, &size);

        must(ledger, "append", number, logstore_append(store, data, size, &given));
        if (given != number)
                say_false(ledger, "append's number", given, 0);
        append_done(ledger);
}

static void trim(struct ledger *ledger, struct logstore *store, const struct life *life)
{
        uint64_t low = atomic_load(&ledger->low), first = 0;

        if (low <= life->keep || low - life->keep <= atomic_load(&ledger->first_asked))
                return;
        trim_begins(ledger, low - life->keep);
        must(ledger, "trim", low - life->keep,
             logstore_trim_before(store, low - life->keep, &first));
        trim_done(ledger, first);
}

static void cut(struct ledger *ledger, struct logstore *store, uint64_t chance)
{
        uint64_t low = atomic_load(&ledger->low), back = 1 + chance % 40;

        if (low < atomic_load(&ledger->first_asked) + back)
                return;
        cut_begins(ledger, low - back);
        must(ledger, "truncate", low - back, logstore_truncate_after(store, low - back, 0));
        cut_done(ledger);
}

static void live(struct ledger *ledger, const char *path, const struct life *life)
{
        struct logstore *store = open_or_exit(ledger, path);
        struct logstore_bounds bounds;

        must(ledger, "bounds", 0, logstore_bounds(store, &bounds));
        settle(ledger, &bounds);
        for (uint64_t i = 1; life->appends == 0 || i <= life->appends; i++) {
                uint64_t chance = mix64(life->seed + i);

                append_one(ledger, store, life);
                if (chance % life->trim_every == 0)
                        trim(ledger, store, life);
                if (life->cut_every && chance / 64 % life->cut_every == 0)
                        cut(ledger, store, chance / 4096);
                if (chance / 128 % 64 == 0)
                        must(ledger, "sync", 0, logstore_sync(store, 0));
        }
        if (mix64(life->seed) % 8)
                kill(getpid(), SIGKILL);
        must(ledger, "close", 0, logstore_close(store));
        _exit(0);
}

pid_t start_life(struct ledger *ledger, const char *path, const struct life *life)
{
        pid_t child = fork();

        if (child == 0)
                live(ledger, path, life);
        return child;
}

bool end_life(pid_t writer, bool kill_it)
{
        int status = 0;

        if (kill_it)
                kill(writer, SIGKILL);
        if (waitpid(writer, &status, 0) != writer)
                return false;
        return status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
