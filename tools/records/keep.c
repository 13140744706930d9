/*
 * keep.c - how much of the log is kept: --keep-size, --keep-time, --keep-count
 */
#include "records/keep.h"

#include "lib/numbers.h"
#include "lib/report.h"

int keep_parse(struct keep *keep)
{
        const char *size = keep->size_text, *time = keep->time_text, *count = keep->count_text;

        if (size && (size_parse(size, &keep->bytes) < 0 || !keep->bytes))
                return report_usage("--keep-size %s: wanted a size like 512M", size);
        if (time && (duration_parse(time, &keep->ns) < 0 || !keep->ns))
                return report_usage("--keep-time %s: wanted a duration like 7d", time);
        if (count && (number_parse(count, &keep->records) < 0 || !keep->records))
                return report_usage("--keep-count %s: wanted a number", count);
        return STATUS_DONE;
}
