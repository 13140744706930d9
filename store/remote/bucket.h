/*
 * bucket.h - where objects lie: five operations, each of which happens whole or not at all
 *
 * A bucket is named by a URL: s3://BUCKET/PREFIX, file:/DIRECTORY or rados:POOL/PREFIX. Names of
 * objects are relative to it. They have letters, digits, '.', '-' and one '/' at most.
 *
 * Outcome: besides success an operation ends as one of
 *          -EEXIST     put_new: an object has that name, maybe this very call's: replies get lost
 *          -ENOENT     there is no such object
 *          -ERANGE     get: the object ends before the range does
 *          -EAGAIN     no answer, or one that says "later": it may have happened; ask again
 *          -EACCES     the credentials do not allow it, or there are none
 *          -ETIME      this machine's clock is too far from the server's
 *          -EOPNOTSUPP the server does not know the operation, or ignores what makes it safe
 *          -ENOSPC     the place is full, which waiting does not mend
 *          -EMSGSIZE   the object is larger than the backend takes
 *          -ESTALE     put_new: its time was over before it began; nothing was sent
 *          -EBADMSG    get: bytes of the object are missing
 *          -EIO        an answer that makes no sense
 *          and remote_detail() has one line: operation, object, what the server said.
 * Times:   bucket_reply has when the request was sent, by this machine's boot clock, and the
 *          server's time. Of file: that is the file system's clock.
 * Retries: of get and list, if the bucket has patience: an object never changes, so they go on
 *          where the answer ended. None of the others: only the caller knows what is still allowed.
 *          A request that gets no answer ends by itself after BUCKET_PATIENCE_MS without a byte.
 * Threads: any number of threads may use a bucket at once. Memory does not depend on the size of
 *          objects.
 */
#ifndef LOGSTORE_BUCKET_H
#define LOGSTORE_BUCKET_H

#include <stdatomic.h>
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

/* Bytes to put: @size of them, from memory or from a file that keeps them until the call ends. */
struct bucket_source {
        const void *bytes; /* NULL: of the file */
        int fd;
        uint64_t offset;
        uint64_t size;
        uint32_t connections; /* put: for parts at once; 0: as many as the bucket's options say */
        /* put_new: by the boot clock; the moment that is compared to it is also that of the
         * signature, so that a caller that slept can create nothing later. 0: no limit. */
        int64_t not_after_ns;
};

/* Takes the bytes of an object as they come, in order. Not 0: stop, the operation returns that. An
 * operation that fails may have passed on the first bytes before. */
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
        int (*place)(const struct bucket *bucket, char *ret, size_t room); /* as snprintf(3) */
        int (*below)(struct bucket *bucket, const char *name, struct bucket **ret);
};

/* What every backend's bucket begins with. bucket_open() sets it and bucket_close() frees the URL;
 * the backend does the rest. */
struct bucket {
        const struct bucket_backend *backend;
        char *url;           /* without credentials: for messages */
        int64_t patience_ns; /* get and list ask again for so long while nothing comes; 0: never */
        const atomic_int *stopped; /* not 0: nor from now on; NULL is fine */
};

extern const struct bucket_backend bucket_file_backend;
extern const struct bucket_backend bucket_s3_backend;
extern const struct bucket_backend bucket_rados_backend; /* if built with LOGSTORE_RADOS */

/* For backends: a range as bucket_get() has it, of an object of @object_bytes. *@size becomes how
 * many bytes there are to read. -ERANGE. */
int bucket_cut_range(uint64_t object_bytes, uint64_t offset, uint64_t *size);

/* Whether objects may have that name: as said above, no part of it empty, "." or "..". */
bool bucket_name_is_valid(const char *name);

/* Open the bucket that @url names. Nothing is asked of the server yet. -EINVAL: no such scheme, or
 * a bad URL. -EOPNOTSUPP: this library was built without the backend. */
int bucket_open(const char *url, const struct bucket_options *options, struct bucket **ret);
void bucket_close(struct bucket *bucket); /* NULL is fine */

/* Open URL/NAME of an open bucket, with its connections and credentials. It is closed before
 * that. -EINVAL: @name is not one of letters, digits, '.' and '-'. */
int bucket_open_below(struct bucket *bucket, const char *name, struct bucket **ret);

/* The malloc'ed name of the place itself: alike for URLs that mean the same, and another one for
 * the same URL on another server. Of RADOS: the cluster is asked, unless its configuration says
 * which one it is. */
int bucket_identity(const struct bucket *bucket, char **ret);

/* Create an object, if none has that name: of callers at the same time one gets 0, all others
 * -EEXIST. For small objects, up to 16 MiB. @ret_reply may be NULL, here and below. */
int bucket_put_new(struct bucket *bucket, const char *name, const struct bucket_source *source,
                   struct bucket_reply *ret_reply);

/* Create an object under a name that nobody else uses. It is there whole or not at all. Large ones
 * go in parts, several at once. */
int bucket_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
               struct bucket_reply *ret_reply);

/* Read @size bytes from @offset on. @size UINT64_MAX: to the end, however long. -EINVAL: no size.
 * -ERANGE also where @offset is the end, unless the object is empty and @offset is 0. */
int bucket_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
               const struct bucket_sink *sink, struct bucket_reply *ret_reply);

/* Call @each for the objects whose names begin with @prefix and sort behind @after (NULL: all), in
 * the order of their bytes, at most @most of them, until it returns non-zero; that is then
 * returned. One request brings up to 1,000. What else lies there, under a name that no object may
 * have, is left out. @prefix has the characters of names; "" is any. */
int bucket_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
                int (*each)(void *context, const struct bucket_listed *listed), void *context,
                struct bucket_reply *ret_reply);

/* Remove an object. It is no error if it is not there. */
int bucket_remove(struct bucket *bucket, const char *name, struct bucket_reply *ret_reply);

#endif
