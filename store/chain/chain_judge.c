/*
 * chain_judge.c - what it means where a scan of a segment ended
 *
 * Recovery and verify scan segments. The facts of judge.h are gathered for both here.
 */
#include "chain/chain.h"
#include "segment/scan.h"

/* The number of which that is told (FORMAT.md, "One verdict"). */
static uint64_t number_told(enum judgement judgement, const struct judge_facts *facts, uint64_t due,
                            uint64_t batch)
{
        switch (judgement) {
        case JUDGE_D1:
        case JUDGE_D2:
        case JUDGE_D4_COUNTS:
                return due;
        case JUDGE_D4_D5_LINK:
                return facts->durable ? due : batch;
        default:
                return batch;
        }
}

int chain_judge_scan(struct chain *chain, const struct control_slot *slot,
                     const struct segment_brief *brief, const struct scan *scan,
                     const struct chain_entry *next, uint64_t *ret_number)
{
        uint64_t batch = brief->start.first_number + scan->records;
        struct judge_facts facts =
                scan_stopped(scan)
                        ? judge_stop(brief, slot, scan->stop, scan->due, batch,
                                     chain_fault_before(chain, next ? next->id : UINT64_MAX, NULL))
                        : judge_end(slot, batch);
        struct segment *segment;
        enum judgement judgement;

        facts.miscounted = scan->miscounted || (!facts.stops && next && chain_fits(next, brief) &&
                                                scan->records != next->previous_records);
        facts.successor = next;
        judgement = judge_place(&facts);
        if (judgement == JUDGE_LOOK) {
                int r = chain_pin_id(chain, brief->id, &segment);

                if (r < 0)
                        return r;
                facts.more = judge_look(segment, scan->stop, batch);
                chain_unpin(chain, segment);
                judgement = judge_place(&facts);
        }
        *ret_number = number_told(judgement, &facts, scan->due, batch);
        return (int)judgement;
}
