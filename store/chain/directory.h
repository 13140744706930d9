/*
 * directory.h - a store's directory: is it one, may it be used, which process holds it
 */
#ifndef LOGSTORE_DIRECTORY_H
#define LOGSTORE_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "logstore.h"

/* Open the directory at @path; with LOGSTORE_CREATE make it. Look whether it may be used: -EPERM if
 * everyone may write it, -EREMOTE on a network file system, unless a flag allows that. */
int directory_open(const char *path, uint32_t flags, uint32_t file_mode, int *ret);

/* Is it a store? 1: it has a control file. 0: it holds neither store nor other files.
 * -EMEDIUMTYPE: other files. -EBADMSG: segments without a control file. Or another error. */
int directory_is_store(int directory);

bool directory_has_segments(int directory);

/* Take the writer's lock: an OFD lock on the control file. Its descriptor goes to *ret; nothing
 * maps that one, and closing it releases the lock. A directory without its control file is no
 * store, so nobody can remove the lock and leave a store that opens. -EBUSY: the detail names the
 * holder. */
int directory_lock(int directory, int *ret);

/* Has a writer the lock? 1, 0 or an error. The look changes nothing. */
int directory_locked(int directory);

/* Say in the detail which process has the lock. Returns -EBUSY. */
int directory_busy(int directory);

/* Remove files under preparation that a crash has left. The caller holds the lock. */
int directory_clean(int directory);

/* Make the directory's own name durable: sync its parent. */
int directory_sync_parent(const char *path);

/* Give the pid of the living process that opened the store for writing last, by its own word; 0:
 * unknown. */
int directory_writer(int directory);

#endif
