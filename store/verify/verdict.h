/*
 * verdict.h - the verdict on a whole store, for verify, repair and a refused open for writing
 */
#ifndef LOGSTORE_VERDICT_H
#define LOGSTORE_VERDICT_H

#include "store.h"
#include "writer/recovery.h"

struct verdict {
        struct logstore_verify_report report;
        struct fault first;     /* the damage that a reader meets first; .error 0: none */
        struct fault unknown;   /* what another version wrote; .error 0: nothing */
        bool only_begins_later; /* the only damage is that older segments are missing */
        uint64_t begin;         /* the log is sound from here on, if older ones are missing, */
        struct recovery keep;   /* up to here; segment id 0: none of it is */
        uint64_t epoch;         /* greatest epoch of what is kept */
        /* As it was before the chain was read; generation 0: there was none. */
        struct control_slot slot;
        bool misplaced; /* the mark is not where its record ends, but all frames are good */
};

/* Check all of @store, whose chain only this thread uses. Tell each fault to @hooks (may be
 * NULL), in the order of the log. Returns 0 if it is healthy, -EBADMSG, -EPROTONOSUPPORT, or
 * -EAGAIN: it is truncated without pause. */
int verify_store(struct logstore *store, const struct logstore_verify_hooks *hooks,
                 struct verdict *ret);

/* Tell @fault to @hooks, which may be NULL. */
void verdict_hook(const struct logstore_verify_hooks *hooks, const struct fault *fault, bool fatal);

/* Check only the unsealed segments. An open for writing does not read them otherwise, if a sealed
 * one is behind. Returns 0, or fails as verify_tell_first() does. */
int verify_unsealed(struct logstore *store);

/* An open for writing, or a read, has failed with @error, which is damage. Fail with the damage
 * that a reader meets first. */
int verify_tell_first(struct logstore *store, int error);

/* Fail with the first fault; 0: there is none. */
int verify_first(struct logstore *store);

#endif
