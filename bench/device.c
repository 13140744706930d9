/*
 * device.c - what the device gives when nothing but reading is done, measured by fio
 *
 * The files are those of the store. fio's --minimal output, version 3, is fields between
 * semicolons: the 7th is the read bandwidth in KiB/s, the 8th the reads per second.
 */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int has_data(const struct dirent *entry)
{
        size_t length = strlen(entry->d_name);

        return length > 4 && strcmp(entry->d_name + length - 4, ".log") == 0;
}

/* Names joined by colons, as fio wants them, without those that hold less than 1 MiB. */
static int file_list(const char *dir, char *ret, size_t capacity)
{
        struct dirent **names;
        int count = scandir(dir, &names, has_data, alphasort);
        size_t length = 0;

        if (count < 0)
                return -errno;
        for (int i = 0; i < count; i++) {
                char path[1024];
                struct stat s;

                snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
                if (stat(path, &s) == 0 && s.st_blocks >= 2048 && length < capacity)
                        length += (size_t)snprintf(ret + length, capacity - length, "%s%s",
                                                   length ? ":" : "", path);
                free(names[i]);
        }
        free(names);
        return length == 0 ? -ENODATA : length >= capacity ? -ENAMETOOLONG : 0;
}

static int fio_run(const char *dir, const char *how, int field, double *ret)
{
        static char files[64 << 10], command[(64 << 10) + 512], line[16 << 10];
        char *at = line;
        FILE *f;
        int r;

        r = file_list(dir, files, sizeof(files));
        if (r < 0)
                return r;
        snprintf(command, sizeof(command),
                 "exec fio --name=limit --readonly --minimal --terse-version=3 %s --filename='%s'",
                 how, files);
        f = popen(command, "re");
        if (!f)
                return -errno;
        line[0] = '\0';
        while (fgets(line, sizeof(line), f) && strncmp(line, "3;", 2) != 0)
                ;
        r = pclose(f);
        if (r != 0 || strncmp(line, "3;", 2) != 0) {
                fprintf(stderr, "    fio is not installed, or failed: no limit\n");
                return -ENOTSUP;
        }
        for (int i = 1; i < field && at; i++)
                at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL;
        if (!at)
                return -EPROTO;
        *ret = strtod(at, NULL);
        return 0;
}

int device_random_reads(const char *dir, unsigned depth, double *ret_per_s)
{
        char how[256];

        snprintf(how, sizeof(how),
                 "--rw=randread --bs=4k --ioengine=io_uring --direct=1 "
                 "--iodepth=%u --runtime=2 --time_based --norandommap",
                 depth);
        return fio_run(dir, how, 8, ret_per_s);
}

int device_sequential_read(const char *dir, double *ret_bytes_per_s)
{
        int r = fio_run(dir, "--rw=read --bs=1M --file_service_type=sequential", 7,
                        ret_bytes_per_s);

        if (r == 0)
                *ret_bytes_per_s *= KIB;
        return r;
}
