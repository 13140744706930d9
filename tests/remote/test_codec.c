/*
 * test_codec.c - packed segments: the same bytes again, and objects that an enemy made
 */
#include <zstd.h>

#include "remote/codec.h"
#include "ship_support.h"

/* ---- a log ---- */

static struct logstore_ship *open_packing(const char *name, uint32_t with_level)
{
        struct logstore_ship_options options = LOGSTORE_SHIP_OPTIONS_INIT;
        struct logstore_ship *ret = NULL;

        options.flags = LOGSTORE_SHIP_TAKEOVER;
        options.compress = with_level;
        expect_ok(logstore_ship_open(path("%s", name), url(), NULL, &options, &ret));
        return ret;
}

static void ship_packed(const char *name, uint32_t with_level)
{
        struct logstore_ship *shipper = open_packing(name, with_level);

        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
}

/* Packed and plain, in turns. */
START_TEST(a_log_of_both_kinds_is_fetched)
{
        make_bucket();
        open_store("store");
        for (int i = 0; i < 8; i++) {
                append_many(100);
                ship_packed("store", i % 2 ? 0 : (uint32_t)i + 1);
        }
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static const uint32_t levels[] = { 1, 3, LOGSTORE_SHIP_COMPRESS_MAX };

START_TEST(each_level_gives_the_bytes_back)
{
        make_bucket();
        open_store("store");
        append_many(300);
        ship_packed("store", levels[_i]);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(a_level_beyond_the_greatest_is_refused)
{
        struct logstore_ship_options options = LOGSTORE_SHIP_OPTIONS_INIT;
        struct logstore_ship *none;

        make_bucket();
        open_store("store");
        options.compress = LOGSTORE_SHIP_COMPRESS_MAX + 1;
        expect(logstore_ship_open(path("store"), url(), NULL, &options, &none), -EINVAL);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* Of a log that is not sealed: what is there of the segment, with zeros where the seal comes. */
START_TEST(a_large_record_is_packed_though_its_segment_goes_on)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        make_bucket();
        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        ck_assert_int_eq(logstore_open(path("store"), &options, &store), 0);
        append((size_t)9 << 20, 'y');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ship_packed("store", 3);
        append(100, 'z');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ship_packed("store", 3);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- one object ---- */

#define PLAIN_BYTES (5 * REMOTE_BLOCK_BYTES / 2 + 1000) /* two frames, a half, and a bit */

static uint8_t plain[PLAIN_BYTES], unpacked[PLAIN_BYTES + 1];
static size_t unpacked_bytes;
static uint8_t *object;
static size_t object_bytes;

static int take(void *context, const void *bytes, size_t size)
{
        (void)context;
        ck_assert_uint_le(unpacked_bytes + size, sizeof(unpacked));
        memcpy(unpacked + unpacked_bytes, bytes, size);
        unpacked_bytes += size;
        return 0;
}

static void make_object(int with_level)
{
        struct codec_packed packed;
        int from = open(path("plain"), O_RDWR | O_CREAT, 0600);
        int to = open(path("packed"), O_RDWR | O_CREAT | O_TRUNC, 0600);

        for (size_t i = 0; i < sizeof(plain); i++)
                plain[i] = (uint8_t)(i * i >> 8 ^ i % 251);
        ck_assert_int_eq(pwrite(from, plain, sizeof(plain), 0), sizeof(plain));
        expect_ok(
                codec_pack(from, "plain", sizeof(plain), false, with_level, to, NULL, 0, &packed));
        ck_assert_uint_eq(packed.bytes_check, hash_seeded(0, plain, sizeof(plain)));
        object_bytes = packed.object_bytes;
        object = malloc(object_bytes + 4096);
        ck_assert_int_eq(pread(to, object, object_bytes + 1, 0), (ssize_t)object_bytes);
        ck_assert_uint_eq(packed.object_check, hash_seeded(0, object, object_bytes));
        close(from);
        close(to);
}

/* In pieces of @piece bytes, as a network brings them. */
static int unpack(size_t piece)
{
        const struct bucket_sink sink = { take, NULL };
        struct codec_stream *stream;
        int r;

        unpacked_bytes = 0;
        expect_ok(codec_stream_new("object", sizeof(plain), &sink, &stream));
        r = 0;
        for (size_t at = 0; r == 0 && at < object_bytes; at += piece)
                r = codec_stream_write(stream, object + at,
                                       object_bytes - at < piece ? object_bytes - at : piece);
        if (r == 0)
                r = codec_stream_end(stream);
        codec_stream_free(stream);
        return r;
}

static const size_t pieces[] = { 1, 17, 16384, 1 << 20, SIZE_MAX / 2 };

START_TEST(bytes_come_back_however_they_arrive)
{
        make_object(3);
        expect_ok(unpack(pieces[_i]));
        ck_assert_uint_eq(unpacked_bytes, sizeof(plain));
        ck_assert_mem_eq(unpacked, plain, sizeof(plain));
        free(object);
}
END_TEST

/* Anybody's zstd makes the file of it. */
START_TEST(the_zstd_command_unpacks_an_object)
{
        char command[1200];

        if (system("zstd --version >/dev/null 2>&1") != 0)
                return;
        make_object(3);
        snprintf(command, sizeof(command), "zstd -dcq < '%s' | cmp - '%s'", path("packed"),
                 path("plain"));
        ck_assert_int_eq(system(command), 0);
        free(object);
}
END_TEST

static const struct {
        uint64_t from, to;
} parts[] = { { 0, PLAIN_BYTES },
              { 0, REMOTE_BLOCK_BYTES },
              { REMOTE_BLOCK_BYTES, 2 * REMOTE_BLOCK_BYTES },
              { 2 * REMOTE_BLOCK_BYTES, PLAIN_BYTES } };

static size_t frame_start(uint64_t from)
{
        size_t at = 0;

        for (uint64_t done = 0; done < from; done += REMOTE_BLOCK_BYTES)
                at += ZSTD_findFrameCompressedSize(object + at, object_bytes - at);
        return at;
}

START_TEST(a_part_is_unpacked_alone)
{
        uint64_t from = parts[_i].from, to = parts[_i].to;
        size_t at;

        make_object(3);
        at = frame_start(from);
        expect_ok(codec_unpack_part("object", object + at, object_bytes - at, from, to, unpacked));
        ck_assert_mem_eq(unpacked, plain + from, to - from);
        at = frame_start(from);
        expect(codec_unpack_part("object", object + at, 100, from, to, unpacked), -EBADMSG);
        free(object);
}
END_TEST

START_TEST(a_directory_says_where_spans_begin)
{
        const size_t size = 3 * BLOCK_SPAN + 5000;
        struct remote_block blocks[4] = { 0 };
        struct remote_entry entry = { .to = size };
        struct codec_packed packed;
        struct bucket *bucket;
        uint64_t *offsets;
        uint32_t count;
        int from = open(path("plain"), O_RDWR | O_CREAT, 0600), to;

        make_bucket();
        ck_assert_int_eq(ftruncate(from, (off_t)size), 0);
        to = open(path("bucket/packed"), O_RDWR | O_CREAT, 0600);
        expect_ok(codec_pack(from, "plain", size, false, 3, to, blocks, 4, &packed));
        entry.object_bytes = packed.object_bytes;
        expect_ok(bucket_open(url(), NULL, &bucket));
        expect_ok(codec_read_spans(bucket, "packed", &entry, &offsets, &count));
        ck_assert_uint_eq(count, 4);
        for (int i = 0; i < 4; i++)
                ck_assert_uint_eq(offsets[i], blocks[i].object_offset);
        free(offsets);
        entry.object_bytes--;
        expect(codec_read_spans(bucket, "packed", &entry, &offsets, &count), -EBADMSG);
        entry.object_bytes += 2;
        expect(codec_read_spans(bucket, "packed", &entry, &offsets, &count), -EBADMSG);
        bucket_close(bucket);
        close(from);
        close(to);
}
END_TEST

/* ---- what an enemy puts ---- */

static size_t table_bytes(void)
{
        return 8 + 3 * 8 + 9;
}

static void cut_short(void)
{
        object_bytes--;
}

static void without_table(void)
{
        object_bytes -= table_bytes();
}

static void half_a_table(void)
{
        object_bytes -= table_bytes() / 2;
}

static void more_behind(void)
{
        object[object_bytes++] = 0;
}

static void another_table(void)
{
        object[object_bytes - table_bytes() + 8]++;
}

static void flipped(void)
{
        object[object_bytes / 3] ^= 1;
}

static void replace_first(const uint8_t *frame, size_t size)
{
        size_t first = frame_start(REMOTE_BLOCK_BYTES);

        memmove(object + size, object + first, object_bytes - first);
        memcpy(object, frame, size);
        object_bytes = object_bytes - first + size;
}

/* 1 GiB of zeros, in 100 KB. */
static void a_bomb(void)
{
        size_t room = ZSTD_compressBound((size_t)1 << 30), size;
        uint8_t *zeros = calloc(1, (size_t)1 << 30), *frame = malloc(room);

        size = ZSTD_compress(frame, room, zeros, (size_t)1 << 30, 1);
        ck_assert_uint_lt(size, 200000);
        replace_first(frame, size < object_bytes ? size : object_bytes / 2);
        free(zeros);
        free(frame);
}

static void compress_first(size_t size, bool says_size, bool has_check)
{
        size_t room = ZSTD_compressBound(REMOTE_BLOCK_BYTES), packed;
        ZSTD_CCtx *context = ZSTD_createCCtx();
        uint8_t *frame = malloc(room);

        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, says_size);
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, has_check);
        packed = ZSTD_compress2(context, frame, room, plain, size);
        ck_assert(!ZSTD_isError(packed));
        replace_first(frame, packed);
        ZSTD_freeCCtx(context);
        free(frame);
}

static void a_short_frame(void)
{
        compress_first(1000, true, true);
}

static void a_frame_without_size(void)
{
        compress_first(REMOTE_BLOCK_BYTES, false, true);
}

static void a_frame_without_checksum(void)
{
        compress_first(REMOTE_BLOCK_BYTES, true, false);
}

/* A frame says in its header that it holds fewer bytes than it does. */
static void a_frame_that_lies(void)
{
        object[6] = 0xff; /* of its content size: 4 bytes behind the descriptor */
}

static void a_skippable_frame(void)
{
        static const uint8_t frame[] = { 0x50, 0x2A, 0x4D, 0x18, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0 };

        replace_first(frame, sizeof(frame));
}

static void no_frame(void)
{
        memset(object, 'x', 100);
}

static const struct {
        void (*harm)(void);
        bool in_first_frame;
} harms[] = {
        { cut_short, false },
        { without_table, false },
        { half_a_table, false },
        { more_behind, false },
        { another_table, false },
        { flipped, true },
        { a_bomb, true },
        { a_short_frame, true },
        { a_frame_without_size, true },
        { a_skippable_frame, true },
        { no_frame, true },
        { a_frame_without_checksum, true },
        { a_frame_that_lies, true },
};

START_TEST(a_hostile_object_is_damage)
{
        make_object(3);
        object = realloc(object, object_bytes + ((size_t)1 << 20));
        harms[_i].harm();
        for (int i = 1; i < CASES(pieces); i++) {
                expect(unpack(pieces[i]), -EBADMSG);
                ck_assert_ptr_nonnull(strstr(remote_detail_line(), "object: offset"));
        }
        expect(codec_unpack_part("object", object, object_bytes, 0, REMOTE_BLOCK_BYTES, unpacked),
               harms[_i].in_first_frame ? -EBADMSG : 0);
        free(object);
}
END_TEST

START_TEST(a_damaged_packed_object_is_told)
{
        make_bucket();
        open_store("store");
        append_many(300);
        ship_packed("store", 1);
        spoil("seg", false);
        expect(fetch("copy", NULL), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(logstore_remote_detail(), ".log.zst"));
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_log_of_both_kinds_is_fetched, 0 },
                { each_level_gives_the_bytes_back, CASES(levels) },
                { a_level_beyond_the_greatest_is_refused, 0 },
                { a_large_record_is_packed_though_its_segment_goes_on, 0 },
                { bytes_come_back_however_they_arrive, CASES(pieces) },
                { the_zstd_command_unpacks_an_object, 0 },
                { a_part_is_unpacked_alone, CASES(parts) },
                { a_directory_says_where_spans_begin, 0 },
                { a_hostile_object_is_damage, CASES(harms) },
                { a_damaged_packed_object_is_told, 0 },
        };

        return RUN_TESTS("codec", tests);
}
