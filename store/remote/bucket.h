/*
 * bucket.h - where objects lie: five operations, each of which happens whole or not at all
 *
 * A bucket is named by a URL: s3://BUCKET/PREFIX, file:/DIRECTORY or rados:POOL/PREFIX. Names of
 * objects are relative to it. They have letters, digits, '.', '-' and one '/' at most.
 *
 * Outcome: besides success an operation ends as one of
 *          -EEXIST     put_new: an object has that name, maybe this very call's: a reply can be lost
 *          -ENOENT     there is no such object
 *          -ERANGE     get: the object ends before the range does
 *          -EAGAIN     no answer, or one that says "later": it may have happened; ask again
 *          -EACCES     the credentials do not allow it, or there are none
 *          -ETIME      this machine's clock is too far from the server's
 *          -EOPNOTSUPP the server does not know the operation, or ignores what makes it safe
 *          -ENOSPC     the place is full, which waiting does not mend
 *          -EMSGSIZE   the object is larger than the backend takes
 *          -EIO        an answer that makes no sense
 *          and remote_detail() has one line: operation, object, what the server said.
 * Times:   each answer tells in bucket_reply when it was sent, by this machine's boot clock, and the
 *          server's time. Of file: that is the file system's clock.
 * Retries: none here, since only the caller knows what is still allowed. A request that gets no
 *          answer ends by itself after BUCKET_PATIENCE_MS without a byte.
 * Threads: any number of threads may use a bucket at once. Memory does not depend on the size of
 *          objects.
 */
#ifndef LOGSTORE_BUCKET_H
#define LOGSTORE_BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUCKET_NAME_MAX 160
#define BUCKET_PATIENCE_MS 30000

/* When: of the last request of an operation. */
struct bucket_reply {
        int64_t sent_ns;   /* CLOCK_BOOTTIME before the first byte of the request was sent */
        int64_t server_ns; /* the server's time, whole seconds with some; 0: it did not say */
};

/* Bytes to put: @size of them, from memory or from a file. */
struct bucket_source {
        const void *bytes; /* NULL: of the file */
        int fd;
        uint64_t offset;
        uint64_t size;
};

/* Takes the bytes of an object as they come, in order. Not 0: stop, the operation returns that. */
struct bucket_sink {
        int (*write)(void *context, const void *bytes, size_t size);
        void *context;
};

struct bucket_listed {
        const char *name; /* relative to the bucket; valid during the call */
        uint64_t size;
        int64_t changed_ns; /* by the server's clock */
};

struct bucket;
struct bucket_options; /* bucket_options.h */

/* One backend. Each call does one of the operations below; the wrappers check names. */
struct bucket_backend {
        const char *scheme; /* "s3" */
        int (*open)(const char *place, const struct bucket_options *options, struct bucket **ret);
        void (*close)(struct bucket *bucket);
        int (*put_new)(struct bucket *bucket, const char *name, const struct bucket_source *source,
                       struct bucket_reply *ret_reply);
        int (*put)(struct bucket *bucket, const char *name, const struct bucket_source *source,
                   struct bucket_reply *ret_reply);
        int (*get)(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                   const struct bucket_sink *sink, struct bucket_reply *ret_reply);
        int (*list)(struct bucket *bucket, const char *prefix, const char *after, size_t most,
                    int (*each)(void *context, const struct bucket_listed *listed), void *context,
                    struct bucket_reply *ret_reply);
        int (*remove)(struct bucket *bucket, const char *name, struct bucket_reply *ret_reply);
};

/* What every backend's bucket begins with. */
struct bucket {
        const struct bucket_backend *backend;
        char *url; /* without credentials: for messages */
};

/* Open the bucket that @url names. Nothing is asked of the server yet. -EINVAL: no such scheme, or
 * a bad URL. -EOPNOTSUPP: this library was built without the backend. */
int bucket_open(const char *url, const struct bucket_options *options, struct bucket **ret);
void bucket_close(struct bucket *bucket); /* NULL is fine */

/* Create an object, if none has that name: of callers at the same time one gets 0, all others
 * -EEXIST. For small objects, up to 16 MiB. @ret_reply may be NULL, here and below. */
int bucket_put_new(struct bucket *bucket, const char *name, const struct bucket_source *source,
                   struct bucket_reply *ret_reply);

/* Create an object under a name that nobody else uses. It is there whole or not at all. Large ones
 * go in parts, several at once. */
int bucket_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
               struct bucket_reply *ret_reply);

/* Read @size bytes from @offset on. @size UINT64_MAX: to the end, however long. */
int bucket_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
               const struct bucket_sink *sink, struct bucket_reply *ret_reply);

/* Call @each for the objects whose names begin with @prefix and sort behind @after (NULL: all), in
 * the order of their bytes, at most @most of them, until it returns non-zero; that is then
 * returned. One request brings up to 1,000. */
int bucket_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
                int (*each)(void *context, const struct bucket_listed *listed), void *context,
                struct bucket_reply *ret_reply);

/* Remove an object. It is no error if it is not there. */
int bucket_remove(struct bucket *bucket, const char *name, struct bucket_reply *ret_reply);

#endif
