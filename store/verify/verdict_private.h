/*
 * verdict_private.h - what the files of the verdict share
 */
#ifndef LOGSTORE_VERDICT_PRIVATE_H
#define LOGSTORE_VERDICT_PRIVATE_H

#include "verify/verdict.h"

struct verification {
        struct logstore *store;
        struct chain *chain; /* of this look alone: it is read without its lock */
        const struct logstore_verify_hooks *hooks;
        struct verdict found;
        uint64_t epoch; /* when the chain was read */
        uint64_t total_bytes, done_bytes;
        int64_t greatest_ns;  /* greatest time so far */
        uint64_t next_number; /* the next segment must begin with it; 0: unknown */
        struct index index;   /* of the segment that is read, if it has one */
        int index_error;      /* not the segment's index, or it leads elsewhere than its frames */
        bool clean;           /* a writer goes on at the mark */
        bool unsealed;        /* only unsealed segments are read */
        bool first_only;      /* only up to the first damage */
        struct fault end;     /* where the last segment ends */
        bool torn;            /* the log ended before this segment */
        bool overtaken;       /* a truncation came in between: nothing that is seen counts */
        uint64_t begun;       /* faults before the first segment, with which the log can begin */
        bool damaged;         /* some fault is damage, and not only another version */
};

/* Check the segment at @at of the chain. -ENOENT: there is none. */
int verdict_segment(struct verification *v, size_t at);

void verdict_tell(struct verification *v, const char *file, uint64_t offset, uint64_t number,
                  int error, bool fatal, const char *what);

/* Tell the last failure, of the file @name. */
void verdict_tell_last(struct verification *v, const char *name, uint64_t number, int error);

/* Tell of it if the chain is broken before the segment @id. */
void verdict_tell_break(struct verification *v, uint64_t id);

/* The file of @entry is gone. Is all that it held below the first number as it is now? */
bool verdict_trimmed_since(struct verification *v, const struct chain_entry *entry,
                           const struct chain_entry *next);

#endif
