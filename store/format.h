/*
 * format.h - every structure and constant that lies on disk; docs/FORMAT.md explains them
 *
 * All integers are little-endian. These structures are the bytes on disk as a little-endian machine
 * with 64-bit pointers has them. The assertions demand such a machine, and nothing is swapped.
 */
#ifndef LOGSTORE_FORMAT_H
#define LOGSTORE_FORMAT_H

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian");
static_assert(sizeof(void *) == 8, "segments of 4 GiB need 64-bit pointers");
static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LONG_LOCK_FREE == 2, "lock-free words");

#define FORMAT_VERSION 1u
#define FORMAT_COMPATIBLE 0u   /* flags that an old reader may ignore */
#define FORMAT_INCOMPATIBLE 0u /* flags that any reader must know */

#define SECTOR_BYTES 512u
#define HEADER_BYTES 4096u /* whatever the page size */
#define FRAME_ALIGN 8u
#define BLOCK_BYTES 4096u /* typical block of file systems and devices; nothing relies on it */

#define SEGMENT_BYTES_MIN (UINT64_C(64) << 10)
#define SEGMENT_BYTES_MAX (UINT64_C(4) << 30)
#define SEGMENT_BYTES_DEFAULT (UINT64_C(64) << 20)
#define GROW_BYTES (UINT64_C(64) << 10)          /* segment files grow by multiples of this */
#define NUMBER_MAX UINT64_C(1000000000000000000) /* far from use and from overflow */
#define ID_MAX NUMBER_MAX                        /* of segments; the least is 1 */
/* Epochs and generations may be as great. A writer begins with none above this. */
#define COUNT_LAST (NUMBER_MAX / 2)
/* The greatest number at which a log may begin, and the last number behind which a writer goes on.
 * The space between the latter and NUMBER_MAX is more than can be appended. */
#define FIRST_NUMBER_MAX (NUMBER_MAX / 2)
#define NUMBER_LAST (NUMBER_MAX / 4 * 3)
#define PAYLOAD_BYTES_MAX ((UINT32_C(1) << 30) - 1)

#define SEGMENT_MAGIC "LOGSEGMT"
#define SEAL_MAGIC "LOGSEAL1"
#define CONTROL_MAGIC "LOGCNTRL"
#define INDEX_MAGIC "LOGINDEX"
#define POSITION_MAGIC "LOGPLACE"

/* ---- segment: first sector, never changed after the file got its name ---- */
struct segment_header {
        char magic[8]; /* SEGMENT_MAGIC */
        uint32_t version;
        uint32_t header_bytes; /* HEADER_BYTES */
        uint32_t compatible;
        uint32_t incompatible;
        uint8_t uuid[16]; /* of the store */
        uint64_t id;      /* as in the file's name */
        uint64_t salt;    /* random; seeds every check in this file */
        uint64_t bytes;   /* of a full segment; the file may be shorter */
        int64_t created_ns;
        uint8_t zero[432];
        uint64_t check; /* XXH3-64 of the 504 bytes before it, seed 0 */
};
static_assert(sizeof(struct segment_header) == SECTOR_BYTES, "one sector");
static_assert(offsetof(struct segment_header, check) == 504, "check comes last");

/* ---- segment: second sector, stored after everything before `end` was synced ---- */
struct segment_seal {
        char magic[8]; /* SEAL_MAGIC; anything else: unsealed */
        uint64_t records;
        uint64_t end; /* offset behind the last frame */
        uint64_t first_number;
        uint64_t last_number; /* first_number - 1 if records is 0 */
        int64_t greatest_ns;  /* greatest time in the log up to here */
        uint8_t zero[456];
        uint64_t check; /* XXH3-64 of the 504 bytes before it, seed salt */
};
static_assert(sizeof(struct segment_seal) == SECTOR_BYTES, "one sector");

/* ---- frame ---- */
enum frame_kind {
        FRAME_PAD = 0,    /* no number; the low 30 bits are the whole frame's bytes, from 8 */
        FRAME_RECORD = 1, /* a record, or the last of a batch */
        FRAME_MORE = 2,   /* a record with more of its batch behind it */
        FRAME_VOID = 3,   /* an aborted claim: has a number, its payload has no value */
};
#define FRAME_KIND_SHIFT 30
#define FRAME_SIZE_MASK PAYLOAD_BYTES_MAX

struct frame {
        _Atomic uint32_t commit; /* size | kind << 30; 0: not committed; stored last */
        uint32_t ordinal;        /* 1, 2, ... in the segment; 0: start frame; pad: its check */
        uint64_t check;
        int64_t time_ns;
        uint8_t payload[];
};
static_assert(sizeof(struct frame) == 24, "frame header is 24 bytes");
#define FRAME_HEADER_BYTES 24u
#define PAD_HEADER_BYTES 8u

/* Multipliers of the frame check: odd, from the golden ratio and sqrt(2). */
#define CHECK_WORD_FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define CHECK_OFFSET_FACTOR UINT64_C(0x6a09e667f3bcc909)

/* ---- start frame: the first frame of a segment, at HEADER_BYTES, kind record, ordinal 0 ---- */
struct start_payload {
        uint64_t first_number; /* number of the segment's first record */
        uint64_t epoch;
        uint64_t previous_id; /* 0: the log begins here */
        uint64_t previous_salt;
        uint64_t previous_end;     /* offset where the log before this segment ends */
        uint64_t previous_records; /* numbers used in it up to there */
        int64_t greatest_ns;       /* greatest time in the log before this segment; 0: none */
        uint8_t zero[48];          /* so that the first record begins a cache line */
};
static_assert(sizeof(struct start_payload) == 104, "start payload is 104 bytes");
#define FRAMES_OFFSET (HEADER_BYTES + FRAME_HEADER_BYTES + 104u) /* of the first record: 4224 */

