/*
 * position.c - the files of named positions: two slots each, under one lock
 *
 * Set:    the slot that does not count is written with the next generation and synced. A crash
 *         tears that slot at most, and the old one counts. Setters take turns by the lock, so two
 *         of them never write into one slot.
 * Create: both slots under a temporary name, synced, renamed, both directories synced. A process
 *         that is killed before the last step leaves generation 1. So does one that was not killed,
 *         and the next set syncs the directories once more.
 * Trust:  a slot counts if its check holds and it names this store and its own file.
 */
#include "position/position.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "logstore.h"
#include "os/detail.h"
#include "os/file.h"
#include "segment/hash.h"

#define FOLDER POSITIONS_NAME
#define TEMPORARY ".new." /* no position's name begins with a dot */
#define LOCK_PAUSE_NS INT64_C(500000)
#define READ_TRIES 10 /* beside a setter that sets again and again */

bool position_name_valid(const char *name)
{
        size_t size = strlen(name);

        return size > 0 && size < POSITION_NAME_BYTES && name[0] != '.' &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
                       size;
}

/* ---- the lock and the folder ---- */

int position_lock(int directory, int64_t wait_ns, int *ret)
{
        int64_t until = os_monotonic() + wait_ns;
        /* A descriptor of its own: the lock belongs to the open file, not to the process. */
        int fd = os_open(directory, ".", OS_READ, 0), r;

        if (fd < 0)
                return detail(fd, "cannot open the directory: %s", logstore_error_text(fd));
        r = os_hold(fd);
        while (r == -EAGAIN && os_monotonic() < until) {
                os_sleep(LOCK_PAUSE_NS);
                r = os_hold(fd);
        }
        if (r == 0) {
                *ret = fd;
                return 0;
        }
        os_close(fd); /* nothing was written */
        if (r == -EAGAIN)
                return detail(-EBUSY, "another process is setting a position, or letting go of "
                                      "segments: try again");
        return detail(r, "cannot lock the directory: %s", logstore_error_text(r));
}

/* A child that was forked meanwhile has the descriptor, too: let go of the lock for both. */
void position_unlock(int lock)
{
        (void)os_release(lock);
        os_close(lock); /* nothing was written */
}

int position_folder(int directory)
{
        struct os_stat st;
        int fd = os_open(directory, FOLDER, OS_READ, 0), r;

        if (fd == -ENOENT)
                return detail(fd, FOLDER ": no position was ever set");
        r = fd < 0 ? fd : os_stat(fd, &st);
        if (r == 0 && st.directory)
                return fd;
        if (fd >= 0)
                os_close(fd); /* nothing was written */
        if (r == 0)
                r = -EPERM;
        return detail(r, FOLDER ": %s",
                      r == -EPERM ? "not a directory: put it somewhere else"
                                  : logstore_error_text(r));
}

static int make_folder(int directory, uint32_t mode)
{
        int r = os_make_directory(directory, FOLDER, mode | (mode & 0444) >> 2);

        if (r < 0 && r != -EEXIST)
                return detail(r, FOLDER ": cannot make the directory: %s", logstore_error_text(r));
        return position_folder(directory);
}

/* ---- slots ---- */

static uint64_t slot_check(const struct position_slot *slot)
{
        return hash_seeded(0, slot, offsetof(struct position_slot, check));
}

static bool is_possible(const struct position_slot *slot)
{
        bool placed = slot->segment_id == 0
                              ? slot->offset == 0
                              : slot->segment_id <= ID_MAX && slot->offset >= FRAMES_OFFSET &&
                                        slot->offset <= SEGMENT_BYTES_MAX;

        return placed && slot->offset % FRAME_ALIGN == 0 && slot->generation != 0 &&
               slot->generation <= NUMBER_MAX && slot->number != 0 &&
               slot->number <= NUMBER_MAX + 1 && slot->epoch <= NUMBER_MAX && slot->limit_ns >= 0;
}

/* Returns 0 if the slot counts. -EMEDIUMTYPE, -EPROTONOSUPPORT, -EBADMSG: why not. -ENODATA: there
 * is nothing. */
static int judge(const struct position_slot *slot, const uint8_t uuid[16], const char *name)
{
        if (memcmp(slot->magic, POSITION_MAGIC, sizeof(slot->magic)) != 0)
                return -ENODATA;
        if (slot->check != slot_check(slot))
                return -EBADMSG;
        if (slot->version != FORMAT_VERSION || slot->flags & ~POSITION_FLAGS)
                return -EPROTONOSUPPORT;
        if (memcmp(slot->uuid, uuid, sizeof(slot->uuid)) != 0 ||
            strncmp(slot->name, name, sizeof(slot->name)) != 0)
                return -EMEDIUMTYPE;
        return is_possible(slot) ? 0 : -EBADMSG;
}

static int tell(const char *name, int error)
{
        switch (error) {
        case -EPROTONOSUPPORT:
                return detail(error, FOLDER "/%s: another version: use a library that knows it",
                              name);
        case -EMEDIUMTYPE:
                return detail(error,
                              FOLDER "/%s: the position belongs to another store or has another "
                                     "name: remove it",
                              name);
        case -ENODATA:
                return detail(-EMEDIUMTYPE, FOLDER "/%s: not a position: remove it", name);
        default:
                return detail(-EBADMSG,
                              FOLDER "/%s: damaged, neither slot is valid: set it anew or remove "
                                     "it",
                              name);
        }
}

