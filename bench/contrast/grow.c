/* grow.c - a file that grows, and shrinks, under its mapping */
#include "demo.h"

#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
        int fd = demo_file(argc > 1 ? argv[1] : "/var/tmp", 4096);
        char *shared = demo_map(16384, MAP_SHARED, fd);
        char *private = demo_map(16384, MAP_PRIVATE, fd);

        demo_text("file of 4,096 bytes mapped at 16,384: byte 8,192", "SIGBUS",
                  demo_outcome(demo_load(shared + 8192)), "");
        demo_need(ftruncate(fd, 16384) == 0, "ftruncate");
        demo_text("after ftruncate to 16,384, same mapping", "SIGBUS",
                  demo_outcome(demo_load(shared + 8192)),
                  "a mapping follows its file's size; nothing needs to be mapped again");
        demo_text("and a store there", "SIGBUS", demo_outcome(demo_store(shared + 8192, 'x')),
                  "works as well");

        demo_need(demo_store(private + 8192, 'p') == 'p', "private copy");
        demo_need(ftruncate(fd, 4096) == 0, "ftruncate");
        demo_text("after ftruncate to 4,096, the shared mapping", "SIGBUS",
                  demo_outcome(demo_load(shared + 8192)), "");
        demo_text("and the page that was copied into the private mapping", "'p'",
                  demo_outcome(demo_load(private + 8192)),
                  "the private copy is taken away too when its file is cut");
        return 0;
}
