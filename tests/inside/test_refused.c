/*
 * test_refused.c - a refused open for writing leaves the directory as it was, and so does a reader
 *
 * Covers every reason to refuse that files can make, over a store with leftovers that a writer
 * removes.
 */
#include "test_one_verdict_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENTS 6u

/* ---- the directory, byte by byte ---- */

static uint64_t sum_directory(const char *path);

static void add(XXH3_state_t *state, const void *bytes, size_t size)
{
        XXH3_64bits_update(state, bytes, size);
}

/* Names, kinds, modes, which file it is, and what is in it; no times. */
static uint64_t sum_entry(const char *path, const char *name)
{
        XXH3_state_t state;
        struct stat st;
        char inner[512], target[200];
        ssize_t length;

        snprintf(inner, sizeof(inner), "%s/%s", path, name);
        ck_assert_int_eq(lstat(inner, &st), 0);
        XXH3_64bits_reset(&state);
        add(&state, name, strlen(name));
        add(&state, &st.st_mode, sizeof(st.st_mode));
        add(&state, &st.st_ino, sizeof(st.st_ino));
        add(&state, &st.st_nlink, sizeof(st.st_nlink));
        if (S_ISREG(st.st_mode)) {
                struct bytes file = load_file(inner);

                add(&state, file.data, file.size);
                free(file.data);
        } else if (S_ISLNK(st.st_mode)) {
                length = readlink(inner, target, sizeof(target));
                ck_assert_int_gt(length, 0);
                add(&state, target, (size_t)length);
        } else if (S_ISDIR(st.st_mode)) {
                uint64_t sum = sum_directory(inner);

                add(&state, &sum, sizeof(sum));
        }
        return XXH3_64bits_digest(&state);
}

