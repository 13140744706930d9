/*
 * test_writer.c - the writer's end of the log: claims, the tail, and rolling on
 */
#include "store.h"
#include "test_public_support.h"

static struct writer *writer;

static void begin(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        writer = &store->writer;
}

/* A claim of @count empty records; made ready if need be, but never rolled. */
static struct claim claim_empty(uint32_t count)
{
        struct claim claim;
        uint32_t turn;

        while (writer_claim(writer, count * (uint64_t)FRAME_HEADER_BYTES, count, &claim) < 0)
                ck_assert_int_eq(writer_extend(writer, count * (uint64_t)FRAME_HEADER_BYTES, &turn),
                                 0);
        return claim;
}

static void commit(const struct claim *claim, uint32_t at, enum frame_kind kind)
{
        uint64_t offset = claim->offset + at * (uint64_t)FRAME_HEADER_BYTES;
        struct frame *frame = (struct frame *)(claim->gate->base + offset);

        record_encode(&claim->gate->segment->key, frame, offset, record_word(kind, 0),
                      claim->ordinal + at, 1);
        index_set(claim->gate->index, claim->ordinal + at, offset);
        writer_publish(writer, frame, record_word(kind, 0));
}

static uint64_t tail_now(void)
{
        struct tail tail;

        writer_tail(writer, &tail);
        ck_assert_uint_eq(tail.number, writer_tail_number(writer, UINT64_MAX));
        return tail.number;
}

static uint32_t roll(void)
{
        uint32_t turn = writer->newest;
        int r = writer_roll(writer, turn);

        ck_assert_msg(r == 0, "%s", logstore_detail());
        return turn;
}

START_TEST(claims_are_dense_in_number_and_place)
{
        uint64_t offset = FRAMES_OFFSET;

        begin();
        for (uint64_t number = 1; number < 200; number += 3) {
                struct claim claim = claim_empty(3);

                ck_assert_uint_eq(claim.number, number);
                ck_assert_uint_eq(claim.ordinal, number);
                ck_assert_uint_eq(claim.offset, offset);
                ck_assert_uint_eq(writer_claimed(writer), number + 2);
                offset += 3 * FRAME_HEADER_BYTES;
                for (uint32_t i = 0; i < 3; i++)
                        commit(&claim, i, FRAME_RECORD);
        }
}
END_TEST

/* A batch of @claim's @count records whose end is noted; its frames are of time 1. */
static void commit_noted(const struct claim *claim, uint32_t count, uint64_t bytes,
                         int64_t greatest_ns)
{
        for (uint32_t i = 1; i < count; i++)
                commit(claim, i, i + 1 < count ? FRAME_MORE : FRAME_RECORD);
        batch_note_put(writer->batch_notes,
                       batch_place(claim->gate->segment->brief.id, claim->offset), bytes, count,
                       greatest_ns);
        commit(claim, 0, FRAME_MORE);
}

START_TEST(the_tail_goes_over_noted_batches_in_one_step)
{
        struct claim first, second, third;
        struct tail tail;

        begin();
        first = claim_empty(20);
        second = claim_empty(30);
        third = claim_empty(40);
        commit_noted(&second, 30, 30 * FRAME_HEADER_BYTES, 2);
        ck_assert_uint_eq(tail_now(), 0);
        commit_noted(&first, 20, 20 * FRAME_HEADER_BYTES, 77);
        writer_tail(writer, &tail);
        ck_assert_uint_eq(tail.number, 50);
        ck_assert_uint_eq(tail.offset, third.offset);
        ck_assert_int_eq(tail.greatest_ns, 77); /* as noted: the frames were not looked at */
        commit_noted(&third, 40, 41 * FRAME_HEADER_BYTES, 99);
        writer_tail(writer, &tail);
        ck_assert_uint_eq(tail.number, 90);
        ck_assert_int_eq(tail.greatest_ns, 77); /* a note beyond the claims is not believed */
}
END_TEST

/* Nobody looks, and yet the tail comes along. */
START_TEST(who_appends_batches_takes_the_tail_along)
{
        enum { COUNT = BATCH_NOTE_RECORDS, BATCHES = 4 * BATCH_NOTES_BEHIND };
        struct logstore_entry entries[COUNT] = { 0 };
        uint64_t behind;

        begin();
        for (unsigned i = 1; i <= BATCHES; i++) {
                ck_assert_int_eq(logstore_append_batch(store, entries, COUNT, NULL), 0);
                behind = i * COUNT - atomic_load(&writer->tail_number);
                ck_assert_uint_le(behind, BATCH_NOTES_BEHIND * COUNT);
        }
        ck_assert_uint_gt(behind, 0); /* not at each */
        ck_assert_uint_eq(tail_now(), BATCHES * COUNT);
}
END_TEST

