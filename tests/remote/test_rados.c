/*
 * test_rados.c - what a bucket in RADOS leaves behind, and what happens to its writers
 *
 * Without LOGSTORE_TEST_RADOS only what needs no cluster is tested.
 */
#include "bucket_support.h"
#include "remote/ceph.h"

#define DAY_NS (24 * 3600 * NS_PER_S)
#define PIECES_BYTES (6 * MIB)
#define PIECES_NOTE_BYTES (sizeof(struct ceph_entry) + 1) /* of an object "a" */
#define OF_A_PUT 2 /* the change of the index that gives the name; the first one notes the pieces */

/* Changes of the index, from 1. Before number hook_at something is done; number lost_at is not
 * sent, or not answered. */
static int changes, hook_at, lost_at;
static void (*hook)(void);
static bool is_not_sent, is_not_answered;
static int operate(rados_write_op_t op, rados_ioctx_t io, const char *name, struct timespec *time,
                   int flags)
{
        int number = ++changes, r;

        if (number == hook_at)
                hook();
        if (number == lost_at && is_not_sent)
                return -ETIMEDOUT;
        r = rados_write_op_operate2(op, io, name, time, flags);
        return number == lost_at && is_not_answered ? -ETIMEDOUT : r;
}

static struct ceph_bucket *ceph(void)
{
        return (struct ceph_bucket *)bucket;
}

/* A bucket with an index, for which leftovers were looked for. */
static void begin_counting(void)
{
        begin(0);
        expect_ok(put_new("first", "x"));
        librados.write_op_operate2 = operate;
}

static void begin_with_hook(int at, void (*what)(void))
{
        begin_counting();
        hook_at = at;
        hook = what;
}

static void begin_to_lose(int at, bool not_sent)
{
        begin_counting();
        lost_at = at;
        is_not_sent = not_sent;
        is_not_answered = !not_sent;
}

static int put_large(const char *name, bool is_new)
{
        char *bytes = calloc(1, PIECES_BYTES);
        const struct bucket_source source = { .bytes = bytes, .size = PIECES_BYTES };
        int r = is_new ? bucket_put_new(bucket, name, &source, NULL)
                       : bucket_put(bucket, name, &source, NULL);

        free(bytes);
        return r;
}

static void expect_large(const char *name)
{
        struct got got;

        expect_ok(get(bucket, name, 0, UINT64_MAX, &got));
        ck_assert_uint_eq(got.size, PIECES_BYTES);
        free(got.bytes);
}

/* All that lies in the namespace but the index. */
static int pieces(void)
{
        rados_ioctx_t io;
        rados_list_ctx_t list;
        const char *name;
        int count = 0;

        expect_ok(ceph_open(ceph(), &io));
        expect_ok(rados_nobjects_list_open(io, &list));
        while (rados_nobjects_list_next(list, &name, NULL, NULL) == 0)
                count += strcmp(name, "logstore.index") != 0;
        rados_nobjects_list_close(list);
        return count;
}

/* The last note that there is. */
static int notes(struct ceph_pending *ret)
{
        const struct ceph_question question = { .prefix = "p", .after = "", .most = 100 };
        struct ceph_answer answer;
        const char *key;
        const void *value;
        size_t size;
        int count = 0;

        expect_ok(ceph_ask(ceph(), &question, false, &answer, NULL));
        for (; ceph_answer_next(&answer, &key, &value, &size); count++)
                expect_ok(ceph_pending_read(value, size, ret));
        ceph_answer_free(&answer);
        return count;
}

static struct bucket_listed last;
static int keep(void *context, const struct bucket_listed *listed)
{
        (void)context;
        last = *listed;
        return 0;
}

static int64_t listed_ns(const char *name)
{
        expect_ok(bucket_list(bucket, name, NULL, 1, keep, NULL, NULL));
        return last.changed_ns;
}

static int64_t server_now(void)
{
        int64_t now;

        expect_ok(ceph_clock_ask(ceph(), &now));
        return now;
}

static void sleep_a_while(void)
{
        usleep(300000);
}

START_TEST(who_sleeps_before_the_name_is_given_sees_it)
{
        const struct bucket_source source = text_source("late");
        struct bucket_reply reply;
        int64_t before;

        begin_with_hook(1, sleep_a_while);
        before = server_now();
        expect_ok(bucket_put_new(bucket, "late", &source, &reply));
        ck_assert_int_gt(reply.server_ns - before, INT64_C(280000000));
        bucket_close(bucket);
}
END_TEST

START_TEST(an_object_is_not_older_than_its_name)
{
        int64_t before;

        begin_with_hook(OF_A_PUT, sleep_a_while);
        before = server_now();
        expect_ok(put_large("a", false));
        ck_assert_int_gt(listed_ns("a") - before, INT64_C(280000000));
        bucket_close(bucket);
}
END_TEST

