/*
 * view.h - what a caller sees of the log: all that the store has, or a snapshot
 */
#ifndef LOGSTORE_VIEW_H
#define LOGSTORE_VIEW_H

#include "store.h"

/* A snapshot: its bounds stay, whatever is appended, trimmed or truncated. */
static inline bool view_is_fixed(const struct view *view)
{
        return view->snapshot != NULL;
}

/* Of a store that is open for writing: what is up to the tail was put there by this process. */
static inline bool view_is_own(const struct view *view)
{
        return view->store->writes;
}

/* The log as it grows under another process, or under none. */
static inline bool view_follows(const struct view *view)
{
        return !view_is_fixed(view) && !view_is_own(view);
}

/* Look at what another process has changed. */
static inline int view_refresh(const struct view *view)
{
        return view_follows(view) ? chain_refresh(view->chain) : 0;
}

/* Number of the first record, and of the first one as the writer has now published it. */
uint64_t view_first(const struct view *view);
uint64_t view_first_now(const struct view *view);

/* Number of the last record that is durable, as the writer last published it. */
uint64_t view_durable(const struct view *view);

/* Number of the last record. */
int view_tail(const struct view *view, uint64_t *ret);

/* A number that is not below the last record's, without a look at files. It need not be exact above
 * @enough. */
uint64_t view_last(const struct view *view, uint64_t enough);

/* Is a @number that a segment has known to be in the log, without a look at the tail? */
bool view_has(const struct view *view, uint64_t number);

/* Has the caller edited the record? Then it does not validate. */
bool view_is_edited(const struct view *view, uint64_t number);

/* The epoch of the chain as this process knows it. */
uint64_t view_epoch(const struct view *view);

#endif
