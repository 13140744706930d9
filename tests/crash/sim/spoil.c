/*
 * spoil.c - a byte of the log goes bad, and a repair cuts, with crashes in the middle of it
 *
 * The machine closes the store, spoils a byte on the disk and asks repair, in a dry run, how much
 * it would keep. From then on, whatever crash comes between, a repair must leave exactly that, and
 * have copies of the rest.
 */
#include <string.h>

#include "os/os.h"

#include "machine.h"

static bool is_aside(const char *name)
{
        return strncmp(name, DISK_ASIDE, strlen(DISK_ASIDE)) == 0;
}

static bool has_copies(const struct machine *m)
{
        for (uint32_t i = 0; i < m->disk->now.count; i++)
                if (is_aside(m->disk->now.list[i].text))
                        return true;
        return false;
}

void machine_drop_copies(struct machine *m)
{
        disk_lock();
        for (uint32_t i = m->disk->now.count; i-- > 0;) {
                char name[DISK_NAME_BYTES];

                memcpy(name, m->disk->now.list[i].text, sizeof(name));
                if (is_aside(name))
                        disk_unlink(m->disk, name);
        }
        disk_unlock();
}

void machine_repair(struct machine *m)
{
        struct logstore_repair_report report;
        struct refusals before;
        uint32_t tries = 0;
        char path[64];
        int r;

        machine_store_path(m, path);
        do {
                before = machine_refusals(m);
                r = logstore_repair(path, LOGSTORE_REPAIR_APPLY, NULL, NULL, &report);
                machine_trace(m, "repair: %d, kept to %llu", r,
                              r == 0 ? (unsigned long long)report.kept_last : 0);
        } while (r < 0 && machine_was_refused(m, r, &before) && ++tries < 8);
        if (r < 0)
                machine_fail(m, "REFUSED", "repair: %d (%s)", r, logstore_detail());
        /* A repair may begin the log later. A power cut before it may lose what no sync covered. */
        if (m->promise.restored && report.kept_last < m->promise.cut &&
            report.kept_last >= m->promise.acked)
                m->promise.cut = report.kept_last;
        if (report.kept_last != m->promise.cut)
                machine_fail(m, "LOST", "a repair kept what is before %llu, not %llu",
                             (unsigned long long)report.kept_last + 1,
                             (unsigned long long)m->promise.cut + 1);
        if (report.cut_bytes > 0 && !has_copies(m))
                machine_fail(m, "LOST", "a repair cut without a copy");
}

/* Change one byte of @name in the cache and on the media. */
static void spoil(struct machine *m, const char *name, uint64_t offset)
{
        uint8_t byte = 0, change = (uint8_t)(1 + rng_below(&m->rng, 255));
        size_t got = 0;
        char path[64];
        int directory, fd, r;

        machine_store_path(m, path);
        directory = os_open_directory(path);
        fd = os_open(directory, name, OS_WRITE, 0);
        r = os_read(fd, &byte, 1, offset, &got);
        byte ^= change;
        if (r == 0)
                r = os_write(fd, &byte, 1, offset);
        if (r == 0)
                r = os_sync_file(fd);
        if (r < 0)
                disk_refuse("a byte cannot be spoilt");
        os_close(fd);
        os_close(directory);
        machine_trace(m, "spoil %s at %llu", name, (unsigned long long)offset);
}

/* A byte of a segment that was written. False: there is none. */
static bool spoil_any(struct machine *m)
{
        struct names *names = &m->disk->now;
        uint32_t start = rng_below(&m->rng, names->count ? names->count : 1);

        for (uint32_t i = 0; i < names->count; i++) {
                uint32_t at = (start + i) % names->count;
                const char *name = names->list[at].text;
                uint32_t used = names->list[at].node->cache->used;
                size_t length = strlen(name);

                if (length == strlen("0000000001.log") && strcmp(name + length - 4, ".log") == 0 &&
                    used > 0) {
                        spoil(m, name, rng_below(&m->rng, used));
                        return true;
                }
        }
        return false;
}

/* Ask what a repair would keep, and hold it and every later opening to that. */
static void on_fault(void *context, const struct logstore_fault *fault)
{
        *(bool *)context |= fault->fatal;
}

void machine_promise_repair(struct machine *m)
{
        struct logstore_repair_report report;
        bool told = false;
        struct logstore_verify_hooks hooks = { on_fault, NULL, &told };
        char path[64];
        int r;

        machine_store_path(m, path);
        r = logstore_repair(path, 0, NULL, &hooks, &report);
        if (r < 0)
                machine_fail(m, "REFUSED", "a dry run of repair: %d (%s)", r, logstore_detail());
        if (!told) /* it was a byte that means nothing */
                return;
        disk_lock();
        m->promise.damaged = m->promise.truncating = true;
        m->promise.emptying = report.kept_last < m->promise.first_low;
        m->promise.cut = report.kept_last;
        /* The oldest segment is lost; behind it there may be none but an empty one. */
        if (report.kept_first > m->promise.first_high && report.kept_first <= report.kept_last + 1)
                m->promise.first_high = report.kept_first;
        disk_unlock();
}

void machine_spoil(struct machine *m)
{
        uint32_t crash_one_in = m->crash_one_in;

        m->disk->syncs_to_fail = 0;
        machine_watch(m, 0);
        machine_abandon(m);
        if (spoil_any(m))
                machine_promise_repair(m);
        machine_watch(m, crash_one_in);
        if (m->promise.damaged && m->faulty && rng_one_in(&m->rng, 2))
                m->disk->syncs_to_fail = 1 + rng_below(&m->rng, 2);
        machine_open(m, !m->promise.damaged && m->disk->syncs_failed == 0);
}