START_TEST(a_note_is_of_one_place_only)
{
        uint64_t place = batch_place(1, FRAMES_OFFSET), bytes;
        int64_t greatest_ns;
        uint32_t records;
        unsigned left = 0;

        begin();
        batch_note_put(writer->batch_notes, place, 800, 20, 5);
        ck_assert(batch_note_find(writer->batch_notes, place, &bytes, &records, &greatest_ns));
        ck_assert_uint_eq(bytes, 800);
        ck_assert_uint_eq(records, 20);
        ck_assert_int_eq(greatest_ns, 5);
        ck_assert(!batch_note_find(writer->batch_notes, batch_place(2, FRAMES_OFFSET), &bytes,
                                   &records, &greatest_ns));
        for (uint64_t i = 0; i < 4 * BATCH_NOTES; i++) /* more than there is room for */
                batch_note_put(writer->batch_notes, batch_place(3, FRAMES_OFFSET + 8 * i), 8 * i,
                               20, (int64_t)i);
        for (uint64_t i = 0; i < 4 * BATCH_NOTES; i++)
                if (batch_note_find(writer->batch_notes, batch_place(3, FRAMES_OFFSET + 8 * i),
                                    &bytes, &records, &greatest_ns)) {
                        ck_assert_uint_eq(bytes, 8 * i);
                        ck_assert_int_eq(greatest_ns, (int64_t)i);
                        left++;
                }
        ck_assert_uint_ge(left, BATCH_NOTES / 2);
        ck_assert_uint_le(left, BATCH_NOTES);
}
END_TEST

/* Frames of the active segment that lie across two blocks. */
static unsigned count_across(void)
{
        struct gate *gate = atomic_load(&writer->active);
        struct record_view view;
        unsigned across = 0;

        for (uint64_t at = FRAMES_OFFSET;
             record_peek(gate->base, at, gate->segment->brief.bytes, &view) == 0;
             at += view.frame_bytes) {
                ck_assert(record_valid(&gate->segment->key, gate->base, at, &view));
                across += at / BLOCK_BYTES != (at + view.frame_bytes - 1) / BLOCK_BYTES;
        }
        return across;
}

static const struct {
        const char *name;
        size_t size;
        unsigned each; /* records per sync */
        bool crosses;
} synced[] = {
        { "one small record", 128, 1, false },
        { "a few tiny ones", 20, 8, false },
        { "more than a part of a block", 128, 32, true },
        { "large ones", 700, 1, true },
        { "never", 128, 0, true },
};

START_TEST(what_is_synced_by_itself_lies_in_one_block)
{
        static char data[700];

        begin();
        for (unsigned i = 1; i <= 300; i++) {
                ck_assert_int_eq(logstore_append(store, data, synced[_i].size, NULL), 0);
                if (synced[_i].each && i % synced[_i].each == 0)
                        ck_assert_int_eq(logstore_sync(store, 0), 0);
        }
        ck_assert_msg((count_across() > 0) == synced[_i].crosses, "%s: %u", synced[_i].name,
                      count_across());
        reopen_store();
        writer = &store->writer;
        ck_assert_uint_eq(tail_now(), 300);
        for (uint64_t number = 1; number <= 300; number++) {
                struct logstore_record record;

                ck_assert_int_eq(logstore_get(store, number, data, sizeof(data), &record), 0);
                ck_assert_uint_eq(record.size, synced[_i].size);
        }
}
END_TEST

START_TEST(a_claim_beyond_what_is_ready_changes_nothing)
{
        struct gate *gate;
        struct claim claim;
        uint64_t word;

        begin();
        gate = atomic_load(&writer->active);
        word = atomic_load(&gate->word);
        for (uint64_t bytes = SMALL_SEGMENT_BYTES; bytes < SMALL_SEGMENT_BYTES * 100; bytes *= 2)
                ck_assert_int_eq(writer_claim(writer, bytes, 1, &claim), -EAGAIN);
        ck_assert_uint_eq(atomic_load(&gate->word), word);
        ck_assert_uint_eq(writer_claimed(writer), 0);
}
END_TEST

/* A reader polls the word behind the last frame: it must be inside the file. */
START_TEST(a_whole_page_stays_beyond_every_claim_until_the_segment_is_full)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = 1 << 20;
        open_store_with(&options);
        writer = &store->writer;
        for (int i = 0; i < 900; i++) {
                struct gate *gate = atomic_load(&writer->active);
                struct os_stat st;

                append_filled(1000, 'x');
                ck_assert_int_eq(os_stat(gate->segment->fd, &st), 0);
                ck_assert(st.bytes == gate->segment->brief.bytes ||
                          (atomic_load(&gate->word) & (GATE_CLOSED - 1)) * 8 + os_page_bytes() <=
                                  st.bytes);
        }
}
END_TEST

