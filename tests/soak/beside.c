/*
 * beside.c - a reading process so close to the writer that it looks while things change
 *
 * The store lies in memory, so that each record is durable at once: what a reader has just not
 * seen committed may be below the durable number when it looks there.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <logstore.h>

#define RECORDS 200000u
#define STORES 100u

static char folder[64] = "/dev/shm/logstore-beside-XXXXXX";

static struct logstore *open_store(const char *path, uint32_t flags)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;
        int r;

        options.flags = flags;
        options.sync_policy = flags & LOGSTORE_CREATE ? LOGSTORE_SYNC_EACH : LOGSTORE_SYNC_NONE;
        do
                r = logstore_open(path, &options, &store);
        while (flags & LOGSTORE_READ_ONLY && (r == -ENOENT || r == -EMEDIUMTYPE));
        if (r < 0) {
                printf("Bail out! open: %s\n", logstore_detail());
                exit(1);
        }
        return store;
}

/* In a child: create the store and append @count records; 0 is until killed. */
static pid_t start_writer(const char *path, uint64_t count)
{
        pid_t child = fork();

        if (child != 0)
                return child;
        struct logstore *store = open_store(path, LOGSTORE_CREATE);

        for (uint64_t i = 1; count == 0 || i <= count; i++)
                if (logstore_append(store, &i, sizeof(i), NULL) < 0)
                        _exit(1);
        _exit(logstore_close(store) < 0);
}

/* Follow from the first record until @count were seen. Returns what else than "not yet" came. */
static int follow(struct logstore *store, uint64_t count)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        int r = logstore_cursor_open(store, 0, &cursor);

        for (uint64_t seen = 0; seen < count && (r == 0 || r == -EAGAIN);) {
                r = logstore_cursor_next(cursor, &record);
                if (r == 0 && record.number != ++seen)
                        r = -ERANGE;
        }
        if (r < 0)
                printf("# %s: %s\n", logstore_error_text(r), logstore_detail());
        logstore_cursor_close(cursor);
        return r;
}

static void tell(int number, int ok, const char *promise)
{
        printf("%s %d - %s\n", ok ? "ok" : "not ok", number, promise);
        fflush(stdout);
}

static int reads_while_created(void)
{
        int ok = 1;

        for (unsigned int i = 0; i < STORES && ok; i++) {
                char path[128];
                snprintf(path, sizeof(path), "%s/early-%u", folder, i);
                pid_t writer = start_writer(path, 3);
                struct logstore *store = open_store(path, LOGSTORE_READ_ONLY);

                ok = follow(store, 3) == 0;
                waitpid(writer, NULL, 0);
                logstore_close(store);
        }
        return ok;
}

static int reads_what_is_being_synced(void)
{
        char path[128];

        snprintf(path, sizeof(path), "%s/close", folder);
        pid_t writer = start_writer(path, 0);
        struct logstore *store = open_store(path, LOGSTORE_READ_ONLY);
        int ok = follow(store, RECORDS) == 0;

        logstore_close(store);
        kill(writer, SIGKILL);
        waitpid(writer, NULL, 0);
        return ok;
}

int main(void)
{
        if (!mkdtemp(folder)) {
                printf("1..0 # SKIP no /dev/shm here\n");
                return 0;
        }
        printf("1..2\n");
        fflush(stdout);
        tell(1, reads_while_created(), "a reader may come while the store is being created");
        tell(2, reads_what_is_being_synced(), "a record committed since the look is no damage");
        execlp("rm", "rm", "-rf", folder, NULL);
        return 1;
}
