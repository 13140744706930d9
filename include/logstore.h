/*
 * logstore.h - a persistent, append-only log of records in memory-mapped files
 *
 * Conventions, for every function below unless it says otherwise:
 *
 * Errors:   0 or a count on success, a negative errno on failure. On failure no ret_ parameter is
 *           touched and logstore_detail() has one line for the calling thread: file, offset,
 *           number, cause and what to do next. NULL or a wrong struct_bytes is -EINVAL.
 * Threads:  a store may be used by any number of threads at once; a cursor or a snapshot by one
 *           thread at a time. Closing an object while another thread is inside it is a bug of the
 *           caller, as with free(3).
 * Fork:     a child that uses a handle of its parent gets -ECHILD. It may close it.
 * Units:    sizes and offsets in bytes, times in nanoseconds since the Unix epoch (int64_t), waits
 *           in milliseconds (-1 waits for ever). Record numbers start at 1 and are dense.
 */
#ifndef LOGSTORE_H
#define LOGSTORE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOGSTORE_API __attribute__((visibility("default")))

struct logstore;
struct logstore_cursor;
struct logstore_snapshot;

/* ---- opening ---------------------------------------------------------------------------- */

enum logstore_open_flags {
        LOGSTORE_CREATE = 1 << 0,        /* create the store if it is not there */
        LOGSTORE_READ_ONLY = 1 << 1,     /* change nothing, take no lock, beside any writer */
        LOGSTORE_NO_THREAD = 1 << 2,     /* no background thread: callers do its work */
        LOGSTORE_FINE_TIME = 1 << 3,     /* stamp by CLOCK_REALTIME, else by its coarse form */
        LOGSTORE_NETWORK_OK = 1 << 4,    /* allow NFS, CIFS and 9p, where mappings promise less */
        LOGSTORE_SHARED_DIR_OK = 1 << 5, /* allow a directory that everyone may write */
        LOGSTORE_NO_RING = 1 << 6,       /* use threads where io_uring would be used */
        LOGSTORE_DIRTY_EAGAIN = 1 << 7,  /* at dirty_hard_bytes: -EAGAIN instead of waiting */
};

enum logstore_sync_policy {
        LOGSTORE_SYNC_NONE = 0,     /* only logstore_sync() and close sync */
        LOGSTORE_SYNC_INTERVAL = 1, /* in the background, every sync_bytes or sync_ms */
        LOGSTORE_SYNC_EACH = 2,     /* an append returns once its record is durable */
};

/* segment_bytes: a roll costs six syncs, so large segments suit long appends (256 MiB: 1.1 to 1.5 times
 * as fast as 64), small ones leave less to recover and let go of old records in smaller steps. */
struct logstore_options {
        uint32_t struct_bytes;    /* set by LOGSTORE_OPTIONS_INIT */
        uint32_t flags;           /* enum logstore_open_flags */
        uint64_t segment_bytes;   /* at creation: 64 KiB..4 GiB, multiple of 64 KiB; 0: 64 MiB */
        uint32_t file_mode;       /* at creation: 0600 (0), 0640, 0644, 0660, 0664 */
        uint32_t sync_policy;     /* enum logstore_sync_policy */
        uint64_t sync_bytes;      /* INTERVAL: bytes between syncs; 0: 1 MiB */
        uint32_t sync_ms;         /* INTERVAL: longest time a record waits; 0: 10 ms */
        uint32_t mapped_segments; /* most segments mapped for reading at once; 0: 64 */
        uint64_t keep_bytes;      /* retention: 0 keeps all; see logstore_set_retention() */
        uint64_t keep_records;
        int64_t keep_ns;
        uint64_t anonymous_budget_bytes; /* address space of indexes rebuilt to read; 0: 64 MiB.
                                            Beyond it segments without .idx are walked */
        uint64_t private_budget_bytes;   /* of pages copied by snapshots; 0: 64 MiB */
        uint64_t dirty_soft_bytes;       /* behind the tail, starts writeback; 0: 4 MiB */
        uint64_t dirty_hard_bytes;       /* unwritten: slows or refuses appends; 0: 256 MiB */
        uint64_t first_number;           /* at creation: number of the first record; 0: 1 */
        uint64_t ready_bytes;            /* kept ready in the active segment ahead of appends, which
                                            take it at memory speed; zeros that are dirty until they
                                            are written. 0: as much as was used, 8 MiB at most */
};
#ifdef __cplusplus /* designated initialisers came with C++20 */
#define LOGSTORE_OPTIONS_INIT                   \
        {                                       \
                sizeof(struct logstore_options) \
        }