START_TEST(the_tail_stops_before_the_first_unresolved_claim)
{
        struct claim claims[5];

        begin();
        for (int i = 0; i < 5; i++)
                claims[i] = claim_empty(1);
        commit(&claims[4], 0, FRAME_RECORD);
        commit(&claims[1], 0, FRAME_RECORD);
        ck_assert_uint_eq(tail_now(), 0);
        commit(&claims[0], 0, FRAME_VOID);
        ck_assert_uint_eq(tail_now(), 2);
        commit(&claims[3], 0, FRAME_RECORD);
        ck_assert_uint_eq(tail_now(), 2);
        commit(&claims[2], 0, FRAME_RECORD);
        ck_assert_uint_eq(tail_now(), 5);
}
END_TEST

START_TEST(a_batch_enters_the_tail_as_a_whole)
{
        struct claim batch;

        begin();
        batch = claim_empty(3);
        commit(&batch, 1, FRAME_MORE);
        commit(&batch, 2, FRAME_RECORD);
        ck_assert_uint_eq(tail_now(), 0);
        commit(&batch, 0, FRAME_MORE);
        ck_assert_uint_eq(tail_now(), 3);
}
END_TEST

START_TEST(what_lies_ready_can_be_unmapped_at_any_time)
{
        begin();
        for (uint64_t number = 1; number <= 300; number++) {
                struct claim before = claim_empty(1), behind = claim_empty(1);

                commit(&before, 0, FRAME_RECORD);
                writer_unmap_ready(writer);
                commit(&behind, 0, FRAME_RECORD);
                ck_assert_uint_eq(tail_now(), 2 * number);
        }
}
END_TEST

START_TEST(a_roll_says_where_the_segment_before_ended)
{
        struct segment *before, *after;
        struct claim claim;
        uint64_t end;

        begin();
        for (int i = 0; i < 7; i++) {
                claim = claim_empty(1);
                commit(&claim, 0, FRAME_RECORD);
        }
        before = atomic_load(&writer->active)->segment;
        roll();
        after = atomic_load(&writer->active)->segment;
        end = claim.offset + FRAME_HEADER_BYTES;
        ck_assert_ptr_ne(before, after);
        ck_assert_uint_eq(after->brief.start.first_number, 8);
        ck_assert_uint_eq(after->brief.start.previous_id, before->brief.id);
        ck_assert_uint_eq(after->brief.start.previous_salt, before->brief.salt);
        ck_assert_uint_eq(after->brief.start.previous_end, end);
        ck_assert_uint_eq(after->brief.start.previous_records, 7);
        claim = claim_empty(1);
        ck_assert_uint_eq(claim.number, 8);
        ck_assert_uint_eq(claim.ordinal, 1);
        ck_assert_uint_eq(claim.offset, FRAMES_OFFSET);
        commit(&claim, 0, FRAME_RECORD);
        ck_assert_uint_eq(tail_now(), 8);
}
END_TEST

START_TEST(two_that_want_to_roll_the_same_segment_roll_once)
{
        uint32_t turn;

        begin();
        turn = writer->newest;
        ck_assert_int_eq(writer_roll(writer, turn), 0);
        ck_assert_int_eq(writer_roll(writer, turn), 0);
        ck_assert_uint_eq(writer->newest, turn + 1);
}
END_TEST

/* A thread may sleep between reading a word and its swap. The word then differs, however often the
 * slot was reused. */
START_TEST(a_reused_slot_never_shows_the_same_word)
{
        static uint64_t seen[40 * 2];
        size_t count = 0;

        begin();
        for (int i = 0; i < 40; i++) {
                struct claim claim = claim_empty(1);
                struct gate *gate = claim.gate;

                commit(&claim, 0, FRAME_RECORD);
                for (size_t at = 0; at < count; at++)
                        ck_assert_uint_ne(seen[at], atomic_load(&gate->word));
                seen[count++] = atomic_load(&gate->word);
                roll();
                ck_assert(atomic_load(&gate->word) & GATE_CLOSED);
                ck_assert_int_eq(sync_seal(&store->sync), 0);
        }
}
END_TEST

/* Numbers and places come again once a truncation has taken them back; words do not, because the
 * limit that one was compared with is not that of the segment which is there now. */
