/*
 * faulty_fs.h - a pass-through file system with faults that the test turns on and off
 */
#ifndef CRASH_FAULTY_FS_H
#define CRASH_FAULTY_FS_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/* Shared between the test and the file system's process. */
struct faults {
        _Atomic uint32_t fsync_fails; /* -EIO while not 0 */
        _Atomic uint32_t write_fails;
        _Atomic uint32_t read_fails;
        _Atomic uint32_t forget; /* when the file system ends, take back what was not synced */
        _Atomic uint64_t fsyncs, writes, reads; /* calls seen */
        _Atomic uint64_t forgotten;             /* writes taken back */
};

/* Serve @backing at @mountpoint in a child process; its pid, or -errno. It is there on return.
 * Faults in shared memory. */
pid_t faulty_fs_start(const char *backing, const char *mountpoint, struct faults *faults);

/* Unmount and wait for the child; with faults->forget the backing files are now as a power cut
 * would have left them. 0 or -errno. */
int faulty_fs_stop(const char *mountpoint, pid_t pid);

#endif
