/*
 * test_one_verdict_support.h - one damage, and what everybody who looks at the store says of it
 */
#ifndef TEST_ONE_VERDICT_SUPPORT_H
#define TEST_ONE_VERDICT_SUPPORT_H

#include <errno.h>

#include "test_bad_input_support.h"

/* The offset may come from place_of(), which looks at files by name as well. */
static inline void zero_in(uint64_t id, uint64_t offset, size_t bytes)
{
        zero_range(segment_path(id), offset, bytes);
}

/* Three segments and a little in the last one, which is the head. Closed. */
static inline void make_store(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        while (!file_exists(segment_path(3)))
                append_filled(2000, 'x');
        append_text("the last");
        close_store();
}

static inline void unseal(uint64_t id)
{
        zero_in(id, SECTOR_BYTES, SECTOR_BYTES);
}

/* The segment once more, as a newer one. */
static inline void copy_segment(uint64_t from, uint64_t to)
{
        struct bytes file = load_file(segment_path(from));

        save_file(segment_path(to), file.data, file.size);
        free(file.data);
        forge(segment_path(to), 0, offsetof(struct segment_header, check),
              offsetof(struct segment_header, id), &to, sizeof(to));
}

/* ---- what all say ---- */

struct told {
        char file[64];
        uint64_t number;
};

static inline void keep_first(void *context, const struct logstore_fault *fault)
{
        struct told *told = context;

        if (!fault->fatal || told->file[0])
                return;
        snprintf(told->file, sizeof(told->file), "%s", fault->file);
        told->number = fault->number;
}

static inline void expect_detail(const struct told *told)
{
        const char *said = logstore_detail();
        char record[40];

        snprintf(record, sizeof(record), "record %llu:", (unsigned long long)told->number);
        ck_assert_msg(strstr(said, told->file) && strstr(said, record), "%s instead of %s, %s",
                      said, told->file, record);
}

static inline int read_backward(uint64_t *ret_records)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore *reader;
        int r;

        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_cursor_open(reader, 0, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_seek(cursor, UINT64_MAX), 0);
        for (*ret_records = 0; (r = logstore_cursor_prev(cursor, &record)) == 0; ++*ret_records)
                ;
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
        return r;
}

/* Both ways. */
static inline void expect_read(uint64_t records)
{
        uint64_t read;

        ck_assert_int_eq(read_to_end(0, &read), -EAGAIN);
        ck_assert_uint_eq(read, records);
        ck_assert_int_eq(read_backward(&read), -EAGAIN);
        ck_assert_uint_eq(read, records);
}

/* Number of the last record, as a reader is told. */
static inline uint64_t read_tail(void)
{
        struct logstore_bounds bounds;
        struct logstore *reader;

        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        bounds = bounds_of(reader);
        ck_assert_int_eq(logstore_close(reader), 0);
        return bounds.tail;
}

/* Returns how many records the forward reader gives before the damage. An open for writing does not
 * read frames of sealed segments. */
static inline uint64_t expect_verdict_of_readers(const char *file, uint64_t number)
{
        struct told told = { "", 0 };
        struct logstore_verify_hooks hooks = { keep_first, NULL, &told };
        uint64_t records, unused;

        expect_failure(logstore_verify(store_path(), &hooks, NULL), -EBADMSG);
        ck_assert_str_eq(told.file, file);
        ck_assert_uint_eq(told.number, number);
        ck_assert_int_eq(read_to_end(0, &records), -EBADMSG);
        expect_detail(&told);
        ck_assert_int_eq(read_backward(&unused), -EBADMSG);
        return records;
}

static inline uint64_t expect_one_verdict(const char *file, uint64_t number)
{
        struct told told = { "", number };
        struct logstore *none = NULL;
        uint64_t records = expect_verdict_of_readers(file, number);

        snprintf(told.file, sizeof(told.file), "%s", file);
        expect_failure(try_open(LOGSTORE_NO_THREAD, &none), -EBADMSG);
        expect_detail(&told);
        return records;
}

static inline void expect_repaired(void)
{
        uint64_t records;

        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, NULL), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        ck_assert_int_eq(read_to_end(0, &records), -EAGAIN);
}

#endif
