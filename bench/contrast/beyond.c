/* beyond.c - a file of 5,000 bytes mapped at 15,000 */
#include "demo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES 5000u
#define MAP_BYTES 15000u

int main(int argc, char **argv)
{
        int fd = demo_file(argc > 1 ? argv[1] : "/var/tmp", FILE_BYTES);
        /* Inaccessible memory behind the mapping, so that its end is known. */
        char *room = mmap(NULL, 8 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct stat st;
        char byte = 0;

        demo_need(room != MAP_FAILED, "mmap");
        char *at = mmap(room, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
        demo_need(at == room, "mmap");

        demo_text("byte 4,999, the file's last", "'a'", demo_outcome(demo_load(at + 4999)), "");
        demo_text("byte 5,000, behind its end", "SIGSEGV", demo_outcome(demo_load(at + 5000)),
                  "the rest of the last page is there, and zero");
        demo_text("byte 8,191, the last of that page", "SIGSEGV",
                  demo_outcome(demo_load(at + 8191)), "the same");
        demo_text("byte 8,192, on the next page", "SIGSEGV", demo_outcome(demo_load(at + 8192)),
                  "no page of the file: SIGBUS, another signal");
        demo_text("byte 14,999, the mapping's last", "SIGSEGV", demo_outcome(demo_load(at + 14999)),
                  "the same");
        demo_text("byte 16,384, behind the mapping's last page", "SIGSEGV",
                  demo_outcome(demo_load(at + 16384)), "");

        demo_text("storing 'x' at 6,000", "SIGSEGV", demo_outcome(demo_store(at + 6000, 'x')),
                  "the store is accepted");
        demo_need(msync(at, MAP_BYTES, MS_SYNC) == 0 && fstat(fd, &st) == 0, "msync");
        demo_count("and the file is, in bytes, after msync", 5000, (size_t)st.st_size, 0, "");
        demo_need(ftruncate(fd, 8192) == 0 && pread(fd, &byte, 1, 6000) == 1, "ftruncate");
        demo_text("grown to 8,192, the file has at 6,000", "zero", demo_outcome(byte),
                  "what was stored behind the end came to light");
        return 0;
}
