/*
 * test_floors.c - retention and trims go as far as the named positions let them, and no further
 */
#include <signal.h>
#include <sys/file.h>

#include "test_threads_support.h"

#define RECORD_BYTES 1000 /* 59 to a segment */

static struct logstore *reader;

static struct logstore_position at_number(uint64_t number)
{
        return (struct logstore_position){
                .struct_bytes = sizeof(struct logstore_position),
                .number = number,
        };
}

static int set_floor(struct logstore *where, const char *name, uint64_t number)
{
        struct logstore_position position = at_number(number);

        position.flags = LOGSTORE_POSITION_FLOOR;
        return logstore_position_set(where, name, &position);
}

static struct logstore_position get(const char *name)
{
        struct logstore_position position = at_number(0);
        int r = logstore_position_get(store, name, &position);

        ck_assert_msg(r == 0, "get %s: %s: %s", name, logstore_error_text(r), logstore_detail());
        return position;
}

static void fill(unsigned records)
{
        for (unsigned i = 0; i < records; i++)
                append_filled(RECORD_BYTES, (unsigned char)i);
}

static void begin_filled(unsigned records)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        fill(records);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

static uint64_t first(void)
{
        return bounds_of(store).first;
}

/* What a trim leaves that nothing holds up. */
static uint64_t trim(uint64_t number)
{
        uint64_t left = 0;
        int r = logstore_trim_before(store, number, &left);

        ck_assert_msg(r == 0, "trim: %s: %s", logstore_error_text(r), logstore_detail());
        ck_assert_uint_eq(left, first());
        return left;
}

static uint64_t apply(int dry_run)
{
        uint64_t left = 0;
        int r = logstore_apply_retention(store, dry_run, &left);

        ck_assert_msg(r == 0, "apply: %s: %s", logstore_error_text(r), logstore_detail());
        return left;
}

static int find_segment(void *context, const struct logstore_extent *extent)
{
        uint64_t *number = context;

        if (*number > extent->last_number)
                return 0;
        *number = extent->first_number;
        return 1;
}

static uint64_t begin_of_segment_of(uint64_t number)
{
        ck_assert_int_eq(logstore_extents(store, 0, find_segment, &number), 1);
        return number;
}

START_TEST(a_trim_beyond_a_floor_is_refused)
{
        uint64_t keeps, left = 77;
        char words[64];

        begin_filled(400);
        ck_assert_int_eq(set_floor(store, "ship", 200), 0);
        keeps = begin_of_segment_of(199);
        expect_failure(logstore_trim_before(store, 300, &left), -EBUSY);
        ck_assert_uint_eq(left, 77);
        snprintf(words, sizeof(words), "ship keeps the records from %" PRIu64 " ", keeps);
        ck_assert_msg(strstr(logstore_detail(), words) != NULL, "%s", logstore_detail());
        ck_assert_uint_eq(first(), 1);
        ck_assert(file_exists(scratch("store/0000000001.log")));
        ck_assert_uint_eq(trim(keeps), keeps);
        ck_assert_uint_eq(trim(199), keeps); /* no segment goes beyond it */
        ck_assert_uint_eq(get("ship").state, LOGSTORE_POSITION_HERE);
        expect_failure(logstore_trim_before(store, 300, NULL), -EBUSY);
        ck_assert_int_eq(set_floor(store, "ship", 350), 0);
        ck_assert_uint_gt(trim(300), keeps);
        ck_assert_int_eq(logstore_position_remove(store, "ship"), 0);
        ck_assert_uint_gt(trim(401), 300);
}
END_TEST

/* The last byte before the place is in the segment before the next record's. */
START_TEST(the_segment_of_the_last_byte_stays)
{
        uint64_t begin;

        begin_filled(400);
        begin = begin_of_segment_of(200);
        ck_assert_int_eq(set_floor(store, "ship", begin), 0);
        expect_failure(logstore_trim_before(store, begin, NULL), -EBUSY);
        ck_assert_uint_eq(trim(begin_of_segment_of(begin - 1)), begin_of_segment_of(begin - 1));
}
END_TEST

