/*
 * test_sync.c - one round at a time, in the right order, and the first failure is the last word
 *
 * Linked with --wrap of os_sync_map, to see each msync, to slow it or to make it fail; of os_touch,
 * which may wait for a disk as well; of the ring's calls, to hold a round in it or to make it fail;
 * and of the heap's, to see what is not freed.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "store.h"
#include "test_public_support.h"

int __real_os_sync_map(void *base, size_t bytes);
int __wrap_os_sync_map(void *base, size_t bytes);

int __real_os_touch(int fd);
int __wrap_os_touch(int fd);

static _Atomic int touches;

int __wrap_os_touch(int fd)
{
        atomic_fetch_add(&touches, 1);
        return __real_os_touch(fd);
}

int __real_ring_submit(struct ring *ring);
int __wrap_ring_submit(struct ring *ring);

static int refused_submits;

int __wrap_ring_submit(struct ring *ring)
{
        if (refused_submits > 0) {
                refused_submits--;
                return -EAGAIN;
        }
        return __real_ring_submit(ring);
}

int __real_ring_wait(struct ring *ring, int64_t timeout_ns);
int __wrap_ring_wait(struct ring *ring, int64_t timeout_ns);

static _Atomic bool hold_waits; /* the device takes its time */
static _Atomic int waits;

int __wrap_ring_wait(struct ring *ring, int64_t timeout_ns)
{
        atomic_fetch_add(&waits, 1);
        while (atomic_load(&hold_waits))
                os_sleep(100000);
        return __real_ring_wait(ring, timeout_ns);
}

int __real_ring_reap(struct ring *ring, int wait, uint64_t *ret_tag, int *ret_result);
int __wrap_ring_reap(struct ring *ring, int wait, uint64_t *ret_tag, int *ret_result);

static _Atomic int reaps_left = 1000000;
static _Atomic int reaps_to_fail;

int __wrap_ring_reap(struct ring *ring, int wait, uint64_t *ret_tag, int *ret_result)
{
        int r = atomic_load(&reaps_left) > 0 ? __real_ring_reap(ring, wait, ret_tag, ret_result)
                                             : 0;

        if (r == 1)
                atomic_fetch_sub(&reaps_left, 1);
        if (r == 1 && atomic_load(&reaps_to_fail) > 0) {
                atomic_fetch_sub(&reaps_to_fail, 1);
                *ret_result = -EIO;
        }
        return r;
}

void *__real_memory_new(struct memory *memory, size_t bytes);
void *__wrap_memory_new(struct memory *memory, size_t bytes);
void *__real_memory_resize(struct memory *memory, void *pointer, size_t bytes);
void *__wrap_memory_resize(struct memory *memory, void *pointer, size_t bytes);
void __real_memory_free(struct memory *memory, void *pointer);
void __wrap_memory_free(struct memory *memory, void *pointer);

static _Atomic int held; /* pieces of the heap */

void *__wrap_memory_new(struct memory *memory, size_t bytes)
{
        void *pointer = __real_memory_new(memory, bytes);

        atomic_fetch_add(&held, pointer != NULL);
        return pointer;
}

void *__wrap_memory_resize(struct memory *memory, void *pointer, size_t bytes)
{
        void *resized = __real_memory_resize(memory, pointer, bytes);

        atomic_fetch_add(&held, resized && !pointer);
        return resized;
}

void __wrap_memory_free(struct memory *memory, void *pointer)
{
        atomic_fetch_sub(&held, pointer != NULL);
        __real_memory_free(memory, pointer);
}

static struct {
        const char *base;
        size_t bytes;
        uint64_t durable; /* what was acknowledged when it was called */
} calls[256];
static _Atomic unsigned call_count, in_flight, most_in_flight;
static _Atomic bool failing;
static int64_t slow_ns;

int __wrap_os_sync_map(void *base, size_t bytes)
{
        unsigned at = atomic_fetch_add(&call_count, 1) % 256;
        unsigned now = atomic_fetch_add(&in_flight, 1) + 1;
        int r;

        if (now > atomic_load(&most_in_flight))
                atomic_store(&most_in_flight, now);
        calls[at].base = base;
        calls[at].bytes = bytes;
        calls[at].durable = store ? atomic_load(&store->sync.durable) : 0;
        if (slow_ns)
                os_sleep(slow_ns);
        r = atomic_load(&failing) ? -EIO : __real_os_sync_map(base, bytes);
        atomic_fetch_sub(&in_flight, 1);
        return r;
}

