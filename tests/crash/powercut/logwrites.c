/*
 * logwrites.c - read a log of block writes in dm-log-writes format
 */
#include "logwrites.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MAGIC UINT64_C(0x6a736677736872)

struct log_super {
        uint64_t magic;
        uint64_t version;
        uint64_t entries;
        uint32_t sector_bytes;
};

struct log_head {
        uint64_t sector;
        uint64_t sectors;
        uint64_t flags;
        uint64_t data_bytes;
};

static int map_log(const char *path, struct log_writes *log)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;
        void *map;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0 || st.st_size < (off_t)LOG_SECTOR_BYTES) {
                close(fd);
                return -EBADMSG;
        }
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        if (map == MAP_FAILED)
                return -errno;
        log->map = map;
        log->map_bytes = (size_t)st.st_size;
        return 0;
}

/* The entry at *at, which moves behind it. */
static int read_entry(const struct log_writes *log, size_t *at, struct log_entry *ret)
{
        struct log_head head;
        size_t data_bytes;

        if (*at + LOG_SECTOR_BYTES > log->map_bytes)
                return -EBADMSG;
        memcpy(&head, log->map + *at, sizeof(head));
        if (head.flags & LOG_DISCARD || head.sectors > log->map_bytes / LOG_SECTOR_BYTES)
                return -EBADMSG;
        data_bytes = head.sectors * LOG_SECTOR_BYTES;
        if (*at + LOG_SECTOR_BYTES + data_bytes > log->map_bytes)
                return -EBADMSG;
        *ret = (struct log_entry){ .sector = head.sector,
                                   .sectors = head.sectors,
                                   .flags = head.flags,
                                   .data = log->map + *at + LOG_SECTOR_BYTES };
        *at += LOG_SECTOR_BYTES + data_bytes;
        return 0;
}

int log_writes_open(const char *path, struct log_writes *ret)
{
        struct log_writes log = { 0 };
        struct log_super super;
        size_t at = LOG_SECTOR_BYTES;
        int r = map_log(path, &log);

        if (r < 0)
                return r;
        memcpy(&super, log.map, sizeof(super));
        if (super.magic != LOG_MAGIC || super.version != 1 ||
            super.sector_bytes != LOG_SECTOR_BYTES ||
            super.entries > log.map_bytes / LOG_SECTOR_BYTES) {
                log_writes_close(&log);
                return -EBADMSG;
        }
        log.entries = calloc(super.entries + 1, sizeof(*log.entries));
        for (; r == 0 && log.count < super.entries; log.count++)
                r = log.entries ? read_entry(&log, &at, &log.entries[log.count]) : -ENOMEM;
        if (r < 0) {
                log_writes_close(&log);
                return r;
        }
        *ret = log;
        return 0;
}

void log_writes_close(struct log_writes *log)
{
        if (log->map != NULL)
                munmap((void *)log->map, log->map_bytes);
        free(log->entries);
}
