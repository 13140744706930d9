/*
 * scratch.h - a directory for a test that goes when the test ends, however that ends
 *
 * An abort, a signal or a time limit leaves no process that would remove anything. So a process of
 * its own does. It waits until the last process that has the write end of its pipe is gone. It has
 * a session of its own and is nobody's child: neither signals to the test's group nor calls that
 * wait for children reach it.
 */
#ifndef TEST_SCRATCH_H
#define TEST_SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static inline int scratch_remove_one(const char *path, const struct stat *st, int type,
                                     struct FTW *walk)
{
        (void)st, (void)type, (void)walk;
        remove(path); /* else the next of them at least */
        return 0;
}

static inline void scratch_remove(const char *path)
{
        nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void scratch_wait_and_remove(const char *path, int pipe_end)
{
        int null = open("/dev/null", O_RDWR);
        char byte;

        /* Whoever reads what the test prints waits for the last that could. */
        for (int fd = 0; fd < 3; fd++)
                dup2(fd == 0 ? pipe_end : null, fd);
        close_range(3, ~0u, 0);
        while (read(0, &byte, 1) > 0)
                ;
        scratch_remove(path);
}

/* Make PARENT/logstore-PURPOSE-XXXXXX. The path is never freed. NULL: errno says why not. */
static inline const char *scratch_make(const char *parent, const char *purpose)
{
        int ends[2];
        char *path;
        pid_t pid;

        if (asprintf(&path, "%s/logstore-%s-XXXXXX", parent, purpose) < 0 || !mkdtemp(path) ||
            pipe2(ends, O_CLOEXEC) < 0)
                return NULL;
        pid = fork();
        if (pid == 0) {
                setsid();
                if (fork() == 0)
                        scratch_wait_and_remove(path, ends[0]);
                _exit(0);
        }
        if (pid > 0)
                waitpid(pid, NULL, 0);
        close(ends[0]);
        return path; /* where there was no process to be had: it stays */
}

#endif
