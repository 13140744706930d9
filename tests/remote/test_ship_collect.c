/*
 * test_ship_collect.c - checkpoints, and what a shipper removes
 */
#include "ship_support.h"

/* ---- checkpoints, and what is removed ---- */

START_TEST(what_nobody_needs_is_removed)
{
        struct logstore_ship *shipper;
        unsigned commits;

        make_bucket();
        open_store("store");
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (int i = 0; i < 150; i++) {
                append_many(20);
                expect_ok(logstore_ship_round(shipper));
        }
        ck_assert_uint_ne(shipper->last.checkpoint_seq, 0);
        commits = count_objects("c");
        age("c");
        age("seg");
        shipper->collect_ns = 0;
        append_many(1);
        expect_ok(logstore_ship_round(shipper));
        ck_assert_uint_lt(count_objects("c"), commits - 50);
        expect_fetched_same("store", "copy");
        logstore_ship_close(shipper);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- checkpoints that no commit names ---- */

/* A run that makes one commit puts a checkpoint behind it, which the next run's commits name. */
START_TEST(a_checkpoint_that_commits_name_is_not_removed)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (int i = 0; i < 40; i++) {
                append_many(60);
                expect_ok(logstore_ship_round(shipper));
        }
        ck_assert_uint_ne(shipper->last.checkpoint_seq, 0);
        logstore_ship_close(shipper);
        append_many(100);
        expect_ok(ship("store"));
        for (int i = 0; i < 80; i++) {
                append_many(1);
                expect_ok(ship("store"));
                age("c");
        }
        expect_fetched_same("store", "copy");
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        ck_assert_uint_lt(shipper->since_count, 70);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(no_commit_has_more_entries_than_it_can_hold)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(1);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        shipper->since_count = COMMIT_ENTRIES_MAX; /* as if no checkpoint could be put for long */
        no_puts = true;
        append_many(1);
        expect(logstore_ship_round(shipper), -EAGAIN);
        no_puts = false;
        expect_ok(logstore_ship_round(shipper));
        ck_assert_uint_le(shipper->since_count, 1);
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* A few bytes that unpack to 480 GiB, as their counts say. */
START_TEST(a_checkpoint_of_impossible_size_is_damage)
{
        uint8_t bytes[2 * SECTOR_BYTES] = { 0 };
        uint8_t *frame = bytes + sizeof(struct checkpoint_header);
        const struct bucket_source source = { .bytes = bytes, .size = sizeof(bytes) };
        struct checkpoint_header header = { .magic = CHECKPOINT_MAGIC,
                                            .version = REMOTE_VERSION,
                                            .entry_count = UINT32_MAX,
                                            .seq = 7,
                                            .packed_bytes = SECTOR_BYTES };
        struct table table = { 0 };
        struct bucket *bucket;
        char name[COMMIT_NAME_BYTES];

        make_bucket();
        header.raw_bytes = header.entry_count * sizeof(struct remote_entry);
        memcpy(frame, "\x28\xb5\x2f\xfd\xe0", 5); /* zstd: one segment, its size in 8 bytes */
        memcpy(frame + 5, &header.raw_bytes, 8);
        header.packed_check = hash_seeded(header.seq, frame, header.packed_bytes);
        header.check = hash_seeded(0, &header, offsetof(struct checkpoint_header, check));
        memcpy(bytes, &header, sizeof(header));
        expect_ok(bucket_open(url(), &(struct bucket_options){ 0 }, &bucket));
        checkpoint_name(name, header.seq, 0);
        expect_ok(bucket_put(bucket, name, &source, NULL));
        expect(table_read(bucket, header.uuid, header.seq, 0, &table), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "counts"));
        bucket_close(bucket);
}
END_TEST

/* ---- what is missing ---- */

static void remove_checkpoint(char ret[300])
{
        DIR *names = opendir(path("bucket/c"));
        struct dirent *name;

        ret[0] = '\0';
        while ((name = readdir(names)))
                if (strchr(name->d_name, 'k') && (!ret[0] || strcmp(name->d_name, ret) < 0))
                        snprintf(ret, 300, "%s", name->d_name);
        closedir(names);
        ck_assert_int_eq(unlink(path("bucket/c/%s", ret)), 0);
}

/* It was there when the commit was made, so nothing but damage has taken it. */
START_TEST(a_missing_checkpoint_is_damage_and_named)
{
        struct logstore_ship *shipper;
        char name[300];

        make_bucket();
        open_store("store");
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (int i = 0; i < 70; i++) {
                append_many(1);
                expect_ok(logstore_ship_round(shipper));
        }
        logstore_ship_close(shipper);
        remove_checkpoint(name);
        expect(fetch("copy", NULL), -EBADMSG);
        ck_assert_msg(strstr(logstore_remote_detail(), name), "%s", logstore_remote_detail());
        expect(ship("store"), -EBADMSG);
        ck_assert_msg(strstr(logstore_remote_detail(), name), "%s", logstore_remote_detail());
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- a long list ---- */

#define MANY 5000

/* A reader that meets a gap must know that it is at the end of what is there. */
START_TEST(of_a_long_list_the_oldest_go_first)
{
        struct logstore_ship *shipper;
        char name[COMMIT_NAME_BYTES];

        make_bucket();
        open_store("store");
        append_many(300);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        shipper->last.seq = shipper->said.seq = MANY; /* so many commits were made */
        for (uint64_t seq = 1; seq <= MANY; seq++) {
                commit_name(name, seq);
                save(path("bucket/%s", name), "");
        }
        while (shipper->last.checkpoint_seq == 0) { /* a tail's commit each */
                append_many(1);
                expect_ok(logstore_ship_round(shipper));
        }
        append_many(3000); /* tails are covered by wholes */
        expect_ok(logstore_ship_round(shipper));
        age("c");
        shipper->collect_ns = 0;
        expect_ok(logstore_ship_round(shipper));
        commit_name(name, MANY - 4096);
        ck_assert_int_eq(access(path("bucket/%s", name), F_OK), -1);
        commit_name(name, 1);
        ck_assert_int_eq(access(path("bucket/%s", name), F_OK), -1);
        commit_name(name, MANY - 1);
        ck_assert_int_eq(access(path("bucket/%s", name), F_OK), 0);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { what_nobody_needs_is_removed, 0 },
                { a_checkpoint_that_commits_name_is_not_removed, 0 },
                { no_commit_has_more_entries_than_it_can_hold, 0 },
                { a_checkpoint_of_impossible_size_is_damage, 0 },
                { a_missing_checkpoint_is_damage_and_named, 0 },
                { of_a_long_list_the_oldest_go_first, 0 },
        };

        return RUN_TESTS("ship_collect", tests);
}