static uint64_t sum_directory(const char *path)
{
        DIR *directory = opendir(path);
        struct dirent *entry;
        uint64_t sum = 0;

        ck_assert_ptr_nonnull(directory);
        while ((entry = readdir(directory)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        sum += sum_entry(path, entry->d_name);
        closedir(directory);
        return sum;
}

/* ---- what can be wrong; @id is of the segment that it is done to ---- */

static void lose(uint64_t id)
{
        ck_assert_int_eq(remove(segment_path(id)), 0);
}

static void lose_all(uint64_t id)
{
        for (id = 1; id <= SEGMENTS; id++)
                lose(id);
}

static void empty(uint64_t id)
{
        cut_file(segment_path(id), 0);
}

static void cut_header(uint64_t id)
{
        cut_file(segment_path(id), 1000);
}

static void cut_frames(uint64_t id)
{
        cut_file(segment_path(id), HEADER_BYTES + 8);
}

static void zero_header(uint64_t id)
{
        zero_in(id, 0, SECTOR_BYTES);
}

static void zero_start(uint64_t id)
{
        zero_in(id, HEADER_BYTES, FRAMES_OFFSET - HEADER_BYTES);
}

static void zero_first_record(uint64_t id)
{
        unseal(id);
        zero_in(id, FRAMES_OFFSET, FRAME_HEADER_BYTES);
}

static void forge_header(uint64_t id, size_t offset, uint32_t value)
{
        forge(segment_path(id), 0, offsetof(struct segment_header, check), offset, &value,
              sizeof(value));
}

static void of_another_store(uint64_t id)
{
        forge_header(id, offsetof(struct segment_header, uuid), 0x12345678);
}

static void of_another_version(uint64_t id)
{
        forge_header(id, offsetof(struct segment_header, version), FORMAT_VERSION + 1);
}

static void with_an_unknown_flag(uint64_t id)
{
        forge_header(id, offsetof(struct segment_header, incompatible), 1u << 30);
}

static void of_another_id(uint64_t id)
{
        forge_header(id, offsetof(struct segment_header, id), 77);
}

static void a_newer_copy(uint64_t id)
{
        struct bytes file = load_file(segment_path(id));

        save_file(segment_path(SEGMENTS + 2), file.data, file.size);
        free(file.data);
}

static void a_newer_one_of_another_version(uint64_t id)
{
        copy_segment(id, SEGMENTS + 2);
        of_another_version(SEGMENTS + 2);
}

static void a_newer_one_that_is_no_segment(uint64_t id)
{
        (void)id;
        save_file(segment_path(SEGMENTS + 2), "no segment", 10);
}

static void swap_with_the_next(uint64_t id)
{
        ck_assert_int_eq(rename(segment_path(id), scratch("aside")), 0);
        ck_assert_int_eq(rename(segment_path(id + 1), segment_path(id)), 0);
        ck_assert_int_eq(rename(scratch("aside"), segment_path(id + 1)), 0);
}

static void link_to_other_numbers(uint64_t id)
{
        struct start_payload start = start_of(id);

        start.previous_records++;
        forge_start(id, &start);
}

static void link_to_none(uint64_t id)
{
        struct start_payload start = start_of(id);

        start.previous_id = id + 1;
        forge_start(id, &start);
}

static void a_directory(uint64_t id)
{
        lose(id);
        ck_assert_int_eq(mkdir(segment_path(id), 0700), 0);
}

static void a_pipe(uint64_t id)
{
        lose(id);
        ck_assert_int_eq(mkfifo(segment_path(id), 0600), 0);
}

static void a_symbolic_link(uint64_t id)
{
        ck_assert_int_eq(rename(segment_path(id), scratch("elsewhere")), 0);
        ck_assert_int_eq(symlink(scratch("elsewhere"), segment_path(id)), 0);
}

static void a_second_name(uint64_t id)
{
        ck_assert_int_eq(link(segment_path(id), scratch("elsewhere")), 0);
}

/* ---- of the control file ---- */

static const char *control(void)
{
        return scratch("store/control");
}

static void control_lost(uint64_t id)
{
        (void)id;
        ck_assert_int_eq(remove(control()), 0);
}

static void control_cut(uint64_t bytes)
{
        cut_file(control(), bytes);
}

static void control_zeroed(uint64_t id)
{
        (void)id;
        zero_range(control(), 0, SECTOR_BYTES);
}

static void control_garbled(uint64_t offset)
{
        flip_byte(control(), offset);
}

static void control_says(size_t offset, uint32_t value)
{
        forge(control(), 0, offsetof(struct control_static, check), offset, &value, sizeof(value));
}

static void control_of_another_version(uint64_t id)
{
        (void)id;
        control_says(offsetof(struct control_static, version), FORMAT_VERSION + 1);
}

static void control_with_an_unknown_flag(uint64_t id)
{
        (void)id;
        control_says(offsetof(struct control_static, incompatible), 2);
}

static void control_of_another_store(uint64_t id)
{
        (void)id;
        control_says(offsetof(struct control_static, uuid), 0x12345678);
}

static void control_a_symbolic_link(uint64_t id)
{
        (void)id;
        ck_assert_int_eq(rename(control(), scratch("elsewhere")), 0);
        ck_assert_int_eq(symlink(scratch("elsewhere"), control()), 0);
}

static void control_a_directory(uint64_t id)
{
        control_lost(id);
        ck_assert_int_eq(mkdir(control(), 0700), 0);
}

static void control_a_second_name(uint64_t id)
{
        (void)id;
        ck_assert_int_eq(link(control(), scratch("elsewhere")), 0);
}

static void mark_in_a_newer_one(uint64_t id)
{
        forge_slots(offsetof(struct control_slot, mark_id), id);
}

static void mark_beyond(uint64_t number)
{
        forge_slots(offsetof(struct control_slot, flags), 0);
        forge_slots(offsetof(struct control_slot, mark_number), number);
}

static void first_number_beyond(uint64_t number)
{
        forge_slots(offsetof(struct control_slot, first_number), number);
}

static void generation_used_up(uint64_t generation)
{
        forge_slots(offsetof(struct control_slot, generation), generation);
}

static void epoch_used_up(uint64_t epoch)
{
        forge_slots(offsetof(struct control_slot, epoch), epoch);
}

/* ---- of wake, of the directory ---- */

static void wake_a_symbolic_link(uint64_t id)
{
        (void)id;
        ck_assert_int_eq(rename(scratch("store/wake"), scratch("elsewhere")), 0);
        ck_assert_int_eq(symlink(scratch("elsewhere"), scratch("store/wake")), 0);
}

static void wake_a_second_name(uint64_t id)
{
        (void)id;
        ck_assert_int_eq(link(scratch("store/wake"), scratch("elsewhere")), 0);
}

static void writable_for_everyone(uint64_t id)
{
        (void)id;
        ck_assert_int_eq(chmod(store_path(), 0777), 0);
}

static const struct reason {
        const char *what;
        void (*make)(uint64_t argument);
        uint64_t argument;
        int error;
} reasons[] = {
        { "the oldest is lost", lose, 1, -EBADMSG },
        { "one between is lost", lose, 3, -EBADMSG },
        { "the newest is lost", lose, SEGMENTS, -EBADMSG },
        { "all are lost", lose_all, 0, -EBADMSG },
        { "empty, the oldest", empty, 1, -EBADMSG },
        { "empty, one between", empty, 3, -EBADMSG },
        { "empty, the newest", empty, SEGMENTS, -EBADMSG },
        { "cut in the header", cut_header, 3, -EBADMSG },
        { "cut in the header, the newest", cut_header, SEGMENTS, -EBADMSG },
        { "cut in the start frame", cut_frames, 3, -EBADMSG },
        { "cut in the start frame, the newest", cut_frames, SEGMENTS, -EBADMSG },
        { "no header", zero_header, 3, -EBADMSG },
        { "no header, the newest", zero_header, SEGMENTS, -EBADMSG },
        { "no start frame", zero_start, 3, -EBADMSG },
        { "no start frame, the newest", zero_start, SEGMENTS, -EBADMSG },
        { "damaged and unsealed", zero_first_record, 3, -EBADMSG },
        { "damaged, the newest", zero_first_record, SEGMENTS, -EBADMSG },
        { "foreign", of_another_store, 3, -EBADMSG },
        { "foreign, the newest", of_another_store, SEGMENTS, -EBADMSG },
        { "of another version", of_another_version, 3, -EPROTONOSUPPORT },
        { "of another version, the newest", of_another_version, SEGMENTS, -EPROTONOSUPPORT },
        { "with an unknown flag", with_an_unknown_flag, 1, -EPROTONOSUPPORT },
        { "with an unknown flag, the newest", with_an_unknown_flag, SEGMENTS, -EPROTONOSUPPORT },
        { "of another id", of_another_id, 3, -EBADMSG },
        { "a newer copy", a_newer_copy, 3, -EBADMSG },
        { "a newer one of another version", a_newer_one_of_another_version, 3, -EPROTONOSUPPORT },
        { "a newer one that is no segment", a_newer_one_that_is_no_segment, 3, -EBADMSG },
        { "swapped", swap_with_the_next, 3, -EBADMSG },
        { "swapped with the newest", swap_with_the_next, SEGMENTS - 1, -EBADMSG },
        { "a link to other numbers", link_to_other_numbers, 3, -EBADMSG },
        { "a link to none", link_to_none, 3, -EBADMSG },
        { "a link to none, the newest", link_to_none, SEGMENTS, -EBADMSG },
        { "a directory", a_directory, 3, -EBADMSG },
        { "a directory, the newest", a_directory, SEGMENTS, -EBADMSG },
        { "a pipe", a_pipe, 3, -EBADMSG },
        { "a pipe, the newest", a_pipe, SEGMENTS, -EBADMSG },
        { "a symbolic link", a_symbolic_link, 3, -EBADMSG },
        { "a symbolic link, the newest", a_symbolic_link, SEGMENTS, -EBADMSG },
        { "a second name, the newest", a_second_name, SEGMENTS, -EPERM },
        { "no control file", control_lost, 0, -EBADMSG },
        { "an empty control file", control_cut, 0, -EBADMSG },
        { "a control file that is cut", control_cut, 700, -EBADMSG },
        { "a control file that is cut behind the slots", control_cut, 4000, -EBADMSG },
        { "a control file of zeros", control_zeroed, 0, -EBADMSG },
        { "a control file that is garbled", control_garbled, 30, -EBADMSG },
        { "a control file without its magic", control_garbled, 3, -EBADMSG },
        { "a control file of another version", control_of_another_version, 0, -EPROTONOSUPPORT },
        { "a control file with a flag", control_with_an_unknown_flag, 0, -EPROTONOSUPPORT },
        { "a control file of another store", control_of_another_store, 0, -EBADMSG },
        { "a control file that is a link", control_a_symbolic_link, 0, -EPERM },
        { "a control file that is a directory", control_a_directory, 0, -EISDIR },
        { "a control file with a second name", control_a_second_name, 0, -EPERM },
        { "the mark's segment is missing", mark_in_a_newer_one, SEGMENTS + 3, -EBADMSG },
        { "the mark lies beyond the log", mark_beyond, 100000, -EBADMSG },
        { "the first number lies beyond the log", first_number_beyond, 100000, -EBADMSG },
        { "generations are used up", generation_used_up, ID_MAX, -EOVERFLOW },
        { "epochs are used up", epoch_used_up, ID_MAX, -EOVERFLOW },
        { "wake is a link", wake_a_symbolic_link, 0, -EPERM },
        { "wake has a second name", wake_a_second_name, 0, -EPERM },
        { "everyone may write the directory", writable_for_everyone, 0, -EPERM },
};
#define REASONS ((int)(sizeof(reasons) / sizeof(reasons[0])))

/* With what a writer would remove or write anew. */
static void make_store_with_leftovers(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        while (!file_exists(segment_path(SEGMENTS)))
                append_filled(30000, 'x');
        append_text("the last");
        close_store();
        save_file(scratch("store/new.0000000099.log"), "left half made", 14);
        save_file(scratch("store/new.control.01234567"), "left half made", 14);
        save_file(index_path(SEGMENTS + 5), "an index of nothing", 19);
        save_file(index_path(2), "no index", 8);
        ck_assert_int_eq(mkdir(scratch("store/quarantine"), 0700), 0);
        save_file(scratch("store/quarantine/0000000001.log.0"), "moved", 5);
}

START_TEST(an_open_for_writing_that_is_refused_changes_nothing)
{
        const struct reason *reason = &reasons[_i];
        struct logstore *none = NULL;
        uint64_t before;
        int r;

        make_store_with_leftovers();
        reason->make(reason->argument);
        before = sum_directory(store_path());
        for (uint32_t flags = 0; flags <= LOGSTORE_CREATE; flags += LOGSTORE_CREATE) {
                r = try_open(LOGSTORE_NO_THREAD | flags, &none);
                ck_assert_msg(r == reason->error, "%s: %d: %s", reason->what, r, logstore_detail());
                ck_assert_msg(sum_directory(store_path()) == before, "%s: changed", reason->what);
        }
}
END_TEST

START_TEST(whoever_only_looks_changes_nothing)
{
        const struct reason *reason = &reasons[_i];
        struct logstore_repair_report report;
        struct logstore *reader;
        uint64_t before, records;

        make_store_with_leftovers();
        reason->make(reason->argument);
        before = sum_directory(store_path());
        logstore_verify(store_path(), NULL, NULL);
        logstore_repair(store_path(), 0, NULL, NULL, &report);
        read_to_end(0, &records);
        if (try_open(LOGSTORE_READ_ONLY, &reader) == 0) {
                ck_assert_int_eq(logstore_close(reader), 0);
                read_backward(&records);
        }
        ck_assert_msg(sum_directory(store_path()) == before, "%s: changed", reason->what);
}
END_TEST

/* By a writer at work. */
START_TEST(a_second_writer_changes_nothing)
{
        struct logstore *none = NULL;
        uint64_t before;

        make_store_with_leftovers();
        open_store(LOGSTORE_NO_THREAD);
        before = sum_directory(store_path());
        expect_failure(try_open(LOGSTORE_NO_THREAD, &none), -EBUSY);
        expect_failure(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, NULL),
                       -EBUSY);
        ck_assert_uint_eq(sum_directory(store_path()), before);
        close_store();
}
END_TEST

/* What is cut would have nowhere to go: a file, a link to a directory, one to nothing. */
START_TEST(a_repair_without_a_quarantine_changes_nothing)
{
        uint64_t before;

        make_store();
        zero_in(3, FRAMES_OFFSET, FRAME_HEADER_BYTES);
        if (_i == 0)
                save_file(scratch("store/quarantine"), "a file", 6);
        if (_i == 1)
                ck_assert_int_eq(mkdir(scratch("elsewhere"), 0700), 0);
        if (_i > 0)
                ck_assert_int_eq(symlink(scratch("elsewhere"), scratch("store/quarantine")), 0);
        before = sum_directory(store_path());
        expect_failure(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, NULL),
                       -EPERM);
        ck_assert_uint_eq(sum_directory(store_path()), before);
        ck_assert_int_eq(remove(scratch("store/quarantine")), 0);
        expect_repaired();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { an_open_for_writing_that_is_refused_changes_nothing, REASONS },
                { whoever_only_looks_changes_nothing, REASONS },
                { a_second_writer_changes_nothing, 0 },
                { a_repair_without_a_quarantine_changes_nothing, 3 },
        };

        return RUN_TESTS("refused", tests);
}
