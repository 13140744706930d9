/*
 * follow.c - one process of the soak of reading processes: the writer, or a reader
 *
 *   soak_follow write STORE SHARED   append, claim, sync and trim, until killed or over
 *   soak_follow read STORE SHARED    follow, walk back, get, take snapshots, until killed or over
 *
 * Every record follows from its number alone, so whoever reads one can tell whether it is right.
 * SHARED is a file of counters. A record that is not right, a gap that no trim explains, or an
 * error that is none of the documented answers is told on stderr and counted as wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <logstore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEGMENT_BYTES (256 << 10)
#define KEEP_RECORDS 6000
#define LARGEST 4000

static struct shared {
        _Atomic uint64_t over, appended, read, wrong, stale, snapshots, opened;
} * shared;

static unsigned char record_bytes[LARGEST];

static uint64_t mix(uint64_t x)
{
        x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
        return x ^ x >> 29;
}

static size_t make_record(uint64_t number)
{
        size_t size = mix(number) % 16 == 0 ? mix(number) / 16 % LARGEST : mix(number) / 16 % 200;

        for (size_t i = 0; i < size; i++)
                record_bytes[i] = (unsigned char)(mix(number) >> i % 8 * 8) ^ (unsigned char)i;
        return size;
}

static void wrong(const char *what, uint64_t number, int error)
{
        atomic_fetch_add(&shared->wrong, 1);
        fprintf(stderr, "soak: wrong: %s, record %" PRIu64 ": %s: %s\n", what, number,
                logstore_error_text(error), logstore_detail());
}

static void check(const char *what, const struct logstore_record *record)
{
        size_t size = make_record(record->number);

        atomic_fetch_add(&shared->read, 1);
        if (record->size != size || memcmp(record->data, record_bytes, size) != 0)
                wrong(what, record->number, 0);
}

static struct logstore *open_store(const char *path, uint32_t flags)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;
        int r;

        options.flags = flags;
        options.segment_bytes = SEGMENT_BYTES;
        options.mapped_segments = 4;
        r = logstore_open(path, &options, &store);
        if (r < 0) {
                wrong("open", 0, r);
                exit(1);
        }
        atomic_fetch_add(&shared->opened, 1);
        return store;
}

/* ---- the writer ---- */

static int append_one(struct logstore *store, uint64_t number)
{
        struct logstore_claim claim;
        uint64_t given = 0;
        size_t size;
        int r;

        if (number % 5) {
                size = make_record(number);
                r = logstore_append(store, record_bytes, size, &given);
                return r == 0 && given != number ? -EILSEQ : r;
        }
        r = logstore_claim(store, LARGEST, &claim);
        if (r < 0)
                return r;
        size = make_record(claim.number);
        memcpy(claim.data, record_bytes, size);
        return logstore_commit(store, &claim, size);
}

static int write_all(const char *path)
{
        struct logstore *store = open_store(path, LOGSTORE_CREATE);
        struct logstore_bounds bounds;
        uint64_t number;
        int r = logstore_bounds(store, &bounds);

        for (number = bounds.tail + 1; r == 0 && !atomic_load(&shared->over); number++) {
                r = append_one(store, number);
                atomic_fetch_add(&shared->appended, 1);
                if (r == 0 && number % 500 == 0)
                        r = logstore_sync(store, 0);
                if (r == 0 && number % 700 == 0 && number > KEEP_RECORDS)
                        r = logstore_trim_before(store, number - KEEP_RECORDS, NULL);
                if (number % 64 == 0)
                        usleep(1000);
        }
        if (r < 0)
                wrong("write", number, r);
        r = logstore_close(store);
        if (r < 0)
                wrong("close", number, r);
        return 0;
}

/* ---- a reader ---- */

/*
 * Walk on from where the cursor is, at most @most steps. A record that was never synced may go with
 * its writer, and its number come again: then the cursor is stale and seeks.
 */
