/*
 * logstore.h - a persistent, append-only log of records in memory-mapped files
 *
 * What follows holds for every function below that does not say otherwise.
 *
 * Errors:   A call returns 0 or a count on success, a negative errno on failure. A failed call
 *           leaves every ret_ parameter as it was. logstore_detail() then has one line for the
 *           calling thread: file, offset, number, cause and what to do next. NULL or a wrong
 *           struct_bytes is -EINVAL.
 * Threads:  Any number of threads may use a store at once. One thread at a time may use a cursor
 *           or a snapshot. The caller must not close an object while a thread is inside it.
 * Fork:     A child that uses a handle of its parent gets -ECHILD. It may close the handle.
 * Units:    Sizes and offsets are in bytes, times in nanoseconds since the Unix epoch (int64_t),
 *           waits in milliseconds (-1 waits for ever). Record numbers start at 1, without gaps.
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
        LOGSTORE_READ_ONLY = 1 << 1,     /* take no lock and change no record; any writer may run */
        LOGSTORE_NO_THREAD = 1 << 2,     /* start no background thread: callers do its work */
        LOGSTORE_FINE_TIME = 1 << 3,     /* stamp by CLOCK_REALTIME, else by its coarse form */
        LOGSTORE_NETWORK_OK = 1 << 4,    /* allow NFS, CIFS, 9p etc.; mappings promise less */
        LOGSTORE_SHARED_DIR_OK = 1 << 5, /* allow a directory that everyone may write */
        LOGSTORE_NO_RING = 1 << 6,       /* use no io_uring: a thread or plain reads replace it */
        LOGSTORE_DIRTY_EAGAIN = 1 << 7,  /* at dirty_hard_bytes return -EAGAIN, do not wait */
};

enum logstore_sync_policy {
        LOGSTORE_SYNC_NONE = 0,     /* only logstore_sync() and close sync */
        LOGSTORE_SYNC_INTERVAL = 1, /* a sync every sync_bytes or sync_ms */
        LOGSTORE_SYNC_EACH = 2,     /* append and commit return once the record is durable */
};

/* A roll from one segment to the next costs six syncs, so large segments suit long appends. Small
 * segments leave less to read in a recovery and release old records in smaller steps. */
