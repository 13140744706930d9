/*
 * open.c - row 9: open a store whose writer was killed
 *
 * Before each run a writer fills the active segment to nine tenths, syncs, and is killed by
 * SIGKILL. What is timed is logstore_open() alone. Limit: reading as many bytes of one segment
 * once with O_DIRECT, in pieces of 1 MiB, and 1 us for every file name.
 */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t segment_bytes(const struct work *work)
{
        return work->segment_bytes ? work->segment_bytes : 64 * MIB;
}

static uint64_t fill_bytes(const struct work *work)
{
        return segment_bytes(work) * 9 / 10;
}

static int last_used(void *context, const struct logstore_segment_info *info)
{
        if (info->state == LOGSTORE_SEGMENT_ACTIVE)
                *(uint64_t *)context = info->used_bytes;
        return 0;
}

/* Append until the active segment, whichever it then is, holds nine tenths of its size. */
static int fill_active(const struct work *work, struct logstore *store)
{
        uint64_t used = 0, want = fill_bytes(work), frame = frame_bytes(work->record_bytes);
        int r = logstore_segments(store, last_used, &used);

        if (used > want)
                want += segment_bytes(work);
        for (; used < want && r == 0; used += frame)
                r = logstore_append(store, record_data(used), work->record_bytes, NULL);
        return r < 0 ? r : logstore_sync(store, 0);
}

static void writer_main(const struct work *work)
{
        struct logstore *store;
        int r = ours_open(work, LOGSTORE_CREATE, &store);

        if (r == 0)
                r = fill_active(work, store);
        usleep(200000); /* the background thread seals what is full */
        if (r == 0)
                kill(getpid(), SIGKILL);
        fprintf(stderr, "    the writer failed: %s\n", logstore_detail());
        _exit(1);
}

static int crash(const struct work *work)
{
        int status;
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0)
                writer_main(work);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -EIO;
}

static int open_ours(const struct work *work, struct sample *ret)
{
        struct logstore *store;
        uint64_t start;
        int r = crash(work);

        if (r < 0)
                return r;
        start = now_ns();
        r = ours_open(work, 0, &store);
        ret->value[0] = (double)(now_ns() - start) / 1e6;
        return r < 0 ? r : ours_close(store, 0);
}

static int one_segment(const char *dir, uint64_t bytes, char *ret, size_t capacity)
{
        struct dirent *entry;
        DIR *d = opendir(dir);
        int names = 0;

        if (!d)
                return -errno;
        while ((entry = readdir(d))) {
                if (strcmp(entry->d_name, "0000000001.log") == 0)
                        snprintf(ret, capacity, "%s/%s", dir, entry->d_name);
                names++;
        }
        closedir(d);
        (void)bytes;
        return names;
}

static int open_limit(const struct work *work, struct sample *ret)
{
        uint64_t left = fill_bytes(work), start = now_ns();
        int fd, names, r = 0;
        char path[800] = "";
        void *piece;

        names = one_segment(work->ours_dir, left, path, sizeof(path));
        fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (posix_memalign(&piece, 4096, MIB))
                abort();
        memset(piece, 0, MIB);
        start = now_ns();
        while (left && r == 0) {
                ssize_t n = read(fd, piece, left < MIB ? (left + 4095) & ~UINT64_C(4095) : MIB);

                if (n <= 0)
                        r = n < 0 ? -errno : -ENODATA;
                else
                        left -= (uint64_t)n < left ? (uint64_t)n : left;
        }
        ret->value[0] = (double)(now_ns() - start) / 1e6 + names / 1e3;
        free(piece);
        close(fd);
        return r;
}

static double open_variant(const struct options *options, const char *name, uint64_t bytes,
                           uint64_t bytes_of_segment)
{
        struct variant variant = {
                .row = 9,
                .work = { .options = options,
                          .records = bytes / frame_bytes(KIB),
                          .record_bytes = KIB,
                          .segment_bytes = bytes_of_segment },
                .metrics = { { "", "ms", "limit<=1.5" } },
                .ours_prepare = ours_fill,
                .ours = open_ours,
                .limit = open_limit,
                .heavy = true,
        };

        snprintf(variant.name, sizeof(variant.name), "open after kill -9, %s", name);
        variant_run(&variant);
        return variant.ret_ours.value[0];
}

void row_open(const struct options *options)
{
        uint64_t small = options->quick ? 256 * MIB : GIB, many = options->quick ? 1000 : 10000;
        struct result result = { .row = 9,
                                 .unit = "ms",
                                 .required = "limit<=1.2",
                                 .best_peer = NAN,
                                 .ratio_peer = NAN };
        char name[32];

        if (options->bytes) {
                open_variant(options, "as given", options->bytes, options->segment_bytes);
                return;
        }
        result.limit = open_variant(options, options->quick ? "256 MiB" : "1 GiB", small,
                                    options->segment_bytes);
        result.ours = open_variant(options, options->quick ? "2 GiB" : "8 GiB", 8 * small,
                                   options->segment_bytes);
        result.ratio_limit = result.ours / result.limit;
        result.name = "the same, 8 times the size (limit: the small)";
        result_print(options, &result);
        snprintf(name, sizeof(name), "%llu segments", (unsigned long long)many);
        open_variant(options, name, many * 60 * KIB, 64 * KIB);
}
