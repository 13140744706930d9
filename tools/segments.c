/*
 * segments.c - logstore segments: one line for each file of the log, oldest first
 */
#include <stdio.h>

#include "look.h"
#include "report.h"
#include "session.h"
#include "verbs.h"

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

static int add_json(void *context, const struct logstore_segment_info *segment)
{
        json_t *o = json_object();

        json_object_set_new(o, "id", look_number(segment->id));
        json_object_set_new(o, "name", json_string(segment->name));
        json_object_set_new(o, "state", json_string(state_text(segment->state)));
        json_object_set_new(o, "first", look_number(segment->first_number));
        json_object_set_new(o, "records", look_number(segment->records));
        json_object_set_new(o, "used_bytes", look_number(segment->used_bytes));
        json_object_set_new(o, "file_bytes", look_number(segment->file_bytes));
        json_object_set_new(o, "disk_bytes", look_number(segment->disk_bytes));
        json_object_set_new(o, "created", look_time(segment->created_ns));
        json_object_set_new(o, "greatest_time", look_time(segment->greatest_ns));
        json_object_set_new(o, "index", json_boolean(segment->has_index));
        return json_array_append_new(context, o);
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

int verb_segments(int count, char **arguments)
{
        struct logstore *store;
        json_t *array = NULL;
        bool json;
        int status, r;

        (void)count;
        if (look_format_parse(format_text, &json) < 0)
                return report_usage("-o %s: wanted table or json", format_text);
        if (local_time)
                times_are_local();
        status = session_read(arguments[0], &store);
        if (status != STATUS_DONE)
                return status;
        if (json) {
                array = json_array();
                r = logstore_segments(store, add_json, array);
        } else {
                printf("%-16s %-8s %14s %12s %12s %12s %-5s %s\n", "SEGMENT", "STATE", "FIRST",
                       "RECORDS", "USED", "DISK", "INDEX", "GREATEST TIME");
                r = logstore_segments(store, print_row, NULL);
        }
        if (r < 0)
                status = report_store(r, arguments[0]);
        else
                status = json ? look_print_json(json_incref(array)) : report_stdout();
        json_decref(array);
        return session_close(store, arguments[0], status);
}
