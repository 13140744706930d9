/* truth_tailer.c - one cursor over thousands of lives of the writer */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

static uint64_t tail_of(struct watch *watch)
{
        struct moment before = look(watch->ledger);
        struct logstore_bounds bounds;
        int r = logstore_bounds(watch->store, &bounds);

        if (r < 0) {
                say_false(watch->ledger, "bounds", 0, r);
                return 0;
        }
        judge_bounds(watch->ledger, "bounds", &before, &bounds);
        return bounds.tail;
}

/* One look; whoever is told that it lost its place takes the first one, or the tail. */
static int step(struct watch *watch, uint64_t chance)
{
        int r = watch_next(watch);

        if (r == -ESTALE) {
                uint64_t tail = tail_of(watch);
                bool trimmed = logstore_cursor_position(watch->cursor) <= tail;

                while (watch_seek(watch, trimmed || chance % 2 ? 0 : tail_of(watch) + 1) < 0)
                        ;
        }
        if (chance % 16 == 0) {
                uint64_t tail = tail_of(watch);

                if (tail > 0)
                        watch_get(watch, tail - chance / 16 % (tail < 50 ? tail : 50));
        }
        return r;
}

static void tail_one(struct watch *watch, const char *path, uint64_t seed, bool sleeps)
{
        uint64_t chance = mix64(seed);
        struct life life = { .seed = seed,
                             .appends = 1 + chance % 40,
                             .large = 4,
                             .keep = 20 + chance / 64 % 64,
                             .trim_every = 16,
                             .cut_every = 32 };
        bool kills = chance / 65536 % 4 == 0;
        pid_t writer = start_life(watch->ledger, path, &life);
        siginfo_t ended = { 0 };

        if (kills)
                usleep((useconds_t)(chance / 262144 % 4000));
        while (!sleeps && !kills && ended.si_pid == 0) {
                step(watch, mix64(++seed));
                waitid(P_PID, (id_t)writer, &ended, WEXITED | WNOHANG | WNOWAIT);
        }
        if (writer < 0 || !end_life(writer, kills))
                atomic_fetch_add(&watch->ledger->failed, 1);
        while (!sleeps && step(watch, mix64(++seed)) != -EAGAIN)
                ; /* everything that this life has left */
        atomic_fetch_add(&watch->ledger->lives, 1);
}

void tail_lives(struct ledger *ledger, const char *path, uint64_t lives, uint64_t seed)
{
        struct life first = { .seed = seed, .appends = 1, .large = 4, .trim_every = 2 };
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct watch watch = { .ledger = ledger };
        int r;

        if (!end_life(start_life(ledger, path, &first), false))
                atomic_fetch_add(&ledger->failed, 1);
        options.flags = LOGSTORE_READ_ONLY;
        r = logstore_open(path, &options, &watch.store);
        if (r < 0) {
                say_false(ledger, "open", 0, r);
                return;
        }
        if (!watch_open(&watch, ledger, watch.store))
                return;
        for (uint64_t i = 0; i < lives; i++) {
                /* Asleep for some lives, it is overtaken by trims. */
                tail_one(&watch, path, seed + i * 1000000, mix64(seed + i / 8) % 8 == 0);
                tell_sometimes(ledger);
        }
        watch_close(&watch);
        if (logstore_close(watch.store) < 0)
                say_false(ledger, "close", 0, 0);
}