START_TEST(the_lowest_of_several_floors_counts)
{
        struct logstore_position mark = at_number(5);

        begin_filled(400);
        ck_assert_int_eq(logstore_position_set(store, "no-floor", &mark), 0);
        ck_assert_int_eq(set_floor(store, "high", 380), 0);
        ck_assert_int_eq(set_floor(store, "low", 150), 0);
        expect_failure(logstore_trim_before(store, 300, NULL), -EBUSY);
        ck_assert_ptr_nonnull(strstr(logstore_detail(), "low"));
        ck_assert_int_eq(logstore_position_remove(store, "low"), 0);
        ck_assert_uint_gt(trim(300), 200);
        ck_assert_uint_eq(get("no-floor").state, LOGSTORE_POSITION_TRIMMED);
        ck_assert_uint_eq(get("no-floor").resume_number, first());
}
END_TEST

static void expect_plan(uint64_t left)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        uint64_t told = 0;

        options.flags = LOGSTORE_READ_ONLY;
        options.keep_bytes = 2 * SMALL_SEGMENT_BYTES;
        ck_assert_int_eq(logstore_open(store_path(), &options, &reader), 0);
        ck_assert_int_eq(logstore_apply_retention(reader, 1, &told), 0);
        ck_assert_uint_eq(told, left);
        ck_assert_int_eq(logstore_close(reader), 0);
        reader = NULL;
        ck_assert_uint_eq(apply(1), left);
}

START_TEST(retention_stops_at_a_floor)
{
        begin_filled(400);
        ck_assert_int_eq(set_floor(store, "ship", 200), 0);
        ck_assert_int_eq(logstore_set_retention(store, 2 * SMALL_SEGMENT_BYTES, 0, 0), 0);
        expect_plan(begin_of_segment_of(199));
        ck_assert_uint_eq(apply(0), begin_of_segment_of(199));
        ck_assert_uint_eq(apply(0), begin_of_segment_of(199));
        expect_plan(begin_of_segment_of(199));
        ck_assert_int_eq(set_floor(store, "ship", 401), 0);
        ck_assert_uint_gt(apply(0), 250);
}
END_TEST

/* In a process that was forked before the store had threads. */
static _Noreturn void set_floor_soon(void)
{
        while (try_open(LOGSTORE_READ_ONLY, &reader) < 0 || set_floor(reader, "ship", 2) < 0) {
                if (reader)
                        must(logstore_close(reader) == 0);
                reader = NULL;
                sleep_ms(2);
        }
        _exit(0);
}

START_TEST(the_background_thread_obeys_a_floor_of_another_process)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        int64_t until;
        pid_t child;

        options.flags = LOGSTORE_CREATE;
        options.segment_bytes = SMALL_SEGMENT_BYTES;
        options.keep_records = 60;
        child = fork();
        if (child == 0)
                set_floor_soon();
        open_store_with(&options);
        fill(10);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        expect_child(child);
        fill(90);
        until = clock_ms() + 2500;
        while (clock_ms() < until) {
                fill(1);
                ck_assert_int_eq(logstore_sync(store, 0), 0);
                sleep_ms(5);
        }
        ck_assert_uint_eq(first(), 1);
        ck_assert_int_eq(set_floor(store, "ship", bounds_of(store).tail + 1), 0);
        until = clock_ms() + 10000;
        while (first() == 1 && clock_ms() < until) {
                fill(1);
                ck_assert_int_eq(logstore_sync(store, 0), 0);
                sleep_ms(5);
        }
        ck_assert_uint_gt(first(), 1);
}
END_TEST

/* ---- limits ----------------------------------------------------------------------------- */

/* A floor beyond its limit in bytes keeps the newest segments, and its owner is told. */
START_TEST(beyond_its_bytes_a_floor_lets_go)
{
        struct logstore_position position = at_number(2);
        uint64_t left;

        position.flags = LOGSTORE_POSITION_FLOOR;
        position.limit_bytes = 4 * SMALL_SEGMENT_BYTES;
        begin_filled(150);
        ck_assert_int_eq(logstore_position_set(store, "slow", &position), 0);
        ck_assert_int_eq(logstore_set_retention(store, SMALL_SEGMENT_BYTES, 0, 0), 0);
        ck_assert_uint_eq(apply(0), 1);
        expect_failure(logstore_trim_before(store, 150, NULL), -EBUSY);
        fill(400);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        left = apply(0);
        ck_assert_uint_gt(left, 550 - 5 * 59);
        ck_assert_uint_lt(left, 550 - 2 * 59);
        ck_assert_uint_eq(get("slow").state, LOGSTORE_POSITION_TRIMMED);
        ck_assert_uint_eq(get("slow").number, 2);
        ck_assert_uint_eq(get("slow").resume_number, left);
        expect_failure(logstore_trim_before(store, 550, NULL), -EBUSY); /* it keeps what is left */
        ck_assert_uint_eq(apply(0), left);
}
END_TEST

