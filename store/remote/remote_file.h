/*
 * remote_file.h - reads a small file whole
 */
#ifndef LOGSTORE_REMOTE_FILE_H
#define LOGSTORE_REMOTE_FILE_H

#include "remote/remote_text.h"

/* -ENOENT: it is not there. -EACCES: it cannot be read. -EIO: it is longer than @most, or has a 0
 * byte, or is no regular file. Each has a line. */
int file_read_small(const char *path, size_t most, struct text *ret);

#endif
