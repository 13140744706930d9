/*
 * control.h - the control page: what the store is, and its durable mark
 */
#ifndef LOGSTORE_CONTROL_H
#define LOGSTORE_CONTROL_H

#include <pthread.h>
#include <stdbool.h>

#include "format.h"
#include "memory.h"

struct control {
        struct map map;
        int fd, directory;
        struct os_stat file;                  /* which file that is */
        struct control_page *page;            /* writable only for the writer */
        pthread_mutex_t lock;                 /* writer: over what follows */
        struct control_slot current;          /* what was stored last */
        _Atomic uint64_t epoch, first_number; /* copies, for a look without the lock */
};

/* What a new store is made with. */
struct control_options {
        uint64_t segment_bytes;
        uint64_t first_number;
        uint32_t file_mode;
};

/* Write @page as the control file, complete with the check of its static part, synced before it gets its
 * name. 1: another process was first. The caller syncs the directory. */
int control_write(int directory, struct control_page *page, uint32_t mode);

/* Create the file under a temporary name of its own, synced, and give it its name, unless another
 * process was first; the caller syncs the directory. A store exists once it has a control file. */
int control_create(int directory, const struct control_options *options);

/* -ENOENT; -EMEDIUMTYPE not a control file; -EPROTONOSUPPORT; -EBADMSG its static part is damaged,
 * or it is too short. */
int control_open(struct memory *memory, int directory, bool writable, struct control *ret);
void control_close(struct control *control);

/* Rights of the files that a writer makes: of what the page says, those that a store may have. */
static inline uint32_t control_file_mode(const struct control_page *page)
{
        return 0600 | (page->fixed.file_mode & 0064);
}

/* Copy the slot that counts to *ret. -EBADMSG: neither is valid. Beside a writer it retries. */
int control_read(const struct control *control, struct control_slot *ret);

/* May a writer go on counting from the epoch and the generation? -EOVERFLOW: only a forger's are so
 * great, and behind them are those that no reader accepts. */
int control_check_counts(const struct control_slot *slot);

/* Changes by the writer: each stores a new generation, durable after control_sync() only. */
void control_adopt(struct control *control, const struct control_slot *slot);
void control_set_mark(struct control *control, uint64_t number, uint64_t id, uint64_t offset);
void control_set_flags(struct control *control, uint32_t set, uint32_t clear);
void control_set_first(struct control *control, uint64_t first_number);

void control_set_head(struct control *control, uint64_t epoch, uint64_t first_number,
                      uint64_t number, uint64_t id, uint64_t offset); /* all at once */
int control_sync(struct control *control);                            /* after control_held() */

/* Does the name still mean the file that the writer opened, and locked? If somebody removed or
 * replaced it, another writer may have got in: nothing may be acknowledged. -ENOENT with detail. */
int control_held(const struct control *control);

/* Tell others which process writes: a hint. */
void control_set_writer(struct control *control);

/* A writer, before it reads: after a failed sync the page cache shows a first number, a mark or flags
 * that the disk does not have. */
int control_believe_disk(struct control *control, int directory);

#endif