static void walk(struct logstore_cursor *cursor, bool forward, unsigned most)
{
        struct logstore_record record;
        uint64_t last = 0;
        int r = 0;

        while (most-- && r == 0) {
                r = forward ? logstore_cursor_next(cursor, &record)
                            : logstore_cursor_prev(cursor, &record);
                if (r < 0)
                        break;
                check(forward ? "next" : "prev", &record);
                if (last && record.number != (forward ? last + 1 : last - 1))
                        wrong("a gap", record.number, 0);
                last = record.number;
        }
        if (r == -ESTALE)
                atomic_fetch_add(&shared->stale, 1);
        if (r == -ESTALE && (r = logstore_cursor_seek(cursor, 0)) == -ESTALE)
                r = 0; /* trimmed again meanwhile: the next walk seeks anew */
        if (r < 0 && r != -EAGAIN)
                wrong(forward ? "next" : "prev", logstore_cursor_position(cursor), r);
}

static void get_some(struct logstore *store, uint64_t turn)
{
        static unsigned char buffer[LARGEST];
        struct logstore_record record;
        struct logstore_bounds bounds;
        int r = logstore_bounds(store, &bounds);

        if (r < 0)
                wrong("bounds", 0, r);
        if (r < 0 || bounds.tail < bounds.first)
                return;
        turn = bounds.first + mix(turn) % (bounds.tail - bounds.first + 1);
        r = logstore_get(store, turn, buffer, sizeof(buffer), &record);
        if (r == 0)
                check("get", &record);
        else if (r != -ESTALE && r != -EAGAIN) /* -EAGAIN: it went with its writer */
                wrong("get", turn, r);
}

static void look_back(struct logstore *store)
{
        struct logstore_snapshot *snapshot;
        struct logstore_record record;
        struct logstore_bounds bounds;
        int r = logstore_snapshot_open(store, 0, &snapshot);

        if (r < 0) {
                if (r != -ESTALE && r != -EAGAIN)
                        wrong("snapshot_open", 0, r);
                return;
        }
        atomic_fetch_add(&shared->snapshots, 1);
        logstore_snapshot_bounds(snapshot, &bounds);
        for (uint64_t number = bounds.first; number <= bounds.tail && r == 0; number += 97) {
                r = logstore_snapshot_get(snapshot, number, &record);
                if (r == 0)
                        check("snapshot", &record);
        }
        if (r < 0 && r != -ESTALE)
                wrong("snapshot_get", 0, r);
        logstore_snapshot_close(snapshot);
}

static int read_all(const char *path)
{
        struct logstore *store = open_store(path, LOGSTORE_READ_ONLY);
        struct logstore_cursor *cursor;
        uint64_t turn = (uint64_t)getpid();
        int r = logstore_cursor_open(store, 0, &cursor);

        if (r < 0) {
                wrong("cursor_open", 0, r);
                return 1;
        }
        for (; !atomic_load(&shared->over); turn++) {
                walk(cursor, true, 2000);
                get_some(store, turn);
                if (turn % 16 == 0)
                        walk(cursor, false, 3000);
                if (turn % 64 == 0)
                        look_back(store);
                r = logstore_cursor_wait(cursor, 20);
                if (r < 0 && r != -ETIMEDOUT && r != -EINTR)
                        wrong("wait", logstore_cursor_position(cursor), r);
        }
        logstore_cursor_close(cursor);
        r = logstore_close(store);
        if (r < 0)
                wrong("close", 0, r);
        return 0;
}

int main(int argc, char **argv)
{
        int fd = argc == 4 ? open(argv[3], O_RDWR | O_CLOEXEC) : -1;

        if (fd < 0) {
                fprintf(stderr, "usage: soak_follow write|read STORE SHARED\n");
                return 2;
        }
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (shared == MAP_FAILED)
                return 2;
        return strcmp(argv[1], "write") == 0 ? write_all(argv[2]) : read_all(argv[2]);
}
