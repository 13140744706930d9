/*
 * logstore-remote.h - a log beyond one machine: ship it to an object store, fetch it, read it there
 *
 * A library of its own, liblogstore-remote. What logstore.h says of errors, units and struct_bytes
 * holds here, too; the line that tells of a failure is logstore_remote_detail().
 *
 * URLs:     s3://BUCKET[/PREFIX]  an object store that speaks S3's protocol
 *           file:/DIRECTORY       a directory, for instance of a file server
 *           rados:POOL[/PREFIX]   a pool of Ceph's RADOS; CEPH_CONF and CEPH_ARGS say where and
 *                                 who. -EOPNOTSUPP: built without it, or librados is missing
 *           One prefix holds the log of one store.
 * Threads:  one at a time may use a shipper, or a remote log with its cursors. Different ones are
 *           independent.
 * Fork:     what was opened before a fork belongs to the parent.
 * Secrets:  keys come from the environment, from the shared configuration files or from the cloud's
 *           own service, never from a call, and never go into a message.
 */
#ifndef LOGSTORE_REMOTE_H
#define LOGSTORE_REMOTE_H

#include "logstore.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every options struct begins as LOGSTORE_..._OPTIONS_INIT. */
#ifdef __cplusplus /* designated initialisers came with C++20 */
#define LOGSTORE_REMOTE_INIT_(type) \
        {                           \
                sizeof(type)        \
        }
#else
#define LOGSTORE_REMOTE_INIT_(type)          \
        {                                    \
                .struct_bytes = sizeof(type) \
        }
#endif
#define LOGSTORE_REMOTE_OPTIONS_INIT LOGSTORE_REMOTE_INIT_(struct logstore_remote_options)
#define LOGSTORE_SHIP_OPTIONS_INIT LOGSTORE_REMOTE_INIT_(struct logstore_ship_options)
#define LOGSTORE_FETCH_OPTIONS_INIT LOGSTORE_REMOTE_INIT_(struct logstore_fetch_options)
#define LOGSTORE_READ_OPTIONS_INIT LOGSTORE_REMOTE_INIT_(struct logstore_read_options)

/* How the URL is reached. What is NULL or 0 comes from the environment (AWS_ENDPOINT_URL_S3,
 * AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION, AWS_PROFILE, AWS_CA_BUNDLE), then from the
 * profile in ~/.aws/config. */
struct logstore_remote_options {
        uint32_t struct_bytes; /* sizeof; set by LOGSTORE_REMOTE_OPTIONS_INIT */
        uint32_t connections;  /* at once; 0: 4 */
        const char *endpoint;  /* URL of the server */
        const char *region;
        const char *profile;
        const char *ca_file;
        uint32_t path_style; /* 0: as the endpoint needs; 1: bucket in the path; 2: in the host */
        uint32_t reserved;
};

/* A place in the log: @offset bytes of that segment; @number is the last record before it. Segment
 * id 0: nothing. */
struct logstore_remote_place {
        uint64_t id, salt, offset, number;
};

/* ---- ship ------------------------------------------------------------------------------- */

struct logstore_ship;

enum logstore_ship_flags {
        /* logstore_ship_start() asks nobody, even if another host committed lately. If that host
         * takes over again, it is asked like any other. */
        LOGSTORE_SHIP_TAKEOVER = 1 << 0,
        /* The first round reads all that is there, and ships again the segments of which something
         * is damaged or missing. */
        LOGSTORE_SHIP_REPAIR = 1 << 1,
};

#define LOGSTORE_SHIP_COMPRESS_MAX 22

struct logstore_ship_options {
        uint32_t struct_bytes; /* sizeof; set by LOGSTORE_SHIP_OPTIONS_INIT */
        uint32_t flags;        /* enum logstore_ship_flags */
        uint32_t interval_ms;  /* how often logstore_ship_round() comes; 0: 1,000. A host that has
                                * not committed for three of them, and 30 s, counts as gone */
        uint32_t compress;     /* 0: segments are shipped as they are; 1 to
                                * LOGSTORE_SHIP_COMPRESS_MAX: packed with that level of zstd, in
                                * temporary files ($TMPDIR, else the store's directory) */
        void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes); /* or NULL */
        void *context;
        /* Where the shipper is so far behind, or does not run, retention may trim what is not
         * shipped: all but the newest segments that have files of so many bytes, and what is wholly
         * older. The log in the bucket then begins anew behind the gap. 0: it never may. */
        uint64_t max_lag_bytes;
        int64_t max_lag_ns;
};