START_TEST(a_truncation_brings_no_word_back)
{
        enum { CUTS = 40, APPENDS = 2, EACH = APPENDS + 1 };
        static struct {
                struct gate *gate;
                uint64_t word;
        } seen[CUTS * EACH];
        unsigned again = 0, count = 0;

        begin();
        for (int cut = 0; cut < CUTS; cut++) {
                for (int i = 0; i <= APPENDS; i++) {
                        struct gate *gate = atomic_load(&writer->active);
                        uint64_t word = atomic_load(&gate->word);
                        unsigned at = 0;

                        while (at < count && (seen[at].gate != gate || seen[at].word != word))
                                at++;
                        again += at < count;
                        seen[count].gate = gate;
                        seen[count++].word = word;
                        if (i < APPENDS)
                                append_text("x");
                }
                ck_assert_uint_eq(writer_claimed(writer), APPENDS);
                ck_assert_int_eq(logstore_truncate_after(store, 0, 1), 0);
                ck_assert_uint_eq(writer_claimed(writer), 0);
        }
        ck_assert_msg(again == 0, "%u of %u words had been in their gate before", again, count);
}
END_TEST

START_TEST(behind_a_stalled_claim_the_log_goes_on_for_a_few_segments)
{
        struct claim stalled, claim;
        struct tail end;
        uint32_t turn;

        begin();
        stalled = claim_empty(1);
        for (int i = 1; i < WRITER_GATES; i++) {
                roll();
                claim = claim_empty(1);
                commit(&claim, 0, FRAME_RECORD);
        }
        ck_assert_int_eq(writer_roll(writer, writer->newest), -EAGAIN);
        ck_assert_int_eq(writer_oldest_full(writer, &turn, &end), -EAGAIN);
        ck_assert_uint_eq(tail_now(), 0);
        commit(&stalled, 0, FRAME_RECORD);
        ck_assert_uint_eq(tail_now(), WRITER_GATES);
        ck_assert_int_eq(writer_oldest_full(writer, &turn, &end), 0);
        ck_assert_uint_eq(end.number, 1);
        ck_assert_uint_eq(end.offset, FRAMES_OFFSET + FRAME_HEADER_BYTES);
        while (sync_seal(&store->sync) == 0)
                ;
        ck_assert_uint_eq(writer->oldest, writer->newest);
        roll();
}
END_TEST

START_TEST(a_sealed_segment_is_no_longer_pinned_by_its_turn)
{
        struct segment *segment;
        uint32_t turn;
        uint64_t end;

        begin();
        append_text("one");
        turn = roll();
        ck_assert_int_eq(writer_pin(writer, turn, &segment, &end), 0);
        ck_assert_uint_eq(end, FRAMES_OFFSET + record_frame_bytes(3));
        ck_assert_int_eq(sync_seal(&store->sync), 0);
        ck_assert_mem_eq(segment_frame(segment, FRAMES_OFFSET)->payload, "one", 3);
        chain_unpin(&store->chain, segment);
        ck_assert_int_eq(writer_pin(writer, turn, &segment, &end), -ESTALE);
}
END_TEST

START_TEST(after_a_failure_nothing_is_claimed_and_the_first_reason_stays)
{
        struct claim claim;

        begin();
        append_text("before");
        writer_fail(writer, "the first reason");
        writer_fail(writer, "the second reason");
        ck_assert_int_eq(writer_claim(writer, 32, 1, &claim), -EAGAIN);
        expect_failure(logstore_append(store, "x", 1, NULL), -EIO);
        ck_assert_ptr_nonnull(strstr(logstore_detail(), "the first reason"));
        ck_assert_uint_eq(writer_claimed(writer), 1);
        ck_assert(store->control.current.flags & CONTROL_FAILED);
        ck_assert_int_eq(logstore_close(store), -EIO);
        store = NULL;
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { claims_are_dense_in_number_and_place, 0 },
                { what_is_synced_by_itself_lies_in_one_block, sizeof(synced) / sizeof(*synced) },
                { a_claim_beyond_what_is_ready_changes_nothing, 0 },
                { a_whole_page_stays_beyond_every_claim_until_the_segment_is_full, 0 },
                { the_tail_stops_before_the_first_unresolved_claim, 0 },
                { a_batch_enters_the_tail_as_a_whole, 0 },
                { the_tail_goes_over_noted_batches_in_one_step, 0 },
                { who_appends_batches_takes_the_tail_along, 0 },
                { a_note_is_of_one_place_only, 0 },
                { what_lies_ready_can_be_unmapped_at_any_time, 0 },
                { a_roll_says_where_the_segment_before_ended, 0 },
                { two_that_want_to_roll_the_same_segment_roll_once, 0 },
                { a_reused_slot_never_shows_the_same_word, 0 },
                { a_truncation_brings_no_word_back, 0 },
                { behind_a_stalled_claim_the_log_goes_on_for_a_few_segments, 0 },
                { a_sealed_segment_is_no_longer_pinned_by_its_turn, 0 },
                { after_a_failure_nothing_is_claimed_and_the_first_reason_stays, 0 },
        };

        return RUN_TESTS("writer", tests);
}