/* What tells the more of two slots that do not count. */
static int worse(int a, int b)
{
        static const int order[] = { -EPROTONOSUPPORT, -EBADMSG, -EMEDIUMTYPE };

        for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
                if (a == order[i] || b == order[i])
                        return order[i];
        return -ENODATA;
}

static int read_once(int fd, const uint8_t uuid[16], const char *name, struct position_slot *ret)
{
        struct position_slot slots[2] = { 0 };
        int verdict[2];
        size_t got = 0;
        int r = os_read(fd, slots, sizeof(slots), 0, &got);

        if (r < 0)
                return detail(r, FOLDER "/%s: cannot read: %s", name, logstore_error_text(r));
        verdict[0] = judge(&slots[0], uuid, name);
        verdict[1] = judge(&slots[1], uuid, name);
        if (verdict[0] == -EPROTONOSUPPORT || verdict[1] == -EPROTONOSUPPORT ||
            (verdict[0] < 0 && verdict[1] < 0))
                return tell(name, worse(verdict[0], verdict[1]));
        *ret = slots[verdict[0] < 0 ||
                     (verdict[1] == 0 && slots[1].generation > slots[0].generation)];
        return 0;
}

static int open_position(int folder, const char *name, int flags)
{
        struct os_stat st;
        int fd = file_open(folder, name, flags, &st);

        if (fd == -ENOENT)
                return detail(fd, FOLDER ": there is no position %s", name);
        return fd < 0 ? detail_prefix(fd, FOLDER) : fd;
}

int position_read(int folder, const uint8_t uuid[16], const char *name, struct position_slot *ret)
{
        int fd = open_position(folder, name, OS_READ), r = -EBADMSG;

        if (fd < 0)
                return fd;
        for (int i = 0; r == -EBADMSG && i < READ_TRIES; i++)
                r = read_once(fd, uuid, name, ret);
        os_close(fd); /* only read */
        return r;
}

/* ---- setting ---- */

static int remove_temporary(void *context, const char *name)
{
        if (strncmp(name, TEMPORARY, strlen(TEMPORARY)) == 0)
                (void)os_unlink(*(int *)context, name); /* it does no harm */
        return 0;
}

static int sync_names(int directory, int folder)
{
        int r = os_sync_directory(folder);

        if (r == 0)
                r = os_sync_directory(directory);
        return detail_sync_directory(r, FOLDER);
}

static int write_both(int folder, const char *temporary, uint32_t mode,
                      const struct position_slot *slot)
{
        struct position_slot slots[2] = { 0 };
        int fd = os_open(folder, temporary, OS_WRITE | OS_CREATE, mode), r;

        if (fd < 0)
                return fd;
        slots[slot->generation % 2] = *slot;
        r = os_write(fd, slots, sizeof(slots), 0);
        if (r == 0)
                r = os_sync_file(fd);
        if (os_close(fd) < 0 && r == 0)
                r = -EIO;
        return r;
}

static int create(int directory, int folder, uint32_t mode, struct position_slot *slot)
{
        char temporary[sizeof(TEMPORARY) + POSITION_NAME_BYTES];
        int r;

        (void)os_list(folder, remove_temporary, &folder); /* of setters that were killed */
        slot->generation = 1;
        slot->check = slot_check(slot);
        snprintf(temporary, sizeof(temporary), TEMPORARY "%s", slot->name);
        r = write_both(folder, temporary, mode, slot);
        if (r == 0)
                r = os_rename(folder, temporary, slot->name);
        if (r == 0)
                return sync_names(directory, folder);
        os_unlink(folder, temporary); /* if it stays, the next one removes it */
        return detail(r, FOLDER "/%s: cannot write: %s", slot->name, logstore_error_text(r));
}

static int overwrite(int folder, struct position_slot *slot)
{
        int fd = open_position(folder, slot->name, OS_WRITE), r;

        if (fd < 0)
                return fd;
        slot->check = slot_check(slot);
        r = os_write(fd, slot, sizeof(*slot), slot->generation % 2 * sizeof(*slot));
        if (r == 0)
                r = os_sync_data(fd);
        os_close(fd); /* synced */
        return r < 0 ? detail(r, FOLDER "/%s: cannot write: %s", slot->name, logstore_error_text(r))
                     : 0;
}

int position_write(int directory, uint32_t mode, struct position_slot *slot)
{
        int folder = make_folder(directory, mode), r;
        struct position_slot current;

        if (folder < 0)
                return folder;
        memcpy(slot->magic, POSITION_MAGIC, sizeof(slot->magic));
        slot->version = FORMAT_VERSION;
        r = position_read(folder, slot->uuid, slot->name, &current);
        if (r == -ENOENT || r == -EBADMSG) {
                r = create(directory, folder, mode, slot);
        } else if (r == 0) {
                slot->generation = current.generation + 1;
                if (current.generation == 1) /* its maker may have been killed before it did */
                        r = sync_names(directory, folder);
                if (r == 0)
                        r = overwrite(folder, slot);
        }
        os_close(folder); /* synced */
        return r;
}

int position_remove(int directory, const char *name)
{
        int folder = position_folder(directory), r;

        if (folder < 0)
                return folder;
        r = os_unlink(folder, name);
        if (r == -ENOENT)
                detail(r, FOLDER ": there is no position %s", name);
        else if (r < 0)
                detail(r, FOLDER "/%s: cannot remove: %s", name, logstore_error_text(r));
        if (r == 0)
                r = detail_sync_directory(os_sync_directory(folder), FOLDER);
        os_close(folder); /* synced */
        return r;
}
