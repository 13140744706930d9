/*
 * info.c - logstore info: what the store is and holds
 */
#include <stdio.h>

#include "look.h"
#include "report.h"
#include "session.h"
#include "text.h"
#include "verbs.h"

static char *format_text;
static int exact;

struct poptOption info_options[] = {
        LOOK_OPTIONS(format_text, exact),
        POPT_TABLEEND,
};

static uint64_t record_count(const struct logstore_bounds *bounds)
{
        return bounds->tail + 1 - bounds->first;
}

static void uuid_format(char to[33], const uint8_t uuid[16])
{
        *text_hex(to, uuid, 16) = 0;
}

static int print_json(const struct logstore_info *info, const char *uuid)
{
        json_t *o = json_object();

        json_object_set_new(o, "uuid", json_string(uuid));
        json_object_set_new(o, "version", json_integer(info->version));
        json_object_set_new(o, "first", look_number(info->bounds.first));
        json_object_set_new(o, "tail", look_number(info->bounds.tail));
        json_object_set_new(o, "durable", look_number(info->bounds.durable));
        json_object_set_new(o, "records", look_number(record_count(&info->bounds)));
        json_object_set_new(o, "epoch", look_number(info->bounds.epoch));
        json_object_set_new(o, "segments", look_number(info->segments));
        json_object_set_new(o, "segment_bytes", look_number(info->segment_bytes));
        json_object_set_new(o, "disk_bytes", look_number(info->disk_bytes));
        json_object_set_new(o, "file_mode", json_sprintf("%04o", info->file_mode));
        json_object_set_new(o, "clean", json_boolean(info->clean));
        json_object_set_new(o, "failed", json_boolean(info->failed));
        json_object_set_new(o, "locked",
                            info->locked < 0 ? json_null() : json_boolean(info->locked));
        json_object_set_new(o, "writer_pid",
                            info->writer_pid ? json_integer(info->writer_pid) : json_null());
        json_object_set_new(o, "open_claims", look_number(info->open_claims));
        json_object_set_new(o, "oldest_claim", look_number(info->oldest_claim));
        json_object_set_new(o, "dropped_records", look_number(info->dropped_records));
        json_object_set_new(o, "dropped_bytes", look_number(info->dropped_bytes));
        return look_print_json(o);
}

static void line_number(const char *name, uint64_t number)
{
        printf("%-14s %llu\n", name, (unsigned long long)number);
}

static void line_size(const char *name, uint64_t bytes)
{
        char text[SIZE_TEXT_BYTES];

        printf("%-14s %s\n", name, size_format(text, bytes, exact));
}

static const char *state_text(const struct logstore_info *info)
{
        if (info->failed)
                return "a sync failed: nothing is acknowledged until it is opened again";
        if (info->locked == 1)
                return "open for writing";
        if (info->locked < 0 && !info->clean)
                return "not closed, or open for writing: the lock cannot be asked";
        return info->clean ? "closed" : "not closed: the next writer recovers it";
}

static int print_table(const struct logstore_info *info, const char *uuid)
{
        printf("%-14s %s\n", "store", uuid);
        printf("%-14s %s\n", "state", state_text(info));
        if (info->writer_pid)
                printf("%-14s %d\n", "writer pid", info->writer_pid);
        line_number("records", record_count(&info->bounds));
        line_number("first", info->bounds.first);
        line_number("tail", info->bounds.tail);
        line_number("durable", info->bounds.durable);
        line_number("epoch", info->bounds.epoch);
        line_number("segments", info->segments);
        line_size("segment size", info->segment_bytes);
        line_size("on disk", info->disk_bytes);
        printf("%-14s %04o\n", "file mode", info->file_mode);
        printf("%-14s %u\n", "format", info->version);
        if (info->dropped_bytes) {
                line_number("torn records", info->dropped_records);
                line_size("torn tail", info->dropped_bytes);
        }
        return report_stdout();
}

int verb_info(int count, char **arguments)
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct logstore *store;
        char uuid[33];
        bool json;
        int status, r;

        (void)count;
        if (look_format_parse(format_text, &json) < 0)
                return report_usage("-o %s: wanted table or json", format_text);
        status = session_read(arguments[0], &store);
        if (status != STATUS_DONE)
                return status;
        r = logstore_info(store, &info);
        uuid_format(uuid, info.uuid);
        if (r < 0)
                status = report_store(r, arguments[0]);
        else
                status = json ? print_json(&info, uuid) : print_table(&info, uuid);
        return session_close(store, arguments[0], status);
}
