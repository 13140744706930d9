/*
 * test_walk.c - the law of what follows what, and the two that keep it without asking walk_next()
 */

#include "read/cursor.h"
#include "segment/walk.h"
#include "store.h"
#include "test_public_support.h"

/* ---- the law, over frames in memory ---- */

#define SALT 7
#define ROOM 1024u

/* Frames from FRAMES_OFFSET on; the last @cut bytes are not in the file. */
static struct drawn {
        struct hash_key key;
        _Alignas(8) char bytes[FRAMES_OFFSET + ROOM];
        uint64_t end, file_end;
        unsigned checks; /* asked for so far */
} drawn;

static int drawn_peek(void *from, uint64_t offset, struct record_view *ret)
{
        const struct drawn *d = from;
        int r = record_peek(d->bytes, offset, sizeof(d->bytes), ret);

        return r == 0 && offset + ret->frame_bytes > d->file_end ? -ENODATA : r;
}

static int drawn_check(void *from, uint64_t offset, const struct record_view *view)
{
        struct drawn *d = from;

        d->checks++;
        return record_valid(&d->key, d->bytes, offset, view);
}

static const struct frame_source drawn_frames = { drawn_peek, drawn_check };

static void begin_drawing(void)
{
        drawn = (struct drawn){ .end = FRAMES_OFFSET, .file_end = sizeof(drawn.bytes) };
        hash_key_init(&drawn.key, SALT);
}

static struct frame *draw(enum frame_kind kind, uint32_t ordinal, uint32_t size)
{
        struct frame *frame = (struct frame *)(drawn.bytes + drawn.end);
        uint32_t word = record_word(kind, size);

        if (kind == FRAME_PAD) {
                record_pad(&drawn.key, drawn.bytes, drawn.end, size);
                drawn.end += size;
                return frame;
        }
        record_encode(&drawn.key, frame, drawn.end, word, ordinal, 1);
        atomic_store(&frame->commit, word);
        drawn.end += record_frame_bytes(size);
        return frame;
}

enum spoiling { SOUND, BAD_CHECK, BAD_LENGTH, CUT_OFF, UNCOMMITTED };

/* What follows a whole record with ordinal 1, or the first of a batch. */
static const struct law {
        bool in_batch;
        enum frame_kind kind;
        uint32_t ordinal;
        enum spoiling spoilt;
        uint32_t checked;
        enum walk_step step;
} laws[] = {
        { false, FRAME_RECORD, 2, SOUND, WALK_CHECK_ALL, WALK_FRAME },
        { false, FRAME_MORE, 2, SOUND, WALK_CHECK_ALL, WALK_FRAME },
        { false, FRAME_VOID, 2, SOUND, WALK_CHECK_ALL, WALK_FRAME },
        { false, FRAME_PAD, 0, SOUND, WALK_CHECK_ALL, WALK_PAD },
        { false, FRAME_RECORD, 2, UNCOMMITTED, WALK_CHECK_ALL, WALK_END },
        { false, FRAME_RECORD, 1, SOUND, WALK_CHECK_ALL, WALK_BAD },
        { false, FRAME_RECORD, 3, SOUND, WALK_CHECK_ALL, WALK_BAD },
        { false, FRAME_VOID, 3, SOUND, WALK_CHECK_PADS, WALK_BAD },
        { false, FRAME_RECORD, 2, BAD_CHECK, WALK_CHECK_ALL, WALK_BAD },
        { false, FRAME_RECORD, 2, BAD_CHECK, 2, WALK_BAD },
        { false, FRAME_RECORD, 2, BAD_CHECK, 3, WALK_FRAME }, /* it was trimmed */
        { false, FRAME_RECORD, 2, BAD_CHECK, WALK_CHECK_PADS, WALK_FRAME },
        { false, FRAME_PAD, 0, BAD_CHECK, WALK_CHECK_PADS, WALK_BAD },
        { false, FRAME_PAD, 0, BAD_LENGTH, WALK_CHECK_PADS, WALK_TORN },
        { false, FRAME_RECORD, 2, BAD_LENGTH, WALK_CHECK_ALL, WALK_TORN },
        { false, FRAME_RECORD, 2, CUT_OFF, WALK_CHECK_ALL, WALK_TORN },
        { false, FRAME_RECORD, 2, CUT_OFF, WALK_CHECK_PADS, WALK_TORN },
        { true, FRAME_RECORD, 2, SOUND, WALK_CHECK_ALL, WALK_FRAME },
        { true, FRAME_MORE, 2, SOUND, WALK_CHECK_ALL, WALK_FRAME },
        { true, FRAME_VOID, 2, SOUND, WALK_CHECK_ALL, WALK_BAD },
        { true, FRAME_PAD, 0, SOUND, WALK_CHECK_PADS, WALK_BAD },
        { true, FRAME_RECORD, 2, UNCOMMITTED, WALK_CHECK_ALL, WALK_END },
        { true, FRAME_RECORD, 2, BAD_CHECK, WALK_CHECK_ALL, WALK_BAD },
};

