/*
 * warm.c - logstore warm and evict: bring records into the page cache, or let go of them
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/numbers.h"
#include "lib/report.h"
#include "records/range.h"
#include "records/session.h"
#include "verbs/verbs.h"

static int exact;

struct poptOption warm_options[] = {
        { "bytes", 'b', POPT_ARG_NONE, &exact, 0, "sizes in exact bytes", NULL },
        POPT_TABLEEND,
};

struct question {
        struct logstore *store;
        const struct range *range;
        bool unknown;
};

static int ask_segment(void *context, const struct logstore_segment_info *segment)
{
        struct question *question = context;
        struct logstore_residency now;

        if (segment->first_number > question->range->last ||
            segment->first_number + segment->records <= question->range->first)
                return 0;
        if (logstore_residency(question->store, segment->id, &now, 0, NULL) == 0 &&
            now.resident == LOGSTORE_UNKNOWN)
                question->unknown = true;
        return 0;
}

/* Whether the kernel does not tell what of the range is in memory: the library then counts 0. */
static bool is_unknown(struct logstore *store, const struct range *range)
{
        struct question question = { store, range, false };

        return logstore_segments(store, ask_segment, &question) < 0 || question.unknown;
}

typedef int64_t (*mover)(struct logstore *store, uint64_t from, uint64_t to);

static int move_range(struct logstore *store, int count, char **arguments, mover move,
                      const char *done)
{
        struct logstore_bounds bounds;
        struct range range;
        char text[SIZE_TEXT_BYTES];
        int r = logstore_bounds(store, &bounds);
        int64_t bytes = 0;

        if (r < 0)
                return report_store(r, arguments[0]);
        if (range_parse_both(count > 1 ? arguments[1] : NULL, &bounds, &range) < 0)
                return report_usage("%s: wanted N, FROM.. or FROM..TO of record numbers, first, "
                                    "last or -N",
                                    arguments[1]);
        if (range.first <= range.last)
                bytes = move(store, range.first, range.last);
        if (bytes < 0)
                return report_store((int)bytes, arguments[0]);
        if (range.first <= range.last && is_unknown(store, &range))
                bytes = -1; /* printed as ? */
        printf("%s %s\n", size_format(text, (uint64_t)bytes, exact), done);
        return report_stdout();
}

static int move_pages(int count, char **arguments, mover move, const char *done)
{
        struct logstore *store;
        int status = session_read(arguments[0], &store);

        if (status != STATUS_DONE)
                return status;
        status = move_range(store, count, arguments, move, done);
        return session_close(store, arguments[0], status);
}

int verb_warm(int count, char **arguments)
{
        return move_pages(count, arguments, logstore_warm, "resident");
}

int verb_evict(int count, char **arguments)
{
        return move_pages(count, arguments, logstore_evict, "not resident");
}