struct logstore_ship_report {
        uint32_t struct_bytes;                /* the caller sets it to sizeof */
        uint32_t unprotected;                 /* 1: it may not write in the directory, so nothing
                                               * keeps records from being trimmed unshipped */
        struct logstore_remote_place shipped; /* all before it is in the bucket */
        uint64_t durable;                     /* last record that is durable here */
        uint64_t commit, term;            /* the newest commit, and how often shippers changed */
        uint64_t commits, objects, bytes; /* sent by this shipper */
        uint64_t damaged;                 /* objects and tails that LOGSTORE_SHIP_REPAIR found */
        uint64_t missed;   /* records that were trimmed before it could ship them, in all; where
                            * the log was cut as well, at most so many; */
        uint64_t gap_last; /* the last one of them */
};

/*
 * Open the store in @directory, to read it, and the bucket. Nothing is sent yet. A writer may have
 * the store open. Options may be NULL. -EINVAL: not a URL of a kind that is known. Else as
 * logstore_open() for reading.
 */
LOGSTORE_API int logstore_ship_open(const char *directory, const char *url,
                                    const struct logstore_remote_options *remote,
                                    const struct logstore_ship_options *options,
                                    struct logstore_ship **ret);
LOGSTORE_API void logstore_ship_close(struct logstore_ship *ship);

/*
 * Try out the bucket, find out what is shipped, and become the one who ships there. The one before
 * stops at its next commit.
 *
 * -EOPNOTSUPP   the bucket creates an object twice, so it cannot keep two shippers apart
 * -EMEDIUMTYPE  it holds the log of another store
 * -EILSEQ       the logs have diverged: what is there is not the beginning of this one
 * -EBUSY        another host shipped lately: stop it, or LOGSTORE_SHIP_TAKEOVER
 * -EACCES       no credentials, or they do not allow it
 * -EBADMSG      an object there is damaged
 * -EAGAIN       no answer for five minutes
 * -ECANCELED    logstore_ship_stop()
 */
LOGSTORE_API int logstore_ship_start(struct logstore_ship *ship);

/*
 * Ship all that is durable now. Returns 0 once it is in the bucket. It sends nothing where there is
 * nothing new. What was shipped stays shipped, whatever comes.
 *
 * -ENODATA: LOGSTORE_SHIP_REPAIR found something damaged that is not in this store any more. All
 * else is shipped.
 *
 * -EPIPE: another shipper has taken over: stop. Else as logstore_ship_start(), and as
 * logstore_get() where the local log is damaged: nothing of a damaged record is shipped.
 */
LOGSTORE_API int logstore_ship_round(struct logstore_ship *ship);

/*
 * Wait until record @number of the store is in the bucket; in every one, if the store is shipped to
 * several. Any process may wait that can read the store. @timeout_ms below 0: for ever; 0: look
 * once.
 *
 * -ETIMEDOUT  it is not there yet (detail: which is), or was never appended
 * -ENOENT     the time is over, and no shipper has noted anything in this store
 * -ESTALE     it was trimmed before it was shipped (max_lag_bytes, max_lag_ns)
 * -EBADMSG    a shipper's position in the store is damaged
 * -EINVAL     @number is 0. Else as logstore_position_list().
 */
LOGSTORE_API int logstore_ship_wait(struct logstore *store, uint64_t number, int timeout_ms);

/* End a call that waits for answers, with -ECANCELED. May be called by a signal handler. */
LOGSTORE_API void logstore_ship_stop(struct logstore_ship *ship);

LOGSTORE_API int logstore_ship_tell(const struct logstore_ship *ship,
                                    struct logstore_ship_report *ret);

/* ---- ship many stores -------------------------------------------------------------------- */

struct logstore_ship_all;

/* What happened to one store. Strings are valid during the call. */
struct logstore_ship_event {
        uint32_t struct_bytes; /* the library sets it */
        int32_t error;         /* 0: it is shipped, for the first time or after a failure. Else it
                                * was not, and is tried again after a while; behind -EPIPE never */
        const char *name;      /* of its directory. The parent's: it cannot be read just now; those
                                * known go on */
        const char *detail;    /* of the error; "" */
        uint64_t number;       /* all up to this record is in the bucket */
        uint64_t missed;       /* records that were trimmed before they were shipped, in all */
};