struct logstore_options {
        uint32_t struct_bytes;    /* set by LOGSTORE_OPTIONS_INIT */
        uint32_t flags;           /* enum logstore_open_flags */
        uint64_t segment_bytes;   /* at creation: 64 KiB..4 GiB, multiple of 64 KiB; 0: 64 MiB */
        uint32_t file_mode;       /* at creation: 0600 and any of 0040, 0020, 0004; 0: 0600 */
        uint32_t sync_policy;     /* enum logstore_sync_policy */
        uint64_t sync_bytes;      /* INTERVAL: bytes between two syncs; 0: 1 MiB */
        uint32_t sync_ms;         /* INTERVAL: longest time a record waits; 0: 10 ms */
        uint32_t mapped_segments; /* segments mapped at once, unless all are in use; 0: 64 */
        uint64_t keep_bytes;      /* see logstore_set_retention(); 0 sets no limit */
        uint64_t keep_records;
        int64_t keep_ns;
        uint64_t anonymous_budget_bytes; /* address space of rebuilt indexes; 0: 64 MiB. Beyond it
                                          * segments without .idx are walked */
        uint64_t private_budget_bytes;   /* pages that snapshots copy; 0: 64 MiB */
        uint64_t dirty_soft_bytes;       /* unwritten behind the tail: starts writeback; 0: 4 MiB */
        uint64_t dirty_hard_bytes;       /* unwritten: appends wait or are refused; 0: 256 MiB */
        uint64_t first_number;           /* at creation: number of the first record; 0: 1 */
        uint64_t ready_bytes;            /* space kept ready in the active segment ahead of appends,
                                          * which then run at memory speed. It holds zeros, dirty
                                          * until they are written. 0: as much as was used, 8 MiB at
                                          * most */
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
 * Open the store in directory @path. With LOGSTORE_CREATE create it if there is none. @options may
 * be NULL. *ret is valid until logstore_close().
 *
 * A writer holds the store's lock until close. After a crash the log may lack the end that no sync
 * covered. Recovery takes time in proportion to the unsealed segments, not to the store.
 *
 * -ENOENT           no directory, or no store in it and no LOGSTORE_CREATE
 * -ENOTDIR          @path is no directory
 * -EMEDIUMTYPE      the directory holds other files and no store
 * -EPROTONOSUPPORT  another version of the format, or an unknown incompatible flag
 * -EBUSY            another writer or a repair has the lock (detail: its pid, if known)
 * -EBADMSG          damage up to the mark, or a broken chain: a read-only open serves what is
 *                   before it, logstore_repair() cuts it; or a control file that is missing or
 *                   garbled, which logstore_repair() makes anew
 * -EPERM            everyone may write the directory; or a file of the store is no regular file;
 *                   or, to write, it has a second name (hard link) and may be somebody else's
 * -EOVERFLOW        the counts in the control file or the log's numbers leave no room to go on,
 *                   which happens only to forged ones
 * -EREMOTE          a network file system
 * -EACCES etc.      also if a file that the log no longer needs cannot be deleted
 *
 * An open that is refused for what lies in the directory changes nothing there. One that the system
 * fails (-ENOSPC, -EIO, -ENOMEM, -EMFILE) may have begun to write; a later open goes on from there.
 */
LOGSTORE_API int logstore_open(const char *path, const struct logstore_options *options,
                               struct logstore **ret);

/*
 * Sync everything, seal what is full, mark the store cleanly closed and free it. NULL is fine. In a
 * fork's child it does nothing and returns 0.
 *
 * -EBUSY: claims, cursors or snapshots are open, and the store stays open and usable
 * (logstore_cancel_claims() ends claims). After any other error the store is closed all the same,
 * and the next open checks what the disk has. -EIO: a sync failed, now or before. -ENOENT: somebody
 * removed or replaced the control file. A read-only store can only fail with -EBUSY.
 */
LOGSTORE_API int logstore_close(struct logstore *store);

/* ---- appending -------------------------------------------------------------------------- */

/* Return the size in bytes of the largest record: what fits in one segment, at most 1 GiB - 1.
 * -EINVAL: NULL. -EIO: the page of the control file is gone. */
LOGSTORE_API int64_t logstore_max_record(const struct logstore *store);

/*
 * Append one record of @size bytes (0..logstore_max_record()). Its number goes to *ret_number,
 * which may be NULL. @data is copied.
 *
 * Readers see the record, and it survives the end of this process, once every earlier number is
 * complete. That is at once, unless a claim is open or another thread is inside an append. If the
 * process is killed while one of those stalls, this record is lost with it. The record survives a
 * power cut once logstore_sync() has covered it; under LOGSTORE_SYNC_EACH that is so on return.
 *
 * -EMSGSIZE  too large
 * -EROFS     opened read-only
 * -ENOSPC    disk or quota full: append again once there is space; -EDQUOT alike
 * -EFBIG     beyond RLIMIT_FSIZE: likewise
 * -EAGAIN    dirty_hard_bytes under LOGSTORE_DIRTY_EAGAIN; or too many full segments wait for a
 *            stalled claim (detail: its number). If they wait for an append in another thread, this
 *            call waits for it first, a second at most
 * -EDEADLK   under LOGSTORE_SYNC_EACH this thread has a claim open, and its sync would wait for it
 * -EIO       a sync failed or a page was lost: close, reopen, look at the tail
 *
 * After -EIO the record may or may not survive. Every other error has appended nothing and used no
 * number.
 */
LOGSTORE_API int logstore_append(struct logstore *store, const void *data, size_t size,
                                 uint64_t *ret_number);

/* Append one record gathered from @count pieces, as logstore_append(). -EINVAL: @count is negative,
 * a piece is NULL, or the sizes overflow. */
LOGSTORE_API int logstore_appendv(struct logstore *store, const struct iovec *pieces, int count,
                                  uint64_t *ret_number);

/* As an entry's time it stands for 1970-01-01T00:00:00Z, which is 0 in a record. */
#define LOGSTORE_TIME_ZERO INT64_MIN

struct logstore_entry {
        const void *data;
        size_t size;
        int64_t time_ns; /* 0: now; LOGSTORE_TIME_ZERO: 0 */
};

/*
 * Append @count records with numbers from *ret_first on, all or none. Readers see all at once, and
 * a crash keeps all or none. @ret_first may be NULL. The entries' data is copied.
 *
 * Errors are those of logstore_append(). -EMSGSIZE also when the whole batch (24 bytes a record and
 * its data, each rounded up to 8) is larger than a segment. -EINVAL: @count is 0 or above
 * UINT32_MAX.
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
 * Claim the next number and @size bytes of the log, to be filled in place without a copy. ret->data
 * is valid until logstore_commit() or logstore_abort(). Its pages are zero or hold nothing of
 * value.
 *
 * Until then the tail, sync, seal and close wait for this claim; other appends do not. A claim
 * belongs to its thread: it is aborted when the thread ends. Errors are those of logstore_append(),
 * except -EDEADLK. -ENOMEM: no memory to list the claim.
 */
LOGSTORE_API int logstore_claim(struct logstore *store, size_t size, struct logstore_claim *ret);

/*
 * Publish the first @size bytes of the claim (<= claim->size). Any thread may call it, once.
 * Readers see it, and it becomes durable, as after logstore_append(); under LOGSTORE_SYNC_EACH this
 * call syncs it.
 *
 * -ECANCELED: the claim was already resolved. -EMSGSIZE: @size is too large, and the claim stays
 * open. -EDEADLK: under LOGSTORE_SYNC_EACH this thread has an earlier claim open, which must be
 * resolved first; this one stays open. -EIO: a sync failed or a page was lost, and the claim is
 * resolved.
 */
LOGSTORE_API int logstore_commit(struct logstore *store, struct logstore_claim *claim, size_t size);

/* Give up the claim. Its number becomes void: readers get -ENODATA. -ECANCELED: already resolved.
 * -EIO: its page was lost. Any thread may call it. */
LOGSTORE_API int logstore_abort(struct logstore *store, struct logstore_claim *claim);

/* Abort every claim that is @age_ms old or older, of any thread. Returns how many. Their writers
 * must have stopped: a later write to such memory is lost, or damages nothing but that void. */
LOGSTORE_API int logstore_cancel_claims(struct logstore *store, uint32_t age_ms);

/* ---- durability ------------------------------------------------------------------------- */

/*
 * Return 0 only when every record up to @number survives a power cut. @number 0 means everything
 * that was appended or claimed so far. Threads that wait at the same time share one sync.
 *
 * -EAGAIN: @number was not yet appended, or was truncated away meanwhile. -EDEADLK: the call would
 * wait for a claim of its own thread. -EROFS: opened read-only. -EIO: a sync failed, now or
 * earlier, or somebody has cut, removed or replaced a file that it concerns. After that nothing is
 * acknowledged until the store is reopened.
 */
LOGSTORE_API int logstore_sync(struct logstore *store, uint64_t number);

/*
 * Sync as logstore_sync(), but give up with -ETIMEDOUT after @timeout_ms (below 0: never); the sync
 * goes on. @timeout_ms 0 starts a sync and says whether all is durable by now.
 *
 * A slow disk does not hold this call longer. A thread of the library runs the sync; the first such
 * call starts it, also under LOGSTORE_NO_THREAD. -EAGAIN, -ENOMEM: that thread cannot be started.
 */
LOGSTORE_API int logstore_sync_timed(struct logstore *store, uint64_t number, int timeout_ms);

/*
 * Start to make everything up to @number (0: as above) durable and return at once. The store's
 * eventfd (logstore_sync_fd) becomes readable when the sync ends, also when it fails. Then ask
 * logstore_durable(). Errors are those of logstore_sync() that are known at the start, and those of
 * making an eventfd or starting a thread.
 */
LOGSTORE_API int logstore_sync_start(struct logstore *store, uint64_t number);

/* Return the descriptor to poll for logstore_sync_start(). It belongs to the store and is valid
 * until close. Read 8 bytes to clear it. -EROFS; -EMFILE and the like if no eventfd can be made. */
LOGSTORE_API int logstore_sync_fd(struct logstore *store);

/* Store the last number known durable in *ret_number. -EIO: a sync has failed. A read-only store
 * tells what the writer last published. */
LOGSTORE_API int logstore_durable(struct logstore *store, uint64_t *ret_number);

struct logstore_bounds {
        uint64_t first;   /* number of the oldest record kept; tail + 1 if there is none */
        uint64_t tail;    /* last record that readers see; first - 1 if there is none */
        uint64_t durable; /* last record known durable */
        uint64_t epoch;   /* grows with each recovery and truncation */
};

/* Tell where the log begins and ends now. A read-only store looks at what the writer changed since,
 * and damage there is an error as in logstore_get(). */
LOGSTORE_API int logstore_bounds(struct logstore *store, struct logstore_bounds *ret);

/* ---- reading ---------------------------------------------------------------------------- */

struct logstore_record {
        uint64_t number;
        int64_t time_ns;
        const void *data; /* no NUL follows */
        size_t size;
};

/*
 * Copy record @number into @buffer (@capacity bytes) and describe it in *ret, whose data is
 * @buffer. The checksum is verified before anything of the record is told.
 *
 * -EINVAL           @number is 0
 * -EAGAIN           beyond the tail
 * -ESTALE           before the first, or truncated away
 * -ENODATA          void
 * -ENOBUFS          @buffer is too small: ret->size alone is set, to what is needed
 * -EBADMSG          damaged
 * -EPROTONOSUPPORT  its segment has another version or an unknown flag
 * -EIO              the disk failed
 */
LOGSTORE_API int logstore_get(struct logstore *store, uint64_t number, void *buffer,
                              size_t capacity, struct logstore_record *ret);

/*
 * Read @count records in any order. @ret_records[i] describes @numbers[i]; its data lies inside
 * @buffer. Cold pages are read side by side through io_uring, not one page fault at a time.
 *
 * A record that cannot be read has data NULL, and in the place of size the -errno of
 * logstore_get(), cast to size_t. Returns how many records were tried: fewer than @count if @buffer
 * is full. -ENOBUFS: not even the first one fits, and its size is in ret_records[0].
 */
LOGSTORE_API int logstore_get_many(struct logstore *store, const uint64_t *numbers, size_t count,
                                   void *buffer, size_t capacity,
                                   struct logstore_record *ret_records);

enum logstore_cursor_flags {
        LOGSTORE_UNVERIFIED = 1 << 0,  /* check no checksums up to the durable number */
        LOGSTORE_DROP_BEHIND = 1 << 1, /* drop pages that were read: a scan displaces nothing */
        LOGSTORE_SKIP_DAMAGE = 1 << 2, /* after -EBADMSG the next call goes on behind the damage;
                                        * one -EBADMSG may stand for many numbers */
};

/* Open a cursor that stands before the first record. It pins at most one segment at a time, which
 * stays readable when retention deletes it. Close every cursor before the store. -EINVAL: unknown
 * flag. */
LOGSTORE_API int logstore_cursor_open(struct logstore *store, uint32_t flags,
                                      struct logstore_cursor **ret);
LOGSTORE_API void logstore_cursor_close(struct logstore_cursor *cursor);

/*
 * Step to the next or the previous record. ret->data points into the mapping and is valid until the
 * cursor moves or closes. Voids are stepped over.
 *
 * -EAGAIN           no record there, or not yet: the cursor stays
 * -ESTALE           the place was trimmed or truncated away: seek again. Also if the log was cut
 *                   and all before the place is trimmed, so that nobody knows whether the cursor
 *                   passed the cut
 * -EBADMSG          damaged (detail: file, offset, number). The cursor stays before it, unless
 *                   LOGSTORE_SKIP_DAMAGE is set
 * -EPROTONOSUPPORT  a segment of another version
 * -EIO              the disk failed
 */
LOGSTORE_API int logstore_cursor_next(struct logstore_cursor *cursor, struct logstore_record *ret);
LOGSTORE_API int logstore_cursor_prev(struct logstore_cursor *cursor, struct logstore_record *ret);

/* Stand so that next gives @number and prev the record before it. @number is in first..tail + 1; 0
 * means the first, UINT64_MAX behind the tail. -ESTALE below that range, -EAGAIN above it: the
 * cursor stays where it was. */
LOGSTORE_API int logstore_cursor_seek(struct logstore_cursor *cursor, uint64_t number);

/* Stand before the first record at which the greatest time so far reaches @time_ns. Clocks go back,
 * so times need not rise. If there is none, stand behind the tail. It costs a search over segments
 * and a walk within one. On failure the cursor stays where it was. */
LOGSTORE_API int logstore_cursor_seek_time(struct logstore_cursor *cursor, int64_t time_ns);

/* Give record @number without a copy. ret->data is valid until the cursor moves or closes; next
 * goes on behind the record. Errors are those of logstore_get(); the cursor then stays where it
 * was. */
LOGSTORE_API int logstore_cursor_get(struct logstore_cursor *cursor, uint64_t number,
                                     struct logstore_record *ret);

/* Return the number that next would give. 0: @cursor is NULL, or belongs to the parent process. */
LOGSTORE_API uint64_t logstore_cursor_position(const struct logstore_cursor *cursor);

/*
 * Sleep until next has a record, or an error to tell. -ETIMEDOUT: @timeout_ms is over.
 *
 * A reader that may write the store's wake file sleeps on a futex. Any other looks now and then, in
 * the end every 100 ms if it has waited long. A cancelled claim and a truncation wake it as well:
 * next may then say -EAGAIN, and the caller waits again. -EINTR: a signal. -EINVAL: a cursor over a
 * snapshot.
 */
LOGSTORE_API int logstore_cursor_wait(struct logstore_cursor *cursor, int timeout_ms);

/* Return an eventfd that becomes readable when there may be a record for next. It belongs to the
 * cursor and is valid until that closes. The first call starts a thread, also under
 * LOGSTORE_NO_THREAD. After reading the eventfd call next until it says -EAGAIN. -EINVAL: a cursor
 * over a snapshot. */
LOGSTORE_API int logstore_cursor_fd(struct logstore_cursor *cursor);

/* ---- letting go ------------------------------------------------------------------------- */

/*
 * Limit what the log keeps. 0 is no limit. Each limit keeps the newest segments:
 *
 * @keep_bytes    as many as have files of no more bytes than that
 * @keep_records  as few as hold that many records; only durable ones count, and no voids
 * @keep_ns       those that are not wholly older
 *
 * A segment stays if every limit that is set keeps it: the strictest wins. Whole segments go,
 * oldest first, never the active one. Nothing on disk says how many voids there are, so
 * @keep_records reads once what is kept. Positions that are floors hold it up, whatever the limits.
 * -EINVAL: @keep_ns is negative. -EROFS.
 */
LOGSTORE_API int logstore_set_retention(struct logstore *store, uint64_t keep_bytes,
                                        uint64_t keep_records, int64_t keep_ns);

/* Forbid retention and trim to remove @number or anything after it. UINT64_MAX: no floor.
 * -EROFS. */
LOGSTORE_API int logstore_set_floor(struct logstore *store, uint64_t number);

/*
 * Delete whole segments that lie entirely before @number. A second call with it changes nothing.
 * The new first number goes to *ret_first (may be NULL). It is durable before anything is deleted,
 * and only durable records go: the call syncs them first.
 *
 * -EBUSY: a position that is a floor forbids it (detail: its name, and up to which number one may
 * trim), or another process is setting one; nothing is deleted. -EBADMSG and the like: so does one
 * that is damaged.
 *
 * -EROFS. -EIO: a sync failed. -EACCES and the like: a file cannot be deleted. The log begins later
 * all the same, but an open for writing tries again, and fails as long as the file cannot be
 * deleted.
 */
LOGSTORE_API int logstore_trim_before(struct logstore *store, uint64_t number, uint64_t *ret_first);

/*
 * Apply retention now, as far as positions that are floors let it; the first number goes to
 * *ret_first (may be NULL). With @dry_run only say what it would be. A read-only store, too, takes
 * a dry run: the limits are those in its options, and the answer is what a writer would get that
 * opened it now. Otherwise -EROFS. -EBUSY: another process is setting a position. -EBADMSG and the
 * like: a position that may be a floor is damaged.
 */
LOGSTORE_API int logstore_apply_retention(struct logstore *store, int dry_run, uint64_t *ret_first);

/*
 * Take back everything after @number, durably; @number becomes the tail. Readers that stand beyond
 * it get -ESTALE. @next is the number of the next append. 0 means @number + 1, or the first number
 * where that is greater. Any other value needs an emptied log (@number < first) and is not below
 * the first.
 *
 * -EBUSY   claims are open, or records were appended meanwhile: nothing was cut
 * -EINVAL  @number is inside a batch, or @next is out of place
 * -EAGAIN  @number is beyond the tail
 * -EPERM   the segment to cut has a second name (hard link): nothing was cut
 * -EIO     a sync failed, or what was cut cannot be removed: nothing is accepted any more
 */
LOGSTORE_API int logstore_truncate_after(struct logstore *store, uint64_t number, uint64_t next);

/* ---- named positions -------------------------------------------------------------------- */

enum logstore_position_flags {
        LOGSTORE_POSITION_FLOOR = 1 << 0, /* retention keeps what is behind the position */
};

enum logstore_position_state {
        LOGSTORE_POSITION_HERE = 0,    /* the record at @number is the next */
        LOGSTORE_POSITION_CUT = 1,     /* the log was truncated before the position: go on at the
                                        * cut, where other records may have the same numbers */
        LOGSTORE_POSITION_TRIMMED = 2, /* records from @number on are trimmed: go on at the first */
};

/* A named place in the log, kept in the store's directory: how far a reader has come. */
struct logstore_position {
        uint32_t struct_bytes; /* the caller sets it to sizeof */
        uint32_t flags;        /* enum logstore_position_flags */
        uint64_t number;       /* of the record to be read next */
        /* The place behind the record before it. To set a position by its number alone, leave
         * @segment_id 0; the call finds the place. */
        uint64_t segment_id, segment_salt, offset;
        /* A floor lets go of what is older than the newest segments that have files of no more
         * bytes than @limit_bytes, and of what is wholly older than @limit_ns. 0: no limit. */
        uint64_t limit_bytes;
        int64_t limit_ns;
        uint64_t note; /* the caller's own; the store keeps it with the place */
        /* What follows is told by get and list, and ignored by set. */
        int64_t set_ns; /* when it was set */
        char name[64];
        uint32_t state; /* enum logstore_position_state */
        int32_t error;  /* list: why the position cannot be used; then only its name is told */
        /* Where to go on: at @number if the state is HERE. The place is 0 if only its number is
         * known. */
        uint64_t resume_number;
        uint64_t resume_id, resume_salt, resume_offset;
};

/*
 * Set position @name to *position. It is durable on return, and survives crashes of any process. A
 * set that is killed leaves the position before it. Any process may set one that may write the
 * directory, by a read-only handle, too. Setters take turns. A name has 1 to 63 letters, digits,
 * '-', '_' and '.', and does not begin with '.'.
 *
 * A position is set in what is durable. Open for writing, the call syncs the records before it.
 *
 * A floor holds up logstore_set_retention() and logstore_trim_before() in the writer's process,
 * with the whole segment of its place. A trim that races with this call obeys the floor, or this
 * call says -ESTALE.
 *
 * -EINVAL           a bad name, flag or limit; @number is 0; or the place is not behind the record
 *                   before @number
 * -EAGAIN           @number is beyond the tail; or, read-only, the record before is not durable yet
 * -ESTALE           the place is trimmed or truncated away. If that happened during the call, the
 *                   position may be set, and logstore_position_get() tells where to go on
 * -EBUSY            another process sets a position or trims, for ten seconds
 * -EACCES, -EROFS   this process may not write there
 * -EMEDIUMTYPE      the file of that name is no position, or another store's: remove it first
 * -EPROTONOSUPPORT  a newer library has set it
 * -EPERM            that file is not regular or has a second name; or positions is no directory
 * -EIO              a sync failed: the position is the old or the new one. -ENOSPC and the like:
 *                   it is the old one
 */
LOGSTORE_API int logstore_position_set(struct logstore *store, const char *name,
                                       const struct logstore_position *position);

/* Describe position @name in *ret, whose struct_bytes the caller has set. A place that is not there
 * any more is no error: see ret->state. -ENOENT: no such position. -EBADMSG: it is damaged, or
 * damage in the log. Other errors are those of set and of logstore_get(). */
LOGSTORE_API int logstore_position_get(struct logstore *store, const char *name,
                                       struct logstore_position *ret);

/* Call @each for every position, in no order, until it returns non-zero; that is then returned. The
 * position is valid during the call. One that cannot be used is told with its error. */
LOGSTORE_API int
logstore_position_list(struct logstore *store,
                       int (*each)(void *context, const struct logstore_position *), void *context);

/* Remove position @name, durably. What is in its way, such as another store's, it removes as well.
 * -ENOENT: there is none. -EBUSY, -EACCES and the like. */
LOGSTORE_API int logstore_position_remove(struct logstore *store, const char *name);

/* ---- looking ---------------------------------------------------------------------------- */

struct logstore_info {
        uint32_t struct_bytes; /* the caller sets it to sizeof */
        uint32_t version;      /* of the format */
        uint8_t uuid[16];
        uint64_t segment_bytes;
        uint32_t file_mode;
        uint32_t clean;     /* 1: closed cleanly, or this process writes to it */
        uint32_t failed;    /* 1: a sync failed since the last open for writing */
        int32_t locked;     /* 1: a process writes or repairs; 0: none; -1: unknown */
        int32_t writer_pid; /* pid of that process; 0: not known */
        uint64_t segments;
        uint64_t disk_bytes; /* blocks that segments and indexes take */
        struct logstore_bounds bounds;
        uint64_t open_claims;     /* in this process */
        uint64_t oldest_claim;    /* its number; 0: none */
        uint64_t oldest_claim_ms; /* its age */
        int32_t oldest_claim_tid; /* its thread */
        int32_t sync_is_ring;     /* 1: io_uring serves sync_start(); 0 before its first call */
        uint64_t dropped_records; /* valid frames of a torn tail that this open dropped, */
        uint64_t dropped_bytes;   /* and its bytes up to the last that is not zero */
        uint64_t syncs;           /* rounds since open */
};

/* Describe the store in *ret, whose struct_bytes the caller has set. What is not known is 0, but
 * locked is then -1. */
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
        uint64_t first_number; /* of the records in it; records may be 0 */
        uint64_t records;
        uint64_t used_bytes; /* end of its last frame */
        uint64_t file_bytes;
        uint64_t disk_bytes;
        int64_t created_ns;
        int64_t greatest_ns; /* greatest time in the log up to the segment's end; 0: unknown */
        uint32_t state;      /* enum logstore_segment_state */
        uint32_t has_index;
};

