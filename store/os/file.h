/*
 * file.h - opening one of a store's files: a regular file that nobody else has
 */
#ifndef LOGSTORE_FILE_H
#define LOGSTORE_FILE_H

#include "os/os.h"

/*
 * Open @name in @directory. It must be a regular file, and with OS_WRITE it must have no second
 * name. What we write would change the file under that name as well, and that may be a backup or
 * somebody else's. Do not use this for a file that is being created.
 *
 * Returns a descriptor, or an error with a detail: -EPERM if it is not such a file, -ENOENT. @ret
 * may be NULL.
 */
int file_open(int directory, const char *name, int flags, struct os_stat *ret);

#endif
