/*
 * cgroup.c - a limit on memory, page cache included, around a contender
 *
 * Version 1 where its memory hierarchy is mounted, else version 2. The parent makes the group and
 * drops it, the contender's process enters it before it does anything.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define V1 "/sys/fs/cgroup/memory"
#define V2 "/sys/fs/cgroup"

static char group[128];
static const char *join_file;

static int write_number(const char *file, uint64_t number)
{
        char path[192], text[32];
        int fd, r, length = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);

        snprintf(path, sizeof(path), "%s/%s", group, file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = write(fd, text, (size_t)length) < 0 ? -errno : 0;
        close(fd);
        return r;
}

int cgroup_make(uint64_t memory_bytes)
{
        bool v1 = access(V1 "/memory.limit_in_bytes", F_OK) == 0;
        int r;

        snprintf(group, sizeof(group), "%s/logstore-bench-%d", v1 ? V1 : V2, getpid());
        join_file = v1 ? "tasks" : "cgroup.procs";
        if (mkdir(group, 0755) < 0)
                return -errno;
        r = write_number(v1 ? "memory.limit_in_bytes" : "memory.max", memory_bytes);
        if (r < 0)
                cgroup_drop();
        return r;
}

int cgroup_enter(void)
{
        return write_number(join_file, 0); /* 0 is the caller */
}

/* Its processes are gone, but the kernel may take a moment to notice. */
void cgroup_drop(void)
{
        for (int i = 0; i < 100 && rmdir(group) < 0 && errno == EBUSY; i++)
                usleep(10000);
}