/* Call @each for every segment, oldest first, until it returns non-zero; that is then returned. The
 * info is valid during the call. */
LOGSTORE_API int logstore_segments(struct logstore *store,
                                   int (*each)(void *context, const struct logstore_segment_info *),
                                   void *context);

/* What of a segment's file is durable, so that another program can copy these bytes. */
struct logstore_extent {
        uint32_t struct_bytes; /* the library sets it */
        uint32_t sealed; /* 1: nothing is appended any more, and the seal (the second sector of the
                          * header) is durable, too; 0: the seal's sector may still change */
        uint64_t id, salt;
        char name[32];
        uint64_t first_number, last_number; /* durable ones; last is first - 1 if there is none */
        uint64_t end; /* the file's bytes before it are durable, except the seal's sector */
        /* The link in its start frame: where the log before this segment ends. previous_id 0: the
         * log begins here. The oldest segment may name one that is trimmed. */
        uint64_t previous_id, previous_salt, previous_end, previous_records;
        uint64_t epoch; /* in which the segment was started */
        int64_t created_ns;
        int64_t greatest_ns;    /* greatest time in the log up to its end, if sealed; else 0 */
        uint64_t segment_bytes; /* size when full */
};

/*
 * Call @each for every segment from id @from_id on that has something durable, oldest first, until
 * it returns non-zero; that is then returned. The extent is valid during the call.
 *
 * The bytes told, from the start of the file to @end, never change, also if the log is truncated.
 * The seal is an exception: it is 0 first, and it is stored again where a truncation ends a sealed
 * segment earlier. What a truncation cut is not told any more. A segment may be told as unsealed
 * for a while although logstore_segments() calls it sealed.
 *
 * In a reading process the call tells what the writer last published. It reads the first pages of
 * the segments told, and of the frames only the last durable one: damage elsewhere is not noticed.
 * Other errors are those of logstore_get(), told behind the segments before the damage. -EAGAIN:
 * the log is truncated again and again.
 */
