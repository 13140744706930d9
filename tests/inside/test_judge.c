/*
 * test_judge.c - the rules of damage: all of the table, and what each link must say
 *
 * What is due is written here once more as sentences, as in FORMAT.md, "Damage".
 */
#include "segment/judge.h"

#include <unistd.h>

#include "chain/chain.h"
#include "test_bad_input_support.h"

enum { STOPS = 1, COUNTS = 2, COVERED = 4, BROKEN = 8, DURABLE = 16, MARKED = 32, NEXT = 64 };

static struct judge_facts facts_of(int bits, enum fact more)
{
        return (struct judge_facts){
                .stops = bits & STOPS,
                .miscounted = bits & COUNTS,
                .covered = bits & COVERED,
                .broken = bits & BROKEN,
                .durable = bits & DURABLE,
                .marked = bits & MARKED,
                .successor = bits & NEXT,
                .more = more,
        };
}

static enum judgement due_at_a_stop(const struct judge_facts *facts)
{
        if (facts->miscounted)
                return facts->broken ? JUDGE_D4_D5_LINK : JUDGE_D4_COUNTS;
        if (facts->covered)
                return JUDGE_D2;
        if (facts->broken)
                return JUDGE_D4_D5_LINK;
        if (facts->durable)
                return JUDGE_D1;
        if (!facts->marked && (facts->successor || facts->more == FACT_YES))
                return JUDGE_D3;
        return !facts->marked && facts->more == FACT_UNKNOWN ? JUDGE_LOOK : JUDGE_TORN;
}

static enum judgement due_at_an_end(const struct judge_facts *facts)
{
        if (facts->broken)
                return JUDGE_D4_D5_LINK;
        if (facts->miscounted)
                return JUDGE_D4_COUNTS;
        if (facts->successor)
                return JUDGE_GOES_ON;
        return facts->durable && facts->marked ? JUDGE_D6 : JUDGE_END;
}

START_TEST(each_combination_of_facts_has_its_verdict)
{
        const enum fact known[] = { FACT_NO, FACT_YES, FACT_UNKNOWN };

        for (int bits = 0; bits < 128; bits++)
                for (int i = 0; i < 3; i++) {
                        struct judge_facts facts = facts_of(bits, known[i]);
                        enum judgement due =
                                facts.stops ? due_at_a_stop(&facts) : due_at_an_end(&facts);

                        ck_assert_msg(judge_place(&facts) == due, "facts %x, more %d: %d, not %d",
                                      (unsigned)bits, (int)known[i], (int)judge_place(&facts),
                                      (int)due);
                }
}
END_TEST

/* A sealed segment of ten numbers from 11 on, the last of which ends at 5000. */
static const struct segment_brief sealed = {
        .id = 2,
        .salt = 7,
        .bytes = 65536,
        .started = true,
        .start = { .epoch = 3, .first_number = 11 },
        .sealed = true,
        .seal = { .records = 10, .end = 5000, .first_number = 11, .last_number = 20 },
};

static const struct {
        const char *what;
        uint64_t offset, due, batch, mark;
        bool is_sealed, broken, covered, durable;
} stops[] = {
        { "before the seal's end", 4992, 20, 20, 0, true, false, true, true },
        { "at the seal's end", 5000, 21, 21, 0, true, false, false, true },
        { "more numbers than the seal has", 4992, 21, 21, 0, true, false, true, true },
        { "more of them, and a broken link", 4992, 21, 21, 0, true, true, false, true },
        { "the seal's last, and a broken link", 4992, 20, 20, 0, true, true, true, true },
        { "at the mark", 4992, 20, 20, 20, false, false, false, true },
        { "behind the mark", 4992, 20, 20, 19, false, false, false, false },
        { "a batch that begins at the mark", 4992, 20, 18, 18, false, false, false, true },
        { "a batch behind the mark", 4992, 20, 18, 17, false, false, false, false },
};

START_TEST(facts_of_a_stop)
{
        const struct control_slot slot = { .generation = 1, .mark_number = stops[_i].mark };
        struct segment_brief brief = sealed;
        struct judge_facts facts;

        brief.sealed = stops[_i].is_sealed;
        facts = judge_stop(&brief, &slot, stops[_i].offset, stops[_i].due, stops[_i].batch,
                           stops[_i].broken);
        ck_assert(facts.stops && facts.marked && facts.more == FACT_UNKNOWN);
        ck_assert_msg(facts.covered == stops[_i].covered, "%s", stops[_i].what);
        ck_assert_msg(facts.durable == stops[_i].durable, "%s", stops[_i].what);
}
END_TEST

START_TEST(facts_of_an_end)
{
        const struct control_slot slot = { .generation = 1, .mark_number = 20 }, none = { 0 };

        ck_assert(judge_end(&slot, 20).durable && !judge_end(&slot, 21).durable);
        ck_assert(judge_end(&slot, 20).marked && !judge_end(&none, 20).marked);
        ck_assert_int_eq(judge_begin(21, 21), 0);
        ck_assert_int_eq(judge_begin(22, 21), -EBADMSG);
}
END_TEST

