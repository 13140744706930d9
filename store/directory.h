/*
 * directory.h - a store's directory: is it one, may it be used, who holds it
 */
#ifndef LOGSTORE_DIRECTORY_H
#define LOGSTORE_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "logstore.h"

/* Open the directory at @path, which LOGSTORE_CREATE makes, and look whether it may be used. */
int directory_open(const char *path, uint32_t flags, uint32_t file_mode, int *ret);

/* 1: it has a control file. 0: it is empty. -EMEDIUMTYPE, -EBADMSG (segments without one). */
int directory_is_store(int directory);

bool directory_has_segments(int directory);

/* Take the writer's lock: an OFD lock on the control file, through a descriptor that nothing maps,
 * held until it is closed. A store without its control file is none, so the lock cannot be taken
 * away and leave a store that opens. -EBUSY: detail names the holder. */
int directory_lock(int directory, int *ret);

/* 1: a writer has the lock; 0: none. Changes nothing. */
int directory_locked(int directory);

/* Say who has the lock; returns -EBUSY. */
int directory_busy(int directory);

/* Remove what a crash left of files under preparation. The lock is held. */
int directory_clean(int directory);

/* Make the directory's own name durable. */
int directory_sync_parent(const char *path);

/* Living process that opened the store last, by its own word; 0: unknown. */
int directory_writer(int directory);

#endif
