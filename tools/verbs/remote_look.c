/*
 * remote_look.c - info, segments and verify of a log in a bucket
 */
#include "verbs/remote_look.h"

#include <errno.h>
#include <stdio.h>

#include "lib/json_print.h"
#include "lib/look.h"
#include "lib/report.h"
#include "lib/text.h"
#include "records/source_url.h"

/* ---- info ---- */

static int info_json(const struct logstore_remote_info *info, const char *uuid)
{
        struct json_print o = { "" };
        char mode[16];

        snprintf(mode, sizeof(mode), "%04o", info->file_mode);
        json_print_open(&o, NULL, '{');
        json_print_text(&o, "uuid", uuid);
        json_print_number(&o, "version", info->version);
        json_print_number(&o, "first", info->bounds.first);
        json_print_number(&o, "tail", info->bounds.tail);
        json_print_number(&o, "records", info->bounds.tail + 1 - info->bounds.first);
        json_print_number(&o, "epoch", info->bounds.epoch);
        json_print_number(&o, "segments", info->segments);
        json_print_number(&o, "segment_bytes", info->segment_bytes);
        json_print_number(&o, "log_bytes", info->log_bytes);
        json_print_number(&o, "stored_bytes", info->stored_bytes);
        json_print_text(&o, "file_mode", mode);
        json_print_number(&o, "commit", info->commit);
        json_print_number(&o, "term", info->term);
        json_print_number(&o, "checkpoint", info->checkpoint);
        json_print_time(&o, "committed", info->committed_ns);
        json_print_text(&o, "host", info->host);
        json_print_number(&o, "pid", info->pid);
        json_print_close(&o, '}');
        putchar('\n');
        return report_stdout();
}

static int info_table(const struct logstore_remote_info *info, const char *uuid, bool exact)
{
        char time[TIME_TEXT_BYTES], host[TEXT_VISIBLE_BYTES(sizeof(info->host))], name[64];

        snprintf(name, sizeof(name), "%s", info->host);
        printf("%-14s %s\n", "store", uuid);
        printf("%-14s %s, pid %u, at %s\n", "shipped by", text_visible_line(host, name), info->pid,
               look_time_text(time, info->committed_ns));
        look_line_number("records", info->bounds.tail + 1 - info->bounds.first);
        look_line_number("first", info->bounds.first);
        look_line_number("tail", info->bounds.tail);
        look_line_number("epoch", info->bounds.epoch);
        look_line_number("commit", info->commit);
        look_line_number("term", info->term);
        look_line_number("checkpoint", info->checkpoint);
        look_line_number("segments", info->segments);
        look_line_size("segment size", info->segment_bytes, exact);
        look_line_size("log", info->log_bytes, exact);
        look_line_size("stored", info->stored_bytes, exact);
        printf("%-14s %04o\n", "file mode", info->file_mode);
        printf("%-14s %u\n", "format", info->version);
        return report_stdout();
}

int remote_info(const char *url, bool json, bool exact)
{
        struct logstore_remote_info info = { .struct_bytes = sizeof(info) };
        struct logstore_remote *remote;
        char uuid[33];
        int status = source_open_remote(url, false, &remote), r;

        if (status != STATUS_DONE)
                return status;
        r = logstore_remote_info(remote, &info);
        if (r < 0) {
                status = source_report_url(r, url);
        } else {
                *text_hex(uuid, info.uuid, sizeof(info.uuid)) = 0;
                status = json ? info_json(&info, uuid) : info_table(&info, uuid, exact);
        }
        logstore_remote_close(remote);
        return status;
}

/* ---- segments ---- */

struct rows {
        struct json_print json;
        bool exact;
};

static const char *codec_text(uint32_t codec)
{
        return codec == 0 ? "plain" : codec == 1 ? "zstd" : "?";
}

