/*
 * tool.c - row 11: the command against cat, on lines of 100 bytes
 *
 * From the start of the process to its end, so for `append` to the last line durable. All write
 * to a file, cat too, which syncs nothing.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { APPEND, READ, JSON };
enum { LINE_BYTES = 100 };

static int shell(const char *command)
{
        int status = system(command);

        if (status != 0)
                fprintf(stderr, "    status %d: %s\n", status, command);
        return status == 0 ? 0 : -EIO;
}

static int lines_write(const struct work *work)
{
        static const char digits[] =
                "0123456789abcdefghijklmnopqrstuvwxyz .,:/-+=ABCDEFGHIJKLMNOPQ";
        char line[LINE_BYTES + 1], path[600];
        FILE *f;

        snprintf(path, sizeof(path), "%s/lines", work->dir);
        f = fopen(path, "we");
        if (!f)
                return -errno;
        for (uint64_t i = 0; i < work->records; i++) {
                const uint8_t *from = record_data(i);
                int n = snprintf(line, sizeof(line), "%llu ", (unsigned long long)i);

                for (; n < LINE_BYTES - 1; n++)
                        line[n] = digits[from[n] % (sizeof(digits) - 1)];
                line[n] = '\n';
                fwrite(line, 1, LINE_BYTES, f);
        }
        return fclose(f) == 0 ? 0 : -EIO;
}

static int tool_prepare(const struct work *work, struct sample *unused)
{
        char command[2048];
        int r = lines_write(work);

        (void)unused;
        if (r < 0 || work->flags == APPEND)
                return r;
        snprintf(command, sizeof(command), "'%s' append '%s/store' '%s/lines' > /dev/null",
                 work->options->tool, work->dir, work->dir);
        return shell(command);
}

static int timed(const struct work *work, const char *command, struct sample *ret)
{
        uint64_t start = now_ns();
        int r = shell(command);

        ret->value[0] = (double)work->records * 1e9 / (double)(now_ns() - start);
        return r;
}

static int tool_ours(const struct work *work, struct sample *ret)
{
        const char *tool = work->options->tool, *dir = work->dir;
        char command[2048], path[600];
        int r;

        snprintf(path, sizeof(path), "%s/%s", dir, work->flags == APPEND ? "store" : "out");
        if (work->flags == APPEND) {
                if (access(path, F_OK) == 0)
                        directory_remove(path);
                snprintf(command, sizeof(command), "'%s' append '%s/store' '%s/lines' > /dev/null",
                         tool, dir, dir);
        } else {
                unlink(path);
                snprintf(command, sizeof(command), "'%s' read %s '%s/store' > '%s/out'", tool,
                         work->flags == JSON ? "-o jsonl" : "", dir, dir);
        }
        r = timed(work, command, ret);
        if (r == 0 && work->flags == READ) {
                snprintf(command, sizeof(command), "cmp '%s/lines' '%s/out'", dir, dir);
                r = shell(command);
        }
        return r;
}

static int tool_limit(const struct work *work, struct sample *ret)
{
        char command[2048];

        snprintf(command, sizeof(command), "cat '%s/lines' > '%s/out'", work->ours_dir, work->dir);
        return timed(work, command, ret);
}

void row_tool(const struct options *options)
{
        static const struct {
                const char *name, *required;
                uint32_t what;
        } variants[] = {
                { "logstore append", "ours>=2e6", APPEND },
                { "logstore read", "ours>=5e6", READ },
                { "logstore read -o jsonl", "ours>=1.5e6", JSON },
        };

        if (access(options->tool, X_OK) < 0) {
                fprintf(stderr, "row 11: %s is not there, skipped (--tool)\n", options->tool);
                return;
        }
        for (size_t i = 0; i < sizeof(variants) / sizeof(*variants); i++) {
                struct variant variant = {
                        .row = 11,
                        .work = { .options = options,
                                  .records = options->bytes   ? options->bytes / LINE_BYTES
                                             : options->quick ? 1000000
                                                              : 5000000,
                                  .flags = variants[i].what },
                        .metrics = { { "", "lines/s", variants[i].required } },
                        .ours_prepare = tool_prepare,
                        .ours = tool_ours,
                        .limit = tool_limit,
                };

                snprintf(variant.name, sizeof(variant.name), "%s", variants[i].name);
                variant_run(&variant);
        }
}