static void begin(uint32_t flags)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD | flags);
        atomic_store(&call_count, 0);
}

static uint64_t durable(void)
{
        return sync_durable(&store->sync);
}

static struct control_slot slot_now(void)
{
        struct control_slot slot = { 0 };

        ck_assert_int_eq(control_read(&store->control, &slot), 0);
        return slot;
}

START_TEST(a_sync_covers_every_byte_up_to_the_tail)
{
        const char *from;
        struct tail tail;

        begin(0);
        for (int i = 0; i < 20; i++) {
                uint64_t number = append_filled(1500, 'x');
                struct segment *segment = atomic_load(&store->writer.active)->segment;
                uint64_t synced = store->sync.synced.offset;

                atomic_store(&call_count, 0);
                ck_assert_int_eq(logstore_sync(store, number), 0);
                ck_assert_uint_eq(call_count, 1);
                writer_tail(&store->writer, &tail);
                from = calls[0].base;
                ck_assert(from <= (char *)segment->map.base + synced);
                ck_assert(from + calls[0].bytes >= (char *)segment->map.base + tail.offset);
                ck_assert_uint_eq((uintptr_t)from % os_page_bytes(), 0);
                ck_assert_uint_lt(calls[0].durable, number);
                ck_assert_uint_eq(durable(), number);
                ck_assert_uint_eq(slot_now().mark_number, number);
                ck_assert_uint_eq(slot_now().mark_offset, tail.offset);
        }
}
END_TEST

START_TEST(what_is_durable_is_not_synced_again)
{
        begin(0);
        append_text("a");
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        atomic_store(&call_count, 0);
        ck_assert_int_eq(logstore_sync(store, 1), 0);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_uint_eq(call_count, 0);
}
END_TEST

START_TEST(a_failed_sync_is_final)
{
        begin(0);
        append_text("safe");
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        append_text("lost");
        atomic_store(&failing, true);
        expect_failure(logstore_sync(store, 2), -EIO);
        ck_assert_uint_eq(durable(), 1);
        ck_assert_uint_eq(slot_now().mark_number, 1);
        ck_assert(slot_now().flags & CONTROL_FAILED);
        atomic_store(&failing, false); /* "repaired" */
        atomic_store(&call_count, 0);
        expect_failure(logstore_sync(store, 2), -EIO);
        expect_failure(logstore_sync(store, 1), -EIO);
        expect_failure(logstore_append(store, "x", 1, NULL), -EIO);
        ck_assert_uint_eq(call_count, 0);
        expect_text(store, 1, "safe");
        expect_failure(logstore_close(store), -EIO);
        store = NULL;
}
END_TEST

START_TEST(a_failed_seal_leaves_no_seal_and_fails_the_store)
{
        struct segment *full;

        begin(0);
        append_text("one");
        full = atomic_load(&store->writer.active)->segment;
        ck_assert_int_eq(writer_roll(&store->writer, store->writer.newest), 0);
        atomic_store(&failing, true);
        expect_failure(sync_seal(&store->sync), -EIO);
        ck_assert_mem_ne((char *)full->map.base + SECTOR_BYTES, SEAL_MAGIC, 8);
        ck_assert_uint_eq(durable(), 0);
        atomic_store(&failing, false);
        expect_failure(logstore_append(store, "x", 1, NULL), -EIO);
        ck_assert_int_eq(logstore_close(store), -EIO);
        store = NULL;
}
END_TEST

START_TEST(a_seal_syncs_data_then_the_seal_then_the_control_page)
{
        struct segment *active;
        char *full;

        begin(0);
        append_text("one");
        full = atomic_load(&store->writer.active)->base; /* the segment is closed by its seal */
        ck_assert_int_eq(writer_roll(&store->writer, store->writer.newest), 0);
        active = atomic_load(&store->writer.active)->segment;
        append_text("two");
        atomic_store(&call_count, 0);
        ck_assert_int_eq(sync_seal(&store->sync), 0);
        ck_assert_uint_eq(call_count, 4);
        ck_assert_ptr_eq(calls[0].base, full + HEADER_BYTES);
        ck_assert_ptr_eq(calls[1].base, (char *)active->map.base + HEADER_BYTES);
        ck_assert_uint_eq(calls[1].durable, 0);
        ck_assert_ptr_eq(calls[2].base, full);
        ck_assert_uint_eq(calls[2].bytes, HEADER_BYTES);
        ck_assert_uint_eq(calls[2].durable, 2);
        ck_assert_ptr_eq(calls[3].base, (char *)store->control.page);
        ck_assert_int_eq(sync_seal(&store->sync), -EAGAIN);
}
END_TEST