struct logstore_ship_all_options {
        uint32_t struct_bytes; /* sizeof; set by LOGSTORE_SHIP_ALL_OPTIONS_INIT */
        uint32_t threads;      /* stores that are shipped at once; 0: 8 */
        uint32_t follow;       /* 0: end once each store was shipped once, or has failed */
        uint32_t reserved;
        /* Calls come from any thread, one at a time. NULL: none. */
        void (*event)(void *context, const struct logstore_ship_event *event);
        void *context;
};
#define LOGSTORE_SHIP_ALL_OPTIONS_INIT LOGSTORE_REMOTE_INIT_(struct logstore_ship_all_options)

struct logstore_ship_all_report {
        uint32_t struct_bytes; /* the caller sets it to sizeof */
        uint32_t stores;       /* that are there, */
        uint32_t failed;       /* and that were not shipped the last time */
        uint32_t reserved;
        uint64_t commits, objects, bytes; /* sent */
};

/*
 * Ship every store NAME in @parent, a directory, to URL/NAME. They share connections, and a few
 * threads. Each interval of @ship's options they look which stores have something new, which costs
 * no request. New stores are found within ten seconds, also in the place of one that was removed.
 * One that fails does not hold up the others.
 *
 * A store takes some 100 KB of memory and a few descriptors: see RLIMIT_NOFILE.
 */
LOGSTORE_API int logstore_ship_all_open(const char *parent, const char *url,
                                        const struct logstore_remote_options *remote,
                                        const struct logstore_ship_options *ship,
                                        const struct logstore_ship_all_options *options,
                                        struct logstore_ship_all **ret);

/* Ship until all is there, or, if it is to follow, until it is stopped: then -ECANCELED. What fails
 * with one store is told as an event, and the number of such stores is returned. */
LOGSTORE_API int logstore_ship_all_run(struct logstore_ship_all *all);

/* End it. May be called by a signal handler, and by any thread. */
LOGSTORE_API void logstore_ship_all_stop(struct logstore_ship_all *all);

LOGSTORE_API int logstore_ship_all_tell(struct logstore_ship_all *all,
                                        struct logstore_ship_all_report *ret);
LOGSTORE_API void logstore_ship_all_close(struct logstore_ship_all *all); /* when run has ended */

/* ---- fetch ------------------------------------------------------------------------------ */

struct logstore_fetch_options {
        uint32_t struct_bytes; /* sizeof; set by LOGSTORE_FETCH_OPTIONS_INIT */
        uint32_t files;        /* fetched at once; 0: 4 */
        /* In bytes. NULL: none. Calls come from any thread, one at a time. */
        void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
        void *context;
};

struct logstore_fetch_report {
        uint32_t struct_bytes; /* the caller sets it to sizeof */
        uint32_t rounds;       /* looks at the bucket, which may change meanwhile */
        struct logstore_remote_place end;
        uint64_t first_number, segments;
        uint64_t bytes;      /* received, */
        uint64_t kept_bytes; /* and taken from a fetch that was killed */
        uint64_t commit;
};

/*
 * Make a store at @directory of the log in the bucket. The files come into DIRECTORY.fetch, every
 * frame is checked there, and only then the directory gets its name. All of it is durable on
 * return. A fetch that was killed goes on from the files that it has. The first open for writing is
 * then an ordinary recovery.
 *
 * -ENODATA  nothing was shipped there
 * -EEXIST   there is something at @directory
 * -EBUSY    another fetch to @directory is at work
 * -EBADMSG  an object is damaged or missing (detail: which, and the records in it)
 * -EAGAIN   no answer, or the log changes faster than it can be fetched
 * -EACCES, and errors of making files
 */
LOGSTORE_API int logstore_fetch(const char *url, const char *directory,
                                const struct logstore_remote_options *remote,
                                const struct logstore_fetch_options *options,
                                struct logstore_fetch_report *ret);

/* ---- trim ------------------------------------------------------------------------------- */

enum logstore_remote_trim_flags {
        LOGSTORE_REMOTE_TRIM_DRY_RUN = 1 << 0, /* only tell what would be left */
};

