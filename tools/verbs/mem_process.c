/*
 * mem_process.c - one process's mappings, as /proc/PID/smaps tells them
 *
 * We know mappings of the store's files by their path. What else the process has is added up under
 * anonymous and heap. A process that we may not look at is unknown, not empty.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/numbers.h"
#include "lib/text.h"
#include "verbs/mem.h"

static FILE *open_proc(pid_t pid, const char *name)
{
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
        return fopen(path, "re");
}

static void read_command(struct mem_process *process)
{
        FILE *file = open_proc(process->pid, "comm");
        char command[32] = "";
        size_t size;

        strcpy(process->command, "?");
        if (!file)
                return;
        size = fread(command, 1, sizeof(command) - 1, file);
        if (size && command[size - 1] == '\n') /* a name may have more of them */
                command[size - 1] = 0;
        if (size)
                text_visible_line(process->command, command);
        fclose(file);
}

/* Fields 10 and 12 of stat, counted behind the name, which may hold anything. */
static void read_faults(struct mem_process *process)
{
        FILE *file = open_proc(process->pid, "stat");
        char line[1024], *rest;

        process->minor_faults = process->major_faults = LOGSTORE_UNKNOWN;
        if (!file)
                return;
        rest = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
        if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %" SCNu64,
                            &process->minor_faults, &process->major_faults) != 2)
                process->minor_faults = process->major_faults = LOGSTORE_UNKNOWN;
        fclose(file);
}

/* Which kind the mapping in this heading line is counted under; NULL if under none. */
static struct mem_kind *kind_of(struct mem_process *process, const char *line, const char *dir)
{
        char flags[5], inode[24];
        int taken = 0;
        const char *path;

        if (sscanf(line, "%*x-%*x %4s %*x %*s %23s %n", flags, inode, &taken) != 2)
                return NULL;
        path = line + taken;
        if (strncmp(path, dir, strlen(dir)) == 0 && path[strlen(dir)] == '/')
                return flags[3] == 's' ? &process->shared : &process->private;
        if (strncmp(path, "[heap]", 6) == 0)
                return &process->heap;
        if (strcmp(inode, "0") == 0 && strncmp(path, "[v", 2) != 0)
                return &process->anonymous;
        return NULL;
}

static void add_field(struct mem_kind *kind, const char *name, uint64_t bytes)
{
        if (strcmp(name, "Size") == 0)
                kind->mapped += bytes;
        else if (strcmp(name, "Rss") == 0)
                kind->resident += bytes;
        else if (strcmp(name, "Shared_Dirty") == 0 || strcmp(name, "Private_Dirty") == 0)
                kind->dirty += bytes;
        else if (strcmp(name, "Anonymous") == 0)
                kind->copied += bytes;
        else if (strcmp(name, "Locked") == 0)
                kind->locked += bytes;
}

static bool is_heading(const char *line)
{
        return strspn(line, "0123456789abcdef") > 0 &&
               line[strspn(line, "0123456789abcdef")] == '-';
}

static int read_mappings(struct mem_process *process, const char *dir)
{
        FILE *file = open_proc(process->pid, "smaps");
        struct mem_kind *kind = NULL;
        char line[4352], name[32];
        uint64_t kib;

        if (!file)
                return -errno;
        errno = 0;
        while (fgets(line, sizeof(line), file)) {
                if (is_heading(line)) {
                        kind = kind_of(process, line, dir);
                        if (kind)
                                kind->mappings++;
                } else if (kind && sscanf(line, "%31[A-Za-z_]: %" SCNu64 " kB", name, &kib) == 2) {
                        add_field(kind, name, kib << 10);
                }
        }
        fclose(file);
        return -errno;
}

static void set_unknown(struct mem_kind *kind)
{
        memset(kind, 0xff, sizeof(*kind)); /* each field LOGSTORE_UNKNOWN */
}

static int look_at(struct mem_process *process, pid_t pid, const char *dir)
{
        int r;

        *process = (struct mem_process){ .pid = pid };
        read_command(process);
        read_faults(process);
        r = read_mappings(process, dir);
        if (r < 0) {
                set_unknown(&process->shared);
                set_unknown(&process->private);
                set_unknown(&process->anonymous);
                set_unknown(&process->heap);
        }
        return r;
}

static int add_to(struct mem_view *view, const struct mem_process *process)
{
        size_t bytes = (view->process_count + 1) * sizeof(*process);
        struct mem_process *processes = realloc(view->processes, bytes);

        if (!processes)
                return -ENOMEM;
        view->processes = processes;
        processes[view->process_count++] = *process;
        return 0;
}

/* As smaps writes it: a newline is \012. */
static char *real_path(const char *dir)
{
        char *path = realpath(dir, NULL);
        char *written = path ? malloc(4 * strlen(path) + 1) : NULL, *to = written;

        for (const char *c = path; written && *c; c++)
                if (*c == '\n')
                        to = stpcpy(to, "\\012");
                else
                        *to++ = *c;
        if (written)
                *to = 0;
        free(path);
        return written;
}

int mem_add_process(struct mem_view *view, pid_t pid)
{
        struct mem_process process;
        char *dir = real_path(view->dir);
        int r;

        if (!dir)
                return -errno;
        r = look_at(&process, pid, dir);
        free(dir);
        return r == -ENOENT || r == -ESRCH ? -ESRCH : add_to(view, &process);
}

static int add_each(struct mem_view *view, DIR *proc, const char *dir)
{
        struct mem_process process;
        struct dirent *entry;
        uint64_t pid;
        int r = 0;

        while (r == 0 && (entry = readdir(proc))) {
                if (number_parse(entry->d_name, &pid) < 0)
                        continue;
                r = look_at(&process, (pid_t)pid, dir);
                if (r == -EACCES || r == -EPERM)
                        view->hidden_processes++;
                if (r == 0 && process.shared.mappings + process.private.mappings > 0)
                        r = add_to(view, &process);
                else
                        r = 0; /* hidden, or gone meanwhile */
        }
        return r;
}

int mem_add_all(struct mem_view *view)
{
        char *dir = real_path(view->dir);
        DIR *proc = opendir("/proc");
        int r = !dir || !proc ? -errno : add_each(view, proc, dir);

        if (proc)
                closedir(proc);
        free(dir);
        return r;
}
