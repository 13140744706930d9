/*
 * segments.c - logstore segments: one line for each file of the log, oldest first
 */
#include <stdio.h>

#include "lib/json_print.h"
#include "lib/look.h"
#include "lib/report.h"
#include "records/session.h"
#include "records/source.h"
#ifdef LOGSTORE_IS_REMOTE
#include "verbs/remote_look.h"
#endif
#include "verbs/verbs.h"

static char *format_text;
static int exact, local_time;

struct poptOption segments_options[] = {
        LOOK_OPTIONS(format_text, exact),
        LOCAL_TIME_OPTION(local_time),
        POPT_TABLEEND,
};

static const char *const states[] = { "active", "full", "sealed", "damaged" };

static const char *state_text(uint32_t state)
{
        return state < sizeof(states) / sizeof(states[0]) ? states[state] : "?";
}

static int print_object(void *context, const struct logstore_segment_info *segment)
{
        struct json_print *o = context;

        json_print_open(o, NULL, '{');
        json_print_number(o, "id", segment->id);
        json_print_text(o, "name", segment->name);
        json_print_text(o, "state", state_text(segment->state));
        json_print_number(o, "first", segment->first_number);
        json_print_number(o, "records", segment->records);
        json_print_number(o, "used_bytes", segment->used_bytes);
        json_print_number(o, "file_bytes", segment->file_bytes);
        json_print_number(o, "disk_bytes", segment->disk_bytes);
        json_print_time(o, "created", segment->created_ns);
        json_print_time(o, "greatest_time", segment->greatest_ns);
        json_print_truth(o, "index", segment->has_index != 0);
        json_print_close(o, '}');
        return 0;
}

static int print_row(void *context, const struct logstore_segment_info *segment)
{
        char used[SIZE_TEXT_BYTES], disk[SIZE_TEXT_BYTES], time[TIME_TEXT_BYTES];

        (void)context;
        printf("%-16s %-8s %14llu %12llu %12s %12s %-5s %s\n", segment->name,
               state_text(segment->state), (unsigned long long)segment->first_number,
               (unsigned long long)segment->records, size_format(used, segment->used_bytes, exact),
               size_format(disk, segment->disk_bytes, exact), segment->has_index ? "yes" : "no",
               look_time_text(time, segment->greatest_ns));
        return 0;
}

static int print_json(struct logstore *store)
{
        struct json_print array = { "" };
        int r;

        json_print_open(&array, NULL, '[');
        r = logstore_segments(store, print_object, &array);
        json_print_close(&array, ']');
        putchar('\n');
        return r;
}

static int print_table(struct logstore *store)
{
        printf("%-16s %-8s %14s %12s %12s %12s %-5s %s\n", "SEGMENT", "STATE", "FIRST", "RECORDS",
               "USED", "DISK", "INDEX", "GREATEST TIME");
        return logstore_segments(store, print_row, NULL);
}

int verb_segments(int count, char **arguments)
{
        struct logstore *store;
        bool json;
        int status, r;

        (void)count;
        if (look_format_parse(format_text, &json) < 0)
                return report_usage("-o %s: wanted table or json", format_text);
        if (local_time)
                times_are_local();
#ifdef LOGSTORE_IS_REMOTE
        if (source_is_url(arguments[0]) && local_time)
                return report_usage("--local-time goes with a DIR");
        if (source_is_url(arguments[0]))
                return remote_segments(arguments[0], json, exact != 0);
#endif
        status = session_read(arguments[0], &store);
        if (status != STATUS_DONE)
                return status;
        r = json ? print_json(store) : print_table(store);
        status = report_stdout();
        if (r < 0)
                status = status_first(report_store(r, arguments[0]), status);
        return session_close(store, arguments[0], status);
}
