/*
 * test_claims.c - open claims: who may end one, and what an append may promise beside them
 */
#include "test_threads_support.h"

static void open_each(void)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_CREATE;
        options.sync_policy = LOGSTORE_SYNC_EACH;
        open_store_with(&options);
}

/* Its number and its place in memory come again; it does not. */
START_TEST(a_cancelled_claim_is_not_a_later_one_with_its_number)
{
        struct logstore_claim old, new;

        open_store(LOGSTORE_CREATE);
        append_text("one");
        for (int i = 0; i < 50; i++) {
                ck_assert_int_eq(logstore_claim(store, 8, &old), 0);
                ck_assert_int_eq(logstore_cancel_claims(store, 0), 1);
                ck_assert_int_eq(logstore_truncate_after(store, 1, 0), 0);
                ck_assert_int_eq(logstore_claim(store, 8, &new), 0);
                ck_assert_uint_eq(new.number, old.number);
                expect_failure(logstore_commit(store, &old, 0), -ECANCELED);
                expect_failure(logstore_abort(store, &old), -ECANCELED);
                memcpy(new.data, "the new", 7);
                ck_assert_int_eq(logstore_commit(store, &new, 7), 0);
                expect_text(store, 2, "the new");
                ck_assert_int_eq(logstore_truncate_after(store, 1, 0), 0);
        }
}
END_TEST

static _Atomic bool cancelling;

static void *cancel_on(void *unused)
{
        (void)unused;
        while (atomic_load(&cancelling))
                must(logstore_cancel_claims(store, 0) >= 0);
        return NULL;
}

/* Whatever comes first ends the claim, and the other is told so. Wants a sanitizer. */
START_TEST(a_commit_beside_a_cancellation_is_first_or_too_late)
{
        unsigned first = 0, late = 0;
        pthread_t thread;

        open_store(LOGSTORE_CREATE);
        atomic_store(&cancelling, true);
        ck_assert_int_eq(pthread_create(&thread, NULL, cancel_on, NULL), 0);
        for (int i = 0; i < 20000; i++) {
                struct logstore_claim claim;
                int r;

                ck_assert_int_eq(logstore_claim(store, 8, &claim), 0);
                r = logstore_commit(store, &claim, 9);
                ck_assert_msg(r == -EMSGSIZE || r == -ECANCELED, "%d: %s", r, logstore_detail());
                ck_assert_msg(r == -ECANCELED || strstr(logstore_detail(), "8 claimed"), "%s",
                              logstore_detail());
                r = logstore_commit(store, &claim, 0);
                ck_assert_msg(r == 0 || r == -ECANCELED, "%d: %s", r, logstore_detail());
                first += r == 0;
                late += r == -ECANCELED;
        }
        atomic_store(&cancelling, false);
        pthread_join(thread, NULL);
        ck_assert_uint_eq(first + late, 20000);
        ck_assert_uint_eq(bounds_of(store).tail, 20000);
}
END_TEST

static int append_one(void)
{
        return logstore_append(store, "x", 1, NULL);
}

static int append_pieces(void)
{
        char byte = 'x';
        struct iovec piece = { .iov_base = &byte, .iov_len = 1 };

        return logstore_appendv(store, &piece, 1, NULL);
}

static int append_many(void)
{
        struct logstore_entry entries[2] = { { .data = "x", .size = 1 },
                                             { .data = "y", .size = 1 } };

        return logstore_append_batch(store, entries, 2, NULL);
}

static int (*const appends[])(void) = { append_one, append_pieces, append_many };

/* Each append syncs, and its sync would wait for the claim. So it is refused before it adds a
 * record. */
START_TEST(under_sync_each_an_append_behind_ones_own_claim_leaves_nothing)
{
        struct logstore_claim claim;

        open_each();
        ck_assert_int_eq(logstore_claim(store, 8, &claim), 0);
        expect_failure(appends[_i](), -EDEADLK);
        ck_assert_int_eq(logstore_commit(store, &claim, 0), 0);
        ck_assert_uint_eq(bounds_of(store).tail, 1);
        ck_assert_int_eq(appends[_i](), 0);
        ck_assert_uint_eq(bounds_of(store).durable, bounds_of(store).tail);
}
END_TEST

START_TEST(under_sync_each_claims_are_committed_in_their_order)
{
        struct logstore_claim first, second;

        open_each();
        ck_assert_int_eq(logstore_claim(store, 8, &first), 0);
        ck_assert_int_eq(logstore_claim(store, 8, &second), 0);
        expect_failure(logstore_commit(store, &second, 0), -EDEADLK); /* it stays open */
        ck_assert_int_eq(logstore_commit(store, &first, 0), 0);
        ck_assert_uint_eq(bounds_of(store).durable, 1);
        ck_assert_int_eq(logstore_commit(store, &second, 0), 0);
        ck_assert_uint_eq(bounds_of(store).durable, 2);
        ck_assert_int_eq(logstore_claim(store, 8, &first), 0);
        ck_assert_int_eq(logstore_claim(store, 8, &second), 0);
        ck_assert_int_eq(logstore_abort(store, &second), 0); /* an abort syncs nothing */
        ck_assert_int_eq(logstore_commit(store, &first, 0), 0);
}
END_TEST

/* An append without a sync promises no more than this: after a kill the log ends before the first
 * number that is not complete. */
START_TEST(what_lies_behind_an_open_claim_goes_with_a_killed_process)
{
        struct logstore_claim claim;
        struct logstore *next;

        open_store(LOGSTORE_CREATE);
        append_text("before");
        ck_assert_int_eq(logstore_claim(store, 8, &claim), 0);
        append_text("behind");
        ck_assert_uint_eq(bounds_of(store).tail, 1);
        if (_i == 1)
                ck_assert_int_eq(logstore_commit(store, &claim, 0), 0);
        copy_directory(store_path(), scratch("killed")); /* as a kill now would leave it */
        ck_assert_int_eq(logstore_open(scratch("killed"), NULL, &next), 0);
        ck_assert_uint_eq(bounds_of(next).tail, _i == 1 ? 3 : 1);
        expect_text(next, 1, "before");
        if (_i == 1)
                expect_text(next, 3, "behind");
        ck_assert_int_eq(logstore_close(next), 0);
        ck_assert_int_eq(logstore_abort(store, &claim), _i == 1 ? -ECANCELED : 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_cancelled_claim_is_not_a_later_one_with_its_number, 0 },
                { a_commit_beside_a_cancellation_is_first_or_too_late, 0 },
                { under_sync_each_an_append_behind_ones_own_claim_leaves_nothing, 3 },
                { under_sync_each_claims_are_committed_in_their_order, 0 },
                { what_lies_behind_an_open_claim_goes_with_a_killed_process, 2 },
        };

        return RUN_TESTS("claims", tests);
}
