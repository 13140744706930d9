/*
 * info.c - logstore info: what the store is and holds
 */
#include <stdio.h>

#include "lib/json_print.h"
#include "lib/look.h"
#include "lib/report.h"
#include "lib/text.h"
#include "records/session.h"
#include "records/shipped.h"
#include "records/source.h"
#ifdef LOGSTORE_IS_REMOTE
#include "verbs/remote_look.h"
#endif
#include "verbs/verbs.h"

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

static int print_json(const struct logstore_info *info, uint64_t shipped, const char *uuid)
{
        struct json_print o = { "" };
        char mode[16];

        snprintf(mode, sizeof(mode), "%04o", info->file_mode);
        json_print_open(&o, NULL, '{');
        json_print_text(&o, "uuid", uuid);
        json_print_number(&o, "version", info->version);
        json_print_number(&o, "first", info->bounds.first);
        json_print_number(&o, "tail", info->bounds.tail);
        json_print_number(&o, "durable", info->bounds.durable);
        json_print_number(&o, "shipped", shipped);
        json_print_number(&o, "records", record_count(&info->bounds));
        json_print_number(&o, "epoch", info->bounds.epoch);
        json_print_number(&o, "segments", info->segments);
        json_print_number(&o, "segment_bytes", info->segment_bytes);
        json_print_number(&o, "disk_bytes", info->disk_bytes);
        json_print_text(&o, "file_mode", mode);
        json_print_truth(&o, "clean", info->clean != 0);
        json_print_truth(&o, "failed", info->failed != 0);
        json_print_truth(&o, "locked", info->locked);
        json_print_number(&o, "writer_pid",
                          info->writer_pid > 0 ? (uint64_t)info->writer_pid : LOGSTORE_UNKNOWN);
        json_print_number(&o, "open_claims", info->open_claims);
        json_print_number(&o, "oldest_claim", info->oldest_claim);
        json_print_number(&o, "dropped_records", info->dropped_records);
        json_print_number(&o, "dropped_bytes", info->dropped_bytes);
        json_print_close(&o, '}');
        putchar('\n');
        return report_stdout();
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

static int print_table(const struct logstore_info *info, uint64_t shipped, const char *uuid)
{
        printf("%-14s %s\n", "store", uuid);
        printf("%-14s %s\n", "state", state_text(info));
        if (info->writer_pid)
                printf("%-14s %d\n", "writer pid", info->writer_pid);
        look_line_number("records", record_count(&info->bounds));
        look_line_number("first", info->bounds.first);
        look_line_number("tail", info->bounds.tail);
        look_line_number("durable", info->bounds.durable);
        if (shipped != LOGSTORE_UNKNOWN)
                look_line_number("shipped", shipped);
        look_line_number("epoch", info->bounds.epoch);
        look_line_number("segments", info->segments);
        look_line_size("segment size", info->segment_bytes, exact != 0);
        look_line_size("on disk", info->disk_bytes, exact != 0);
        printf("%-14s %04o\n", "file mode", info->file_mode);
        printf("%-14s %u\n", "format", info->version);
        if (info->dropped_bytes) {
                look_line_number("torn records", info->dropped_records);
                look_line_size("torn tail", info->dropped_bytes, exact != 0);
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
#ifdef LOGSTORE_IS_REMOTE
        if (source_is_url(arguments[0]))
                return remote_info(arguments[0], json, exact != 0);
#endif
        status = session_read(arguments[0], &store);
        if (status != STATUS_DONE)
                return status;
        r = logstore_info(store, &info);
        uuid_format(uuid, info.uuid);
        if (r < 0)
                status = report_store(r, arguments[0]);
        else
                status = json ? print_json(&info, shipped_number(store), uuid)
                              : print_table(&info, shipped_number(store), uuid);
        return session_close(store, arguments[0], status);
}
