/*
 * view.c - what a caller sees of the log: all that the store has, or a snapshot
 */
#include "read/view.h"

#include "read/follower.h"
#include "snapshot/snapshot.h"

uint64_t view_first(const struct view *view)
{
        return view_is_fixed(view) ? snapshot_bounds(view->snapshot)->first
                                   : chain_first(view->chain);
}

/* A reading process asks the control page, which has it before the first file is gone. The chain
 * may be older. */
uint64_t view_first_now(const struct view *view)
{
        struct control_slot slot = { 0 };
        uint64_t first = view_first(view);

        if (view_follows(view))
                chain_slot(view->chain, &slot);
        return slot.first_number > first ? slot.first_number : first;
}

uint64_t view_durable(const struct view *view)
{
        struct control_slot slot;

        if (view_is_own(view))
                return sync_durable(&view->store->sync);
        chain_slot(&view->store->chain, &slot);
        return slot.mark_number;
}

int view_tail(const struct view *view, uint64_t *ret)
{
        if (view_follows(view))
                return follower_find_tail(view->store, ret);
        *ret = view_last(view, UINT64_MAX);
        return 0;
}

uint64_t view_last(const struct view *view, uint64_t enough)
{
        if (view_is_fixed(view))
                return snapshot_bounds(view->snapshot)->tail;
        return view_is_own(view) ? writer_tail_number(&view->store->writer, enough) : UINT64_MAX;
}

bool view_has(const struct view *view, uint64_t number)
{
        return !view_follows(view) || number <= view_durable(view);
}

bool view_is_edited(const struct view *view, uint64_t number)
{
        return view_is_fixed(view) && snapshot_is_edited(view->snapshot, number);
}

/* The control file may be an old copy, put back. That of the own writer has the next epoch before
 * the chain has it. */
uint64_t view_epoch(const struct view *view)
{
        struct chain *chain = &view->store->chain;
        uint64_t newest = chain_newest_epoch(chain);

        return view_is_own(view) || newest > chain->epoch ? newest : chain->epoch;
}
