/*
 * restore.c - old copies of files, put back between two lives of the writer
 *
 * Copies of segments, of the control file and of indexes are taken at any time. Up to three are put
 * back under their names, each in the place of its file or as a stray. What may then be:
 *
 * index, stray segment   nothing changes: neither is evidence, and a stray is off the chain
 * segment on the chain   it may lack what came since. Up to what the control file says to be
 *                        durable that is told, and cut by a repair; behind that it looks like a
 *                        torn tail
 * control file           the first number may fall. Then trimmed records show again, or their
 *                        segments are missed, which is told. The log ends where it did
 * both                   as the segment, but only seals and the old file tell what is durable. A
 *                        stray may be taken for what is missed. It may be read before the break
 *                        that is told, and a repair may keep it, with what a truncation once cut
 *
 * verify reports what is said here to be told. Only the last case may read a wrong record.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "os/os.h"

#include "step.h"

/* What was put back, and what that takes away from what the log must be. */
struct restored {
        bool segment; /* one on the chain, or one that may be taken for its newest */
        bool any;     /* or any other */
        bool control;
        bool first;     /* whose first number is less: */
        uint64_t epoch; /* of the control page before */
        uint64_t mark;  /* it knows to be durable, if it is of that epoch */
};

#define NOT_BEFORE 0x1000u /* bytes of a segment's header: its start frame lies behind */

static bool ends_with(const char *name, const char *end)
{
        size_t length = strlen(name), tail = strlen(end);

        return length > tail && strcmp(name + length - tail, end) == 0;
}

static bool is_segment(const char *name)
{
        return ends_with(name, ".log") && name[0] >= '0' && name[0] <= '9';
}

static bool is_control(const char *name)
{
        return strcmp(name, "control") == 0;
}

static bool is_started(const struct old_copy *copy)
{
        return copy->used > NOT_BEFORE && copy->bytes[NOT_BEFORE] | copy->bytes[NOT_BEFORE + 3];
}

/* ---- taking copies ---- */

void machine_forget_copy(struct old_copy *copy)
{
        free(copy->bytes);
        *copy = (struct old_copy){ 0 };
}

void machine_forget_copies(struct machine *m)
{
        for (uint32_t i = 0; i < MACHINE_COPIES; i++)
                machine_forget_copy(&m->copies[i]);
}

void machine_copy(struct machine *m, const char *name, struct old_copy *ret)
{
        const struct node *node;
        uint64_t used;

        disk_lock();
        node = disk_look_up(m->disk, name);
        used = node->cache->used < node->size ? node->cache->used : node->size;
        *ret = (struct old_copy){ .bytes = malloc(used ? used : 1),
                                  .used = used,
                                  .size = node->size };
        if (!ret->bytes)
                disk_refuse("no memory for a copy of a file");
        memcpy(ret->bytes, node->cache->bytes, used);
        snprintf(ret->name, sizeof(ret->name), "%s", name);
        disk_unlock();
}

void step_copy(struct machine *m)
{
        const struct names *names = &m->disk->now;
        uint32_t at = rng_below(&m->rng, names->count);
        const char *name = names->list[at].text;
        struct old_copy *copy;

        if (rng_one_in(&m->rng, 4))
                name = "control";
        if (is_large(m) || !(is_control(name) || is_segment(name) || ends_with(name, ".idx")))
                return;
        copy = &m->copies[rng_below(&m->rng, MACHINE_COPIES)];
        machine_forget_copy(copy);
        machine_copy(m, name, copy);
        machine_trace(m, "copy %s", name);
}

/* ---- putting them back ---- */

void machine_put_back(struct machine *m, const struct old_copy *copy)
{
        char path[64];
        int directory, fd, r;

        machine_store_path(m, path);
        directory = os_open_directory(path);
        r = os_unlink(directory, copy->name);
        fd = os_open(directory, copy->name, OS_WRITE | OS_CREATE, 0600);
        if (r == 0 || r == -ENOENT)
                r = os_write(fd, copy->bytes, copy->used, 0);
        if (r == 0)
                r = os_grow(fd, copy->size);
        if (r == 0)
                r = os_sync_file(fd);
        if (r == 0)
                r = os_sync_directory(directory);
        if (r < 0)
                disk_refuse("a copy cannot be put back");
        os_close(fd);
        os_close(directory);
}

static struct control_slot slot_of(const uint8_t *bytes)
{
        struct control_page page;
        bool second;

        memcpy(&page, bytes, sizeof(page));
        second = page.slots[1].slot.generation > page.slots[0].slot.generation;
        return page.slots[second].slot;
}

static bool is_changed(const struct node *node, const struct old_copy *copy)
{
        return node->size != copy->size ||
               memcmp(node->cache->bytes, copy->bytes, copy->used) != 0 ||
               node->cache->used > copy->used;
}

/* No file of the directory is newer, so it may be taken for the head. */
static bool is_newest(const struct machine *m, const char *name)
{
        const struct names *names = &m->disk->now;

        for (uint32_t i = 0; i < names->count; i++)
                if (is_segment(names->list[i].text) && strcmp(names->list[i].text, name) > 0)
                        return false;
        return true;
}

/* One whose file is on the chain, as far as a name tells. */
static bool is_of_chain(const struct machine *m, const struct old_copy *copy)
{
        const struct node *node = disk_look_up(m->disk, copy->name);

        return node ? is_changed(node, copy) : is_newest(m, copy->name);
}