#else
#define LOGSTORE_OPTIONS_INIT                                   \
        {                                                       \
                .struct_bytes = sizeof(struct logstore_options) \
        }
#endif

/*
 * Open the store in directory @path, or create it with LOGSTORE_CREATE. @options may be NULL.
 *
 * After a crash the tail that no sync covered may be shorter; the cost is in proportion to the
 * unsealed segments, not to the store. A writer holds the store's lock until close.
 *
 * -ENOENT no directory, or no store in it without LOGSTORE_CREATE. -ENOTDIR. -EMEDIUMTYPE the
 * directory holds no store. -EPROTONOSUPPORT other version or unknown incompatible flag. -EBUSY
 * another writer (detail: its pid). -EBADMSG damage at or below the durable mark, or a broken
 * chain, told as a reader would meet it: a read-only open serves what is before it, logstore_repair()
 * cuts it; or a control file that is missing or garbled, which logstore_repair() makes anew. -EPERM a directory
 * that everyone may write, control or wake that is no regular file, or, to write, one that has a second name
 * (a hard link), which may be somebody else's file. -EOVERFLOW the counts of the control file, or
 * the log's numbers, leave no room to go on, as only forged ones do. -EREMOTE network file system.
 * -ENOSPC, -EIO, -ENOMEM, -EMFILE as from the system; nothing was changed by them. -EACCES and the
 * like: also if a file that is not of the log any more cannot be deleted.
 */
LOGSTORE_API int logstore_open(const char *path, const struct logstore_options *options,
                               struct logstore **ret);

/*
 * Sync, mark the store cleanly closed, free everything. NULL is fine.
 *
 * -EBUSY: claims, cursors or snapshots are open (logstore_cancel_claims() ends claims); the store
 * stays open and usable. -EIO: a sync failed, now or before; the store is closed all the same and
 * the next open checks what the disk has. Read-only: never fails but with -EBUSY.
 */
LOGSTORE_API int logstore_close(struct logstore *store);

/* ---- appending -------------------------------------------------------------------------- */

/* Largest record in bytes: what fits in one segment, at most 1 GiB - 1. -EINVAL for NULL; -EIO: its
 * page of the control file is gone. */
LOGSTORE_API int64_t logstore_max_record(const struct logstore *store);

/*
 * Append one record of @size bytes (0..logstore_max_record()); its number goes to *ret_number,
 * which may be NULL. @data is copied.
 *
 * Readers see the record, and it survives the end of this process, once every earlier number is
 * complete: at once, unless a claim is open or another thread is inside an append. If the process is
 * killed while one of those stalls, this record goes with it. It survives a power cut once
 * logstore_sync() has covered it; under LOGSTORE_SYNC_EACH that has happened on return.
 *
 * -EMSGSIZE too large. -EROFS opened read-only. -ENOSPC disk or quota full, -EFBIG beyond
 * RLIMIT_FSIZE: append again once there is space. -EAGAIN dirty_hard_bytes under
 * LOGSTORE_DIRTY_EAGAIN, or too many full segments wait for a stalled claim (detail: its number;
 * an append that stands still in another thread is waited for, a second at most).
 * -EDEADLK under LOGSTORE_SYNC_EACH, while this thread has a claim open: the sync would wait for it.
 * -EIO a sync failed: close, reopen, look at the tail. With -EIO under LOGSTORE_SYNC_EACH the
 * record may or may not survive; every other error has appended nothing and used no number.
 */
