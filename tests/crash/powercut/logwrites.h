/*
 * logwrites.h - read a log of block writes in dm-log-writes format, as QEMU's blklogwrites makes it
 *
 * Sector 0: magic, version, count of entries, sector bytes (64, 64, 64, 32 bits, little-endian).
 * Then entries: one sector of header (sector, sectors, flags, data length: 64 bits each), followed
 * by the sectors written, unless it is a flush or a discard.
 */
#ifndef POWERCUT_LOGWRITES_H
#define POWERCUT_LOGWRITES_H

#include <stddef.h>
#include <stdint.h>

#define LOG_SECTOR_BYTES 512u

enum log_flags {
        LOG_FLUSH = 1 << 0,
        LOG_FUA = 1 << 1,
        LOG_DISCARD = 1 << 2,
        LOG_MARK = 1 << 3,
};

struct log_entry {
        uint64_t sector;  /* of the device, in LOG_SECTOR_BYTES */
        uint64_t sectors; /* 0 for a pure flush */
        uint64_t flags;
        const uint8_t *data; /* inside the log's mapping */
};

struct log_writes {
        const uint8_t *map;
        size_t map_bytes;
        struct log_entry *entries;
        size_t count;
};

/* Map @path and list its entries. 0 or -errno; -EBADMSG: not such a log, or discards in it. */
int log_writes_open(const char *path, struct log_writes *ret);
void log_writes_close(struct log_writes *log);

#endif