static const struct {
        const char *what;
        int at;
        bool is_new, not_sent;
        int want, want_pieces, want_notes;
        bool want_object;
} lost[] = {
        { "the note", 1, true, true, -EAGAIN, 0, 0, false },
        { "the note's answer", 1, true, false, -EAGAIN, 0, 1, false },
        { "a new name", OF_A_PUT, true, true, -EAGAIN, 0, 0, false },
        { "a new name's answer", OF_A_PUT, true, false, -EAGAIN, 2, 0, true },
        { "a name", OF_A_PUT, false, true, -EAGAIN, 0, 0, false },
        { "a name's answer", OF_A_PUT, false, false, -EAGAIN, 2, 0, true },
        { "the time", OF_A_PUT + 1, false, true, 0, 2, 1, true },
        { "the time's answer", OF_A_PUT + 1, false, false, 0, 2, 0, true },
};

/* Whatever is lost: an object is whole, or not there. */
START_TEST(what_is_lost_leaves_nothing_by_halves)
{
        struct ceph_pending pending;
        struct got got;
        int r;

        begin_to_lose(lost[_i].at, lost[_i].not_sent);
        r = put_large("a", lost[_i].is_new);
        ck_assert_msg(r == lost[_i].want, "%s: %d", lost[_i].what, r);
        ck_assert_msg(pieces() == lost[_i].want_pieces, "%s: %d pieces", lost[_i].what, pieces());
        ck_assert_msg(notes(&pending) == lost[_i].want_notes, "%s: notes", lost[_i].what);
        if (lost[_i].want_object)
                expect_large("a");
        else
                expect(get(bucket, "a", 0, 1, &got), -ENOENT);
        bucket_close(bucket);
}
END_TEST

/* A shipper dates by it what it knows. */
START_TEST(a_list_of_nothing_says_when)
{
        int64_t before_ns = clock_boot_ns();
        struct bucket_reply reply;

        begin(0);
        expect_ok(bucket_list(bucket, "", NULL, 1, keep, NULL, &reply));
        ck_assert_int_ge(reply.sent_ns, before_ns);
        ck_assert_int_eq(reply.server_ns, 0);
        bucket_close(bucket);
}
END_TEST

START_TEST(an_object_without_a_time_is_new)
{
        int64_t before;

        begin_to_lose(OF_A_PUT + 1, true);
        expect_ok(put_large("a", false));
        before = server_now();
        ck_assert_int_ge(listed_ns("a"), before);
        bucket_close(bucket);
}
END_TEST

static void take_pieces(void)
{
        struct ceph_pending pending;

        ck_assert_int_eq(notes(&pending), 1);
        (void)ceph_settle(ceph(), &pending);
}

/* Somebody takes the writer's pieces for a leftover before it gives them a name. The note that they
 * go may stay. */
START_TEST(pieces_that_were_taken_get_no_name)
{
        bool is_new = _i & 1, note_stays = _i & 2;
        struct ceph_pending pending;
        struct got got;

        begin_with_hook(OF_A_PUT, take_pieces);
        lost_at = note_stays ? OF_A_PUT + 2 : 0;
        is_not_sent = true;
        expect(put_large("a", is_new), -EAGAIN);
        ck_assert_int_eq(pieces(), 0);
        ck_assert_int_eq(notes(&pending), note_stays);
        expect(get(bucket, "a", 0, 1, &got), -ENOENT);
        expect_ok(put_large("a", is_new));
        expect_large("a");
        bucket_close(bucket);
}
END_TEST

static void name_late(void)
{
        struct ceph_pending pending;
        struct ceph_entry entry;
        char nonce[CEPH_NONCE_BYTES];
        const struct ceph_step steps[] = {
                { CEPH_EXPECT, CEPH_PENDING, nonce, &pending, PIECES_NOTE_BYTES },
                { CEPH_SET, CEPH_ENTRY, "a", &entry, sizeof(entry) },
        };

        ck_assert_int_eq(notes(&pending), 1);
        ck_assert_uint_eq(ceph_pending_bytes(&pending), PIECES_NOTE_BYTES);
        entry = pending.entry;
        memcpy(entry.magic, CEPH_MAGIC_OBJECT, sizeof(entry.magic));
        entry.changed_ns = 0;
        ceph_nonce(&entry, nonce);
        expect_ok(ceph_change(ceph(), steps, CASES(steps)));
}

/* Nobody answered, so the writer gives up; but the change comes to the index before it has taken
 * its pieces away. */