LOGSTORE_API int logstore_append(struct logstore *store, const void *data, size_t size,
                                 uint64_t *ret_number);

/* The same for one record gathered from @count pieces. -EINVAL: the sizes overflow. */
LOGSTORE_API int logstore_appendv(struct logstore *store, const struct iovec *pieces, int count,
                                  uint64_t *ret_number);

/* As an entry's time: 1970-01-01T00:00:00Z itself, which is 0 in a record. */
#define LOGSTORE_TIME_ZERO INT64_MIN

struct logstore_entry {
        const void *data;
        size_t size;
        int64_t time_ns; /* 0: now; LOGSTORE_TIME_ZERO: 0 */
};

/*
 * Append @count records with dense numbers from *ret_first, all or none: readers see all at once,
 * and a crash keeps all or none. Errors as logstore_append(); -EMSGSIZE also when the whole batch
 * (24 bytes a record, each rounded up to 8) is larger than a segment. -EINVAL: count is 0.
 */
LOGSTORE_API int logstore_append_batch(struct logstore *store, const struct logstore_entry *entries,
                                       size_t count, uint64_t *ret_first);

struct logstore_claim {
        uint64_t number;
        void *data;  /* write the payload here, at most @size bytes */
        size_t size; /* bytes claimed */
        uint64_t opaque[2];
};

/*
 * Claim the next number and @size bytes of the log to fill in place, without a copy.
 *
 * Until logstore_commit() or logstore_abort() the tail, sync, seal and close wait for it; other
 * appends do not. A claim belongs to its thread: when the thread ends it is aborted. Errors as
 * logstore_append(). The pages are zero or hold nothing of value.
 */
LOGSTORE_API int logstore_claim(struct logstore *store, size_t size, struct logstore_claim *ret);

/*
 * Publish the first @size bytes of the claim (<= claim->size). Any thread may call it, once.
 * -ECANCELED: somebody aborted the claim before (its number is void). -EMSGSIZE: @size too large,
 * the claim stays open. Under LOGSTORE_SYNC_EACH it syncs like an append; -EDEADLK: this thread has
 * an earlier claim open, which is to be resolved first, and this one stays open.
 */
LOGSTORE_API int logstore_commit(struct logstore *store, struct logstore_claim *claim, size_t size);

/* Give the claim up: its number stays void (-ENODATA to readers). -ECANCELED: already resolved. */
LOGSTORE_API int logstore_abort(struct logstore *store, struct logstore_claim *claim);

/* Abort every claim older than @age_ms, by whomever; returns how many. Their writers must have
 * stopped: a write to a cancelled claim's memory is lost or damages nothing but that void. */
LOGSTORE_API int logstore_cancel_claims(struct logstore *store, uint32_t age_ms);

/* ---- durability ------------------------------------------------------------------------- */

/*
 * Return 0 only when every record up to @number survives a power cut. 0 means: everything that was
 * appended or claimed so far.
 *
 * Threads that wait at the same time share one sync. -EAGAIN: @number was not yet appended, or was
 * truncated away meanwhile.
 * -EDEADLK: it would wait for a claim of the calling thread. -EIO: a sync failed, now or earlier, or
 * somebody has cut, removed or replaced a file that it is about: nothing is acknowledged any more
 * until the store is reopened. -EROFS: opened read-only.
 */
LOGSTORE_API int logstore_sync(struct logstore *store, uint64_t number);

/*
 * The same, giving up with -ETIMEDOUT after @timeout_ms (below 0: never); the sync goes on. 0: start
 * one and say whether all is durable by now.
 *
 * However slow the disk is, this thread does not wait for it longer: a thread of the library, which the
 * first such call starts (also under LOGSTORE_NO_THREAD), runs the sync. -EAGAIN, -ENOMEM: it cannot be
 * started.
 */
LOGSTORE_API int logstore_sync_timed(struct logstore *store, uint64_t number, int timeout_ms);