static int print_object(void *context, const struct logstore_remote_segment *segment)
{
        struct json_print *o = &((struct rows *)context)->json;

        json_print_open(o, NULL, '{');
        json_print_number(o, "id", segment->id);
        json_print_number(o, "first", segment->first_number);
        json_print_number(o, "records", segment->records);
        json_print_number(o, "log_bytes", segment->log_bytes);
        json_print_text(o, "object", segment->object[0] ? segment->object : NULL);
        json_print_number(o, "object_bytes", segment->object_bytes);
        json_print_text(o, "codec", segment->object[0] ? codec_text(segment->codec) : NULL);
        json_print_truth(o, "sealed", segment->sealed != 0);
        json_print_number(o, "tails", segment->tails);
        json_print_number(o, "tail_bytes", segment->tail_bytes);
        json_print_close(o, '}');
        return 0;
}

static int print_row(void *context, const struct logstore_remote_segment *segment)
{
        const struct rows *rows = context;
        char log[SIZE_TEXT_BYTES], object[SIZE_TEXT_BYTES], tails[SIZE_TEXT_BYTES];

        printf("%010llu %14llu %12llu %12s %12s %8llu %12s %s\n", (unsigned long long)segment->id,
               (unsigned long long)segment->first_number, (unsigned long long)segment->records,
               size_format(log, segment->log_bytes, rows->exact),
               size_format(object, segment->object_bytes, rows->exact),
               (unsigned long long)segment->tails,
               size_format(tails, segment->tail_bytes, rows->exact),
               segment->object[0] ? segment->object : "-");
        return 0;
}

int remote_segments(const char *url, bool json, bool exact)
{
        struct rows rows = { .json = { "" }, .exact = exact };
        struct logstore_remote *remote;
        int status = source_open_remote(url, false, &remote), r;

        if (status != STATUS_DONE)
                return status;
        if (json)
                json_print_open(&rows.json, NULL, '[');
        else
                printf("%-10s %14s %12s %12s %12s %8s %12s %s\n", "SEGMENT", "FIRST", "RECORDS",
                       "LOG", "OBJECT SIZE", "TAILS", "TAIL SIZE", "OBJECT");
        r = logstore_remote_segments(remote, json ? print_object : print_row, &rows);
        if (json) {
                json_print_close(&rows.json, ']');
                putchar('\n');
        }
        status = report_stdout();
        if (r < 0)
                status = status_first(source_report_url(r, url), status);
        logstore_remote_close(remote);
        return status;
}

/* ---- verify ---- */

static void summary(const char *url, bool quick, const struct logstore_verify_report *report)
{
        char bytes[SIZE_TEXT_BYTES];

        if (quick)
                report_note("%s: names and sizes of %llu segments: %llu faults", url,
                            (unsigned long long)report->segments,
                            (unsigned long long)report->faults);
        else
                report_note("%s: %llu segments, %llu records, %llu voids, %s: %llu faults", url,
                            (unsigned long long)report->segments,
                            (unsigned long long)report->records, (unsigned long long)report->voids,
                            size_format(bytes, report->bytes, 0),
                            (unsigned long long)report->faults);
}

int remote_verify(const char *url, bool quick, struct verify_hooks *hooks)
{
        const struct logstore_verify_hooks calls = { verify_fault, verify_progress, hooks };
        struct logstore_verify_report report = { 0 };
        struct logstore_remote *remote;
        int status = source_open_remote(url, false, &remote), r;

        if (status != STATUS_DONE)
                return status;
        r = logstore_remote_verify(remote, quick ? LOGSTORE_REMOTE_QUICK : 0, &calls, &report);
        progress_clear(&hooks->progress);
        status = report_stdout();
        if (r < 0 && (r != -EBADMSG || report.faults == 0))
                status = status_first(source_report_url(r, url), status);
        else
                summary(url, quick, &report);
        logstore_remote_close(remote);
        return r == -EBADMSG ? STATUS_NO : status;
}