LOGSTORE_API int logstore_extents(struct logstore *store, uint64_t from_id,
                                  int (*each)(void *context, const struct logstore_extent *),
                                  void *context);

struct logstore_fault {
        const char *file; /* name inside the store; valid during the call */
        uint64_t offset;
        uint64_t number; /* 0: the fault concerns no record */
        int error;       /* -EBADMSG, -EIO, ... */
        int fatal;       /* 0: only a note, such as a torn tail or a stale index */
        const char *what;
};

struct logstore_verify_report {
        uint64_t segments, records, voids, bytes;
        uint64_t faults;     /* fatal ones */
        uint64_t torn_bytes; /* behind the end, up to the last that is not zero */
        uint64_t trimmed_to; /* first number left if the log was trimmed meanwhile; else 0 */
};

struct logstore_verify_hooks {
        void (*fault)(void *context, const struct logstore_fault *fault);
        void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
        void *context;
};

/*
 * Read and check everything in the store at @path and change nothing. A writer may run: what was
 * there at the start is checked, except what is trimmed meanwhile. After a truncation the check
 * begins again.
 *
 * Returns 0 if the store is healthy. -EBADMSG if not: ret->faults of them were told to @hooks. Both
 * @ret and @hooks may be NULL; @ret is set on failure, too, once the store was read. -EAGAIN: the
 * log is truncated again and again. Other errors are those of logstore_open(); network file systems
 * and directories that everyone may write are allowed.
 */
