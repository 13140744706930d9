/* views.c - what another process sees of stores into a shared and into a private mapping */
#include "demo.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE (4 * KIB)

/* In a child with a mapping of its own, store @value at @offset. */
static void child_stores(int fd, int flags, size_t offset, char value)
{
        int status;
        pid_t child = fork();

        demo_need(child >= 0, "fork");
        if (child == 0) {
                char *at = demo_map(2 * PAGE, flags, fd);
                at[offset] = value;
                _exit(at[offset] == value ? 0 : 1);
        }
        demo_need(waitpid(child, &status, 0) == child && status == 0, "child");
}

static const char *text_of(char byte)
{
        static char text[2][4];
        static int next;

        next = !next;
        snprintf(text[next], sizeof(text[next]), "'%c'", byte);
        return text[next];
}

static char in_file(int fd, size_t offset)
{
        char byte;

        demo_need(pread(fd, &byte, 1, (off_t)offset) == 1, "pread");
        return byte;
}

int main(int argc, char **argv)
{
        int fd = demo_file(argc > 1 ? argv[1] : "/var/tmp", 2 * PAGE);
        char *shared = demo_map(2 * PAGE, MAP_SHARED, fd);
        char *private = demo_map(2 * PAGE, MAP_PRIVATE, fd);

        private[PAGE] = 'p'; /* the second page is copied here and now, the first is not */
        child_stores(fd, MAP_SHARED, 0, 'x');
        demo_text("file of 'a', another process stores 'x' by MAP_SHARED: our mapping has", "'x'",
                  text_of(shared[0]), "");
        demo_text("and read() gives, before any msync", "'x'", text_of(in_file(fd, 0)), "");
        demo_text("and our older MAP_PRIVATE mapping has, on an untouched page", "'a'",
                  text_of(private[0]),
                  "a private mapping is no snapshot: it shows later writes until a page is copied");
        child_stores(fd, MAP_SHARED, PAGE + 1, 'y');
        demo_text("and on a page that we had stored to", "'a'", text_of(private[PAGE + 1]), "");
        child_stores(fd, MAP_PRIVATE, 2, 'z');
        demo_text("another process stores 'z' by MAP_PRIVATE: our mapping has", "'a'",
                  text_of(shared[2]), "");
        demo_text("and the file has", "'a'", text_of(in_file(fd, 2)), "");
        return 0;
}