/*
 * Start making everything up to @number (0: as above) durable and return at once. The store's
 * eventfd (logstore_sync_fd) becomes readable when a sync ends, well or not; then ask
 * logstore_durable(). Errors as logstore_sync() that are known at the start.
 */
LOGSTORE_API int logstore_sync_start(struct logstore *store, uint64_t number);

/* Descriptor to poll for the above; belongs to the store, read 8 bytes to clear. -EROFS. */
LOGSTORE_API int logstore_sync_fd(struct logstore *store);

/* The last number known durable to *ret_number; -EIO if a sync has failed. For a reader: as the
 * writer last published it. */
LOGSTORE_API int logstore_durable(struct logstore *store, uint64_t *ret_number);

struct logstore_bounds {
        uint64_t first;   /* number of the oldest record kept; tail + 1 if there is none */
        uint64_t tail;    /* last record that readers see; first - 1 if there is none */
        uint64_t durable; /* last record known durable */
        uint64_t epoch;   /* grows with each recovery and truncation */
};

/* Where the log begins and ends now. A read-only store looks at what the writer wrote since. */
LOGSTORE_API int logstore_bounds(struct logstore *store, struct logstore_bounds *ret);

/* ---- reading ---------------------------------------------------------------------------- */

struct logstore_record {
        uint64_t number;
        int64_t time_ns;
        const void *data; /* not NULL-terminated */
        size_t size;
};

/*
 * Copy record @number into @buffer (@capacity bytes) and describe it in *ret, whose data is
 * @buffer. The checksum is verified before anything of it is told.
 *
 * -EINVAL number 0. -EAGAIN beyond the tail. -ESTALE before the first, or truncated away.
 * -ENODATA void. -ENOBUFS too small: ret->size alone is set to what is needed. -EBADMSG damaged.
 * -EPROTONOSUPPORT its segment has another version or an unknown flag. -EIO the disk failed.
 */
LOGSTORE_API int logstore_get(struct logstore *store, uint64_t number, void *buffer,
                              size_t capacity, struct logstore_record *ret);

/*
 * Read @count records in any order; @ret_records[i] describes @numbers[i], its data inside
 * @buffer. Cold pages are read through io_uring side by side instead of one page fault at a time.
 * A record that cannot be read has data NULL and -errno as logstore_get() in size's place,
 * cast to size_t. Returns how many records were tried: fewer than @count if @buffer is full.
 */
LOGSTORE_API int logstore_get_many(struct logstore *store, const uint64_t *numbers, size_t count,
                                   void *buffer, size_t capacity,
                                   struct logstore_record *ret_records);

enum logstore_cursor_flags {
        LOGSTORE_UNVERIFIED = 1 << 0,  /* no checksums up to the durable number */
        LOGSTORE_DROP_BEHIND = 1 << 1, /* let go of pages read, so a scan displaces nothing */
        LOGSTORE_SKIP_DAMAGE = 1 << 2, /* after -EBADMSG the next call goes on behind it; one may
                                        * stand for many numbers */
};

/* A cursor stands before the first record. It pins at most one segment at a time and thereby keeps
 * it readable when retention deletes it. */
LOGSTORE_API int logstore_cursor_open(struct logstore *store, uint32_t flags,
                                      struct logstore_cursor **ret);
LOGSTORE_API void logstore_cursor_close(struct logstore_cursor *cursor);

/*
 * Step to the next or previous record. ret->data points into the mapping and is valid until the
 * cursor moves or closes. Voids are stepped over.
 *
 * -EAGAIN no record there (yet): the cursor stays. -ESTALE the place was trimmed or truncated
 * away: seek again. The same if the log was cut, and all before the place is trimmed since, and it
 * cannot be told any more whether that is what the cursor has passed. -EBADMSG damaged (detail: file, offset, number): the cursor stays before it,
 * unless LOGSTORE_SKIP_DAMAGE. -EPROTONOSUPPORT a segment of another version. -EIO the disk failed.
 */
LOGSTORE_API int logstore_cursor_next(struct logstore_cursor *cursor, struct logstore_record *ret);
LOGSTORE_API int logstore_cursor_prev(struct logstore_cursor *cursor, struct logstore_record *ret);