LOGSTORE_API int logstore_verify(const char *path, const struct logstore_verify_hooks *hooks,
                                 struct logstore_verify_report *ret);

enum logstore_repair_flags {
        LOGSTORE_REPAIR_APPLY = 1 << 0, /* repair; without it a dry run */
};

struct logstore_repair_report {
        uint64_t kept_first, kept_last; /* numbers that the store keeps */
        uint64_t lost_records; /* numbers known to have existed that are cut, damaged ones too */
        uint64_t valid_beyond; /* of these, frames that are still valid: salvage keeps them */
        uint64_t cut_bytes;    /* moved to quarantine/, without the zeros at the files' ends */
        uint64_t salvaged, missing; /* of a salvage: records copied, numbers missing between */
};

/*
 * Cut a damaged store back to the prefix before its first damage, so that it opens for writing
 * again. logstore_verify() and this function agree on what is damaged; @hooks is told of it in the
 * order of the log.
 *
 * A batch is kept whole or not at all. If the oldest segments are missing or unreadable, the log
 * begins later instead, with the first record that is there. A missing or garbled control file is
 * made anew from the segments; what was durable last is then not known. What is cut is first linked
 * or copied to quarantine/ and durable there. What is newer than the log is moved there. The call
 * holds the writer's lock from before its first look at the log until all is done, so no append
 * comes in between.
 *
 * Without LOGSTORE_REPAIR_APPLY it only says what it would do. Such a dry run takes no lock and
 * changes nothing in the store; a writer that comes meanwhile makes the answer stale.
 *
 * @salvage (may be NULL) is the directory of a new store. It gets every valid record under its
 * number, also those beyond the damage. Numbers missing in between become voids, and hooks->fault
 * is told of each gap. A gap before the first record that is wider than the segments could be is
 * left out.
 *
 * -EBUSY            at once: a writer has the lock
 * -EPERM            as from logstore_open(), or quarantine is no directory
 * -EPROTONOSUPPORT  a segment of another version: nothing is cut
 * -EOVERFLOW        more numbers are missing between two records than voids can stand for: repair
 *                   without @salvage
 * -EEXIST           there is something at @salvage
 */
