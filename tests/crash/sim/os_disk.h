/*
 * os_disk.h - what os_memory_disk.c and the workload need of os_disk.c and of each other
 */
#ifndef SIM_OS_DISK_H
#define SIM_OS_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rng.h"

int os_disk_map(int fd, bool writable, size_t bytes, void **ret);
bool os_disk_unmap(void *base); /* false: no mapping of a simulated file */
int os_disk_copy(int fd, void *to, size_t bytes);
int os_disk_populate(void *base, size_t bytes);

/*
 * Time and randomness that a seed repeats: until it is told otherwise the store gets both from
 * *@world. NULL: from the kernel.
 */
struct os_world {
        struct rng rng;
        int64_t now_ns;
};
void os_disk_enter(struct os_world *world);

#endif
