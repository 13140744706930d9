/*
 * control.c - the control page: what the store is, and its mark
 *
 * The writer stores the two slots in turn. Each lies in a sector of its own with a checksum. So a
 * torn write spoils one of them, and the other has the state before. The writer stores into a
 * mapping: to publish the mark after a round costs no system call. The mark is a lower bound, so it
 * does not matter when that page reaches the disk. Where it does matter (trim, seal, clean close),
 * the writer calls control_sync().
 */
#include "chain/control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "logstore.h"
#include "os/detail.h"
#include "os/file.h"
#include "segment/hash.h"

static uint64_t fixed_check(const struct control_static *fixed)
{
        return hash_seeded(0, fixed, offsetof(struct control_static, check));
}

static uint64_t slot_check(const struct control_slot *slot)
{
        return hash_seeded(0, slot, offsetof(struct control_slot, check));
}

int control_write(int directory, struct control_page *page, uint32_t mode)
{
        char temporary[48];
        uint32_t random;
        int fd, r = os_random(&random, sizeof(random));

        if (r < 0)
                return detail(r, "no random number: %s", logstore_error_text(r));
        page->fixed.check = fixed_check(&page->fixed);
        snprintf(temporary, sizeof(temporary), TEMPORARY_PREFIX CONTROL_NAME ".%08x", random);
        fd = os_open(directory, temporary, OS_WRITE | OS_CREATE, mode);
        if (fd < 0)
                return detail(fd, "%s: cannot create the file: %s", temporary,
                              logstore_error_text(fd));
        r = os_write(fd, page, sizeof(*page), 0);
        if (r == 0)
                r = os_sync_file(fd);
        if (os_close(fd) < 0 && r == 0)
                r = -EIO;
        if (r == 0)
                r = os_rename_fresh(directory, temporary, CONTROL_NAME);
        if (r == 0)
                return 0;
        os_unlink(directory, temporary);  /* if it stays, the next writer removes it */
        if (r == -EEXIST || r == -ENOENT) /* the first one may have removed our temporary file */
                return CONTROL_NOT_FIRST;
        return detail(r, CONTROL_NAME ": cannot write the file: %s", logstore_error_text(r));
}

int control_create(int directory, const struct control_options *options)
{
        struct control_page page = {
                .fixed = {
                        .magic = CONTROL_MAGIC,
                        .version = FORMAT_VERSION,
                        .file_mode = options->file_mode,
                        .compatible = FORMAT_COMPATIBLE,
                        .incompatible = FORMAT_INCOMPATIBLE,
                        .segment_bytes = options->segment_bytes,
                        .created_ns = os_now(),
                        .first_number = options->first_number,
                },
        };
        struct control_slot *slot = &page.slots[1].slot;
        int r;

        if (options->first_number > FIRST_NUMBER_MAX)
                return detail(-EINVAL, "first number %" PRIu64 ": at most %" PRIu64,
                              options->first_number, FIRST_NUMBER_MAX);
        r = os_random(page.fixed.uuid, sizeof(page.fixed.uuid));
        if (r < 0)
                return detail(r, "no random number: %s", logstore_error_text(r));
        slot->generation = 1;
        slot->mark_number = options->first_number - 1;
        slot->first_number = options->first_number;
        slot->check = slot_check(slot);
        r = control_write(directory, &page, options->file_mode);
        return r == CONTROL_NOT_FIRST ? 0 : r;
}