LOGSTORE_API int logstore_repair(const char *path, uint32_t flags, const char *salvage,
                                 const struct logstore_verify_hooks *hooks,
                                 struct logstore_repair_report *ret);

/* ---- private snapshot ------------------------------------------------------------------- */

/*
 * Fix the log from first to tail as it is now. All its segments are mapped MAP_PRIVATE, readable
 * and writable; each costs one mapping (of the process's vm.max_map_count) and 1.2 KiB of heap.
 *
 * The snapshot stays valid while the writer appends and retention deletes. The space of deleted
 * segments returns when the snapshot closes. Edits stay in this process: a page is copied at its
 * first edit, has no file behind it any more, and counts against @budget_bytes (0: the store's
 * private_budget_bytes). -ENOMEM: no memory or no mapping left. Other errors are those of
 * logstore_get().
 */
LOGSTORE_API int logstore_snapshot_open(struct logstore *store, uint64_t budget_bytes,
                                        struct logstore_snapshot **ret);
LOGSTORE_API void logstore_snapshot_close(struct logstore_snapshot *snapshot);

/* Tell the fixed first and tail, and durable and epoch as they were then. */
LOGSTORE_API int logstore_snapshot_bounds(const struct logstore_snapshot *snapshot,
                                          struct logstore_bounds *ret);

