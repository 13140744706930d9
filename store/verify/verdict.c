/*
 * verdict.c - read everything and check it, changing nothing
 *
 * read(2) reads every segment, from its first frame or that of the log, to where the log says that
 * it ends. So a dying disk is reported and not a signal. Behind the mark a crash may have torn the
 * end: that is mentioned and is no fault. Beside a writer the tail moves; what was there at the
 * start is checked. What is trimmed meanwhile is no fault. After a truncation the check begins
 * again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "verify/verdict_private.h"

#define VERIFY_TRIES 20

static bool truncated_since(struct verification *v)
{
        struct control_slot now;

        return v->found.slot.generation != 0 && control_read(&v->store->control, &now) == 0 &&
               now.epoch != v->epoch;
}

/* A file is gone. Is the chain whole without it? A recovery drops an empty segment before the
 * control page tells of the new epoch. */
static bool recovered_since(struct verification *v)
{
        struct control_slot slot;
        struct chain now;
        bool since;

        chain_init(&now, &v->store->memory, &v->store->control, v->store->directory, 1);
        since = chain_load_slot(&now, &slot) > 0 && now.fault == 0;
        chain_free(&now);
        return since;
}

/* The file of @entry is gone. Is all that it held below the first number as it is now? */
bool verdict_trimmed_since(struct verification *v, const struct chain_entry *entry,
                           const struct chain_entry *next)
{
        uint64_t behind = next->id ? next->first_number : entry->first_number + 1;
        struct control_slot now;

        if (control_read(&v->store->control, &now) < 0 || now.first_number < behind)
                return false;
        v->found.report.trimmed_to = now.first_number;
        v->next_number = next->id ? next->first_number : 0;
        return true;
}

void verdict_hook(const struct logstore_verify_hooks *hooks, const struct fault *fault, bool fatal)
{
        struct logstore_fault told = { fault->file,  fault->offset, fault->number,
                                       fault->error, fatal,         fault->what };

        if (hooks && hooks->fault)
                hooks->fault(hooks->context, &told);
}

static void tell_fault(struct verification *v, const struct fault *fault, bool fatal)
{
        v->overtaken = v->overtaken || truncated_since(v) ||
                       (fault->error == -ENOENT && recovered_since(v));
        if (v->overtaken)
                return;
        v->found.report.faults += fatal;
        if (fatal && v->found.first.error == 0)
                v->found.first = *fault;
        if (fatal && fault->error == -EPROTONOSUPPORT)
                v->found.unknown = *fault;
        else
                v->damaged |= fatal;
        verdict_hook(v->hooks, fault, fatal);
}

/* @number, or the log's first if that is greater: what was trimmed is not part of the log, though
 * the frames of its end are still there. */
static uint64_t not_served(const struct verification *v, uint64_t number)
{
        uint64_t first = v->chain->first_number;

        return number != 0 && number < first ? first : number;
}

void verdict_tell(struct verification *v, const char *file, uint64_t offset, uint64_t number,
                  int error, bool fatal, const char *what)
{
        struct fault fault = { .error = error, .offset = offset, .number = not_served(v, number) };

        snprintf(fault.file, sizeof(fault.file), "%s", file);
        snprintf(fault.what, sizeof(fault.what), "%s", what);
        tell_fault(v, &fault, fatal);
}

/* Tell the last failure, of the file @name. */
void verdict_tell_last(struct verification *v, const char *name, uint64_t number, int error)
{
        struct fault fault;

        fault_last(error, &fault);
        if (fault.file[0] == '\0')
                snprintf(fault.file, sizeof(fault.file), "%s", name);
        fault.number = not_served(v, number);
        tell_fault(v, &fault, true);
}

/* Tell of a break of the chain before the segment @id. What is there of the log ends with the
 * number before the one that is due now. */
void verdict_tell_break(struct verification *v, uint64_t id)
{
        struct fault fault;

        if (!chain_fault_before(v->chain, id, &fault))
                return;
        if (fault.number == 0)
                fault.number = not_served(v, v->next_number ? v->next_number : 1);
        tell_fault(v, &fault, true);
        v->next_number = 0;
        v->torn = false;
}

/* Mention files that a writer would write, but refuses to because they have a second name. That is
 * no damage. */
static void check_names(struct verification *v)
{
        const struct chain *chain = v->chain;
        const char *names[] = { CONTROL_NAME, WAKE_NAME, NULL };
        struct os_stat st;
        char head[32];

        if (chain->count) {
                segment_name(chain->entries[chain->count - 1].id, head);
                names[2] = head;
        }
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (names[i] && os_stat_name(v->store->directory, names[i], &st) == 0 &&
                    st.regular && st.links > 1)
                        verdict_tell(
                                v, names[i], 0, 0, -EPERM, false,
                                "the file has a second name (a hard link): nobody may write here "
                                "until a copy is in its place");
}