static int check_fixed(const struct control_static *fixed)
{
        if (memcmp(fixed->magic, CONTROL_MAGIC, sizeof(fixed->magic)) != 0)
                return damaged(-EMEDIUMTYPE, CONTROL_NAME, 0, 0, "not a logstore control file");
        if (fixed->version != FORMAT_VERSION)
                return detail(-EPROTONOSUPPORT,
                              CONTROL_NAME ": format version %u, this library knows %u: use a "
                                           "library that knows it",
                              fixed->version, FORMAT_VERSION);
        if (fixed->check != fixed_check(fixed))
                return damaged(-EBADMSG, CONTROL_NAME, 0, 0,
                               "the checksum of the first sector does not hold");
        if (fixed->incompatible & ~FORMAT_INCOMPATIBLE)
                return detail(-EPROTONOSUPPORT,
                              CONTROL_NAME ": incompatible flags %#x are unknown to this library",
                              fixed->incompatible & ~FORMAT_INCOMPATIBLE);
        if (fixed->segment_bytes < SEGMENT_BYTES_MIN || fixed->segment_bytes > SEGMENT_BYTES_MAX ||
            fixed->segment_bytes % GROW_BYTES != 0 || fixed->first_number == 0 ||
            fixed->first_number > NUMBER_MAX)
                return damaged(-EBADMSG, CONTROL_NAME, 0, 0, "impossible segment size or number");
        return 0;
}

int control_open(struct memory *memory, int directory, bool writable, struct control *ret)
{
        struct control control = { .directory = directory };
        const struct os_stat *st = &control.file;
        int r = 0;

        control.fd =
                file_open(directory, CONTROL_NAME, writable ? OS_WRITE : OS_READ, &control.file);
        if (control.fd < 0)
                return control.fd;
        if (st->bytes < sizeof(struct control_page))
                r = damaged(st->bytes < 8 ? -EMEDIUMTYPE : -EBADMSG, CONTROL_NAME, st->bytes, 0,
                            "the file was cut here, must be %zu bytes",
                            sizeof(struct control_page));
        if (r == 0)
                r = map_file(memory, control.fd, writable ? OS_SHARED_WRITE : OS_SHARED_READ,
                             sizeof(struct control_page), &control.map);
        if (r == 0) {
                control.page = control.map.base;
                r = check_fixed(&control.page->fixed);
        }
        if (r < 0) {
                control_close(&control);
                return r;
        }
        *ret = control;
        pthread_mutex_init(&ret->lock, NULL);
        return 0;
}

void control_close(struct control *control)
{
        map_close(&control->map);
        if (control->fd > 0)
                os_close(control->fd); /* synced before, where it matters */
        *control = (struct control){ .fd = -1 };
}

/* Bytes that no writer stores may have a right check. The slot then does not count. */
static bool slot_read(const struct control_page *page, int which, struct control_slot *ret)
{
        memcpy(ret, &page->slots[which].slot, sizeof(*ret));
        return ret->generation != 0 && ret->generation <= NUMBER_MAX &&
               ret->check == slot_check(ret) && ret->first_number >= page->fixed.first_number &&
               ret->first_number <= NUMBER_MAX && ret->mark_number <= NUMBER_MAX &&
               ret->mark_id <= ID_MAX && ret->epoch <= NUMBER_MAX &&
               ret->mark_offset % FRAME_ALIGN == 0;
}

int control_read(const struct control *control, struct control_slot *ret)
{
        struct control_slot slots[2];
        bool valid[2];

        /* A writer changes one slot at a time, so a further look finds a valid one. */
        for (int attempt = 0; attempt < 100; attempt++) {
                valid[0] = slot_read(control->page, 0, &slots[0]);
                valid[1] = slot_read(control->page, 1, &slots[1]);
                if (valid[0] || valid[1]) {
                        bool second = !valid[0] ||
                                      (valid[1] && slots[1].generation > slots[0].generation);
                        *ret = slots[second];
                        /* Pairs with the fence in store(): what the mark covers is seen. */
                        atomic_thread_fence(memory_order_acquire);
                        return 0;
                }
        }
        return detail(-EBADMSG, CONTROL_NAME ": offset %u: neither slot is valid", SECTOR_BYTES);
}

int control_check_counts(const struct control_slot *slot)
{
        if (slot->epoch <= COUNT_LAST && slot->generation <= COUNT_LAST)
                return 0;
        return detail(-EOVERFLOW, CONTROL_NAME ": the epoch or the generation is used up: copy the "
                                               "records to a new store");
}

