/*
 * os_process.c - what the kernel says about this process
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/os.h"

/* Take a line "Name:   123 kB" of smaps into its field, in bytes. */
static void take_field(struct os_mapping *mapping, const char *line)
{
        static const struct {
                const char *name;
                size_t field;
        } fields[] = {
                { "Rss:", offsetof(struct os_mapping, resident) },
                { "Shared_Dirty:", offsetof(struct os_mapping, dirty) },
                { "Private_Dirty:", offsetof(struct os_mapping, dirty) },
                { "Anonymous:", offsetof(struct os_mapping, anonymous) },
                { "Locked:", offsetof(struct os_mapping, locked) },
        };

        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
                if (strncmp(line, fields[i].name, strlen(fields[i].name)) == 0)
                        *(uint64_t *)((char *)mapping + fields[i].field) +=
                                strtoull(line + strlen(fields[i].name), NULL, 10) * 1024;
}

/* A line "start-end perms offset device inode path" begins a mapping. */
static bool take_header(struct os_mapping *mapping, char *line, char *path)
{
        unsigned long base, end;
        char permissions[8];
        int path_at = 0;

        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %n", &base, &end, permissions, &path_at) < 3 ||
            path_at == 0)
                return false;
        *mapping = (struct os_mapping){
                .base = base,
                .end = end,
                .shared = permissions[3] == 's',
                .path = path,
        };
        line[strcspn(line, "\n")] = '\0';
        snprintf(path, PATH_MAX + 64, "%s", line + path_at);
        return true;
}

int os_mappings(int (*each)(void *context, const struct os_mapping *), void *context)
{
        OS_UNCANCELLED;
        struct os_mapping mapping = { 0 }, next;
        char *line = NULL, path[PATH_MAX + 64] = "", next_path[PATH_MAX + 64];
        FILE *smaps = fopen("/proc/self/smaps", "re");
        size_t room = 0;
        int r = 0;

        if (!smaps)
                return -errno;
        while (r == 0 && getline(&line, &room, smaps) > 0) {
                if (!take_header(&next, line, next_path)) {
                        take_field(&mapping, line);
                        continue;
                }
                if (mapping.end != 0)
                        r = each(context, &mapping);
                mapping = next;
                memcpy(path, next_path, sizeof(path));
                mapping.path = path;
        }
        if (r == 0 && mapping.end != 0)
                r = each(context, &mapping);
        free(line);
        fclose(smaps); /* only read */
        return r;
}

int os_path_of(int fd, char *buffer, size_t bytes)
{
        char link[40];
        ssize_t length;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        length = readlink(link, buffer, bytes - 1);
        if (length < 0)
                return -errno;
        buffer[length] = '\0';
        return 0;
}

int os_faults(uint64_t *ret_minor, uint64_t *ret_major)
{
        struct rusage usage;

        if (getrusage(RUSAGE_SELF, &usage) < 0)
                return -errno;
        *ret_minor = (uint64_t)usage.ru_minflt;
        *ret_major = (uint64_t)usage.ru_majflt;
        return 0;
}

bool os_process_lives(int id)
{
        return kill(id, 0) == 0 || errno != ESRCH;
}
