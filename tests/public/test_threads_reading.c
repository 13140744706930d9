/*
 * test_threads_reading.c - threads on one read-only handle, beside a process that rolls, trims and
 * truncates
 *
 * The chain is read anew under the threads that stand in it. Each record says its own number, so
 * whatever is shown can be told from what was taken back or belongs elsewhere.
 */
#include "test_threads_support.h"

#define THREADS 4
#define RECORD_BYTES 600
#define RUN_MS 1500

static struct logstore *reader;
static _Atomic bool done;

static void fill(unsigned char *data, uint64_t number, unsigned char turn)
{
        memset(data, turn, RECORD_BYTES);
        memcpy(data, &number, sizeof(number));
}

static void check(const struct logstore_record *record)
{
        const unsigned char *bytes = record->data;
        uint64_t number;

        must(record->size == RECORD_BYTES);
        memcpy(&number, bytes, sizeof(number));
        must(number == record->number);
        for (size_t at = sizeof(number); at < RECORD_BYTES; at++)
                must(bytes[at] == bytes[RECORD_BYTES - 1]);
}

/* In a process of its own: a pipe tells it to end. */
static void write_and_take_back(int ended)
{
        unsigned char data[RECORD_BYTES], byte, turn = 0;
        uint64_t number;

        open_store(0);
        for (;;) {
                struct timeval none = { 0 };
                fd_set set;

                FD_ZERO(&set);
                FD_SET(ended, &set);
                if (select(ended + 1, &set, NULL, NULL, &none) == 1 && read(ended, &byte, 1) >= 0)
                        break;
                turn++;
                for (unsigned i = 0; i < 300; i++) {
                        number = bounds_of(store).tail + 1;
                        fill(data, number, turn);
                        must(logstore_append(store, data, sizeof(data), NULL) == 0);
                }
                must(logstore_sync(store, 0) == 0);
                if (turn % 3 == 0)
                        must(logstore_truncate_after(store, number - 150 - turn, 0) == 0);
                if (turn % 4 == 0 && number > 1000)
                        must(logstore_trim_before(store, number - 1000, NULL) == 0);
        }
        must(logstore_close(store) == 0);
        _exit(0);
}

static bool passing(int r)
{
        if (r != 0 && r != -ESTALE && r != -EAGAIN)
                fprintf(stderr, "%s: ", logstore_error_text(r));
        return r == 0 || r == -ESTALE || r == -EAGAIN;
}

static void read_by_number(unsigned *random)
{
        struct logstore_bounds bounds = { 0 };
        struct logstore_record record;
        char buffer[RECORD_BYTES];
        int r = logstore_bounds(reader, &bounds);
        uint64_t number;

        must(r == 0 && bounds.first <= bounds.tail + 1);
        number = bounds.first + (uint64_t)rand_r(random) % (bounds.tail + 3 - bounds.first);
        r = logstore_get(reader, number, buffer, sizeof(buffer), &record);
        must(passing(r));
        if (r == 0)
                check(&record);
}

static void *read_along(void *context)
{
        unsigned random = (unsigned)(uintptr_t)context;
        struct logstore_cursor *cursor;
        struct logstore_record record;

        must(logstore_cursor_open(reader, 0, &cursor) == 0);
        while (!atomic_load(&done)) {
                int r = 0;

                for (int i = 0; i < 50 && r == 0; i++) {
                        r = random % 3 ? logstore_cursor_next(cursor, &record)
                                       : logstore_cursor_prev(cursor, &record);
                        must(passing(r));
                        if (r == 0)
                                check(&record);
                }
                if (r == -ESTALE || rand_r(&random) % 8 == 0) {
                        r = logstore_cursor_seek(cursor, random % 2 ? 0 : UINT64_MAX);
                        must(passing(r));
                }
                read_by_number(&random);
        }
        logstore_cursor_close(cursor);
        return NULL;
}

START_TEST(threads_of_a_reader_live_through_rolls_trims_and_truncations)
{
        pthread_t threads[THREADS];
        int ended[2], status;
        pid_t pid;

        open_store(LOGSTORE_CREATE);
        close_store();
        ck_assert_int_eq(pipe(ended), 0);
        pid = fork();
        if (pid == 0) {
                close(ended[1]);
                write_and_take_back(ended[0]);
        }
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        for (uintptr_t i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, read_along, (void *)(i + 1)), 0);
        usleep(RUN_MS * 1000);
        atomic_store(&done, true);
        for (unsigned i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        close(ended[1]);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { threads_of_a_reader_live_through_rolls_trims_and_truncations, 0 },
        };

        return RUN_TESTS("threads_reading", tests);
}