#define SEGMENT_RECORD_MAX(bytes) ((bytes)-FRAMES_OFFSET - FRAME_HEADER_BYTES)

/* ---- control file: one page ---- */
struct control_static {
        char magic[8]; /* CONTROL_MAGIC */
        uint32_t version;
        uint32_t file_mode;
        uint32_t compatible;
        uint32_t incompatible;
        uint8_t uuid[16];
        uint64_t segment_bytes; /* of new segments */
        int64_t created_ns;
        uint64_t first_number; /* of the store's first record ever */
        uint8_t zero[440];
        uint64_t check; /* XXH3-64 of the 504 bytes before it, seed 0 */
};
static_assert(sizeof(struct control_static) == SECTOR_BYTES, "one sector");

enum control_flag {
        CONTROL_CLEAN = 1 << 0,  /* closed cleanly at the mark */
        CONTROL_FAILED = 1 << 1, /* a sync failed since the last open */
};

struct control_slot {
        uint64_t generation;   /* the valid slot with the higher one counts; 0: never written */
        uint64_t mark_number;  /* all records up to it are durable */
        uint64_t mark_id;      /* segment that the mark is in, */
        uint64_t mark_offset;  /* and the offset behind its frame */
        uint64_t first_number; /* records below it are trimmed */
        uint64_t epoch;
        uint32_t flags; /* enum control_flag */
        uint32_t zero;
        uint64_t check; /* XXH3-64 of the 56 bytes before it, seed 0 */
};
static_assert(sizeof(struct control_slot) == 64, "slot is 64 bytes");

struct control_page {
        struct control_static fixed;
        union {
                struct control_slot slot;
                uint8_t sector[SECTOR_BYTES];
        } slots[2];
        /* Live words. They are hints for readers and promise nothing; a crash need not keep
         * them. */
        _Atomic uint64_t head_id; /* newest segment started */
        _Atomic uint64_t writer_epoch;
        _Atomic uint64_t writer_pid; /* pid of the last writer, which may be gone */
        uint8_t zero[HEADER_BYTES - 3 * SECTOR_BYTES - 24];
};
static_assert(sizeof(struct control_page) == HEADER_BYTES, "one page of 4 KiB");
static_assert(offsetof(struct control_page, head_id) == 1536, "live words");

/* ---- wake file: one page that helps sleeping readers, never evidence ---- */
struct wake_page {
        _Atomic uint32_t waiters;  /* readers that are about to sleep */
        _Atomic uint32_t sequence; /* futex word, changed at each wake-up */
        _Atomic uint32_t several;  /* not 0: a woken reader wakes the next one */
        /* 0: no reader has waited since the writer's open; 1: one is about to; 2: each append
         * fences */
        _Atomic uint32_t watched;
};

/* ---- index of a sealed segment: `id.idx`; may be deleted, is rebuilt ---- */
struct index_header {
        char magic[8]; /* INDEX_MAGIC */
        uint32_t version;
        uint32_t stride; /* an entry for the ordinals 1, 1 + stride, ... */
        uint64_t id;     /* of the segment, */
        uint64_t salt;   /* and its salt */
        uint64_t records;
        uint64_t end;           /* of the segment's frames when the index was written */
        uint64_t entries;       /* uint32_t each, offset / 8, behind this header */
        uint64_t entries_check; /* XXH3-64 of the entries, seed salt */
        uint64_t check;         /* XXH3-64 of the 64 bytes before it, seed salt */
};
static_assert(sizeof(struct index_header) == 72, "index header is 72 bytes");

/* ---- named position: `positions/NAME`, two slots, of which the valid one with the higher
 * generation counts ---- */
#define POSITION_NAME_BYTES 64u
#define POSITION_FLAGS 1u /* bits with a meaning; 1: retention keeps what is behind it */
struct position_slot {
        char magic[8]; /* POSITION_MAGIC */
        uint32_t version;
        uint32_t flags;
        uint8_t uuid[16]; /* of the store */
        uint64_t generation;
        uint64_t number; /* next to be read */
        /* The place behind the record before it. Id 0: the log had no segment. */
        uint64_t segment_id;
        uint64_t segment_salt;
        uint64_t offset;
        uint64_t epoch; /* newest on the chain when it was set */
        uint64_t limit_bytes;
        int64_t limit_ns;
        int64_t set_ns;
        char name[POSITION_NAME_BYTES]; /* as the file's; zeros behind it */
        uint64_t note;                  /* of who set it */
        uint8_t zero[328];
        uint64_t check; /* XXH3-64 of the 504 bytes before it, seed 0 */
};
static_assert(sizeof(struct position_slot) == SECTOR_BYTES, "one sector");
static_assert(offsetof(struct position_slot, check) == 504, "check comes last");

#define SEGMENT_NAME_FORMAT "%010" PRIu64 ".log"
#define INDEX_NAME_FORMAT "%010" PRIu64 ".idx"
#define TEMPORARY_PREFIX "new." /* files under preparation; the writer removes leftovers */
#define CONTROL_NAME "control"
#define WAKE_NAME "wake"
#define POSITIONS_NAME "positions"

#endif
