/*
 * file.h - opening one of a store's files: a plain file, and no one else's
 */
#ifndef LOGSTORE_FILE_H
#define LOGSTORE_FILE_H

#include "os.h"

/*
 * Open @name in @directory, which must be a regular file, and with OS_WRITE one that has no second
 * name: what is written into it would change the file under that name as well, which may be a
 * backup, or somebody else's. Not for files that are being created.
 *
 * Returns a descriptor, or an error with a detail: -EPERM for what is not such a file, -ENOENT.
 * @ret may be NULL.
 */
int file_open(int directory, const char *name, int flags, struct os_stat *ret);

#endif