/* What is to stay. 0: no limit. Of several limits the one that trims most counts. */
struct logstore_remote_trim_options {
        uint32_t struct_bytes; /* sizeof; set by LOGSTORE_REMOTE_TRIM_OPTIONS_INIT */
        uint32_t flags;        /* enum logstore_remote_trim_flags */
        uint64_t before;       /* records from this one on */
        uint64_t keep_bytes;   /* so many bytes of objects and tails at most */
        uint64_t keep_records; /* so many records, voids not counted */
        int64_t keep_ns;       /* segments that are younger, by this machine's clock. One is as old
                                * as the start of the one behind it */
};
#define LOGSTORE_REMOTE_TRIM_OPTIONS_INIT LOGSTORE_REMOTE_INIT_(struct logstore_remote_trim_options)

struct logstore_remote_trim_report {
        uint32_t struct_bytes; /* the caller sets it to sizeof */
        uint32_t reserved;
        uint64_t first_before; /* the first record that was there, */
        uint64_t first;        /* and that is left */
        uint64_t segments;     /* taken off the log */
        uint64_t removed;      /* objects and commits that are gone now */
        uint64_t commit;       /* that says so; 0: none was needed */
};

/*
 * Take the oldest segments off the log in the bucket: whole ones that are objects, never the last
 * one, so more records may stay than were asked for. The store that is shipped there keeps its
 * records. A shipper may be at work; it goes on behind the trim.
 *
 * Readers may still need what was trimmed, so its objects are removed an hour later, or some hours
 * if they are young themselves: by a shipper, or by the next call, which removes all that is old
 * enough, also where it trims nothing.
 *
 * -EINVAL   an unknown flag, or keep_ns is below 0
 * -ENODATA  nothing was shipped there
 * -EACCES   the credentials do not allow it. Where they do not allow to remove, nothing is trimmed
 * -EAGAIN   no answer for five minutes
 * Else as logstore_ship_start() and, with keep_ns, as logstore_remote_open().
 */
LOGSTORE_API int logstore_remote_trim(const char *url, const struct logstore_remote_options *remote,
                                      const struct logstore_remote_trim_options *options,
                                      struct logstore_remote_trim_report *ret);

/* ---- read in place ---------------------------------------------------------------------- */

struct logstore_remote;
struct logstore_remote_cursor;

struct logstore_read_options {
        uint32_t struct_bytes; /* sizeof; set by LOGSTORE_READ_OPTIONS_INIT */
        uint32_t look_ms;      /* how often a wait looks at the bucket; 0: 1,000 */
        uint64_t cache_bytes;  /* of the log, kept in memory; 0: 32 MiB. A record is given from
                                * there, or from as much memory again as it has bytes */
        uint32_t patience_ms;  /* how long a request without answer is sent again; 0: 5 minutes */
        uint32_t reserved;
};

/*
 * Read the log in a bucket without a copy of it. What is read is the log as of the last look:
 * logstore_remote_look() and the wait of a cursor look again. Objects that a look has seen stay for
 * an hour at least. If one is gone later, the call that needs it looks itself and goes on, if the
 * log still has the record.
 *
 * Every frame is checked before it is given. *ret is valid until logstore_remote_close().
 *
 * -ENODATA      nothing was shipped there
 * -EBADMSG      an object is damaged or missing (detail: which, offset, records in it)
 * -EREMOTEIO    no answer for the patience
 * -EMEDIUMTYPE  another store's log is there since the last look: open it anew
 * -EPROTONOSUPPORT  of another version of the format
 * -ENOENT       there is no such bucket or directory
 * -EACCES, -ENOMEM, -EIO
 *
 * These are the errors of all calls below, except that opening makes one request only, a list.
 */
LOGSTORE_API int logstore_remote_open(const char *url, const struct logstore_remote_options *remote,
                                      const struct logstore_read_options *options,
                                      struct logstore_remote **ret);
LOGSTORE_API void logstore_remote_close(struct logstore_remote *remote); /* NULL is fine */

/* Look at the bucket again. It takes one request if there is nothing new, else mostly two. */
LOGSTORE_API int logstore_remote_look(struct logstore_remote *remote);

/* Tell where the log begins and ends as of the last look. All of it is durable. */
LOGSTORE_API int logstore_remote_bounds(struct logstore_remote *remote,
                                        struct logstore_bounds *ret);

struct logstore_remote_info {
        uint32_t struct_bytes; /* the caller sets it to sizeof */
        uint32_t version;      /* of the format in the bucket */
        uint8_t uuid[16];      /* of the store */
        struct logstore_bounds bounds;
        uint64_t commit, term, checkpoint; /* numbers of the newest ones; checkpoint 0: none */
        uint64_t segments;
        uint64_t log_bytes;    /* of the segments' bytes that are there */
        uint64_t stored_bytes; /* that objects and tails take */
        uint64_t segment_bytes;
        uint32_t file_mode, pid; /* of the store's files; of the shipper */
        int64_t committed_ns;    /* when, by the shipper's clock */
        char host[64];           /* where it ran */
};
LOGSTORE_API int logstore_remote_info(struct logstore_remote *remote,
                                      struct logstore_remote_info *ret);