/* What a link that holds says, and each change that breaks it. */
static const struct start_payload linked = {
        .epoch = 3,
        .first_number = 21,
        .previous_id = 2,
        .previous_salt = 7,
        .previous_end = 5000,
        .previous_records = 10,
};

static const struct {
        const char *what;
        bool holds;
        uint64_t next_id;
        struct start_payload next;
} links[] = {
        { "all of it", true, 3, { 21, 3, 2, 7, 5000, 10, 0, { 0 } } },
        { "a later epoch", true, 3, { 21, 4, 2, 7, 5000, 10, 0, { 0 } } },
        { "an earlier epoch", false, 3, { 21, 2, 2, 7, 5000, 10, 0, { 0 } } },
        { "another id", false, 3, { 21, 3, 1, 7, 5000, 10, 0, { 0 } } },
        { "its own id", false, 2, { 21, 3, 2, 7, 5000, 10, 0, { 0 } } },
        { "another salt", false, 3, { 21, 3, 2, 8, 5000, 10, 0, { 0 } } },
        { "another first number", false, 3, { 22, 3, 2, 7, 5000, 10, 0, { 0 } } },
        { "an end between two frames' places", false, 3, { 21, 3, 2, 7, 4996, 10, 0, { 0 } } },
        { "an end before the first frame", false, 3, { 11, 3, 2, 7, 4096, 0, 0, { 0 } } },
        { "an end behind the seal's", false, 3, { 21, 3, 2, 7, 5008, 10, 0, { 0 } } },
        { "one number cut, with room", true, 3, { 20, 3, 2, 7, 4976, 9, 0, { 0 } } },
        { "one number cut, without room", false, 3, { 20, 3, 2, 7, 4984, 9, 0, { 0 } } },
        { "more numbers than the seal has", false, 3, { 22, 3, 2, 7, 5000, 11, 0, { 0 } } },
        { "more numbers than have room", false, 3, { 17, 3, 2, 7, 4352, 6, 0, { 0 } } },
};

START_TEST(what_a_link_must_say)
{
        ck_assert_msg(judge_link(&sealed, links[_i].next_id, &links[_i].next) == links[_i].holds,
                      "%s", links[_i].what);
}
END_TEST

START_TEST(what_a_link_to_an_unsealed_segment_must_say)
{
        struct segment_brief brief = sealed;
        struct start_payload next = linked;

        brief.sealed = false;
        next.previous_end = brief.bytes;
        ck_assert(judge_link(&brief, 3, &next));
        next.previous_end += 8;
        ck_assert(!judge_link(&brief, 3, &next));
        brief.started = false;
        ck_assert(!judge_link(&brief, 3, &linked));
}
END_TEST

START_TEST(a_newer_file_is_the_head_or_never_used_or_lost)
{
        for (int marked = 0; marked < 2; marked++) {
                ck_assert_int_eq(judge_newer(true, true, marked), JUDGE_HEAD);
                ck_assert_int_eq(judge_newer(true, false, marked),
                                 marked ? JUDGE_LOST : JUDGE_PREPARED);
                ck_assert_int_eq(judge_newer(false, false, marked), JUDGE_LOST);
        }
}
END_TEST

/* ---- a verdict stands, whatever another thread learns meanwhile ---- */

static bool reload;
int __real_chain_tell_behind(struct chain *chain, uint64_t id, uint64_t number);
int __wrap_chain_tell_behind(struct chain *chain, uint64_t id, uint64_t number);

/* Once, what is wrong behind the segment is gone right after it was told. */
int __wrap_chain_tell_behind(struct chain *chain, uint64_t id, uint64_t number)
{
        int r = __real_chain_tell_behind(chain, id, number);

        if (r < 0 && reload) {
                reload = false;
                ck_assert_int_eq(unlink(segment_path(2)), 0);
                ck_assert_int_eq(chain_load(chain), 0);
        }
        return r;
}

START_TEST(a_bad_frame_is_not_given_though_the_broken_link_behind_it_is_gone)
{
        struct logstore_record record;
        char buffer[64];

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int i = 0; i < 10; i++)
                append_text("original");
        close_store();
        flip_byte(segment_path(1), FRAMES_OFFSET + 4 * 32 + FRAME_HEADER_BYTES);
        save_file(segment_path(2), "no segment", 10);
        open_store(LOGSTORE_READ_ONLY);
        for (int i = 0; i < 2; i++) {
                reload = i == 0;
                expect_failure(logstore_get(store, 5, buffer, sizeof(buffer), &record), -EBADMSG);
                ck_assert(!reload);
        }
        close_store();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { each_combination_of_facts_has_its_verdict, 0 },
                { facts_of_a_stop, sizeof(stops) / sizeof(stops[0]) },
                { facts_of_an_end, 0 },
                { what_a_link_must_say, sizeof(links) / sizeof(links[0]) },
                { what_a_link_to_an_unsealed_segment_must_say, 0 },
                { a_newer_file_is_the_head_or_never_used_or_lost, 0 },
                { a_bad_frame_is_not_given_though_the_broken_link_behind_it_is_gone, 0 },
        };

        return RUN_TESTS("judge", tests);
}