/* What the oracle may no longer demand of the log. */
static void expect_control(struct machine *m, struct restored *restored,
                           const struct old_copy *copy)
{
        struct promise *p = &m->promise;
        struct control_slot old = slot_of(copy->bytes);

        restored->control = true;
        restored->mark = old.epoch < restored->epoch ? 0 : old.mark_number;
        if (old.first_number >= p->first_low)
                return;
        if (p->came_back < p->first_low)
                p->came_back = p->first_low;
        p->first_low = old.first_number;
        restored->first = true;
}

/* One that was not started is no copy of what it became. */
static bool fits(const struct machine *m, const struct old_copy *copy)
{
        return copy->bytes &&
               (!is_segment(copy->name) || is_started(copy) || !disk_look_up(m->disk, copy->name));
}

static void expect(struct machine *m, struct restored *restored, const struct old_copy *copy)
{
        if (is_control(copy->name)) {
                expect_control(m, restored, copy);
        } else if (is_segment(copy->name)) {
                restored->any = true;
                restored->segment |= is_of_chain(m, copy);
        }
}

static uint32_t put_back(struct machine *m)
{
        uint32_t most = 1 + rng_below(&m->rng, 3), count = 0;
        struct restored restored = {
                .epoch = slot_of(disk_look_up(m->disk, "control")->cache->bytes).epoch
        };

        for (uint32_t i = 0; i < 4 * most && count < most; i++) {
                struct old_copy *copy = &m->copies[rng_below(&m->rng, MACHINE_COPIES)];

                if (!fits(m, copy))
                        continue;
                expect(m, &restored, copy);
                machine_trace(m, "put back %s", copy->name);
                machine_put_back(m, copy);
                machine_forget_copy(copy);
                count++;
        }
        m->promise.restored = count > 0;
        m->promise.may_be_damaged = restored.segment || restored.first;
        m->promise.unproven =
                restored.any && restored.first; /* a stray may be on the chain again */
        if (restored.control && (restored.segment || m->promise.unproven) &&
            m->promise.acked > restored.mark)
                m->promise.acked = restored.mark;
        return count;
}

/* Let go of the store: closed, or killed with what it appended last not yet durable. */
static void end_life(struct machine *m)
{
        struct disk *old = m->disk;

        if (rng_one_in(&m->rng, 2)) {
                machine_abandon(m);
                promise_ack(&m->promise, m->promise.tail);
                return;
        }
        for (uint32_t i = rng_below(&m->rng, 4); i > 0 && !m->failed; i--)
                step_append(m);
        disk_lock();
        m->disk = disk_after_kill(old, &m->rng);
        disk_unlock();
        machine_abandon(m);
        disk_lock();
        disk_free(old);
        disk_unlock();
}

/* Nothing else is at fault: no sync fails, no space is refused until the store is opened. */
void step_restore(struct machine *m)
{
        uint32_t crash_one_in = m->crash_one_in;

        machine_reader_close(m);
        m->disk->unlinks_to_refuse = m->disk->growth_to_refuse = 0;
        step_close(m);
        if (m->failed || m->faulty)
                return;
        machine_watch(m, 0);
        end_life(m);
        put_back(m);
        machine_forget_copies(m); /* the log may be another now */
        machine_watch(m, crash_one_in);
        machine_open(m, false);
}

/* ---- judging ---- */

/* Some records cannot be read. The others are right, unless a stray stands for a missing one. */
static void read_damaged(struct machine *m)
{
        static uint8_t buffer[PROMISE_PAYLOAD_MAX];
        struct logstore_record record;
        struct logstore *store;
        int r = machine_open_reader(m, &store);

        machine_trace(m, "read what is damaged: %d", r);
        if (r == -EBADMSG)
                return;
        if (r < 0)
                machine_fail(m, "REFUSED", "read-only open: %d (%s)", r, logstore_detail());
        for (uint64_t number = m->promise.first_low; number <= m->promise.tail; number++) {
                r = logstore_get(store, number, buffer, sizeof(buffer), &record);
                if (r == 0 && !m->promise.unproven)
                        machine_compare_record(m, number, &record);
                else if (r < 0 && r != -EBADMSG && r != -EAGAIN && r != -ESTALE && r != -ENODATA)
                        machine_fail(m, "ERROR", "get %llu of a damaged log said %d (%s)",
                                     (unsigned long long)number, r, logstore_detail());
        }
        logstore_close(store);
}

void machine_face_restored(struct machine *m)
{
        uint64_t changes = m->disk->changes;
        char path[64];
        int r;

        machine_store_path(m, path);
        r = logstore_verify(path, NULL, NULL);
        machine_trace(m, "verify: %d%s%s", r, r < 0 ? ", " : "", r < 0 ? logstore_detail() : "");
        if (r == 0)
                return;
        if (r != -EBADMSG || !m->promise.may_be_damaged)
                machine_fail(m, "REFUSED", "verify of a log with old files: %d (%s)", r,
                             logstore_detail());
        read_damaged(m);
        if (m->disk->changes != changes)
                machine_fail(m, "ERROR", "a reader changed the disk");
        machine_promise_repair(m);
        if (!m->promise.damaged)
                machine_fail(m, "ERROR", "verify finds damage where repair finds none");
        if (m->promise.unproven)
                m->promise.came_back = m->promise.cut + 1;
}