/* Read as logstore_get(), without a copy. ret->data is valid until the snapshot closes or drops.
 * Edited payloads are given as edited; unedited ones are verified. */
LOGSTORE_API int logstore_snapshot_get(struct logstore_snapshot *snapshot, uint64_t number,
                                       struct logstore_record *ret);

/* Open a cursor over the snapshot. Close it before the snapshot. Its wait and fd give -EINVAL. */
LOGSTORE_API int logstore_snapshot_cursor(struct logstore_snapshot *snapshot, uint32_t flags,
                                          struct logstore_cursor **ret);

/* Give a writable pointer to the payload of @number, *ret_size bytes. It is valid until the edit is
 * dropped or the snapshot closes. Its pages are copied now. -ENOBUFS: over the budget, and nothing
 * was changed. Other errors are those of logstore_get(). */
LOGSTORE_API int logstore_snapshot_edit(struct logstore_snapshot *snapshot, uint64_t number,
                                        void **ret_data, size_t *ret_size);

/* Store the numbers edited, ascending, up to @capacity of them. Returns how many there are. */
LOGSTORE_API int64_t logstore_snapshot_edited(struct logstore_snapshot *snapshot,
                                              uint64_t *ret_numbers, size_t capacity);

/* Return the bytes copied so far, by the library's count; 0 for NULL. */
LOGSTORE_API uint64_t logstore_snapshot_copied_bytes(const struct logstore_snapshot *snapshot);