/* Stand so that next gives @number and prev the one before; first..tail + 1 (0: the first;
 * UINT64_MAX: behind the tail). -ESTALE, -EAGAIN outside, the cursor stays where it was. */
LOGSTORE_API int logstore_cursor_seek(struct logstore_cursor *cursor, uint64_t number);

/* Stand before the first record at which the greatest time so far reaches @time_ns (clocks go
 * back, so times need not rise); behind the tail if there is none. Costs a search over segments
 * and a walk within one. */
LOGSTORE_API int logstore_cursor_seek_time(struct logstore_cursor *cursor, int64_t time_ns);

/* Record @number without a copy, valid until the cursor moves; next continues after it.
 * Errors as logstore_get(). */
LOGSTORE_API int logstore_cursor_get(struct logstore_cursor *cursor, uint64_t number,
                                     struct logstore_record *ret);

/* Number that next would give. 0: a NULL cursor, or one of the parent's in a fork's child. */
LOGSTORE_API uint64_t logstore_cursor_position(const struct logstore_cursor *cursor);

/*
 * Sleep until there is a record for next, or @timeout_ms is over: -ETIMEDOUT. By futex where the
 * store's wake file may be written, else by looking now and then, after a long time in vain every
 * 100 ms. A claim that was cancelled and a truncation wake as well: next may say -EAGAIN then; wait
 * again. -EINTR: a signal.
 */
LOGSTORE_API int logstore_cursor_wait(struct logstore_cursor *cursor, int timeout_ms);

/* An eventfd that becomes readable when there may be a record for next; belongs to the cursor,
 * whose first call starts a thread. After reading the eventfd call next until -EAGAIN. */
LOGSTORE_API int logstore_cursor_fd(struct logstore_cursor *cursor);

/* ---- letting go ------------------------------------------------------------------------- */

/* Each limit wants the newest segments; 0 is no limit. @keep_bytes wants as many as take no more than
 * that, @keep_records as few as hold that many records, durable ones and no voids, @keep_ns those that are
 * not wholly older. A segment stays if every limit that is set wants it: the strictest wins. Whole segments
 * go, oldest first, never the active one. Since nothing says how many voids there are, @keep_records reads
 * what is kept once. */
LOGSTORE_API int logstore_set_retention(struct logstore *store, uint64_t keep_bytes,
                                        uint64_t keep_records, int64_t keep_ns);

/* Retention and trim never remove @number or anything after it. UINT64_MAX: no floor. */
LOGSTORE_API int logstore_set_floor(struct logstore *store, uint64_t number);

/* Delete whole segments that lie entirely before @number; idempotent. The new first number, to
 * *ret_first (may be NULL), is durable before anything is deleted. -EROFS, -EIO; -EACCES and the like:
 * a file cannot be deleted. Then the log begins later all the same, and an open for writing, which
 * tries again, fails as long as the file cannot be deleted. */
LOGSTORE_API int logstore_trim_before(struct logstore *store, uint64_t number, uint64_t *ret_first);

/* Apply retention now. With @dry_run only say in *ret_first what would be the first number. A dry run
 * may also be had of a store opened read-only, which stays as it is: the limits are those in its
 * options, and the answer is what a writer opening it now would come to. Otherwise -EROFS. */
LOGSTORE_API int logstore_apply_retention(struct logstore *store, int dry_run, uint64_t *ret_first);

/*
 * Take back everything after @number (which becomes the tail) durably; readers standing beyond
 * get -ESTALE. @next is the number of the next append: 0 for number + 1, or for the first number
 * where that is greater; any other value needs an emptied log, that is @number < first, and is not
 * below the first. -EBUSY claims are open, or records were appended meanwhile: nothing was cut.
 * -EINVAL @number is inside a batch, or @next is out of place. -EAGAIN @number is beyond the tail.
 * -EIO a sync failed, or what was cut cannot be removed: nothing is accepted any more.
 */