static void *append_and_sync(void *unused)
{
        (void)unused;
        for (int i = 0; i < 20; i++) {
                uint64_t number;

                if (logstore_append(store, "x", 1, &number) < 0 ||
                    logstore_sync(store, number) < 0 || durable() < number)
                        return (void *)(uintptr_t) "failed";
        }
        return NULL;
}

START_TEST(threads_share_rounds_and_no_two_rounds_overlap)
{
        pthread_t threads[8];
        void *result;

        begin(0);
        slow_ns = 500000;
        for (int i = 0; i < 8; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, append_and_sync, NULL), 0);
        for (int i = 0; i < 8; i++) {
                ck_assert_int_eq(pthread_join(threads[i], &result), 0);
                ck_assert_ptr_null(result);
        }
        ck_assert_uint_eq(most_in_flight, 1);
        ck_assert_uint_lt(call_count, 8 * 20 / 2);
        ck_assert_uint_eq(durable(), 8 * 20);
}
END_TEST

static const uint32_t forms[] = { 0, LOGSTORE_NO_RING };
static eventfd_t count; /* what an eventfd had, which does not matter */

START_TEST(a_started_sync_tells_by_its_eventfd)
{
        struct pollfd poll_fd = { .events = POLLIN };

        begin(forms[_i]);
        append_text("a");
        poll_fd.fd = logstore_sync_fd(store);
        ck_assert_int_ge(poll_fd.fd, 3);
        ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
        ck_assert_int_eq(logstore_sync_start(store, 0), 0);
        ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
        ck_assert_uint_eq(durable(), 1);
        ck_assert_int_eq(eventfd_read(poll_fd.fd, &count), 0);
        append_text("b");
        ck_assert_int_eq(logstore_sync_start(store, 2), 0);
        ck_assert_int_eq(logstore_sync(store, 2), 0); /* both forms at once */
        ck_assert_uint_eq(durable(), 2);
}
END_TEST

/* What stayed queued in the ring must not end a later round before its time. */
START_TEST(where_the_ring_refuses_a_thread_syncs)
{
        struct pollfd poll_fd = { .events = POLLIN };

        begin(0);
        poll_fd.fd = logstore_sync_fd(store);
        refused_submits = 1;
        for (uint64_t number = 1; number <= 3; number++) {
                ck_assert_uint_eq(append_text("x"), number);
                ck_assert_int_eq(logstore_sync_start(store, number), 0);
                ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
                ck_assert_int_eq(eventfd_read(poll_fd.fd, &count), 0);
                ck_assert_uint_eq(durable(), number);
                ck_assert_ptr_null(store->sync.ring);
        }
}
END_TEST

static void *hold_a_claim(void *unused)
{
        struct logstore_claim claim;

        (void)unused;
        if (logstore_claim(store, 10, &claim) < 0)
                return (void *)(uintptr_t) "no claim";
        os_sleep(300000000);
        return logstore_commit(store, &claim, 0) < 0 ? (void *)(uintptr_t) "no commit" : NULL;
}

START_TEST(a_started_sync_behind_an_open_claim_rests_until_it_is_resolved)
{
        struct pollfd poll_fd = { .events = POLLIN };
        uint64_t number, before;
        pthread_t thread;
        void *result;

        open_store(LOGSTORE_CREATE | forms[_i]);
        ck_assert_int_eq(pthread_create(&thread, NULL, hold_a_claim, NULL), 0);
        while (writer_claimed(&store->writer) == 0)
                os_sleep(100000);
        number = append_text("behind");
        poll_fd.fd = logstore_sync_fd(store);
        before = store->sync.rounds;
        ck_assert_int_eq(logstore_sync_start(store, number), 0);
        while (durable() < number) {
                ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
                eventfd_read(poll_fd.fd, &count);
        }
        ck_assert_uint_le(store->sync.rounds - before, 3);
        ck_assert_int_eq(pthread_join(thread, &result), 0);
        ck_assert_msg(result == NULL, "%s", (char *)result);
}
END_TEST

