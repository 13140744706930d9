/*
 * walk_snapshot.c - a fixed view with private edits, while the log goes on beneath it
 *
 * The model of a snapshot is a copy of the model's entries and, by number, the edits made.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "walk.h"

#define EDITS_MAX 32
#define RANGE_MAX 20000 /* larger ones would only cost time */

struct edit {
        uint64_t number;
        unsigned char *bytes;
};

struct walk_snapshot {
        struct logstore_snapshot *snapshot;
        struct model model;
        struct edit edits[EDITS_MAX];
        unsigned edit_count;
};

static void open_snapshot(struct walk *walk)
{
        struct walk_snapshot *s = calloc(1, sizeof(*s));
        uint64_t tail = model_tail(&walk->model);

        if (!s)
                abort();
        s->model = walk->model;
        s->model.last = s->model.capacity = tail;
        s->model.entries = malloc((tail + 1) * sizeof(*s->model.entries));
        if (!s->model.entries)
                abort();
        if (tail >= s->model.first)
                memcpy(s->model.entries + s->model.first, walk->model.entries + s->model.first,
                       (tail + 1 - s->model.first) * sizeof(*s->model.entries));
        walk_expect(walk, logstore_snapshot_open(walk->writer, 1 << 20, &s->snapshot), 0);
        walk->snapshot = s;
}

void walk_snapshot_close(struct walk *walk)
{
        struct walk_snapshot *s = walk->snapshot;

        if (!s)
                return;
        logstore_snapshot_close(s->snapshot);
        for (unsigned i = 0; i < s->edit_count; i++)
                free(s->edits[i].bytes);
        model_free(&s->model);
        free(s);
        walk->snapshot = NULL;
}

static struct edit *find_edit(struct walk_snapshot *s, uint64_t number)
{
        for (unsigned i = 0; i < s->edit_count; i++)
                if (s->edits[i].number == number)
                        return &s->edits[i];
        return NULL;
}

static void compare(struct walk *walk, const struct logstore_record *record)
{
        struct walk_snapshot *s = walk->snapshot;
        struct edit *edit = find_edit(s, record->number);
        const char *wrong;

        if (edit) {
                if (record->size != s->model.entries[record->number].size ||
                    memcmp(record->data, edit->bytes, record->size) != 0)
                        walk_fail(walk, "edited record %" PRIu64 " is another", record->number);
                return;
        }
        wrong = model_compare(&s->model, record);
        if (wrong)
                walk_fail(walk, "snapshot: %s", wrong);
}

static uint64_t some_number(struct walk *walk)
{
        struct model *model = &walk->snapshot->model;

        return model->first + walk_below(walk, model->last + 2 - model->first);
}

static void get(struct walk *walk)
{
        uint64_t number = some_number(walk);
        struct logstore_record record;
        int want = model_get_result(&walk->snapshot->model, number);

        walk_expect(walk, logstore_snapshot_get(walk->snapshot->snapshot, number, &record), want);
        if (want == 0)
                compare(walk, &record);
}

static void edit(struct walk *walk)
{
        struct walk_snapshot *s = walk->snapshot;
        uint64_t number = some_number(walk);
        int want = model_get_result(&s->model, number);
        struct edit *edit = find_edit(s, number);
        size_t size = 0;
        void *data;
        int r;

        if (!edit && s->edit_count == EDITS_MAX)
                return;
        r = logstore_snapshot_edit(s->snapshot, number, &data, &size);
        if (r == -ENOBUFS && want == 0)
                return; /* over the budget: nothing was changed */
        walk_expect(walk, r, want);
        if (want < 0)
                return;
        walk_expect(walk, (int64_t)size, s->model.entries[number].size);
        if (!edit) {
                edit = &s->edits[s->edit_count++];
                *edit = (struct edit){ number, malloc(size + 1) };
                memcpy(edit->bytes, data, size);
        }
        memset(edit->bytes + size / 2, (int)walk->random, size - size / 2);
        memcpy(data, edit->bytes, size);
}

static int compare_numbers(const void *one, const void *two)
{
        uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)two;

        return (a > b) - (a < b);
}

static void list(struct walk *walk)
{
        struct walk_snapshot *s = walk->snapshot;
        uint64_t got[EDITS_MAX], want[EDITS_MAX];

        walk_expect(walk, logstore_snapshot_edited(s->snapshot, got, EDITS_MAX), s->edit_count);
        for (unsigned i = 0; i < s->edit_count; i++)
                want[i] = s->edits[i].number;
        qsort(want, s->edit_count, sizeof(want[0]), compare_numbers);
        for (unsigned i = 0; i < s->edit_count; i++)
                walk_expect(walk, (int64_t)got[i], (int64_t)want[i]);
}

static void drop(struct walk *walk)
{
        struct walk_snapshot *s = walk->snapshot;
        uint64_t from = walk_below(walk, 4) ? some_number(walk) : 0;
        uint64_t to = from ? from + walk_below(walk, 100) : UINT64_MAX;

        walk_expect(walk, logstore_snapshot_drop(s->snapshot, from, to), 0);
        for (unsigned i = 0; i < s->edit_count;) {
                if (s->edits[i].number < from || s->edits[i].number > to) {
                        i++;
                        continue;
                }
                free(s->edits[i].bytes);
                s->edits[i] = s->edits[--s->edit_count];
        }
}

static void scan(struct walk *walk)
{
        struct walk_snapshot *s = walk->snapshot;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t position = some_number(walk);

        walk_expect(walk, logstore_snapshot_cursor(s->snapshot, 0, &cursor), 0);
        if (position <= s->model.last + 1) {
                walk_expect(walk, logstore_cursor_seek(cursor, position), 0);
                for (unsigned i = 0; i < 30; i++) {
                        uint64_t want = model_next(&s->model, position);

                        walk_expect(walk, logstore_cursor_next(cursor, &record),
                                    want ? 0 : -EAGAIN);
                        if (!want)
                                break;
                        walk_expect(walk, (int64_t)record.number, (int64_t)want);
                        compare(walk, &record);
                        position = want + 1;
                }
        }
        logstore_cursor_close(cursor);
}

void walk_snapshot(struct walk *walk)
{
        if (!walk->snapshot) {
                if (model_tail(&walk->model) - walk->model.first < RANGE_MAX)
                        open_snapshot(walk);
                return;
        }
        switch (walk_below(walk, 12)) {
        case 0:
                walk_snapshot_close(walk);
                break;
        case 1:
                drop(walk);
                break;
        case 2:
                list(walk);
                break;
        case 3:
        case 4:
                scan(walk);
                break;
        case 5:
        case 6:
        case 7:
                edit(walk);
                break;
        default:
                get(walk);
        }
}