START_TEST(beyond_its_time_a_floor_lets_go)
{
        struct logstore_position position = at_number(2);

        position.flags = LOGSTORE_POSITION_FLOOR;
        position.limit_ns = _i ? 20000000 : INT64_C(3600000000000);
        begin_filled(400);
        ck_assert_int_eq(logstore_position_set(store, "slow", &position), 0);
        sleep_ms(60);
        if (_i == 0) {
                expect_failure(logstore_trim_before(store, 300, NULL), -EBUSY);
                ck_assert_uint_eq(first(), 1);
        } else {
                ck_assert_uint_gt(trim(300), 200);
                ck_assert_uint_eq(get("slow").state, LOGSTORE_POSITION_TRIMMED);
        }
}
END_TEST

/* ---- truncation, damage ----------------------------------------------------------------- */

/* The place counts as the cut: the segment that the log was cut in stays. */
START_TEST(below_a_cut_a_floor_keeps_the_cut)
{
        begin_filled(400);
        ck_assert_int_eq(set_floor(store, "ship", 350), 0);
        ck_assert_int_eq(logstore_truncate_after(store, 200, 0), 0);
        fill(400);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_uint_eq(get("ship").state, LOGSTORE_POSITION_CUT);
        expect_failure(logstore_trim_before(store, 300, NULL), -EBUSY);
        ck_assert_uint_eq(trim(begin_of_segment_of(200)), begin_of_segment_of(200));
        ck_assert_uint_eq(get("ship").state, LOGSTORE_POSITION_CUT);
        ck_assert_uint_eq(get("ship").resume_number, 201);
}
END_TEST

static const struct {
        const char *what;
        size_t from, size; /* bytes that are spoilt */
        int trim, apply;
} spoilt[] = {
        { "both slots", 8, 1000, -EBADMSG, -EBADMSG },
        { "the slot that counts, the first set", 520, 8, -EBADMSG, -EBADMSG },
        { "the magic, too: it is no position", 0, 1024, 0, 0 },
};

/* A floor that cannot be read may be any floor. */
START_TEST(a_damaged_floor_holds_everything)
{
        struct bytes file;

        begin_filled(400);
        ck_assert_int_eq(set_floor(store, "ship", 390), 0);
        ck_assert_int_eq(logstore_set_retention(store, 2 * SMALL_SEGMENT_BYTES, 0, 0), 0);
        file = load_file(scratch("store/positions/ship"));
        for (size_t i = 0; i < spoilt[_i].size; i++)
                if ((spoilt[_i].from + i) % 512 >= 8 || spoilt[_i].from == 0)
                        file.data[spoilt[_i].from + i] ^= 0x5a;
        save_file(scratch("store/positions/ship"), file.data, file.size);
        ck_assert_int_eq(logstore_trim_before(store, 200, NULL), spoilt[_i].trim);
        ck_assert_int_eq(logstore_apply_retention(store, 0, NULL), spoilt[_i].apply);
        ck_assert_int_eq(logstore_apply_retention(store, 1, NULL), spoilt[_i].apply);
        if (spoilt[_i].trim == 0)
                return;
        ck_assert_uint_eq(first(), 1);
        ck_assert_int_eq(set_floor(store, "ship", 390), 0);
        ck_assert_uint_gt(trim(200), 1);
}
END_TEST

START_TEST(a_floor_of_another_store_holds_nothing)
{
        struct bytes file;

        begin_filled(400);
        ck_assert_int_eq(set_floor(store, "ship", 5), 0);
        close_store();
        file = load_file(scratch("store/positions/ship"));
        ck_assert_int_eq(rename(store_path(), scratch("other")), 0);
        begin_filled(400);
        ck_assert_int_eq(set_floor(store, "mine", 380), 0);
        save_file(scratch("store/positions/ship"), file.data, file.size);
        ck_assert_uint_gt(trim(200), 100);
}
END_TEST