START_TEST(pieces_that_got_a_name_late_stay)
{
        begin_to_lose(OF_A_PUT, true);
        hook_at = OF_A_PUT + 1;
        hook = name_late;
        expect(put_large("a", false), -EAGAIN);
        expect_large("a");
        bucket_close(bucket);
}
END_TEST

START_TEST(a_second_put_takes_the_place_of_the_first)
{
        struct ceph_pending pending;

        begin(0);
        expect_ok(_i ? put_large("a", false) : put_new("a", "small"));
        expect_ok(put_large("a", false));
        expect_large("a");
        ck_assert_int_eq(pieces(), 2);
        ck_assert_int_eq(notes(&pending), 0);
        expect(put_large("a", true), -EEXIST);
        ck_assert_int_eq(pieces(), 2);
        ck_assert_int_eq(notes(&pending), 0);
        expect_ok(bucket_remove(bucket, "a", NULL));
        ck_assert_int_eq(pieces(), 0);
        ck_assert_int_eq(notes(&pending), 0);
        bucket_close(bucket);
}
END_TEST

static void forge(struct ceph_pending *pending, const char *magic, int64_t since_ns)
{
        char nonce[CEPH_NONCE_BYTES];
        const struct ceph_step step = { CEPH_SET, CEPH_PENDING, nonce, pending,
                                        ceph_pending_bytes(pending) };

        memcpy(pending->entry.magic, magic, sizeof(pending->entry.magic));
        pending->entry.changed_ns = since_ns;
        ceph_nonce(&pending->entry, nonce);
        expect_ok(ceph_change(ceph(), &step, 1));
}

static const struct {
        const char *magic;
        int days, want_pieces, want_notes;
} leftovers[] = {
        { CEPH_MAGIC_COMING, 2, 0, 0 },
        { CEPH_MAGIC_GOING, 2, 0, 0 },
        { CEPH_MAGIC_COMING, 0, 2, 1 },
        { CEPH_MAGIC_GOING, 0, 2, 1 },
};

START_TEST(what_was_left_a_day_ago_is_removed)
{
        struct ceph_pending pending = {
                .entry = { .piece_bytes = CEPH_PIECE_BYTES, .size = PIECES_BYTES },
                .name = "seg/left.log",
        };
        char *bytes = calloc(1, PIECES_BYTES);
        const struct bucket_source source = { .bytes = bytes, .size = PIECES_BYTES };

        begin(0);
        expect_ok(ceph_change(ceph(), NULL, 0));
        memset(pending.entry.nonce, 'a', sizeof(pending.entry.nonce));
        forge(&pending, leftovers[_i].magic, server_now() - leftovers[_i].days * DAY_NS);
        expect_ok(ceph_pieces_write(ceph(), &pending, &source));
        expect_ok(put_new("b", "x"));
        ck_assert_int_eq(pieces(), leftovers[_i].want_pieces);
        ck_assert_int_eq(notes(&pending), leftovers[_i].want_notes);
        free(bytes);
        bucket_close(bucket);
}
END_TEST

/* Killed between the name and the time. */
START_TEST(an_object_that_was_left_without_a_time_gets_one)
{
        struct ceph_pending pending;
        struct ceph_entry entry;

        begin_to_lose(OF_A_PUT + 1, true);
        expect_ok(put_large("a", false));
        ck_assert_int_eq(notes(&pending), 1);
        forge(&pending, CEPH_MAGIC_COMING, server_now() - 2 * DAY_NS);
        atomic_store(&ceph()->cleaned, false);
        expect_ok(put_new("b", "x"));
        ck_assert_int_eq(notes(&pending), 0);
        expect_ok(ceph_look(ceph(), "a", &entry, NULL, NULL));
        ck_assert_int_gt(entry.changed_ns, 0);
        expect_large("a");
        bucket_close(bucket);
}
END_TEST

START_TEST(a_piece_that_is_missing_is_damage)
{
        struct ceph_pending object = { .name = "a" };
        struct got got;

        begin(0);
        expect_ok(put_large("a", false));
        expect_ok(ceph_look(ceph(), "a", &object.entry, NULL, NULL));
        expect_ok(ceph_pieces_remove(ceph(), &object));
        expect(get(bucket, "a", 0, 1, &got), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "piece 0"));
        bucket_close(bucket);
}
END_TEST

START_TEST(a_pool_that_is_missing_is_said)
{
        struct got got;

        expect_ok(bucket_open("rados:no-such-pool/a", NULL, &bucket));
        expect(get(bucket, "a", 0, 1, &got), -ENOENT);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "pool"));
        expect(bucket_list(bucket, "", NULL, 1, keep, NULL, NULL), -ENOENT);
        bucket_close(bucket);
}
END_TEST

