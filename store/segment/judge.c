/*
 * judge.c - FORMAT.md's rules D1 to D6: is what is found there damage?
 *
 * The table is FORMAT.md's, in the same order, and a test compares the two. Each combination of
 * facts matches one row.
 */
#include "segment/judge.h"

#include <errno.h>
#include <inttypes.h>

#include "os/detail.h"
#include "segment/salvage.h"

/* 1: it is so. 0: it is not. -: it does not matter. */
static const struct rule {
        char stops, miscounted, covered, broken, durable, marked, successor, more;
        enum judgement judgement;
} rules[] = {
        { '1', '1', '-', '1', '-', '-', '-', '-', JUDGE_D4_D5_LINK },
        { '1', '1', '-', '0', '-', '-', '-', '-', JUDGE_D4_COUNTS },
        { '1', '0', '1', '-', '-', '-', '-', '-', JUDGE_D2 },
        { '1', '0', '0', '1', '-', '-', '-', '-', JUDGE_D4_D5_LINK },
        { '1', '0', '0', '0', '1', '-', '-', '-', JUDGE_D1 },
        { '1', '0', '0', '0', '0', '1', '-', '-', JUDGE_TORN },
        { '1', '0', '0', '0', '0', '0', '1', '-', JUDGE_D3 },
        { '1', '0', '0', '0', '0', '0', '0', '1', JUDGE_D3 },
        { '1', '0', '0', '0', '0', '0', '0', '0', JUDGE_TORN },
        { '0', '-', '-', '1', '-', '-', '-', '-', JUDGE_D4_D5_LINK },
        { '0', '1', '-', '0', '-', '-', '-', '-', JUDGE_D4_COUNTS },
        { '0', '0', '-', '0', '-', '-', '1', '-', JUDGE_GOES_ON },
        { '0', '0', '-', '0', '1', '1', '0', '-', JUDGE_D6 },
        { '0', '0', '-', '0', '1', '0', '0', '-', JUDGE_END },
        { '0', '0', '-', '0', '0', '-', '0', '-', JUDGE_END },
};

static bool fits(char pattern, bool fact)
{
        return pattern == '-' || (pattern == '1') == fact;
}

enum judgement judge_place(const struct judge_facts *facts)
{
        const struct rule *rule = rules;

        while (!fits(rule->stops, facts->stops) || !fits(rule->miscounted, facts->miscounted) ||
               !fits(rule->covered, facts->covered) || !fits(rule->broken, facts->broken) ||
               !fits(rule->durable, facts->durable) || !fits(rule->marked, facts->marked) ||
               !fits(rule->successor, facts->successor) ||
               (facts->more != FACT_UNKNOWN && !fits(rule->more, facts->more == FACT_YES)))
                rule++;
        return rule->more != '-' && facts->more == FACT_UNKNOWN ? JUDGE_LOOK : rule->judgement;
}

/* Behind a broken link the seal, if it tells fewer numbers than there are frames, does not cover
 * the rest: the link is told, not the seal. */
struct judge_facts judge_stop(const struct segment_brief *brief, const struct control_slot *slot,
                              uint64_t offset, uint64_t due, uint64_t batch, bool broken)
{
        return (struct judge_facts){
                .stops = true,
                .covered = brief->sealed && offset < brief->seal.end &&
                           (!broken || due <= brief->seal.last_number),
                .broken = broken,
                .durable = brief->sealed || batch <= slot->mark_number,
                .marked = slot->generation != 0,
                .more = FACT_UNKNOWN,
        };
}

enum fact judge_look(struct segment *segment, uint64_t offset, uint64_t number)
{
        return map_faulted(&segment->map) || salvage_beyond(segment, offset, number) ||
                               map_faulted(&segment->map)
                       ? FACT_YES
                       : FACT_NO;
}

struct judge_facts judge_end(const struct control_slot *slot, uint64_t due)
{
        return (struct judge_facts){
                .durable = due <= slot->mark_number,
                .marked = slot->generation != 0,
                .more = FACT_UNKNOWN,
        };
}

int judge_begin(uint64_t first, uint64_t due)
{
        if (first <= due)
                return 0;
        return damaged(-EBADMSG, CONTROL_NAME, 0, due,
                       "the first number, %" PRIu64 ", lies beyond the log", first);
}

/* A truncation left the segment before its seal's end. Does the part between have room for what was
 * cut? */
static bool leaves_room(const struct start_payload *next, const struct seal_brief *seal)
{
        return next->previous_end <= seal->end && next->previous_records <= seal->records &&
               seal->records - next->previous_records <=
                       (seal->end - next->previous_end) / FRAME_HEADER_BYTES;
}

bool judge_link(const struct segment_brief *brief, uint64_t next_id,
                const struct start_payload *next)
{
        return brief->started && brief->id == next->previous_id && brief->id < next_id &&
               brief->salt == next->previous_salt && brief->start.epoch <= next->epoch &&
               next->previous_end >= FRAMES_OFFSET && next->previous_end <= brief->bytes &&
               next->previous_end % FRAME_ALIGN == 0 &&
               next->previous_records <=
                       (next->previous_end - FRAMES_OFFSET) / FRAME_HEADER_BYTES &&
               brief->start.first_number + next->previous_records == next->first_number &&
               (!brief->sealed || leaves_room(next, &brief->seal));
}

enum judge_newer judge_newer(bool usable, bool started, bool marked)
{
        if (usable && started)
                return JUDGE_HEAD;
        return usable && !marked ? JUDGE_PREPARED : JUDGE_LOST;
}