static void *sync_slowly(void *unused)
{
        (void)unused;
        return logstore_sync(store, 0) < 0 ? (void *)(uintptr_t) "failed" : NULL;
}

/* The round that runs does not cover it: nobody else comes to start the next. */
START_TEST(a_sync_started_during_another_round_ends_without_being_asked)
{
        struct pollfd poll_fd = { .events = POLLIN };
        pthread_t thread;
        uint64_t number;

        begin(forms[_i]);
        append_text("a");
        poll_fd.fd = logstore_sync_fd(store);
        slow_ns = 200000000;
        ck_assert_int_eq(pthread_create(&thread, NULL, sync_slowly, NULL), 0);
        while (atomic_load(&in_flight) == 0)
                os_sleep(100000);
        number = append_text("b");
        ck_assert_int_eq(logstore_sync_start(store, number), 0);
        ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
        pthread_join(thread, NULL);
        ck_assert_uint_eq(durable(), number);
}
END_TEST

START_TEST(while_one_waits_for_the_ring_others_look_and_give_up_in_time)
{
        pthread_t thread;
        uint64_t number;
        void *result;

        begin(0);
        number = append_text("a");
        ck_assert_int_eq(logstore_sync_start(store, number), 0);
        if (!store->sync.ring)
                return; /* forbidden here */
        atomic_store(&hold_waits, true);
        ck_assert_int_eq(pthread_create(&thread, NULL, sync_slowly, NULL), 0);
        while (atomic_load(&waits) == 0 && atomic_load(&store->sync.durable) == 0)
                os_sleep(100000);
        if (atomic_load(&store->sync.durable) == 0) {
                ck_assert_int_eq(logstore_sync_timed(store, number, 10), -ETIMEDOUT);
                ck_assert_uint_eq(durable(), 0);
        }
        atomic_store(&hold_waits, false);
        ck_assert_int_eq(pthread_join(thread, &result), 0);
        ck_assert_ptr_null(result);
        ck_assert_uint_eq(durable(), number);
}
END_TEST

START_TEST(a_started_sync_that_fails_is_as_final)
{
        struct pollfd poll_fd = { .events = POLLIN };
        uint64_t number = 99;

        begin(LOGSTORE_NO_RING);
        append_text("a");
        poll_fd.fd = logstore_sync_fd(store);
        atomic_store(&failing, true);
        ck_assert_int_eq(logstore_sync_start(store, 0), 0);
        ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
        expect_failure(logstore_durable(store, &number), -EIO);
        ck_assert_uint_eq(number, 99);
        atomic_store(&failing, false);
        expect_failure(logstore_sync(store, 1), -EIO);
        ck_assert_int_eq(logstore_close(store), -EIO);
        store = NULL;
}
END_TEST

/* The disk has not answered when the caller is back; the sync goes on all the same. */
START_TEST(a_timed_sync_does_not_wait_for_a_slow_disk)
{
        uint64_t number;

        begin(forms[_i]);
        number = append_text("a");
        slow_ns = 2000000000;
        expect_failure(logstore_sync_timed(store, number, 50), -ETIMEDOUT);
        ck_assert_msg(atomic_load(&in_flight) == 1, "the caller waited for the disk");
        ck_assert_uint_eq(durable(), 0);
        ck_assert_int_eq(logstore_sync_timed(store, number, 60000), 0);
        ck_assert_uint_eq(call_count, 1);
        slow_ns = 0;
        number = append_text("b");
        ck_assert_int_eq(logstore_sync_timed(store, number, 60000), 0);
        ck_assert_uint_eq(durable(), number);
}
END_TEST

/* The thread that syncs for those with a deadline may be waiting for a claim already. */
/* What a sync without a deadline does besides may wait for a journal. */
START_TEST(a_timed_sync_touches_no_file)
{
        begin(LOGSTORE_NO_THREAD);
        append_text("a");
        atomic_store(&touches, 0);
        ck_assert_int_eq(logstore_sync_timed(store, 0, 60000), 0);
        ck_assert_int_eq(atomic_load(&touches), 0);
        append_text("b");
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(atomic_load(&touches), 2);
}
END_TEST

