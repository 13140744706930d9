/*
 * bucket_file.h - a bucket that is a directory: what its files share
 *
 * Objects: regular files in the directory, and in directories right below it. Anything else there
 *          is none: links are not followed, and names that no object may have are not looked at.
 * New:     a file grows under a name of its own that begins with '~', is synced, gets its name by
 *          link() and loses the other. link() never replaces, also over NFS; where the file system
 *          cannot link, renameat2() with RENAME_NOREPLACE does. put() may replace, and renames.
 * Durable: file, then directory, are synced before an object is said to be there. So does the loser
 *          of a race for a name, since it tells what it saw.
 * Rights:  objects have those of the directory, as far as the umask lets them. A directory that is
 *          made here is its owner's.
 * Killed:  leaves a file with '~'. The first put into a bucket removes those that are a day old.
 *          A writer that stood still as long finds its file gone and fails.
 */
#ifndef LOGSTORE_BUCKET_FILE_H
#define LOGSTORE_BUCKET_FILE_H

#include <pthread.h>
#include <stdatomic.h>

#include "remote/bucket.h"

#define FILE_LASTING_MAX 4 /* if there are more, they are synced each time */

struct file_bucket {
        struct bucket bucket;
        char *path;
        atomic_bool cleaned;  /* leftovers were looked for; no partner: twice would do no harm */
        pthread_mutex_t lock; /* of all below */
        /* Directories whose own names are known to be durable; "" is the bucket itself. */
        char lasting[FILE_LASTING_MAX][BUCKET_NAME_MAX + 1];
        size_t lasting_count;
};

static inline struct file_bucket *file_bucket_of(struct bucket *bucket)
{
        return (struct file_bucket *)bucket;
}

/* errno as a bucket's outcome, with its line. */
int file_failed(int error, const char *what);

/* The directory itself. @create: make it, if only its last part is missing. */
int file_open_top(const struct file_bucket *bucket, bool create, int *ret_fd);

/* The directory where @name lies, and the rest of the name. */
int file_open_parent(int top, const char *name, bool create, const char **ret_rest, int *ret_fd);

/* Sync what the directories on the way to @name are named by. Another process may have made them
 * and not have come that far. */
int file_make_lasting(struct file_bucket *bucket, int top, const char *name);

/* A new file "~..." in @top, open for writing. */
#define FILE_TEMPORARY_BYTES 40
int file_open_temporary(int top, char ret_name[FILE_TEMPORARY_BYTES], int *ret_fd);

/* The file system's time, from a file made for that; 0 where none can be made. */
int64_t file_time_ns(int top);

/* Remove what killed writers left in @top. No failure: there is another time. */
void file_remove_leftovers(int top);

int file_put_new(struct bucket *bucket, const char *name, const struct bucket_source *source,
                 struct bucket_reply *ret_reply);
int file_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
             struct bucket_reply *ret_reply);
int file_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
              int (*each)(void *context, const struct bucket_listed *listed), void *context,
              struct bucket_reply *ret_reply);

#endif
