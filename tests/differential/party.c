/*
 * party.c - readers, verify, repair and a writer are asked through the public header
 */
#include "party.h"

#include <errno.h>
#include <inttypes.h>
#include <logstore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

const char *const party_names[] = { "forward", "backward", "get",   "verify",
                                    "repair",  "python",   "writer" };

static FILE *to_python, *from_python;
static pid_t python;

/* "FILE: offset N, record M: why", behind the path of the store or not. */
static void parse(const char *text, struct verdict *v)
{
        const char *colon = strstr(text, ".log: "), *file, *number = strstr(text, ", record ");

        snprintf(v->text, sizeof(v->text), "%s", text);
        colon = colon ? colon + 4 : strstr(text, "control: ");
        if (!colon)
                return;
        for (file = colon; file > text && file[-1] != ' ' && file[-1] != '/'; file--)
                ;
        if (*colon == 'c')
                colon += strlen("control");
        snprintf(v->file, sizeof(v->file), "%.*s", (int)(colon - file), file);
        sscanf(colon, ": offset %" SCNu64, &v->offset);
        if (number)
                sscanf(number, ", record %" SCNu64, &v->number);
}

static void take_error(int r, struct verdict *v)
{
        v->error = r == -EAGAIN ? 0 : r;
        if (v->error < 0)
                parse(logstore_detail(), v);
}

static void count(const struct logstore_record *record, struct verdict *v)
{
        XXH3_state_t state;

        XXH3_64bits_reset(&state);
        XXH3_64bits_update(&state, &record->number, sizeof(record->number));
        XXH3_64bits_update(&state, &record->time_ns, sizeof(record->time_ns));
        XXH3_64bits_update(&state, record->data, record->size);
        v->sum += XXH3_64bits_digest(&state);
        v->records++;
}

static int open_reader(const char *path, struct logstore **ret, struct verdict *v)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        int r;

        options.flags = LOGSTORE_READ_ONLY;
        r = logstore_open(path, &options, ret);
        if (r < 0)
                take_error(r, v);
        v->counted = true;
        return r;
}

static void with_cursor(const char *path, bool backward, struct verdict *v)
{
        struct logstore_cursor *cursor = NULL;
        struct logstore_record record;
        struct logstore *store;
        int r;

        if (open_reader(path, &store, v) < 0)
                return;
        r = logstore_cursor_open(store, 0, &cursor);
        if (r == 0 && backward)
                r = logstore_cursor_seek(cursor, UINT64_MAX);
        while (r == 0) {
                r = backward ? logstore_cursor_prev(cursor, &record)
                             : logstore_cursor_next(cursor, &record);
                if (r == 0)
                        count(&record, v);
        }
        v->last = cursor ? logstore_cursor_position(cursor) - 1 : 0;
        take_error(backward && r == -ESTALE ? 0 : r, v); /* before the first */
        logstore_cursor_close(cursor);
        logstore_close(store);
}

static void with_get(const char *path, struct verdict *v)
{
        static unsigned char buffer[128 << 10];
        struct logstore_record record;
        struct logstore_bounds bounds = { 0 };
        struct logstore *store;
        int r;

        if (open_reader(path, &store, v) < 0)
                return;
        r = logstore_bounds(store, &bounds);
        for (uint64_t n = bounds.first; r == 0 && n <= bounds.tail + 1; n++) {
                r = logstore_get(store, n, buffer, sizeof(buffer), &record);
                if (r == 0)
                        count(&record, v);
                if (r == -ENODATA)
                        r = 0;
        }
        if (r < 0)
                take_error(r, v);
        v->last = bounds.tail;
        logstore_close(store);
}

static void on_fault(void *context, const struct logstore_fault *fault)
{
        struct verdict *v = context;

        if (!fault->fatal || v->error)
                return;
        v->error = fault->error ? fault->error : -EBADMSG;
        snprintf(v->file, sizeof(v->file), "%s", fault->file);
        v->offset = fault->offset;
        v->number = fault->number;
        snprintf(v->text, sizeof(v->text), "%s:%" PRIu64 ": %" PRIu64 ": %s", fault->file,
                 fault->offset, fault->number, fault->what);
}