/* ---- races ------------------------------------------------------------------------------ */

/* A process that was stopped while it sets a position holds up trims, and no append. */
START_TEST(a_stopped_setter_holds_up_trims_alone)
{
        pid_t setter;
        int ends[2];
        char byte;

        begin_filled(400);
        ck_assert_int_eq(pipe(ends), 0);
        setter = fork();
        if (setter == 0) {
                FILE *directory = fopen(store_path(), "r");

                must(directory && flock(fileno(directory), LOCK_EX) == 0);
                must(write(ends[1], "x", 1) == 1);
                pause();
        }
        ck_assert_int_eq(read(ends[0], &byte, 1), 1);
        fill(100);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        expect_failure(logstore_trim_before(store, 300, NULL), -EBUSY);
        ck_assert_uint_eq(first(), 1);
        kill(setter, SIGKILL);
        waitpid(setter, NULL, 0);
        ck_assert_uint_gt(trim(300), 200);
}
END_TEST

#define RACE_MS 4000

/* A floor that was set is obeyed: its record stays until the floor moves. */
static void set_in_a_race(unsigned who)
{
        int64_t until = clock_ms() + RACE_MS;
        unsigned held = 0, seed = who + 1;
        char name[8], data[RECORD_BYTES];

        snprintf(name, sizeof(name), "f%u", who % 100);
        must(try_open(LOGSTORE_READ_ONLY, &reader) == 0);
        while (clock_ms() < until) {
                struct logstore_bounds bounds = bounds_of(reader);
                struct logstore_position position = at_number(0);
                struct logstore_record record;
                uint64_t number = bounds.first + (seed = seed * 1103515245 + 12345) / 65536 % 70;
                int r;

                if (number > bounds.durable)
                        continue;
                r = set_floor(reader, name, number);
                must(r == 0 || r == -ESTALE);
                held += r == 0;
                for (unsigned i = 0; r == 0 && i < 5; i++) {
                        must(logstore_position_get(reader, name, &position) == 0);
                        must(position.state == LOGSTORE_POSITION_HERE);
                        must(logstore_get(reader, number, data, sizeof(data), &record) == 0);
                        sleep_ms(1);
                }
                if (seed >> 20 & 1)
                        must(logstore_position_remove(reader, name) == 0 || r != 0);
        }
        must(held > 0);
        _exit(0);
}

START_TEST(a_floor_set_beside_trims_is_obeyed_or_refused)
{
        unsigned trims = 0, refused = 0;
        pid_t setters[2];

        begin_filled(400);
        for (unsigned i = 0; i < 2; i++) {
                setters[i] = fork();
                if (setters[i] == 0)
                        set_in_a_race(i);
        }
        for (int64_t until = clock_ms() + RACE_MS; clock_ms() < until;) {
                uint64_t before = first();
                int r;

                fill(20);
                ck_assert_int_eq(logstore_sync(store, 0), 0);
                r = logstore_trim_before(store, before + 70, NULL);
                ck_assert_msg(r == 0 || r == -EBUSY, "%s", logstore_detail());
                trims += first() > before;
                refused += r == -EBUSY;
        }
        for (unsigned i = 0; i < 2; i++)
                expect_child(setters[i]);
        ck_assert_uint_gt(trims, 0);
        ck_assert_uint_gt(refused, 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_trim_beyond_a_floor_is_refused, 0 },
                { the_segment_of_the_last_byte_stays, 0 },
                { the_lowest_of_several_floors_counts, 0 },
                { retention_stops_at_a_floor, 0 },
                { the_background_thread_obeys_a_floor_of_another_process, 0 },
                { beyond_its_bytes_a_floor_lets_go, 0 },
                { beyond_its_time_a_floor_lets_go, 2 },
                { below_a_cut_a_floor_keeps_the_cut, 0 },
                { a_damaged_floor_holds_everything, sizeof(spoilt) / sizeof(spoilt[0]) },
                { a_floor_of_another_store_holds_nothing, 0 },
                { a_stopped_setter_holds_up_trims_alone, 0 },
                { a_floor_set_beside_trims_is_obeyed_or_refused, 0 },
        };

        return RUN_TESTS("floors", tests);
}