struct logstore_remote_segment {
        uint32_t struct_bytes; /* the library sets it */
        uint32_t codec;        /* of the object; 0: plain, 1: zstd */
        uint64_t id, salt;
        uint64_t first_number, records; /* numbers, voids too */
        uint64_t log_bytes;             /* of the segment, up to where the log leaves it */
        uint64_t object_bytes;          /* of its object; 0: it has none */
        uint64_t tails, tail_bytes;     /* commits with bytes of it behind the object */
        uint32_t sealed, reserved;
        char object[160]; /* its name in the bucket, "" */
};

/* Call @each for every segment, oldest first, until it returns non-zero; that is then returned. The
 * segment is valid during the call. */
LOGSTORE_API int logstore_remote_segments(struct logstore_remote *remote,
                                          int (*each)(void *context,
                                                      const struct logstore_remote_segment *),
                                          void *context);

/*
 * Copy record @number into @buffer, as logstore_get() does. Right behind the open a record that the
 * newest checkpoint knows in a segment's object costs two requests, and with the open's list three.
 *
 * -EINVAL (number 0), -EAGAIN (beyond the tail), -ESTALE (before the first, or cut off), -ENODATA
 * (void), -ENOBUFS
 */
LOGSTORE_API int logstore_remote_get(struct logstore_remote *remote, uint64_t number, void *buffer,
                                     size_t capacity, struct logstore_record *ret);

/* Open a cursor that stands before the first record. Close it before the log. @flags: 0. */
LOGSTORE_API int logstore_remote_cursor_open(struct logstore_remote *remote, uint32_t flags,
                                             struct logstore_remote_cursor **ret);
LOGSTORE_API void logstore_remote_cursor_close(struct logstore_remote_cursor *cursor);

/* Step and seek as the functions of logstore_cursor do. ret->data is valid until the next call for
 * this cursor. A scan reads ahead over several connections.
 *
 * -EAGAIN: no record there as of the last look. -ESTALE: the place was cut off or trimmed away. */
LOGSTORE_API int logstore_remote_cursor_next(struct logstore_remote_cursor *cursor,
                                             struct logstore_record *ret);
LOGSTORE_API int logstore_remote_cursor_prev(struct logstore_remote_cursor *cursor,
                                             struct logstore_record *ret);
LOGSTORE_API int logstore_remote_cursor_seek(struct logstore_remote_cursor *cursor,
                                             uint64_t number);
LOGSTORE_API int logstore_remote_cursor_seek_time(struct logstore_remote_cursor *cursor,
                                                  int64_t time_ns);
LOGSTORE_API int logstore_remote_cursor_get(struct logstore_remote_cursor *cursor, uint64_t number,
                                            struct logstore_record *ret);
LOGSTORE_API uint64_t logstore_remote_cursor_position(const struct logstore_remote_cursor *cursor);

/* Look at the bucket each look_ms until next has a record, or an error to tell. -ETIMEDOUT:
 * @timeout_ms is over (-1: never). -EINTR: a signal. */
LOGSTORE_API int logstore_remote_cursor_wait(struct logstore_remote_cursor *cursor, int timeout_ms);

enum logstore_remote_verify_flags {
        LOGSTORE_REMOTE_QUICK = 1 << 0, /* names and sizes alone */
};

/*
 * Check what is in the bucket, as of a look that this call makes. QUICK: each object and tail that
 * commits and checkpoint name is there, with its size. Else every frame of every segment, and the
 * objects' checksums.
 *
 * Returns 0 if all is well. -EBADMSG if not: ret->faults of them were told to @hooks, with the
 * object's name as file. Both may be NULL.
 */
LOGSTORE_API int logstore_remote_verify(struct logstore_remote *remote, uint32_t flags,
                                        const struct logstore_verify_hooks *hooks,
                                        struct logstore_verify_report *ret);

/* Return one line about the last failure of this library in this thread, "" if there was none. It
 * is valid until the thread's next call. */
LOGSTORE_API const char *logstore_remote_detail(void);

#ifdef __cplusplus
}
#endif
#endif
