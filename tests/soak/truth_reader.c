/* truth_reader.c - a judged cursor, and readers and verifies that come and go */
#include <errno.h>
#include <stdlib.h>

#include "truth.h"

#define FRONT 60u
#define BACK 40u

bool watch_open(struct watch *watch, struct ledger *ledger, struct logstore *store)
{
        int r;

        *watch = (struct watch){ ledger, store, NULL, atomic_load(&ledger->cuts_done), 0 };
        r = logstore_cursor_open(store, 0, &watch->cursor);
        if (r < 0)
                say_false(ledger, "cursor_open", 0, r);
        watch->must_from = atomic_load(&ledger->cuts_begun);
        return r == 0;
}

void watch_close(struct watch *watch)
{
        logstore_cursor_close(watch->cursor);
}

/* It stands behind what was seen between @before and now. */
static void passed(struct watch *watch, const struct moment *before)
{
        watch->may_from = before->cuts_done;
        watch->must_from = atomic_load(&watch->ledger->cuts_begun);
}

/* Was what begins at @number trimmed? Both the writer and the bounds say so. */
static bool is_trimmed(struct watch *watch, uint64_t number)
{
        struct logstore_bounds bounds;
        struct moment before = look(watch->ledger);
        int r = logstore_bounds(watch->store, &bounds);

        if (r < 0)
                say_false(watch->ledger, "bounds", number, r);
        else
                judge_bounds(watch->ledger, "bounds", &before, &bounds);
        return r == 0 && number < bounds.first;
}

/* If a log was cut and all before @place is trimmed, it may not be known how far it was cut. */
static void judge_stale(struct watch *watch, const char *what, uint64_t passed_number,
                        uint64_t place)
{
        bool cut =
                may_be_cut(watch->ledger, watch->may_from, passed_number) ||
                (may_be_cut(watch->ledger, watch->may_from, place) && is_trimmed(watch, place - 1));

        if (!cut && !is_trimmed(watch, place)) {
                say_false(watch->ledger, what, place, -ESTALE);
                return;
        }
        atomic_fetch_add(&watch->ledger->stale_true, 1);
        if (cut)
                atomic_fetch_add(&watch->ledger->cut_true, 1);
}

int watch_next(struct watch *watch)
{
        uint64_t place = logstore_cursor_position(watch->cursor);
        uint64_t least = least_serial(watch->ledger, place);
        struct moment before = look(watch->ledger);
        struct logstore_record record;
        int r = logstore_cursor_next(watch->cursor, &record);

        if ((r == 0 || r == -EAGAIN) && place > 1 &&
            must_be_cut(watch->ledger, watch->must_from, &before, place - 1))
                say_false(watch->ledger, "what was passed was cut, and next says", place, r);
        if (r == 0) {
                /* At the very front it may have been trimmed before the first step. */
                if (record.number != place)
                        say_false(watch->ledger, "next went on at another", record.number, 0);
                judge_record(watch->ledger, "next", &record, least);
                passed(watch, &before);
        } else if (r == -EAGAIN) {
                if (is_there(watch->ledger, &before, place))
                        say_false(watch->ledger, "next", place, r);
        } else if (r == -ESTALE) {
                judge_stale(watch, "next", place - 1, place);
        } else {
                say_false(watch->ledger, "next", place, r);
        }
        return r;
}

/* What a seek or a get of @number said that began at @before. */
static void judge_refusal(struct watch *watch, const char *call, uint64_t number,
                          const struct moment *before, int r)
{
        bool is_true = false;

        if (r == -EAGAIN)
                is_true = !is_there(watch->ledger, before, number);
        else if (r == -ESTALE)
                is_true = is_trimmed(watch, number) ||
                          may_be_cut(watch->ledger, before->cuts_done, number);
        if (!is_true)
                say_false(watch->ledger, call, number, r);
}

int watch_seek(struct watch *watch, uint64_t number)
{
        struct moment before = look(watch->ledger);
        int r = logstore_cursor_seek(watch->cursor, number);

        if (r == 0)
                passed(watch, &before);
        else
                judge_refusal(watch, "seek", number, &before, r);
        return r;
}

int watch_get(struct watch *watch, uint64_t number)
{
        static char buffer[32768];
        uint64_t least = least_serial(watch->ledger, number);
        struct moment before = look(watch->ledger);
        struct logstore_record record;
        int r = logstore_get(watch->store, number, buffer, sizeof(buffer), &record);

        if (r == 0)
                judge_record(watch->ledger, "get", &record, least);
        else
                judge_refusal(watch, "get", number, &before, r);
        return r;
}

static void read_both_ends(struct watch *watch, uint64_t seed)
{
        struct logstore_bounds bounds;
        struct moment before = look(watch->ledger);
        int r = logstore_bounds(watch->store, &bounds);

        if (r < 0) {
                say_false(watch->ledger, "bounds", 0, r);
                return;
        }
        judge_bounds(watch->ledger, "bounds", &before, &bounds);
        for (unsigned i = 0; i < FRONT && watch_next(watch) == 0; i++)
                ;
        if (bounds.tail < bounds.first + BACK)
                return;
        for (unsigned i = 0; i < 4; i++)
                watch_get(watch, bounds.first + mix64(seed + i) % (bounds.tail - bounds.first + 1));
        if (watch_seek(watch, bounds.tail - BACK) == 0)
                for (unsigned i = 0; i < 2 * BACK && watch_next(watch) == 0; i++)
                        ;
}

void open_and_read(struct ledger *ledger, const char *path, uint64_t seed)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;
        struct watch watch;
        int r;

        options.flags = LOGSTORE_READ_ONLY;
        r = logstore_open(path, &options, &store);
        atomic_fetch_add(&ledger->opens, 1);
        if (r < 0) {
                say_false(ledger, "open", 0, r);
                return;
        }
        if (watch_open(&watch, ledger, store)) {
                read_both_ends(&watch, seed);
                watch_close(&watch);
        }
        r = logstore_close(store);
        if (r < 0)
                say_false(ledger, "close", 0, r);
}

static void on_fault(void *context, const struct logstore_fault *fault)
{
        if (fault->fatal)
                say_false(context, fault->what, fault->number, fault->error);
}

void verify_once(struct ledger *ledger, const char *path)
{
        struct logstore_verify_hooks hooks = { on_fault, NULL, ledger };
        struct moment before = look(ledger), after;
        struct logstore_verify_report report = { 0 };
        int r = logstore_verify(path, &hooks, &report);
        bool cut = atomic_load(&ledger->cuts_begun) != before.cuts_done;

        after = look(ledger);
        atomic_fetch_add(&ledger->verifies, 1);
        if (r == -EAGAIN && cut)
                return;
        if (r < 0 || report.voids || report.faults)
                say_false(ledger, "verify", 0, r);
        else if (report.records > after.high + 1 - before.first_done ||
                 (!cut && report.records + after.first_asked < before.low + 1))
                say_false(ledger, "verify's count of records", report.records, 0);
        else if (report.trimmed_to &&
                 (report.trimmed_to < before.first_done || report.trimmed_to > after.first_asked))
                say_false(ledger, "verify's first number left", report.trimmed_to, 0);
}