/* Judge the end, behind the last segment. */
static void verify_end(struct verification *v)
{
        struct judge_facts facts = judge_end(&v->found.slot, v->next_number);
        uint64_t due = v->next_number;
        struct fault beyond;

        verdict_tell_break(v, UINT64_MAX);
        if (due == 0 || v->next_number == 0)
                return;
        if (judge_place(&facts) == JUDGE_D6 && v->found.report.faults == 0) {
                verdict_tell(v, v->end.file, v->end.offset, due, -EBADMSG, true,
                             "records that were durable are missing at the end");
        } else if (judge_begin(v->found.slot.first_number, due) < 0) {
                fault_last(-EBADMSG, &beyond);
                tell_fault(v, &beyond, true);
        }
}

static int verify_once(struct verification *v)
{
        struct chain *chain = v->chain;
        uint64_t on_disk;
        int known = chain_load_slot(chain, &v->found.slot);

        if (known < 0)
                return known;
        v->epoch = v->found.slot.epoch;
        v->clean = chain_closed_cleanly(chain, &v->found.slot);
        v->found.begin = chain->first_number;
        v->found.keep.tail.number = chain->first_number - 1;
        if (!known)
                verdict_tell(
                        v, CONTROL_NAME, SECTOR_BYTES, 0, 0, false,
                        "neither slot is valid: what was durable is not known; the next open for "
                        "writing makes it good");
        if (chain->copied_back)
                verdict_tell(
                        v, CONTROL_NAME, 0, 0, 0, false,
                        "closed in an older segment: a backup was copied over a longer log; newer "
                        "segments are not of it, the next open for writing drops them");
        chain_measure(chain, &v->total_bytes, &on_disk);
        check_names(v);
        for (size_t at = 0; !v->overtaken && !(v->first_only && v->found.first.error) &&
                            verdict_segment(v, at) != -ENOENT;
             at++)
                ;
        verify_end(v);
        if (v->overtaken)
                return -EAGAIN;
        if (v->hooks && v->hooks->progress)
                v->hooks->progress(v->hooks->context, v->total_bytes, v->total_bytes);
        if (v->damaged)
                return detail(-EBADMSG, "%" PRIu64 " faults", v->found.report.faults);
        return v->found.report.faults ? fault_tell(&v->found.first) : 0;
}

/* Verify, and begin again if the log was truncated meanwhile. */
static int verify_again(struct logstore *store, struct chain *chain,
                        const struct logstore_verify_hooks *hooks, bool first_only,
                        struct verdict *ret)
{
        struct verification v = { 0 };
        int r = -EAGAIN;

        for (int i = 0; r == -EAGAIN && i < VERIFY_TRIES; i++) {
                v = (struct verification){
                        .store = store, .chain = chain, .hooks = hooks, .first_only = first_only
                };
                r = verify_once(&v);
        }
        v.found.only_begins_later = v.begun > 0 && v.begun == v.found.report.faults;
        *ret = v.found;
        return r == -EAGAIN ? detail(r, "the log is truncated again and again while it is read")
                            : r;
}

int verify_store(struct logstore *store, const struct logstore_verify_hooks *hooks,
                 struct verdict *ret)
{
        return verify_again(store, &store->chain, hooks, false, ret);
}

int verify_unsealed(struct logstore *store)
{
        struct verification v = { .store = store, .chain = &store->chain, .unsealed = true };
        int r = verify_once(&v);

        return r == -EBADMSG ? fault_tell(&v.found.first) : r;
}

/* Other threads read the store meanwhile, so this look has a chain of its own. */
static int find_first(struct logstore *store, struct verdict *ret)
{
        struct chain chain;
        int r;

        chain_init(&chain, &store->memory, &store->control, store->directory,
                   store->chain.mapped_limit);
        r = verify_again(store, &chain, NULL, true, ret);
        chain_free(&chain);
        return r;
}

int verify_first(struct logstore *store)
{
        struct verdict verdict;
        int r = find_first(store, &verdict);

        return r == -EBADMSG ? fault_tell(&verdict.first) : r;
}

int verify_tell_first(struct logstore *store, int error)
{
        struct verdict verdict;
        struct fault fault;

        fault_last(error, &fault);
        if (find_first(store, &verdict) == -EBADMSG && verdict.first.error == error)
                fault = verdict.first;
        return fault_tell(&fault);
}