START_TEST(a_place_has_one_name)
{
        static const char *const endings[] = { "/a/b", "/a/b/" };
        struct bucket *above, *below;
        char url[200], *place[3];

        for (int i = 0; i < 2; i++) {
                snprintf(url, sizeof(url), "rados:%s%s", rados_pool(), endings[i]);
                expect_ok(bucket_open(url, NULL, &bucket));
                expect_ok(bucket_identity(bucket, &place[i]));
                bucket_close(bucket);
        }
        snprintf(url, sizeof(url), "rados:%s/a", rados_pool());
        expect_ok(bucket_open(url, NULL, &above));
        expect_ok(bucket_open_below(above, "b", &below));
        expect_ok(bucket_identity(below, &place[2]));
        bucket_close(below);
        bucket_close(above);
        ck_assert_str_eq(place[0], place[1]);
        ck_assert_str_eq(place[0], place[2]);
        for (int i = 0; i < 3; i++)
                free(place[i]);
}
END_TEST

#define NOWHERE "--mon-host=v2:127.0.0.1:1"
#define KEYLESS " --auth-client-required=cephx --keyring=/nonexistent"
static const struct {
        const char *conf, *arguments;
        int want;
        const char *want_line;
} absent[] = {
        { "/nonexistent/ceph.conf", NULL, -EINVAL, "configuration" },
        { "/dev/null", NOWHERE KEYLESS, -EACCES, "no keyring" },
        { "/dev/null", NOWHERE " --auth-client-required=none", -EAGAIN, "cannot connect" },
        { "/dev/null", NOWHERE KEYLESS " --id", -EACCES, "no keyring" },
        { "/dev/null", NOWHERE " -n nobody", -EINVAL, "nobody" },
};

START_TEST(a_cluster_that_is_not_there_is_said)
{
        const struct bucket_options options = { .patience_ms = 1000 };
        int64_t begun = clock_boot_ns();
        struct got got;
        int r;

        setenv("CEPH_CONF", absent[_i].conf, 1);
        if (absent[_i].arguments)
                setenv("CEPH_ARGS", absent[_i].arguments, 1);
        expect_ok(bucket_open("rados:pool/a", &options, &bucket));
        r = get(bucket, "a", 0, 1, &got);
        ck_assert_msg(r == absent[_i].want, "%d: %d %s", _i, r, remote_detail_line());
        ck_assert_msg(strstr(remote_detail_line(), absent[_i].want_line), "%d: %s", _i,
                      remote_detail_line());
        ck_assert_int_lt(clock_boot_ns() - begun, 20 * NS_PER_S);
        bucket_close(bucket);
}
END_TEST

/* The storage daemon is the second one that was started. */
START_TEST(no_answer_ends_a_request)
{
        const struct bucket_options options = { .patience_ms = 1000 };
        const char *pids = getenv("LOGSTORE_TEST_PIDS");
        const struct bucket_source source = text_source("x");
        char url[200];
        int64_t begun;
        pid_t daemon;
        int r;

        if (!pids || sscanf(pids, "%*d %d", &daemon) != 1)
                return;
        snprintf(url, sizeof(url), "rados:%s/quiet-%d", rados_pool(), getpid());
        expect_ok(bucket_open(url, &options, &bucket));
        expect_ok(put_new("before", "x"));
        ck_assert_int_eq(kill(daemon, SIGSTOP), 0);
        begun = clock_boot_ns();
        r = bucket_put_new(bucket, "a", &source, NULL);
        ck_assert_int_eq(kill(daemon, SIGCONT), 0);
        expect(r, -EAGAIN);
        ck_assert_int_lt(clock_boot_ns() - begun, 10 * NS_PER_S);
        bucket_close(bucket);
}
END_TEST

int main(void)
{
        const struct test_entry here[] = {
                { a_cluster_that_is_not_there_is_said, CASES(absent) },
        };
        const struct test_entry there[] = {
                { who_sleeps_before_the_name_is_given_sees_it, 0 },
                { an_object_is_not_older_than_its_name, 0 },
                { what_is_lost_leaves_nothing_by_halves, CASES(lost) },
                { a_list_of_nothing_says_when, 0 },
                { an_object_without_a_time_is_new, 0 },
                { pieces_that_were_taken_get_no_name, 4 },
                { pieces_that_got_a_name_late_stay, 0 },
                { a_second_put_takes_the_place_of_the_first, 2 },
                { what_was_left_a_day_ago_is_removed, CASES(leftovers) },
                { an_object_that_was_left_without_a_time_gets_one, 0 },
                { a_piece_that_is_missing_is_damage, 0 },
                { a_pool_that_is_missing_is_said, 0 },
                { a_place_has_one_name, 0 },
                { no_answer_ends_a_request, 0 },
        };

        return rados_pool() ? RUN_TESTS("rados", there) : RUN_TESTS("rados", here);
}