START_TEST(what_follows_what)
{
        const struct law *law = &laws[_i];
        struct walk walk = walk_from(FRAMES_OFFSET, 1, law->checked);
        uint64_t place, whole;
        struct frame *frame;
        bool passed = law->step == WALK_FRAME || law->step == WALK_PAD;

        begin_drawing();
        draw(law->in_batch ? FRAME_MORE : FRAME_RECORD, 1, 8);
        place = drawn.end;
        frame = draw(law->kind, law->ordinal, 16);
        if (law->spoilt == BAD_CHECK && law->kind == FRAME_PAD)
                frame->ordinal ^= 1;
        else if (law->spoilt == BAD_CHECK)
                frame->check ^= 1;
        else if (law->spoilt == BAD_LENGTH)
                atomic_store(&frame->commit, record_word(law->kind, ROOM + 4));
        else if (law->spoilt == CUT_OFF)
                drawn.file_end = drawn.end - 1;
        else if (law->spoilt == UNCOMMITTED)
                atomic_store(&frame->commit, 0);
        ck_assert_int_eq(walk_next(&walk, &drawn_frames, &drawn), WALK_FRAME);
        whole = law->in_batch ? FRAMES_OFFSET : place;
        ck_assert_uint_eq(walk.whole.offset, whole);
        ck_assert_int_eq(walk_next(&walk, &drawn_frames, &drawn), law->step);
        ck_assert_uint_eq(walk.offset, place);
        ck_assert_uint_eq(walk.at.offset, passed ? drawn.end : place);
        ck_assert_uint_eq(walk.at.due, law->step == WALK_FRAME ? 3 : 2);
        if (passed && law->kind != FRAME_MORE)
                whole = drawn.end;
        ck_assert_uint_eq(walk.whole.offset, whole);
        ck_assert(passed || walk.why);
}
END_TEST

START_TEST(a_batch_is_passed_as_a_whole_or_not_at_all)
{
        struct walk walk = walk_from(FRAMES_OFFSET, 1, WALK_CHECK_ALL);
        uint64_t second;
        struct frame *last;

        begin_drawing();
        draw(FRAME_MORE, 1, 8);
        draw(FRAME_MORE, 2, 8);
        second = drawn.end;
        last = draw(FRAME_RECORD, 3, 8);
        last->check ^= (uint64_t)_i;
        ck_assert_int_eq(walk_whole(&walk, &drawn_frames, &drawn), _i ? WALK_BAD : WALK_FRAME);
        ck_assert_uint_eq(walk.at.offset, _i ? second : drawn.end);
        ck_assert_uint_eq(walk.whole.offset, _i ? FRAMES_OFFSET : drawn.end);
        ck_assert_uint_eq(walk.whole.due, _i ? 1 : 4);
}
END_TEST

/* ---- the writer's tail, and a cursor's fast step ---- */

static unsigned seed;