static void with_verify(const char *path, struct verdict *v)
{
        struct logstore_verify_hooks hooks = { on_fault, NULL, v };
        struct logstore_verify_report report = { 0 };
        int r = logstore_verify(path, &hooks, &report);

        if (r < 0 && (v->error == 0 || r != -EBADMSG))
                take_error(r, v);
        if (r == 0 && v->error) {
                snprintf(v->text, sizeof(v->text), "told of a fault and returned 0");
                v->error = -EPROTO;
        }
}

static void with_dry_repair(const char *path, struct verdict *v)
{
        struct logstore_verify_hooks hooks = { on_fault, NULL, v };
        struct logstore_repair_report report = { 0 };
        int r = logstore_repair(path, 0, NULL, &hooks, &report);

        if (r < 0)
                take_error(r, v);
        v->last = report.kept_last;
}

int party_repair(const char *path, char *text, unsigned capacity)
{
        struct logstore_repair_report report = { 0 };
        int r = logstore_repair(path, LOGSTORE_REPAIR_APPLY, NULL, NULL, &report);

        snprintf(text, capacity, "%s", r < 0 ? logstore_detail() : "");
        return r;
}

/* A record is appended, so that what it stands on is used. */
static void with_writer(const char *path, struct verdict *v)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_bounds bounds = { 0 };
        struct logstore *store;
        uint64_t number = 0;
        int r, closed;

        options.flags = LOGSTORE_NO_THREAD | LOGSTORE_NO_RING;
        r = logstore_open(path, &options, &store);
        if (r < 0) {
                take_error(r, v);
                return;
        }
        r = logstore_bounds(store, &bounds);
        v->last = bounds.tail;
        if (r == 0)
                r = logstore_append(store, "appended", 8, &number);
        if (r == 0)
                r = logstore_sync(store, number);
        if (r < 0)
                take_error(r, v);
        closed = logstore_close(store);
        if (r == 0 && closed < 0)
                take_error(closed, v);
}

void party_start(const char *program)
{
        int to[2], from[2];

        if (pipe(to) < 0 || pipe(from) < 0 || (python = fork()) < 0) {
                perror("differential");
                exit(2);
        }
        if (python == 0) {
                dup2(to[0], 0);
                dup2(from[1], 1);
                close(to[1]);
                close(from[0]);
                execl(program, program, (char *)NULL);
                _exit(127);
        }
        close(to[0]);
        close(from[1]);
        to_python = fdopen(to[1], "w");
        from_python = fdopen(from[0], "r");
}

void party_end(void)
{
        fclose(to_python);
        fclose(from_python);
        waitpid(python, NULL, 0);
}

/* The answer: error, file or -, offset, number, records, sum, last, and the rest of the line. */
static void with_python(const char *path, struct verdict *v)
{
        char line[600];

        fprintf(to_python, "%s\n", path);
        fflush(to_python);
        if (!fgets(line, sizeof(line), from_python) ||
            sscanf(line,
                   "%d %63s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %300[^\n]",
                   &v->error, v->file, &v->offset, &v->number, &v->records, &v->sum, &v->last,
                   v->text) < 7) {
                fprintf(stderr, "differential: the Python reader ended\n");
                exit(2);
        }
        if (strcmp(v->file, "-") == 0)
                v->file[0] = '\0';
        v->counted = true;
}

void party_ask(enum party party, const char *path, struct verdict *ret)
{
        *ret = (struct verdict){ 0 };
        switch (party) {
        case PARTY_FORWARD:
        case PARTY_BACKWARD:
                with_cursor(path, party == PARTY_BACKWARD, ret);
                break;
        case PARTY_GET:
                with_get(path, ret);
                break;
        case PARTY_VERIFY:
                with_verify(path, ret);
                break;
        case PARTY_REPAIR:
                with_dry_repair(path, ret);
                break;
        case PARTY_WRITER:
                with_writer(path, ret);
                break;
        default:
                with_python(path, ret);
        }
}