LOGSTORE_API int logstore_truncate_after(struct logstore *store, uint64_t number, uint64_t next);

/* ---- looking ---------------------------------------------------------------------------- */

struct logstore_info {
        uint32_t struct_bytes; /* set by the caller to sizeof */
        uint32_t version;      /* of the format */
        uint8_t uuid[16];
        uint64_t segment_bytes;
        uint32_t file_mode;
        uint32_t clean;     /* 1: closed cleanly, or open by this process */
        uint32_t failed;    /* 1: a sync failed since the last open for writing */
        int32_t locked;     /* 1: a process writes to it, or repairs it; 0: none; -1: unknown */
        int32_t writer_pid; /* that process, if it is known; else 0 */
        uint64_t segments;
        uint64_t disk_bytes; /* blocks taken by segments and indexes */
        struct logstore_bounds bounds;
        uint64_t open_claims;     /* of this process */
        uint64_t oldest_claim;    /* its number; 0: none */
        uint64_t oldest_claim_ms; /* its age */
        int32_t oldest_claim_tid; /* its thread */
        int32_t sync_is_ring;     /* 1: io_uring serves sync_start and get_many */
        uint64_t dropped_records; /* torn tail dropped by this open: valid frames cut, */
        uint64_t dropped_bytes;   /* and bytes, up to the last that is not zero */
        uint64_t syncs;           /* rounds since open */
};

/* On kernels and stores alike what is unknown is 0. */
LOGSTORE_API int logstore_info(struct logstore *store, struct logstore_info *ret);

enum logstore_segment_state {
        LOGSTORE_SEGMENT_ACTIVE = 0,
        LOGSTORE_SEGMENT_FULL = 1, /* no more appends, not yet sealed */
        LOGSTORE_SEGMENT_SEALED = 2,
        LOGSTORE_SEGMENT_DAMAGED = 3,
};

struct logstore_segment_info {
        uint64_t id;
        char name[32];
        uint64_t first_number; /* of the records it holds; records may be 0 */
        uint64_t records;
        uint64_t used_bytes; /* end of its last frame */
        uint64_t file_bytes;
        uint64_t disk_bytes;
        int64_t created_ns;
        int64_t greatest_ns; /* greatest time in the log up to its end; 0: unknown */
        uint32_t state;      /* enum logstore_segment_state */
        uint32_t has_index;
};

/* Call @each for every segment, oldest first, until it returns non-zero, which is returned. */
LOGSTORE_API int logstore_segments(struct logstore *store,
                                   int (*each)(void *context, const struct logstore_segment_info *),
                                   void *context);

struct logstore_fault {
        const char *file; /* name inside the store; valid during the call */
        uint64_t offset;
        uint64_t number; /* 0: not about a record */
        int error;       /* -EBADMSG, -EIO, ... */
        int fatal;       /* 0: only a note (an unacknowledged torn tail, a stale index) */
        const char *what;
};

struct logstore_verify_report {
        uint64_t segments, records, voids, bytes;
        uint64_t faults;     /* fatal ones */
        uint64_t torn_bytes; /* behind the end, up to the last that is not zero */
        uint64_t trimmed_to; /* first number left, if the log was trimmed meanwhile; else 0 */
};

struct logstore_verify_hooks {
        void (*fault)(void *context, const struct logstore_fault *fault);
        void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
        void *context;
};

/*
 * Read everything in the store at @path and check it, changing nothing, also beside a writer: what
 * was there at the start is checked, but for what is trimmed meanwhile; after a truncation it begins
 * again. Returns 0 if healthy, -EBADMSG if not, and then ret->faults of them were told to @hooks (may
 * be NULL); -EAGAIN if the log is truncated without pause; other errors as logstore_open().
 */
LOGSTORE_API int logstore_verify(const char *path, const struct logstore_verify_hooks *hooks,
                                 struct logstore_verify_report *ret);

enum logstore_repair_flags {
        LOGSTORE_REPAIR_APPLY = 1 << 0, /* else a dry run */
};

