/*
 * control.h - the control page: what the store is, and its mark
 */
#ifndef LOGSTORE_CONTROL_H
#define LOGSTORE_CONTROL_H

#include <pthread.h>
#include <stdbool.h>

#include "format.h"
#include "os/memory.h"

struct control {
        struct map map;
        int fd, directory;
        struct os_stat file;                  /* identity of the file that was opened */
        struct control_page *page;            /* only the writer may store to it */
        pthread_mutex_t lock;                 /* in the writer: over what follows */
        struct control_slot current;          /* what was stored last */
        _Atomic uint64_t epoch, first_number; /* copies to look at without the lock */
};

/* Options of a new store. */
struct control_options {
        uint64_t segment_bytes;
        uint64_t first_number;
        uint32_t file_mode;
};

/* Write @page as the control file and complete the check of its static part. The file is synced
 * before it gets its name. The caller syncs the directory. Returns 0, CONTROL_NOT_FIRST if another
 * process gave its file the name before, or an error. */
enum { CONTROL_NOT_FIRST = 1 };
int control_write(int directory, struct control_page *page, uint32_t mode);

/* Create the control file, unless another process was first. It is synced under a temporary name
 * before it gets its own. The caller syncs the directory. A store exists once it has a control
 * file. */
int control_create(int directory, const struct control_options *options);

/* Open and map the control file. -ENOENT; -EPERM no regular file, or to write, one with a second
 * name; -EMEDIUMTYPE not a control file; -EPROTONOSUPPORT; -EBADMSG its static part is damaged, or
 * it is too short. */
int control_open(struct memory *memory, int directory, bool writable, struct control *ret);
void control_close(struct control *control);

/* Give the rights of the files that a writer makes: those in the page that a store may have. */
static inline uint32_t control_file_mode(const struct control_page *page)
{
        return 0600 | (page->fixed.file_mode & 0064);
}

static inline void control_slot_set_mark(struct control_slot *slot, uint64_t number, uint64_t id,
                                         uint64_t offset)
{
        slot->mark_number = number;
        slot->mark_id = id;
        slot->mark_offset = offset;
}

/* Copy the slot that counts to *ret. Beside a writer it tries again. -EBADMSG: neither is valid. */
int control_read(const struct control *control, struct control_slot *ret);

/* May a writer go on counting from the slot's epoch and generation? -EOVERFLOW: only a forger's are
 * so great, and no reader accepts those that would follow. */
int control_check_counts(const struct control_slot *slot);

/* Changes by the writer. control_adopt() takes over a slot. Each other call stores a new
 * generation, which is durable only after control_sync(). */
void control_adopt(struct control *control, const struct control_slot *slot);
void control_set_mark(struct control *control, uint64_t number, uint64_t id, uint64_t offset);
void control_set_flags(struct control *control, uint32_t set, uint32_t clear);
void control_set_first(struct control *control, uint64_t first_number);

void control_set_head(struct control *control, uint64_t epoch, uint64_t first_number,
                      uint64_t number, uint64_t id, uint64_t offset); /* all in one generation */
int control_sync(struct control *control);                            /* after control_held() */

/* Does the name still mean the file that the writer opened and locked? If somebody removed or
 * replaced it, another writer may have got in, and nothing may be acknowledged: -ENOENT. -EIO: the
 * file was cut. */
int control_held(const struct control *control);

/* Tell others which process writes. It is a hint. */
void control_set_writer(struct control *control);

/* In a writer, before it reads: take the page from the disk. After a failed sync the page cache may
 * show a first number, a mark or flags that the disk does not have. */
int control_believe_disk(struct control *control, int directory);

#endif
