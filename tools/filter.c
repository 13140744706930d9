/*
 * filter.c - which records of a range are printed
 */
#include "filter.h"

#include "redact.h"
#include "report.h"
#include "times.h"

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

bool filter_wants(const struct filter *filter, const struct logstore_record *record)
{
        if (record->time_ns < filter->since_ns || record->time_ns > filter->until_ns)
                return false;
        return !filter->has_pattern ||
               pattern_matches(&filter->pattern, record->data, record->size) != filter->invert;
}
