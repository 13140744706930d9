/*
 * judge.h - FORMAT.md's rules D1 to D6: is what is found there damage?
 *
 * Recovery, readers and verify each find the place where frames stop or the log ends, in their own
 * way. Whether that is damage they all ask here. What a reader tells first of several damages is
 * not decided here: that is the first one in the order of the log.
 */
#ifndef LOGSTORE_JUDGE_H
#define LOGSTORE_JUDGE_H

#include <stdbool.h>

#include "segment/segment.h"

enum fact { FACT_NO, FACT_YES, FACT_UNKNOWN };

/* What is known of a place in a segment of the chain. It is either a place where frames stop, or
 * the end that the successor, the seal or the file gives the segment. */
struct judge_facts {
        bool stops;      /* a frame that does not count is there */
        bool miscounted; /* the numbers up to there are not those that the next segment tells */
        bool covered;    /* the segment's seal covers the place */
        bool broken;     /* the chain is broken behind the segment */
        bool durable;    /* what is due there was durable */
        bool marked; /* a slot of the control file is valid: behind its mark a tail may be torn */
        bool successor; /* a segment is behind it on the chain */
        enum fact more; /* valid frames lie behind the place */
};

enum judgement {
        JUDGE_GOES_ON,    /* the log goes on in the next segment */
        JUDGE_END,        /* the log ends here */
        JUDGE_TORN,       /* the log ends here; what no sync covered may lie behind */
        JUDGE_D1,         /* damage in what was durable: tell the place and the number due there */
        JUDGE_D2,         /* damage in what a seal covers: tell the same */
        JUDGE_D3,         /* damage, as the log goes on behind: tell the number of the batch */
        JUDGE_D4_COUNTS,  /* the next segment counts otherwise: tell the place and its number */
        JUDGE_D4_D5_LINK, /* tell the broken link; what the place is, nobody knows */
        JUDGE_D6,         /* the log ends below the mark: tell the end */
        JUDGE_LOOK,       /* it depends on .more: look, and ask again */
};

enum judgement judge_place(const struct judge_facts *facts);

/* The facts of the place @offset where frames stop, as far as segment and slot tell them. @due is
 * the number that is due there, @batch that of the first frame of the batch that the place is in,
 * or the same. @slot has the mark that counts. */
struct judge_facts judge_stop(const struct segment_brief *brief, const struct control_slot *slot,
                              uint64_t offset, uint64_t due, uint64_t batch, bool broken);

/* Find out about .more where it counts: @number is the batch's. A page that cannot be read may hold
 * a frame. */
enum fact judge_look(struct segment *segment, uint64_t offset, uint64_t number);

/* The same where the segment ends and @due is due behind it. */
struct judge_facts judge_end(const struct control_slot *slot, uint64_t due);

/* D6: does the log, behind whose end @due is due, end before @first, its own first number? Returns
 * 0, or -EBADMSG with detail. */
int judge_begin(uint64_t first, uint64_t due);

/* D4: is @brief the segment that segment @next_id continues, which begins with @next? */
bool judge_link(const struct segment_brief *brief, uint64_t next_id,
                const struct start_payload *next);

/* D5: a segment file newer than the head, or the head itself. */
enum judge_newer {
        JUDGE_HEAD,     /* the log ends in it */
        JUDGE_PREPARED, /* it was made and never used: a leftover */
        JUDGE_LOST,     /* damage */
};
/* @usable: it has a valid header; @started: and a valid start frame. @marked: the mark is in it or
 * in a newer one. */
enum judge_newer judge_newer(bool usable, bool started, bool marked);

#endif
