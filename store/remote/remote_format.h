/*
 * remote_format.h - every structure that lies in a bucket; docs/REMOTE.md explains them
 *
 * All integers are little-endian, as in format.h. Objects are immutable, and no name is used for a
 * second upload.
 */
#ifndef LOGSTORE_REMOTE_FORMAT_H
#define LOGSTORE_REMOTE_FORMAT_H

#include "format.h"

#define REMOTE_VERSION 1u

/*
 * Names, below the prefix of the store:
 *
 *   c/RRRRRRRRRRRRRRRR             commit SEQ, where R is COMMIT_SEQ_MAX - SEQ: the newest sorts
 *                                  first, so one request for one name finds it
 *   c/RRRRRRRRRRRRRRRRk-NUMBER     checkpoint: a table of all that is there as of commit SEQ;
 *                                  NUMBER is the last record in it
 *   seg/ID-SALT-TERM-NONCE.log[.zst]
 *                                  bytes of a segment; NONCE is that of the commit that names it,
 *                                  TERM that of the shipper who put it
 *   probe/HEX                      what a shipper tries out the bucket with
 */
#define COMMIT_SEQ_MAX UINT64_C(9999999999999999)

#define COMMIT_MAGIC "LOGSHIP1"
#define CHECKPOINT_MAGIC "LOGCHECK"

enum commit_kind {
        COMMIT_CLAIM = 1, /* a shipper takes over: all older terms are fenced */
        COMMIT_TAIL = 2,  /* bytes of a segment, which follow in this object */
        COMMIT_WHOLE = 3, /* a segment, or its first bytes, as an object of its own. The payload is
                           * its directory, struct remote_block each */
        COMMIT_TRIM = 4,  /* somebody took records below first_number off the log; all else is as
                           * the commit before says, and its shipper goes on behind it */
};

enum remote_codec {
        CODEC_PLAIN = 0,
        CODEC_ZSTD = 1, /* independent frames of REMOTE_BLOCK_BYTES, with a seek table: codec.h */
};

/* A place in the log: so many bytes of that segment. */
struct remote_place {
        uint64_t id; /* 0: nothing */
        uint64_t salt;
        uint64_t offset;
        uint64_t number; /* of the last record before it */
};
static_assert(sizeof(struct remote_place) == 32, "place is 32 bytes");

/* What one TAIL or WHOLE brought. */
struct remote_entry {
        uint64_t seq; /* of its commit */
        uint64_t id, salt;
        uint64_t from, to;       /* bytes of the segment; WHOLE: from is 0 */
        uint64_t first_number;   /* of the first record that begins in them */
        uint64_t last_number;    /* first_number - 1: none */
        uint64_t segment_number; /* first_number of the segment */
        /* Where the log before the segment ends, as its start frame says. */
        uint64_t previous_id, previous_salt, previous_end;
        uint64_t nonce;        /* WHOLE: in the object's name */
        uint64_t object_bytes; /* WHOLE: of the object; TAIL: 0 */
        uint64_t object_check; /* XXH3-64 of the object, seed 0 */
        uint64_t bytes_check;  /* WHOLE: of the segment's bytes in it, before they were packed */
        uint32_t codec;        /* enum remote_codec */
        uint32_t sealed;       /* 1: a WHOLE of all the segment, with its seal */
        uint32_t blocks;       /* entries of its directory in a checkpoint; 0: none */
        uint32_t term;         /* of its commit */
};
static_assert(sizeof(struct remote_entry) == 136, "entry is 136 bytes");

/* The first sector of a commit. Behind it: entry_count entries, then payload_bytes. */
struct commit_header {
        char magic[8]; /* COMMIT_MAGIC */
        uint32_t version;
        uint32_t kind; /* enum commit_kind */
        uint8_t uuid[16];
        uint64_t seq, term;
        uint64_t nonce;          /* random; another one in each commit */
        struct remote_place end; /* all up to here is there, once this commit is */
        uint64_t tail_bytes;     /* so many bytes before end in its segment */
        uint64_t tail_check;     /* have this XXH3-64, seed salt */
        uint64_t first_number;   /* records below it are trimmed */
        uint64_t epoch;          /* of the log at the end */
        uint64_t segment_bytes;  /* of the store's segments, */
        int64_t store_created_ns;
        uint64_t store_first_number; /* its first record ever, */
        uint32_t file_mode;          /* and the rights of its files */
        uint32_t entry_count;        /* all since the checkpoint, this commit's own last */
        uint64_t checkpoint_seq;     /* the checkpoint they go on from; 0: none is needed */
        uint64_t checkpoint_number;  /* in its name */
        uint64_t base;               /* no commit below it is needed, given the checkpoint */
        int64_t committed_ns;        /* by the shipper's clock */
        uint64_t payload_bytes;      /* TAIL: entry's to - from, as it is in the file */
        uint64_t payload_check;      /* XXH3-64 of entries and payload, seed nonce */
        char host[64];               /* who ships, for messages */
        uint64_t pid;
        uint8_t zero[232];
        uint64_t check; /* XXH3-64 of the 504 bytes before it, seed 0 */
};
static_assert(sizeof(struct commit_header) == SECTOR_BYTES, "one sector");
static_assert(offsetof(struct commit_header, check) == 504, "check comes last");

/* The entries in a commit are at most so many, and in its payload so many bytes. */
#define COMMIT_ENTRIES_MAX 4096u
#define COMMIT_PAYLOAD_MAX (UINT64_C(8) << 20)

/* A TRIM that moves the log's beginning, and a CLAIM that sets its end back because it was cut,
 * have so many bytes of payload, all 0. No other commit has a size that is not a multiple of 8. So
 * a list alone shows that an older checkpoint may tell of records that are not on the log any
 * more. */
#define COMMIT_CUT_BYTES UINT64_C(4)

/* The first sector of a checkpoint. Behind it, as one zstd frame: entry_count entries, oldest
 * first, then the directories of those that have one. */
struct checkpoint_header {
        char magic[8]; /* CHECKPOINT_MAGIC */
        uint32_t version;
        uint32_t entry_count;
        uint8_t uuid[16];
        uint64_t seq; /* the newest commit in it */
        uint64_t last_number;
        uint64_t block_count;  /* of all directories */
        uint64_t raw_bytes;    /* of entries and directories */
        uint64_t packed_bytes; /* of the zstd frame */
        uint64_t packed_check; /* XXH3-64 of it, seed seq */
        uint8_t zero[424];
        uint64_t check; /* XXH3-64 of the 504 bytes before it, seed 0 */
};
static_assert(sizeof(struct checkpoint_header) == SECTOR_BYTES, "one sector");

/* A line of a directory: one for each BLOCK_SPAN of a segment, so that a record costs one read. */
struct remote_block {
        uint32_t offset8;       /* where the first frame that begins in it lies, in units of 8 */
        uint32_t ordinal;       /* of that frame; that which is due there, if none begins in it */
        uint64_t object_offset; /* of the span's first byte, in the object */
};
static_assert(sizeof(struct remote_block) == 16, "block is 16 bytes");
#define BLOCK_SPAN (UINT64_C(1) << 20)
#define REMOTE_BLOCK_BYTES (UINT64_C(256) << 10)

#endif
