/*
 * verdict.h - the verdict on a whole store, for verify, repair and an open for writing that is refused
 */
#ifndef LOGSTORE_VERDICT_H
#define LOGSTORE_VERDICT_H

#include "recovery.h"
#include "store.h"

struct verdict {
        struct logstore_verify_report report;
        struct fault first;     /* the damage that a reader meets first; .error 0: none */
        struct fault unknown;   /* what another version wrote; .error 0: nothing */
        bool only_begins_later; /* no other damage than that older ones are missing */
        uint64_t begin;       /* the log is sound from this number on, if older ones are missing, */
        struct recovery keep; /* up to here; segment id 0: none of it is */
        uint64_t epoch;       /* greatest of what is kept */
        struct control_slot
                slot;   /* as it was before the chain was read; generation 0: there is none */
        bool misplaced; /* the mark is not where its record ends, and all frames are good */
};

/* Check all of @store, whose catalog only this thread has; each fault is told to @hooks (may be NULL), in
 * the order of the log. 0 if healthy, -EBADMSG, -EPROTONOSUPPORT; -EAGAIN: truncated without pause. */
int verify_store(struct logstore *store, const struct logstore_verify_hooks *hooks,
                 struct verdict *ret);

/* Tell @fault to @hooks, which may be NULL. */
void verdict_hook(const struct logstore_verify_hooks *hooks, const struct fault *fault, bool fatal);

/* Only the segments that are not sealed: what an open for writing does not read otherwise, if there is a
 * sealed one behind. 0, or as verify_tell_first(). */
int verify_unsealed(struct logstore *store);

/* An open for writing has found damage: fail with the one that a reader meets first. @error: how it
 * failed. */
int verify_tell_first(struct logstore *store, int error);

/* The first fault, or 0: there is none. */
int verify_first(struct logstore *store);

#endif