/* Store the changed state as the next generation, into the other slot. */
static void store(struct control *control)
{
        struct control_slot *slot = &control->current;

        slot->generation++;
        slot->check = slot_check(slot);
        atomic_store(&control->epoch, slot->epoch);
        atomic_store(&control->first_number, slot->first_number);
        /* Pairs with the fence in control_read(). A reader is held to what the slot says. */
        atomic_thread_fence(memory_order_release);
        memcpy(&control->page->slots[slot->generation % 2].slot, slot, sizeof(*slot));
}

void control_adopt(struct control *control, const struct control_slot *slot)
{
        control->current = *slot;
        atomic_store(&control->epoch, slot->epoch);
        atomic_store(&control->first_number, slot->first_number);
}

void control_set_mark(struct control *control, uint64_t number, uint64_t id, uint64_t offset)
{
        pthread_mutex_lock(&control->lock);
        control_slot_set_mark(&control->current, number, id, offset);
        store(control);
        pthread_mutex_unlock(&control->lock);
}

void control_set_flags(struct control *control, uint32_t set, uint32_t clear)
{
        pthread_mutex_lock(&control->lock);
        control->current.flags = (control->current.flags | set) & ~clear;
        store(control);
        pthread_mutex_unlock(&control->lock);
}

void control_set_first(struct control *control, uint64_t first_number)
{
        pthread_mutex_lock(&control->lock);
        control->current.first_number = first_number;
        store(control);
        pthread_mutex_unlock(&control->lock);
}

void control_set_head(struct control *control, uint64_t epoch, uint64_t first_number,
                      uint64_t number, uint64_t id, uint64_t offset)
{
        pthread_mutex_lock(&control->lock);
        control->current.epoch = epoch;
        control->current.first_number = first_number;
        control_slot_set_mark(&control->current, number, id, offset);
        store(control);
        pthread_mutex_unlock(&control->lock);
}

int control_held(const struct control *control)
{
        struct os_stat named;
        int r = os_stat_name(control->directory, CONTROL_NAME, &named);

        if (r == -ENOENT || (r == 0 && !os_is_same(&named, &control->file)))
                return detail(-ENOENT,
                              CONTROL_NAME ": the file was %s while this process writes to the "
                                           "store, so another one may have begun to",
                              r < 0 ? "removed" : "replaced");
        if (r == 0 && (named.bytes < HEADER_BYTES || map_faulted(&control->map)))
                return detail(-EIO, CONTROL_NAME
                              ": the file was cut while this process writes to the store");
        return r < 0 ? detail(r, CONTROL_NAME ": cannot look at it: %s", logstore_error_text(r))
                     : 0;
}

int control_sync(struct control *control)
{
        int r = control_held(control);

        if (r < 0)
                return r;
        return detail_sync(map_sync(&control->map, control->map.bytes), CONTROL_NAME);
}

void control_set_writer(struct control *control)
{
        atomic_store(&control->page->writer_pid, (uint64_t)os_process_id());
}

int control_believe_disk(struct control *control, int directory)
{
        _Alignas(HEADER_BYTES) uint8_t disk[HEADER_BYTES];
        int r = os_sync_file(control->fd), fd;
        size_t got = 0;

        if (r < 0)
                return detail(r, CONTROL_NAME ": a sync before reading failed: %s: check the disk",
                              logstore_error_text(r));
        if (os_is_memory(control->fd) == 1)
                return 0;
        fd = os_open(directory, CONTROL_NAME, OS_READ | OS_DIRECT, 0);
        if (fd == -EINVAL)
                return 0; /* the file system has no O_DIRECT */
        r = fd < 0 ? fd : os_read(fd, disk, sizeof(disk), 0, &got);
        if (fd >= 0)
                os_close(fd);
        if (r < 0)
                return detail(r, CONTROL_NAME ": cannot read: %s", logstore_error_text(r));
        /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): a difference in padding counts */
        if (got == sizeof(disk) && memcmp(disk, control->page, sizeof(disk)) != 0)
                memcpy(control->page, disk, sizeof(disk));
        return 0;
}
