/*
 * brief.h - what the first page of a segment says, checked; no I/O, no allocation
 */
#ifndef LOGSTORE_BRIEF_H
#define LOGSTORE_BRIEF_H

#include <stdbool.h>

#include "segment/record.h"

/* What a valid seal says; the sector itself is not kept. */
struct seal_brief {
        uint64_t records, end, first_number, last_number;
        int64_t greatest_ns;
};

/* What the first page of a segment says, checked. */
struct segment_brief {
        uint64_t id;
        uint64_t salt;
        uint64_t bytes;      /* when full */
        uint64_t file_bytes; /* now */
        int64_t created_ns;
        bool started;               /* has a valid start frame */
        bool torn_start;            /* has something there that is not one */
        int64_t started_ns;         /* time of the start frame */
        struct start_payload start; /* if started */
        bool sealed;                /* has a valid seal */
        struct seal_brief seal;     /* if sealed */
};

/* What is wrong with a first page, and at which offset. */
struct brief_fault {
        int error; /* -EBADMSG, -EPROTONOSUPPORT */
        uint64_t offset;
        char what[120];
};

/* The checksum that belongs into the header. */
static inline uint64_t brief_header_check(const struct segment_header *header)
{
        return hash_seeded(0, header, offsetof(struct segment_header, check));
}

/* Is it the header of segment @id of the store @uuid? Returns 0 or ret_fault->error. */
int brief_check_header(const struct segment_header *header, const uint8_t uuid[16], uint64_t id,
                       struct brief_fault *ret_fault);

/* Read the first @got bytes, FRAMES_OFFSET at most, of a file of @file_bytes. The page is aligned
 * to 8, and zero behind @got. Returns 0 or ret_fault->error. */
int brief_read(const char page[FRAMES_OFFSET], size_t got, uint64_t file_bytes,
               const uint8_t uuid[16], uint64_t id, struct segment_brief *ret,
               struct brief_fault *ret_fault);

#endif
