/*
 * mem.c - logstore mem: where the memory of a store is
 *
 * The page cache's view by segment is the same for everyone; the view by process says who maps how
 * much of it, and what else that process holds. Looking faults nothing in. What the kernel does not
 * tell is printed as ? (null in JSON).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/json_print.h"
#include "lib/look.h"
#include "lib/report.h"
#include "lib/terminal.h"
#include "records/session.h"
#include "verbs/mem.h"
#include "verbs/verbs.h"

#define CELLS_DEFAULT 64
#define TABLE_COLUMNS 95 /* that the table of a process takes */

static char *format_text, *pid_text, *every_text;
static int all_wanted, watch, exact;

struct poptOption mem_options[] = {
        { "output", 'o', POPT_ARG_STRING, &format_text, 0, "how it is shown; map if not said",
          "map|table|jsonl|svg" },
        { "bytes", 'b', POPT_ARG_NONE, &exact, 0, "sizes in exact bytes", NULL },
        { "pid", 0, POPT_ARG_STRING, &pid_text, 0, "also what this process holds", "N" },
        { "all", 0, POPT_ARG_NONE, &all_wanted, 0, "also every process that maps the store", NULL },
        { "watch", 0, POPT_ARG_NONE, &watch, 0, "draw it again and again", NULL },
        { "every", 0, POPT_ARG_STRING, &every_text, 0, "time between two drawings; 1s if not said",
          "DURATION" },
        POPT_TABLEEND,
};

enum format { FORMAT_MAP, FORMAT_TABLE, FORMAT_JSON, FORMAT_SVG };

struct showing {
        const char *dir;
        enum format format;
        uint64_t pid; /* 0: none */
        int64_t every_ns;
};

/* ---- table ---- */

static void size_cell(uint64_t bytes)
{
        char text[SIZE_TEXT_BYTES];

        printf(" %12s", size_format(text, bytes, exact));
}

static void residency_row(const char *name, const struct logstore_residency *r)
{
        printf("%-16s", name);
        size_cell(r->file_bytes);
        size_cell(r->resident);
        size_cell(r->dirty);
        size_cell(r->writeback);
        size_cell(r->evicted);
        size_cell(r->recently_evicted);
        putchar('\n');
}

static void kind_row(const char *name, const struct mem_kind *kind, bool has_file)
{
        printf("  %-14s", name);
        size_cell(kind->mapped);
        size_cell(kind->resident);
        size_cell(has_file ? kind->dirty : 0);
        size_cell(kind->copied);
        size_cell(kind->locked);
        size_cell(has_file ? mem_evictable(kind) : 0);
        putchar('\n');
}

/* The same, a figure a line. */
static void kind_list(const char *name, const struct mem_kind *kind, bool has_file)
{
        const struct {
                const char *what;
                uint64_t bytes;
        } figures[] = {
                { "mapped", kind->mapped },
                { "resident", kind->resident },
                { "dirty", has_file ? kind->dirty : 0 },
                { "copied", kind->copied },
                { "locked", kind->locked },
                { "may evict", has_file ? mem_evictable(kind) : 0 },
        };

        printf("  %s\n", name);
        for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
                printf("    %-9s", figures[i].what);
                size_cell(figures[i].bytes);
                putchar('\n');
        }
}

static void count_text(const char *name, uint64_t count)
{
        if (count == LOGSTORE_UNKNOWN)
                printf(" %s ?", name);
        else
                printf(" %s %llu", name, (unsigned long long)count);
}

static void process_rows(const struct mem_process *process, size_t columns)
{
        void (*show)(const char *, const struct mem_kind *, bool) =
                columns < TABLE_COLUMNS ? kind_list : kind_row;

        printf("\nprocess %d (%s):", process->pid, process->command);
        count_text("faults: minor", process->minor_faults);
        count_text("major", process->major_faults);
        putchar('\n');
        if (columns >= TABLE_COLUMNS)
                printf("  %-14s %12s %12s %12s %12s %12s %12s\n", "KIND", "MAPPED", "RESIDENT",
                       "DIRTY", "COPIED", "LOCKED", "MAY EVICT");
        show("shared file", &process->shared, true);
        show("private file", &process->private, true);
        show("anonymous", &process->anonymous, false);
        show("heap", &process->heap, false);
}

static void show_processes(const struct mem_view *view, size_t columns)
{
        for (size_t i = 0; i < view->process_count; i++)
                process_rows(&view->processes[i], columns);
        if (view->process_count)
                printf("\nshared and private file: mappings of this store; anonymous and heap: of "
                       "the whole process\n");
        if (view->hidden_processes)
                printf("%zu processes may not be looked at: ?\n", view->hidden_processes);
}

static void show_table(const struct mem_view *view)
{
        printf("%-16s %12s %12s %12s %12s %12s %12s\n", "SEGMENT", "FILE", "RESIDENT", "DIRTY",
               "WRITEBACK", "EVICTED", "RECENTLY");
        for (size_t i = 0; i < view->segment_count; i++)
                residency_row(view->segments[i].name, &view->segments[i].all);
        residency_row("total", &view->total);
}

/* ---- JSON lines ---- */

