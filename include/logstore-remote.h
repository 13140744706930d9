/*
 * logstore-remote.h - a log beyond one machine: ship it to an object store, and fetch it there
 *
 * A library of its own, liblogstore-remote. What logstore.h says of errors, units and struct_bytes
 * holds here, too; the line that tells of a failure is logstore_remote_detail().
 *
 * URLs:     s3://BUCKET[/PREFIX]  an object store that speaks S3's protocol
 *           file:/DIRECTORY       a directory, for instance of a file server
 *           One prefix holds the log of one store.
 * Threads:  one at a time may use a shipper. Different ones are independent.
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
        uint64_t missed;   /* records that were trimmed before it could ship them, in all; */
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
        const char *name;      /* of its directory */
        const char *detail;    /* of the error; "" */
        uint64_t number;       /* all up to this record is in the bucket */
        uint64_t missed;       /* records that were trimmed before they were shipped, in all */
};

struct logstore_ship_all_options {
        uint32_t struct_bytes; /* sizeof; set by LOGSTORE_SHIP_ALL_OPTIONS_INIT */
        uint32_t threads;      /* stores that are shipped at once; 0: 8 */
        uint32_t follow;       /* 0: end once each store was shipped, or has failed */
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
 * no request. New stores are found within ten seconds. One that fails does not hold up the others.
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

/* Return one line about the last failure of this library in this thread, "" if there was none. It
 * is valid until the thread's next call. */
LOGSTORE_API const char *logstore_remote_detail(void);

#ifdef __cplusplus
}
#endif
#endif
