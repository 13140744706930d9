/* demo.c - see demo.h */
#include "demo.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE ((size_t)4096)

/* ---- rows: what, expected, observed, note, separated by tabs ---- */

void demo_row(const char *what, const char *expected, const char *observed, const char *note)
{
        printf("%s\t%s\t%s\t%s\n", what, expected, observed, note);
        fflush(stdout);
}

void demo_text(const char *what, const char *expected, const char *observed, const char *note)
{
        demo_row(what, expected, observed, strcmp(expected, observed) == 0 ? "" : note);
}

static int differs(size_t a, size_t b, size_t slack)
{
        return (a > b ? a - b : b - a) > slack;
}

static void as_bytes(char *text, size_t room, size_t bytes)
{
        if (bytes >= MIB)
                snprintf(text, room, "%.1f MiB", (double)bytes / (double)MIB);
        else
                snprintf(text, room, "%zu KiB", bytes / KIB);
}

void demo_bytes(const char *what, size_t expected, size_t observed, size_t slack, const char *note)
{
        char want[32], got[32];

        as_bytes(want, sizeof(want), expected);
        as_bytes(got, sizeof(got), observed);
        demo_row(what, want, got, differs(expected, observed, slack) ? note : "");
}

void demo_count(const char *what, size_t expected, size_t observed, size_t slack, const char *note)
{
        char want[32], got[32];

        snprintf(want, sizeof(want), "%zu", expected);
        snprintf(got, sizeof(got), "%zu", observed);
        demo_row(what, want, got, differs(expected, observed, slack) ? note : "");
}

void demo_need(int ok, const char *what)
{
        if (ok)
                return;
        perror(what);
        exit(1);
}

/* ---- figures ---- */

static size_t kib_line(const char *path, const char *name)
{
        FILE *file = fopen(path, "re");
        char line[256];
        size_t kib;

        demo_need(file != NULL, path);
        while (fgets(line, sizeof(line), file))
                if (strncmp(line, name, strlen(name)) == 0 &&
                    sscanf(line + strlen(name), "%zu", &kib) == 1) {
                        fclose(file);
                        return kib * KIB;
                }
        demo_need(0, name);
        return 0;
}

size_t demo_smaps(const char *name)
{
        return kib_line("/proc/self/smaps_rollup", name);
}

size_t demo_status(const char *name)
{
        return kib_line("/proc/self/status", name);
}

size_t demo_resident(void *at, size_t bytes)
{
        unsigned char *pages = malloc(bytes / PAGE);
        size_t count = 0;

        demo_need(pages && mincore(at, bytes, pages) == 0, "mincore");
        for (size_t i = 0; i < bytes / PAGE; i++)
                count += pages[i] & 1;
        free(pages);
        return count * PAGE;
}

size_t demo_minor_faults(void)
{
        struct rusage usage;

        demo_need(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage");
        return (size_t)usage.ru_minflt;
}

/* ---- memory and files ---- */

void *demo_map(size_t bytes, int flags, int fd)
{
        void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | (fd < 0 ? MAP_ANONYMOUS : 0),
                        fd, 0);

        demo_need(at != MAP_FAILED, "mmap");
        return at;
}

int demo_file(const char *dir, size_t bytes)
{
        char path[4096];
        char block[4096];

        snprintf(path, sizeof(path), "%s/demo-XXXXXX", dir);
        int fd = mkstemp(path);
        demo_need(fd >= 0 && unlink(path) == 0, path);
        memset(block, 'a', sizeof(block));
        for (size_t at = 0; at < bytes; at += sizeof(block)) {
                size_t n = bytes - at < sizeof(block) ? bytes - at : sizeof(block);
                demo_need(write(fd, block, n) == (ssize_t)n, "write");
        }
        demo_need(fsync(fd) == 0, "fsync");
        return fd;
}

void demo_touch(void *at, size_t bytes)
{
        for (size_t i = 0; i < bytes; i += PAGE)
                ((volatile char *)at)[i] = 'b';
}

/* ---- faults ---- */

static sigjmp_buf back;

static void caught(int number)
{
        siglongjmp(back, number);
}

static int guarded(volatile char *at, int store, char value)
{
        struct sigaction action = { .sa_handler = caught };
        int number = sigsetjmp(back, 1);

        if (number)
                return -number;
        sigaction(SIGBUS, &action, NULL);
        sigaction(SIGSEGV, &action, NULL);
        if (store)
                *at = value;
        return (unsigned char)*at;
}

int demo_load(const volatile char *at)
{
        return guarded((volatile char *)(uintptr_t)at, 0, 0);
}

int demo_store(volatile char *at, char value)
{
        return guarded(at, 1, value);
}

const char *demo_outcome(int loaded)
{
        static char text[16];

        if (loaded == -SIGBUS)
                return "SIGBUS";
        if (loaded == -SIGSEGV)
                return "SIGSEGV";
        if (loaded == 0)
                return "zero";
        snprintf(text, sizeof(text), "'%c'", loaded);
        return text;
}
