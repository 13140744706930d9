/*
 * cursor_time.c - seeking by time
 *
 * What counts is the greatest time so far, which never falls. The seals tell it over segments; in
 * the right segment we walk.
 */
#include <errno.h>

#include "read/cursor_private.h"

/* Give what a segment's first page says. For a snapshot it is the page as it was mapped: since then
 * a trim may have unlinked the file, and a truncation sealed another end. */
static int read_brief(const struct chain *chain, const struct chain_entry *entry,
                      struct segment_brief *ret)
{
        if (chain->kind != OS_PRIVATE || !entry->segment)
                return segment_brief_read(chain->directory, chain->uuid, entry->id, ret);
        *ret = entry->segment->brief;
        return 0;
}

/* Find the first segment whose greatest time reaches @time_ns. Greatest times are sorted. */
static int find_segment(struct chain *chain, int64_t time_ns, uint64_t *ret_first,
                        bool *ret_reached)
{
        struct chain_entry entry;
        struct segment_brief brief;
        size_t low = 0, high;
        int r = 0;

        pthread_mutex_lock(&chain->lock);
        high = chain->count;
        while (r == 0 && low < high) {
                size_t middle = low + (high - low) / 2;
                r = read_brief(chain, &chain->entries[middle], &brief);
                if (r == -ENOENT) { /* trimmed meanwhile */
                        r = 0;
                        low = middle + 1;
                } else if (r == 0 && brief.sealed && brief.seal.greatest_ns < time_ns)
                        low = middle + 1;
                else
                        high = middle;
        }
        pthread_mutex_unlock(&chain->lock);
        if (r < 0)
                return r;
        r = chain_entry_at(chain, low, &entry);
        *ret_first = r == 0 ? entry.first_number : UINT64_MAX;
        *ret_reached = false;
        if (r == 0 && low == 0) { /* the trimmed part may already have reached it */
                r = read_brief(chain, &entry, &brief);
                *ret_reached = r == 0 && brief.start.greatest_ns != 0 &&
                               brief.start.greatest_ns >= time_ns;
        }
        return r == -ENOENT ? 0 : r;
}

int logstore_cursor_seek_time(struct logstore_cursor *cursor, int64_t time_ns)
{
        struct logstore_record record;
        struct stand was;
        uint64_t number = 0;
        bool reached = false;
        int r = store_enter(cursor ? cursor->view.store : NULL);

        if (r < 0)
                return r;
        was = cursor_where(cursor);
        r = view_refresh(&cursor->view);
        if (r == 0)
                r = find_segment(cursor->view.chain, time_ns, &number, &reached);
        if (r == 0 && number != UINT64_MAX && number < view_first(&cursor->view))
                number = 0;
        if (view_is_fixed(&cursor->view) && number > view_last(&cursor->view, number))
                number = UINT64_MAX; /* the chain may have segments started since */
        if (r == 0)
                r = logstore_cursor_seek(cursor, number);
        if (r == 0 && reached) {
                store_leave();
                return 0;
        }
        while (r == 0) { /* from the segment's start, at most to its end */
                r = logstore_cursor_next(cursor, &record);
                if (r == 0 && record.time_ns >= time_ns)
                        break;
        }
        if (r == 0)
                r = logstore_cursor_seek(cursor, record.number);
        else if (r == -EAGAIN) /* none: the cursor stands behind the tail */
                r = 0;
        else
                cursor_put_back(cursor, &was);
        store_leave();
        return r;
}
