/* tmpfs.c - pages of tmpfs are shared memory: cached in name, not evictable in fact */
#include "demo.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES (32 * MIB)

int main(void)
{
        int fd = memfd_create("demo", MFD_CLOEXEC); /* a file of tmpfs without a name */

        demo_need(fd >= 0 && ftruncate(fd, BYTES) == 0, "memfd_create");
        char *at = demo_map(BYTES, MAP_SHARED, fd);
        size_t before = demo_status("RssShmem:");
        demo_touch(at, BYTES);
        demo_bytes("32 MiB stored into a file on tmpfs: resident as shared memory", BYTES,
                   demo_status("RssShmem:") - before, MIB, "");
        demo_need(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
        demo_bytes("after fsync and POSIX_FADV_DONTNEED: left in memory", 0,
                   fsync(fd) == 0 ? demo_resident(at, BYTES) : 0, MIB,
                   "there is no disk behind it to read it back from");
        munmap(at, BYTES);
        at = demo_map(BYTES, MAP_SHARED, fd);
        demo_bytes("unmapped and mapped again: left in memory", BYTES, demo_resident(at, BYTES),
                   MIB, "");

        before = demo_status("RssAnon:");
        size_t shared_before = demo_status("RssShmem:");
        char *both = demo_map(BYTES, MAP_SHARED, -1);
        demo_touch(both, BYTES);
        demo_bytes("32 MiB of MAP_SHARED | MAP_ANONYMOUS: counted as anonymous", BYTES,
                   demo_status("RssAnon:") - before, MIB,
                   "it is a hidden file on tmpfs and counted as shared memory");
        demo_bytes("and as shared memory", 0, demo_status("RssShmem:") - shared_before, MIB,
                   "the same");
        return 0;
}