struct logstore_repair_report {
        uint64_t kept_first, kept_last; /* numbers kept in the store */
        uint64_t lost_records; /* numbers known to have existed that are cut, damaged ones too */
        uint64_t valid_beyond; /* of these, still valid frames: salvage keeps them */
        uint64_t cut_bytes;    /* moved to quarantine/, without the zeros at the files' ends */
        uint64_t salvaged, missing; /* salvage: records copied, numbers missing between them */
};

/*
 * Cut a damaged store back to the prefix before its first damage, so that it opens for writing
 * again; a batch is kept whole or not at all. Where the oldest segments are missing or unreadable the
 * log begins later instead, with the first record that is there. A control file that is missing or
 * garbled is made anew from the segments; what was durable last is not known then. What is damaged is
 * what logstore_verify() says, told to @hooks in the order of the log. What is cut is linked or copied to quarantine/ first, and durable there; what is newer than the log is
 * moved there. The writer's lock is held from before the first look at the log until all is done, so
 * no append comes in between.
 *
 * Without LOGSTORE_REPAIR_APPLY it only says what it would do: a look without the lock, which
 * changes nothing in the store, and which a writer that comes meanwhile makes out of date. @salvage
 * (may be NULL): directory of a new store that gets every valid record, also those beyond the
 * damage, with its number; numbers missing between them become voids, and each gap is told to
 * hooks->fault. Before the first record a gap that is wider than segments could be is left out.
 *
 * -EBUSY, at once: a writer has it. -EPERM as logstore_open(), or quarantine is no directory.
 * -EPROTONOSUPPORT a segment of another version: nothing is cut. -EOVERFLOW more numbers are missing
 * between two records than voids can stand for: repair without @salvage.
 */
LOGSTORE_API int logstore_repair(const char *path, uint32_t flags, const char *salvage,
                                 const struct logstore_verify_hooks *hooks,
                                 struct logstore_repair_report *ret);

/* ---- private snapshot ------------------------------------------------------------------- */

/*
 * Fix the log from first to tail as it is now and map all of its segments MAP_PRIVATE, readable and
 * writable: one mapping (of the process's vm.max_map_count) and 1.2 KiB of heap each. It stays valid
 * while the writer appends and retention deletes, whose space is given back when it is closed.
 * Edits stay in this process: a page is copied at its first edit, has no file behind it any more,
 * and is counted against @budget_bytes (0: the store's private_budget_bytes).
 */
LOGSTORE_API int logstore_snapshot_open(struct logstore *store, uint64_t budget_bytes,
                                        struct logstore_snapshot **ret);
LOGSTORE_API void logstore_snapshot_close(struct logstore_snapshot *snapshot);

/* The fixed first and tail; durable as it was, epoch too. */
LOGSTORE_API int logstore_snapshot_bounds(const struct logstore_snapshot *snapshot,
                                          struct logstore_bounds *ret);

/* As logstore_get() without a copy: ret->data is valid until the snapshot closes or drops. Edited
 * payloads are given as edited; unedited ones are verified. */
LOGSTORE_API int logstore_snapshot_get(struct logstore_snapshot *snapshot, uint64_t number,
                                       struct logstore_record *ret);

/* A cursor over the snapshot; close it before the snapshot. wait and fd give -EINVAL. */
LOGSTORE_API int logstore_snapshot_cursor(struct logstore_snapshot *snapshot, uint32_t flags,
                                          struct logstore_cursor **ret);

/* A writable pointer to the payload of @number, ret_size bytes, valid until dropped or closed; its
 * pages are copied now. -ENOBUFS: over the budget, nothing was changed. Others as logstore_get(). */
LOGSTORE_API int logstore_snapshot_edit(struct logstore_snapshot *snapshot, uint64_t number,
                                        void **ret_data, size_t *ret_size);

/* Numbers edited, ascending: up to @capacity to @ret_numbers, returns how many there are. */
LOGSTORE_API int64_t logstore_snapshot_edited(struct logstore_snapshot *snapshot,
                                              uint64_t *ret_numbers, size_t capacity);