static unsigned below(unsigned limit)
{
        seed = seed * 1103515245 + 12345;
        return seed / 65536 % limit;
}

/* A record, a batch, a claim of which less is used (so a pad follows), or one that is given up. */
static void append_something(void)
{
        struct logstore_entry entries[3] = { { "first", 5, 0 }, { "second", 6, 0 }, { "", 0, 0 } };
        struct logstore_claim claim;
        uint64_t first;

        switch (below(4)) {
        case 0:
                append_filled(below(3000), 'x');
                break;
        case 1:
                ck_assert_int_eq(logstore_append_batch(store, entries, 2 + below(2), &first), 0);
                break;
        case 2:
                ck_assert_int_eq(logstore_claim(store, 200 + below(200), &claim), 0);
                ck_assert_int_eq(logstore_commit(store, &claim, below(150)), 0);
                break;
        default:
                ck_assert_int_eq(logstore_claim(store, below(100), &claim), 0);
                ck_assert_int_eq(logstore_abort(store, &claim), 0);
        }
}

/* The tail is where a walk of the segment comes to its end. */
static void expect_tail_as_walked(void)
{
        struct segment *segment;
        struct tail tail;
        struct walk walk = walk_from(FRAMES_OFFSET, 1, WALK_CHECK_ALL);
        int step = WALK_PAD;

        writer_tail(&store->writer, &tail);
        ck_assert_int_eq(chain_pin_id(&store->chain, tail.segment_id, &segment), 0);
        while (step == WALK_PAD || step == WALK_FRAME)
                step = walk_next(&walk, &segment_frames, segment);
        ck_assert_int_eq(step, WALK_END);
        ck_assert_uint_eq(walk.whole.offset, tail.offset);
        ck_assert_uint_eq(segment_number(segment, walk.whole.due) - 1, tail.number);
        chain_unpin(&store->chain, segment);
}

START_TEST(the_tail_is_where_a_walk_ends)
{
        seed = (unsigned)_i + 1;
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int i = 0; i < 120; i++) {
                append_something();
                expect_tail_as_walked();
        }
}
END_TEST

/* Each record that a cursor gives is the next one that the walk comes to, also on the fast way. */
START_TEST(a_cursor_goes_as_the_walk_does)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct segment *segment = NULL;
        struct walk walk;
        uint64_t id = 0;
        int r;

        seed = (unsigned)_i + 1;
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int i = 0; i < 300; i++)
                append_something();
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        while ((r = logstore_cursor_next(cursor, &record)) == 0) {
                int step = WALK_PAD;

                if (cursor->segment->brief.id != id) {
                        id = cursor->segment->brief.id;
                        if (segment)
                                chain_unpin(&store->chain, segment);
                        ck_assert_int_eq(chain_pin_id(&store->chain, id, &segment), 0);
                        walk = walk_from(FRAMES_OFFSET, 1, WALK_CHECK_ALL);
                }
                while (step == WALK_PAD || (step == WALK_FRAME && walk.view.kind == FRAME_VOID))
                        step = walk_next(&walk, &segment_frames, segment);
                ck_assert_int_eq(step, WALK_FRAME);
                ck_assert_uint_eq(record.number, segment_number(segment, walk.view.ordinal));
                ck_assert_ptr_eq(record.data, segment_frame(segment, walk.offset)->payload);
                ck_assert_uint_eq(record.size, walk.view.size);
                ck_assert_uint_eq(cursor->offset, walk.at.offset);
                ck_assert(cursor->in_batch == walk.in_batch);
        }
        ck_assert_int_eq(r, -EAGAIN);
        chain_unpin(&store->chain, segment);
        logstore_cursor_close(cursor);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { what_follows_what, sizeof(laws) / sizeof(laws[0]) },
                { a_batch_is_passed_as_a_whole_or_not_at_all, 2 },
                { the_tail_is_where_a_walk_ends, 3 },
                { a_cursor_goes_as_the_walk_does, 3 },
        };

        return RUN_TESTS("walk", tests);
}
