/*
 * filter.c - which records of a range are printed
 */
#include "records/filter.h"

#include "lib/pattern.h"
#include "lib/report.h"
#include "lib/times.h"

void filter_free(struct filter *filter)
{
        if (filter->has_pattern)
                regfree(&filter->pattern);
        filter->has_pattern = false;
}

int filter_set_pattern(struct filter *filter, const char *text, bool ignore_case, bool invert)
{
        int status = pattern_compile(&filter->pattern, text, ignore_case ? REG_ICASE : 0, "-g");

        filter->has_pattern = status == STATUS_DONE;
        filter->invert = invert;
        return status;
}

void filter_set_times(struct filter *filter, const char *since, const char *until)
{
        if (since)
                (void)time_parse(since, &filter->since_ns);
        if (until)
                (void)time_parse(until, &filter->until_ns);
}

int filter_wants(const struct filter *filter, const struct logstore_record *record)
{
        regmatch_t match;
        int r;

        if (record->time_ns < filter->since_ns || record->time_ns > filter->until_ns)
                return 0;
        if (!filter->has_pattern)
                return 1;
        r = pattern_find(&filter->pattern, record->data, 0, record->size, &match);
        return r < 0 ? r : (r > 0) != filter->invert;
}