/* Bytes copied so far, by the library's count. */
LOGSTORE_API uint64_t logstore_snapshot_copied_bytes(const struct logstore_snapshot *snapshot);

/* Forget the edits of @from..@to (both included): the memory goes back to the system at once,
 * but for pages that also carry an edit of a neighbour. Everything: 0, UINT64_MAX. */
LOGSTORE_API int logstore_snapshot_drop(struct logstore_snapshot *snapshot, uint64_t from,
                                        uint64_t to);

/* Write the snapshot as edited into a new store at @path, numbers and times kept, durable on
 * return. @options: of the new store, or NULL; size of segments and mode that are 0 there are those
 * of the store. -EEXIST: there is something at @path. Others as
 * logstore_snapshot_get() and logstore_append(): what is at @path then ends before the failure. */
LOGSTORE_API int logstore_snapshot_export(struct logstore_snapshot *snapshot, const char *path,
                                          const struct logstore_options *options);

/* ---- memory ----------------------------------------------------------------------------- */

#define LOGSTORE_UNKNOWN UINT64_MAX

/* Bytes that this process holds for one store, by kind of mapping. LOGSTORE_UNKNOWN: the kernel
 * would not say. */
struct logstore_memory {
        uint32_t struct_bytes;                   /* set by the caller to sizeof */
        uint32_t mappings;                       /* how many mappings the store has now */
        uint64_t shared_mapped, shared_resident; /* MAP_SHARED files: evictable, */
        uint64_t shared_dirty;                   /* dirty ones after writeback */
        uint64_t private_mapped, private_resident, private_copied; /* MAP_PRIVATE files */
        uint64_t anonymous_mapped, anonymous_resident;             /* indexes */
        uint64_t heap;                                             /* malloc'ed by the library */
        uint64_t locked;                                           /* mlocked */
        uint64_t anonymous_budget, private_budget;
        uint64_t minor_faults, major_faults; /* of the whole process since its start */
};
LOGSTORE_API int logstore_memory(struct logstore *store, struct logstore_memory *ret);

/* Where one file's pages are, in bytes; LOGSTORE_UNKNOWN if the kernel would not say. */
struct logstore_residency {
        uint64_t file_bytes;
        uint64_t resident, dirty, writeback;
        uint64_t evicted, recently_evicted;
};

/*
 * Residency of segment @id (0: control page) in the page cache, system-wide, as a whole to *ret
 * and, if @cells is not 0, per equal part of the file to @ret_cells. Faults nothing in. By
 * cachestat(2), else mincore(2), which knows resident alone. -ESTALE: no such segment.
 */
LOGSTORE_API int logstore_residency(struct logstore *store, uint64_t id,
                                    struct logstore_residency *ret, size_t cells,
                                    struct logstore_residency *ret_cells);

/* Bring the pages of records @from..@to into the page cache, or let go of the clean ones (dirty
 * ones are written back first). Returns bytes that are resident, or are not, afterwards. */
LOGSTORE_API int64_t logstore_warm(struct logstore *store, uint64_t from, uint64_t to);
LOGSTORE_API int64_t logstore_evict(struct logstore *store, uint64_t from, uint64_t to);

/* ---- the process ------------------------------------------------------------------------ */

/*
 * Install a SIGBUS handler that turns a fault inside a store mapping, during a call of this
 * library, into -EIO of that call; any other fault goes to the handler that was there. Threads
 * that call the library must not block SIGBUS. A fault while filling a record fails the store.
 * Idempotent. Without it such a fault (a file cut by someone else, a dying disk) ends the process.
 */
LOGSTORE_API int logstore_guard_sigbus(void);

/* One line about the last failure in this thread, "" if none; valid until its next call. */
LOGSTORE_API const char *logstore_detail(void);

/* A short text for a negative errno of this library. Never NULL. */
LOGSTORE_API const char *logstore_error_text(int error);

/* "MAJOR.MINOR.PATCH" of the library. */
LOGSTORE_API const char *logstore_version(void);

#ifdef __cplusplus
}
#endif
#endif