static void residency_json(const char *what, const char *name, const struct logstore_residency *r)
{
        struct json_print o = { "" };

        json_print_open(&o, NULL, '{');
        json_print_text(&o, "what", what);
        if (name)
                json_print_text(&o, "name", name);
        json_print_number(&o, "file_bytes", r->file_bytes);
        json_print_number(&o, "resident", r->resident);
        json_print_number(&o, "dirty", r->dirty);
        json_print_number(&o, "writeback", r->writeback);
        json_print_number(&o, "evicted", r->evicted);
        json_print_number(&o, "recently_evicted", r->recently_evicted);
        json_print_close(&o, '}');
        putchar('\n');
}

static void kind_json(struct json_print *o, const char *name, const struct mem_kind *kind)
{
        json_print_open(o, name, '{');
        json_print_number(o, "mappings", kind->mappings);
        json_print_number(o, "mapped", kind->mapped);
        json_print_number(o, "resident", kind->resident);
        json_print_number(o, "dirty", kind->dirty);
        json_print_number(o, "copied", kind->copied);
        json_print_number(o, "locked", kind->locked);
        json_print_close(o, '}');
}

static void process_json(const struct mem_process *process)
{
        struct json_print o = { "" };

        json_print_open(&o, NULL, '{');
        json_print_text(&o, "what", "process");
        json_print_number(&o, "pid", (uint64_t)process->pid);
        json_print_text(&o, "command", process->command);
        kind_json(&o, "shared_file", &process->shared);
        kind_json(&o, "private_file", &process->private);
        kind_json(&o, "anonymous", &process->anonymous);
        kind_json(&o, "heap", &process->heap);
        json_print_number(&o, "minor_faults", process->minor_faults);
        json_print_number(&o, "major_faults", process->major_faults);
        json_print_close(&o, '}');
        putchar('\n');
}

static void show_json(const struct mem_view *view)
{
        for (size_t i = 0; i < view->segment_count; i++)
                residency_json("file", view->segments[i].name, &view->segments[i].all);
        residency_json("total", NULL, &view->total);
        for (size_t i = 0; i < view->process_count; i++)
                process_json(&view->processes[i]);
}

/* ---- once, or again and again ---- */

static size_t cells_wanted(enum format format, size_t columns)
{
        if (format == FORMAT_MAP)
                return mem_map_cells(columns);
        return format == FORMAT_SVG ? CELLS_DEFAULT : 0;
}

/* Over the drawing before, or below it where the terminal cannot do that. */
static void draw_again(const struct mem_view *view, size_t columns, size_t rows)
{
        if (watch)
                fputs(terminal_is_dumb() ? "\n" : "\033[H\033[J", stdout);
        mem_draw_map(view, columns, watch && rows > 5 ? rows - 5 : 0);
        show_processes(view, columns);
}

static int show(const struct showing *showing, const struct mem_view *view)
{
        size_t columns, rows;

        terminal_size(STDOUT_FILENO, &columns, &rows);
        switch (showing->format) {
        case FORMAT_JSON:
                show_json(view);
                break;
        case FORMAT_SVG:
                mem_draw_svg(view);
                break;
        case FORMAT_TABLE:
                show_table(view);
                show_processes(view, SIZE_MAX);
                break;
        case FORMAT_MAP:
                draw_again(view, columns, rows);
                break;
        }
        return report_stdout();
}

static int show_once(const struct showing *showing, struct logstore *store)
{
        struct mem_view view;
        size_t columns, rows;
        int status, r;

        terminal_size(STDOUT_FILENO, &columns, &rows);
        r = mem_gather(&view, store, showing->dir, cells_wanted(showing->format, columns));

        if (r == 0 && showing->pid) {
                r = mem_add_process(&view, (pid_t)showing->pid);
                if (r == -ESRCH) {
                        mem_free(&view);
                        return report_no("no process %llu", (unsigned long long)showing->pid);
                }
        }
        if (r == 0 && all_wanted)
                r = mem_add_all(&view);
        status = r < 0 ? report_store(r, showing->dir) : show(showing, &view);
        mem_free(&view);
        return status;
}

static int show_all(const struct showing *showing, struct logstore *store)
{
        const struct timespec pause = { showing->every_ns / 1000000000,
                                        showing->every_ns % 1000000000 };
        int status = show_once(showing, store);

        while (watch && status == STATUS_DONE) {
                nanosleep(&pause, NULL);
                status = show_once(showing, store);
        }
        return status;
}

static int options_parse(struct showing *showing)
{
        static const char *const names[] = { "map", "table", "jsonl", "svg" };
        size_t i = 0;

        while (format_text && i < 4 && strcmp(format_text, names[i]) != 0)
                i++;
        if (i == 4)
                return report_usage("-o %s: wanted map, table, jsonl or svg", format_text);
        showing->format = (enum format)i;
        if (pid_text && (number_parse(pid_text, &showing->pid) < 0 || showing->pid == 0 ||
                         showing->pid > INT32_MAX))
                return report_usage("--pid %s: wanted a process id", pid_text);
        showing->every_ns = 1000000000;
        if (every_text &&
            (duration_parse(every_text, &showing->every_ns) < 0 || showing->every_ns < 1000000))
                return report_usage("--every %s: wanted a duration like 500ms", every_text);
        return STATUS_DONE;
}

int verb_mem(int count, char **arguments)
{
        struct showing showing = { .dir = arguments[0] };
        struct logstore *store;
        int status = options_parse(&showing);

        (void)count;
        if (status == STATUS_DONE)
                status = session_read(showing.dir, &store);
        if (status != STATUS_DONE)
                return status;
        return session_close(store, showing.dir, show_all(&showing, store));
}
