/*
 * machine.c - the clock, the machine's name, its memory and its page cache
 */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void sleep_until(uint64_t time_ns)
{
        struct timespec t = { (time_t)(time_ns / NS_PER_S), (long)(time_ns % NS_PER_S) };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
                ;
}

/* The value of the first line "KEY : VALUE" in a file of /proc, or "unknown". */
static void proc_value(const char *path, const char *key, char *ret, size_t capacity)
{
        FILE *f = fopen(path, "re");
        char line[512];

        snprintf(ret, capacity, "unknown");
        while (f && fgets(line, sizeof(line), f)) {
                char *colon = strchr(line, ':');

                if (!colon || strncmp(line, key, strlen(key)) != 0)
                        continue;
                line[strcspn(line, "\n")] = '\0';
                snprintf(ret, capacity, "%s", colon + 1 + strspn(colon + 1, " \t"));
                break;
        }
        if (f)
                fclose(f);
}

static const char *file_system_name(const char *dir)
{
        struct statfs s;

        if (statfs(dir, &s) < 0)
                return "unknown";
        switch ((uint32_t)s.f_type) {
        case 0xef53:
                return "ext4";
        case 0x58465342:
                return "xfs";
        case 0x9123683e:
                return "btrfs";
        case 0x01021994:
                return "tmpfs";
        default:
                return "another";
        }
}

void machine_print(const struct options *options, FILE *to)
{
        char cpu[256], memory[128];
        struct utsname u;

        proc_value("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
        proc_value("/proc/meminfo", "MemTotal", memory, sizeof(memory));
        uname(&u);
        fprintf(to, "machine: %s, %ld CPUs, %llu GiB, Linux %s, %s\n", cpu,
                sysconf(_SC_NPROCESSORS_ONLN), (strtoull(memory, NULL, 10) + MIB / 2) / MIB,
                u.release, file_system_name(options->dir));
}

/* Bytes ever written to the block device below @dir, by everybody (/sys/dev/block/M:N/stat). */
int device_written(const char *dir, uint64_t *ret_bytes)
{
        unsigned long long sectors = 0;
        struct stat s;
        char path[64];
        FILE *f;
        int fields;

        if (stat(dir, &s) < 0)
                return -errno;
        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", major(s.st_dev), minor(s.st_dev));
        f = fopen(path, "re");
        if (!f)
                return -errno;
        fields = fscanf(f, "%*u %*u %*u %*u %*u %*u %llu", &sectors);
        fclose(f);
        if (fields != 1)
                return -ENOTSUP;
        *ret_bytes = sectors * 512;
        return 0;
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *ftw)
{
        (void)s;
        (void)type;
        (void)ftw;
        return remove(path) < 0 ? -errno : 0;
}

int directory_remove(const char *dir)
{
        return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int evict_one(const char *path, const struct stat *s, int type, struct FTW *ftw)
{
        int fd, r;

        (void)s;
        (void)ftw;
        if (type != FTW_F)
                return 0;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = fdatasync(fd) < 0 ? -errno : -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
        return r;
}

int directory_evict(const char *dir)
{
        return nftw(dir, evict_one, 16, FTW_PHYS);
}
