/*
 * position.h - the files of named positions: two slots each, under one lock
 */
#ifndef LOGSTORE_POSITION_H
#define LOGSTORE_POSITION_H

#include <stdbool.h>

#include "format.h"

/* May a position have this name? Letters, digits, '-', '_' and '.', not first; 63 at most. */
bool position_name_valid(const char *name);

/*
 * Take the lock under which positions are set and removed, and under which a trim looks for floors.
 * It is flock(2) of the store's directory, which is there before the first position is. A killed
 * process lets go of it. Waits @wait_ns at most. -EBUSY: another process has it. Other errors: the
 * file system has no such lock for us.
 */
int position_lock(int directory, int64_t wait_ns, int *ret);
void position_unlock(int lock);

/* Open the folder. -ENOENT: there is none, thus no position. -EPERM: it is no directory. */
int position_folder(int directory);

/* Read the position @name of the store @uuid. -ENOENT; -EPERM no regular file; -EMEDIUMTYPE no
 * position, or another store's or another name's; -EPROTONOSUPPORT; -EBADMSG damaged. */
int position_read(int folder, const uint8_t uuid[16], const char *name, struct position_slot *ret);

/* Store @slot as the next generation of the position slot->name; it is durable on return. Under the
 * lock. @mode: of a new file. Errors are those of position_read(), except -ENOENT and -EBADMSG: a
 * damaged position is replaced. */
int position_write(int directory, uint32_t mode, struct position_slot *slot);

/* Remove a position, durably. Under the lock. -ENOENT: there is none. */
int position_remove(int directory, const char *name);

#endif
