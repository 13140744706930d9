/*
 * snapshot_edits.c - which pages of a snapshot are copied, and giving them back
 *
 * Edits:  the pages of a payload are copied before the caller gets the pointer. A bitmap per
 *         segment says which pages are copied, and their bytes are held against the budget. Copied
 *         pages have no file behind them: the kernel can only swap them, or kill.
 * Drop:   a page without other edits goes back to the kernel by MADV_DONTNEED. If a page has other
 *         edits, these are put aside, the page is dropped, and they are written again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "snapshot/snapshot_private.h"

/* ---- edits ---- */

/* Position of the edit of @number, or of the first beyond it. */
static size_t find_edit(const struct logstore_snapshot *snapshot, uint64_t number)
{
        size_t low = 0, high = snapshot->edit_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (snapshot->edits[middle].number < number)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

bool snapshot_is_edited(const struct logstore_snapshot *snapshot, uint64_t number)
{
        size_t at = find_edit(snapshot, number);

        return at < snapshot->edit_count && snapshot->edits[at].number == number;
}

static int copies_of(struct logstore_snapshot *snapshot, const struct segment *segment,
                     uint64_t **ret_bits)
{
        struct memory *memory = &snapshot->view.store->memory;
        struct copies *copies;

        /* From the newest back: edits tend to go on where they were. */
        for (size_t i = snapshot->copies_count; i > 0; i--)
                if (snapshot->copies[i - 1].segment == segment) {
                        *ret_bits = snapshot->copies[i - 1].bits;
                        return 0;
                }
        copies = memory_resize(memory, snapshot->copies,
                               (snapshot->copies_count + 1) * sizeof(*copies));
        if (!copies)
                return detail(-ENOMEM, "no memory for a list of copied pages");
        snapshot->copies = copies;
        copies[snapshot->copies_count] = (struct copies){
                .segment = segment,
                .bits = memory_new(memory, segment->map.bytes / os_page_bytes() / 8 + 8),
        };
        if (!copies[snapshot->copies_count].bits)
                return detail(-ENOMEM, "no memory for a bitmap of copied pages");
        *ret_bits = copies[snapshot->copies_count++].bits;
        return 0;
}

static bool bit_get(const uint64_t *bits, uint64_t at)
{
        return bits[at / 64] >> (at % 64) & 1;
}

static void bit_put(uint64_t *bits, uint64_t at, bool on)
{
        bits[at / 64] = (bits[at / 64] & ~(UINT64_C(1) << (at % 64))) | (uint64_t)on << (at % 64);
}

static uint64_t first_page(const struct snapshot_edit *edit)
{
        return edit->offset / os_page_bytes();
}

/* Behind the last page that the edit touches; an empty payload touches none. */
static uint64_t end_page(const struct snapshot_edit *edit)
{
        return edit->size ? (edit->offset + edit->size - 1) / os_page_bytes() + 1
                          : first_page(edit);
}

static void account(struct logstore_snapshot *snapshot, int64_t bytes)
{
        snapshot->copied_bytes += (uint64_t)bytes;
        atomic_fetch_add(&snapshot->view.store->memory.copied_bytes, (uint64_t)bytes);
}

/* Copy the pages of a payload, if the budget allows. */
static int copy_pages(struct logstore_snapshot *snapshot, const struct snapshot_edit *edit)
{
        uint64_t page_bytes = os_page_bytes(), fresh = 0;
        uint64_t *bits;
        int r = copies_of(snapshot, edit->segment, &bits);

        if (r < 0)
                return r;
        for (uint64_t page = first_page(edit); page < end_page(edit); page++)
                fresh += !bit_get(bits, page);
        if (snapshot->copied_bytes + fresh * page_bytes > snapshot->budget_bytes)
                return detail(-ENOBUFS,
                              "record %" PRIu64 ": editing copies %" PRIu64 " bytes, %" PRIu64
                              " of %" PRIu64 " are left: drop edits or raise the budget",
                              edit->number, fresh * page_bytes,
                              snapshot->budget_bytes - snapshot->copied_bytes,
                              snapshot->budget_bytes);
        for (uint64_t page = first_page(edit); page < end_page(edit); page++) {
                volatile uint8_t *byte = (uint8_t *)edit->segment->map.base + page * page_bytes;
                /* cppcheck-suppress selfAssignment ; the kernel copies the page on the store */
                *byte = *byte;
                bit_put(bits, page, true);
        }
        account(snapshot, (int64_t)(fresh * page_bytes));
        return 0;
}

/* Make room for one more edit, before anything is copied: no drop would ever find pages that are
 * copied but not noted. */
static int make_room(struct logstore_snapshot *snapshot)
{
        size_t room = snapshot->edit_room * 2 + 16;
        struct snapshot_edit *edits;

        if (snapshot->edit_count < snapshot->edit_room)
                return 0;
        edits = memory_resize(&snapshot->view.store->memory, snapshot->edits,
                              room * sizeof(*edits));
        if (!edits)
                return detail(-ENOMEM, "no memory for a list of edits");
        snapshot->edits = edits;
        snapshot->edit_room = room;
        return 0;
}

static void insert_edit(struct logstore_snapshot *snapshot, const struct snapshot_edit *edit)
{
        size_t at = find_edit(snapshot, edit->number);
        struct snapshot_edit *edits = snapshot->edits;

        memmove(&edits[at + 1], &edits[at], (snapshot->edit_count - at) * sizeof(*edits));
        edits[at] = *edit;
        snapshot->edit_count++;
}

int snapshot_add_edit(struct logstore_snapshot *snapshot, const struct snapshot_edit *edit)
{
        int r;

        if (snapshot_is_edited(snapshot, edit->number))
                return 0; /* its pages are copied already */
        r = make_room(snapshot);
        if (r == 0)
                r = copy_pages(snapshot, edit);
        if (r == 0)
                insert_edit(snapshot, edit);
        return r;
}

int64_t logstore_snapshot_edited(struct logstore_snapshot *snapshot, uint64_t *ret_numbers,
                                 size_t capacity)
{
        int r = store_enter(snapshot ? snapshot->view.store : NULL);

        if (r < 0)
                return r;
        if (!ret_numbers && capacity)
                r = detail(-EINVAL, "ret_numbers is NULL");
        for (size_t i = 0; r == 0 && i < snapshot->edit_count && i < capacity; i++)
                ret_numbers[i] = snapshot->edits[i].number;
        store_leave();
        return r < 0 ? r : (int64_t)snapshot->edit_count;
}

uint64_t logstore_snapshot_copied_bytes(const struct logstore_snapshot *snapshot)
{
        return snapshot && *snapshot->view.store->alive ? snapshot->copied_bytes : 0;
}

/* ---- dropping ---- */

/* The edits that go are [from, to) of the list; @aside holds a page while it is dropped. */
struct drop {
        struct logstore_snapshot *snapshot;
        size_t from, to;
        uint8_t *aside;
};

/* The part of an edit that lies on a page. */
static uint32_t part_on_page(const struct snapshot_edit *edit, uint64_t page, uint64_t *ret_offset)
{
        uint64_t page_bytes = os_page_bytes();
        uint64_t from = page * page_bytes, to = from + page_bytes;

        if (edit->offset > from)
                from = edit->offset;
        if (edit->offset + edit->size < to)
                to = edit->offset + edit->size;
        *ret_offset = from;
        return to > from ? (uint32_t)(to - from) : 0;
}

/* Copy @edit's part of @page from @source, a page, into the mapping. Returns whether there is
 * any. */
static bool put_back(const struct snapshot_edit *edit, uint64_t page, const uint8_t *source)
{
        uint64_t offset;
        uint32_t part = part_on_page(edit, page, &offset);

        if (part > 0 && source)
                memcpy((uint8_t *)edit->segment->map.base + offset,
                       source + offset % os_page_bytes(), part);
        return part > 0;
}

/* Put back what the edits that stay have on @page; without a @source only say whether there are
 * any. Edits are sorted by place, so these are next to the range. An empty edit among them has its
 * page in common with what is before it, so it does not end the search. */
static bool put_back_kept(const struct drop *drop, const struct segment *segment, uint64_t page,
                          const uint8_t *source)
{
        const struct snapshot_edit *edits = drop->snapshot->edits;
        bool any = false;

        for (size_t i = drop->from; i > 0; i--) {
                if (edits[i - 1].segment != segment || end_page(&edits[i - 1]) < page)
                        break;
                any |= put_back(&edits[i - 1], page, source);
        }
        for (size_t i = drop->to; i < drop->snapshot->edit_count; i++) {
                if (edits[i].segment != segment || first_page(&edits[i]) > page)
                        break;
                any |= put_back(&edits[i], page, source);
        }
        return any;
}

/* Drop one copied page, but keep what the edits that stay have on it. */
static int drop_page(const struct drop *drop, const struct segment *segment, uint64_t *bits,
                     uint64_t page)
{
        uint64_t page_bytes = os_page_bytes();
        uint8_t *base = (uint8_t *)segment->map.base + page * page_bytes;
        bool kept = put_back_kept(drop, segment, page, NULL);
        int r;

        if (kept)
                memcpy(drop->aside, base, page_bytes);
        r = os_zap(base, page_bytes);
        if (r < 0)
                return detail(r, "%s: cannot drop a page: %s", segment->name,
                              logstore_error_text(r));
        if (kept) {
                put_back_kept(drop, segment, page, drop->aside);
        } else {
                bit_put(bits, page, false);
                account(drop->snapshot, -(int64_t)page_bytes);
        }
        return 0;
}

/* Drop each page once, though many edits may share it. */
static int drop_pages(const struct drop *drop)
{
        const struct segment *segment = NULL;
        uint64_t *bits = NULL, next = 0;
        int r = 0;

        for (size_t i = drop->from; r == 0 && i < drop->to; i++) {
                const struct snapshot_edit *edit = &drop->snapshot->edits[i];
                if (edit->segment != segment) {
                        segment = edit->segment;
                        next = 0;
                        r = copies_of(drop->snapshot, segment, &bits);
                }
                if (next < first_page(edit))
                        next = first_page(edit);
                for (; r == 0 && next < end_page(edit); next++)
                        r = bit_get(bits, next) ? drop_page(drop, segment, bits, next) : 0;
        }
        return r;
}

static int drop_range(struct logstore_snapshot *snapshot, uint64_t from, uint64_t to)
{
        struct drop drop = { .snapshot = snapshot, .from = find_edit(snapshot, from) };
        int r;

        drop.to = to == UINT64_MAX ? snapshot->edit_count : find_edit(snapshot, to + 1);
        if (drop.from >= drop.to)
                return 0;
        drop.aside = malloc(os_page_bytes());
        if (!drop.aside)
                return detail(-ENOMEM, "no memory to put a page aside");
        r = drop_pages(&drop);
        free(drop.aside);
        if (r < 0)
                return r;
        memmove(&snapshot->edits[drop.from], &snapshot->edits[drop.to],
                (snapshot->edit_count - drop.to) * sizeof(*snapshot->edits));
        snapshot->edit_count -= drop.to - drop.from;
        return 0;
}

int logstore_snapshot_drop(struct logstore_snapshot *snapshot, uint64_t from, uint64_t to)
{
        int r = store_enter(snapshot ? snapshot->view.store : NULL);

        if (r < 0)
                return r;
        r = drop_range(snapshot, from, to);
        store_leave();
        return r;
}