/* Forget the edits of @from..@to, both included; 0 and UINT64_MAX mean all. The memory goes back to
 * the system at once, except pages that also carry an edit of a neighbour. */
LOGSTORE_API int logstore_snapshot_drop(struct logstore_snapshot *snapshot, uint64_t from,
                                        uint64_t to);

/* Write the snapshot as edited into a new store at @path, with numbers and times kept, durable on
 * return. @options are those of the new store, or NULL. A segment size or mode of 0 means that of
 * the snapshot's store. -EEXIST: there is something at @path. Other errors are those of
 * logstore_snapshot_get() and logstore_append(); what is at @path then ends before the failure. */
LOGSTORE_API int logstore_snapshot_export(struct logstore_snapshot *snapshot, const char *path,
                                          const struct logstore_options *options);

/* ---- memory ----------------------------------------------------------------------------- */

#define LOGSTORE_UNKNOWN UINT64_MAX

/* Bytes that this process holds for one store, by kind of mapping. LOGSTORE_UNKNOWN where the
 * kernel does not say. */
struct logstore_memory {
        uint32_t struct_bytes;                   /* the caller sets it to sizeof */
        uint32_t mappings;                       /* the store's mappings now */
        uint64_t shared_mapped, shared_resident; /* MAP_SHARED files: evictable, */
        uint64_t shared_dirty;                   /* dirty pages only after writeback */
        uint64_t private_mapped, private_resident, private_copied; /* MAP_PRIVATE files */
        uint64_t anonymous_mapped, anonymous_resident;             /* indexes and buffers */
        uint64_t heap;                                             /* malloc'ed by the library */
        uint64_t locked;                                           /* mlocked */
        uint64_t anonymous_budget, private_budget;
        uint64_t minor_faults, major_faults; /* of the process since its start */
};
LOGSTORE_API int logstore_memory(struct logstore *store, struct logstore_memory *ret);

/* Where one file's pages are, in bytes. LOGSTORE_UNKNOWN where the kernel does not say. */
struct logstore_residency {
        uint64_t file_bytes;
        uint64_t resident, dirty, writeback;
        uint64_t evicted, recently_evicted;
};

/*
 * Tell how much of segment @id (0: the control page) is in the page cache, of all processes. *ret
 * is about the whole file. If @cells is not 0, @ret_cells is about that many equal parts of it.
 *
 * Nothing is faulted in. The answer comes from cachestat(2), else from mincore(2), which knows
 * resident alone. -ESTALE: no such segment.
 */
LOGSTORE_API int logstore_residency(struct logstore *store, uint64_t id,
                                    struct logstore_residency *ret, size_t cells,
                                    struct logstore_residency *ret_cells);

/* Bring the pages of records @from..@to into the page cache, or drop the clean ones; dirty ones are
 * written back first. Returns the bytes that are then resident, or are not. */
LOGSTORE_API int64_t logstore_warm(struct logstore *store, uint64_t from, uint64_t to);
LOGSTORE_API int64_t logstore_evict(struct logstore *store, uint64_t from, uint64_t to);

/* ---- the process ------------------------------------------------------------------------ */

/*
 * Install a SIGBUS handler. It turns a fault inside a store mapping, during a call of this library,
 * into -EIO of that call. Any other fault goes to the handler that was there. A fault while a
 * record is filled fails the store. A second call changes nothing.
 *
 * Threads that call the library must not block SIGBUS. Without the handler such a fault (a file cut
 * by someone else, a dying disk) ends the process.
 */
LOGSTORE_API int logstore_guard_sigbus(void);

/* Return one line about the last failure in this thread, "" if there was none. It is valid until
 * the thread's next call. */
LOGSTORE_API const char *logstore_detail(void);

/* Return a short text for a negative errno of this library. Never NULL. */
LOGSTORE_API const char *logstore_error_text(int error);

/* Return "MAJOR.MINOR.PATCH" of the library. */
LOGSTORE_API const char *logstore_version(void);

#ifdef __cplusplus
}
#endif
#endif