START_TEST(a_timed_sync_ends_beside_a_started_one_behind_a_claim)
{
        pthread_t thread;
        uint64_t number;
        void *result;

        begin(LOGSTORE_NO_RING);
        number = append_text("before the claim");
        ck_assert_int_eq(pthread_create(&thread, NULL, hold_a_claim, NULL), 0);
        while (writer_claimed(&store->writer) == number)
                os_sleep(100000);
        ck_assert_int_eq(logstore_sync_start(store, 0), 0);
        ck_assert_int_eq(logstore_sync_timed(store, number, 60000), 0);
        ck_assert_uint_ge(durable(), number);
        ck_assert_int_eq(pthread_join(thread, &result), 0);
        ck_assert_msg(result == NULL, "%s", (char *)result);
        ck_assert_int_eq(logstore_sync_timed(store, 0, 60000), 0);
}
END_TEST

START_TEST(a_timed_sync_that_fails_says_so_before_its_time)
{
        begin(0);
        append_text("a");
        atomic_store(&failing, true);
        expect_failure(logstore_sync_timed(store, 0, 60000), -EIO);
        expect_failure(logstore_close(store), -EIO);
        store = NULL;
}
END_TEST

static void *reap_one(void *unused)
{
        uint64_t number;

        (void)unused;
        while (atomic_load(&reaps_left) > 0) {
                logstore_durable(store, &number);
                os_sleep(100000);
        }
        return NULL;
}

/* One thread takes in the piece that failed, another the last one, and has a line of its own. */
START_TEST(a_failure_in_the_ring_is_told_in_its_own_words)
{
        struct logstore_record record;
        pthread_t thread;
        uint64_t number;
        char byte;

        begin(0);
        append_text("one");
        ck_assert_int_eq(writer_roll(&store->writer, store->writer.newest), 0);
        append_text("two");
        atomic_store(&reaps_left, 1);
        atomic_store(&reaps_to_fail, 1);
        ck_assert_int_eq(logstore_sync_start(store, 0), 0);
        if (!store->sync.ring)
                return; /* forbidden here */
        ck_assert_int_eq(pthread_create(&thread, NULL, reap_one, NULL), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        expect_failure(logstore_get(store, 77, &byte, 1, &record), -EAGAIN);
        atomic_store(&reaps_left, 1000000);
        while (atomic_load(&store->writer.failed) == 0)
                logstore_durable(store, &number);
        expect_failure(logstore_sync(store, 0), -EIO);
        ck_assert_msg(strstr(logstore_detail(), "an asynchronous sync failed"), "%s",
                      logstore_detail());
        expect_failure(logstore_close(store), -EIO);
        store = NULL;
}
END_TEST

START_TEST(a_failed_store_frees_its_open_claims)
{
        struct logstore_claim claim;
        int before = atomic_load(&held);

        begin(0);
        append_text("a");
        for (int i = 0; i < 5; i++)
                ck_assert_int_eq(logstore_claim(store, 8, &claim), 0);
        atomic_store(&failing, true);
        expect_failure(logstore_sync(store, 1), -EIO);
        expect_failure(logstore_close(store), -EIO);
        store = NULL;
        ck_assert_int_eq(atomic_load(&held), before);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_sync_covers_every_byte_up_to_the_tail, 0 },
                { what_is_durable_is_not_synced_again, 0 },
                { a_failed_sync_is_final, 0 },
                { a_failed_seal_leaves_no_seal_and_fails_the_store, 0 },
                { a_seal_syncs_data_then_the_seal_then_the_control_page, 0 },
                { threads_share_rounds_and_no_two_rounds_overlap, 0 },
                { a_started_sync_tells_by_its_eventfd, 2 },
                { where_the_ring_refuses_a_thread_syncs, 0 },
                { a_started_sync_behind_an_open_claim_rests_until_it_is_resolved, 2 },
                { a_sync_started_during_another_round_ends_without_being_asked, 2 },
                { while_one_waits_for_the_ring_others_look_and_give_up_in_time, 0 },
                { a_started_sync_that_fails_is_as_final, 0 },
                { a_timed_sync_does_not_wait_for_a_slow_disk, 2 },
                { a_timed_sync_touches_no_file, 0 },
                { a_timed_sync_ends_beside_a_started_one_behind_a_claim, 0 },
                { a_timed_sync_that_fails_says_so_before_its_time, 0 },
                { a_failure_in_the_ring_is_told_in_its_own_words, 0 },
                { a_failed_store_frees_its_open_claims, 0 },
        };

        return RUN_TESTS("sync", tests);
}
