/*
 * quarantine.c - putting aside what a repair cuts off: linked, copied or moved, and durable
 */
#include "care/quarantine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "logstore.h"
#include "os/detail.h"
#include "os/file.h"
#include "os/os.h"

#define QUARANTINE "quarantine"
#define PIECE_BYTES (1u << 20)
#define NAMES_MAX 1000 /* for one file */

/* Open quarantine/ in the store, and make it if it is missing. A symlink is refused: it may lead
 * anywhere. */
static int open_quarantine(int directory)
{
        struct os_stat st = { 0 };
        int r = os_make_directory(directory, QUARANTINE, 0700), fd;

        if (r < 0 && r != -EEXIST)
                return detail(r, QUARANTINE ": cannot make the directory: %s",
                              logstore_error_text(r));
        fd = os_open(directory, QUARANTINE, OS_READ, 0);
        r = fd < 0 ? fd : os_stat(fd, &st);
        if (r == 0 && !st.directory)
                r = -EPERM;
        if (r == 0)
                return fd;
        if (fd >= 0)
                os_close(fd); /* nothing was written */
        return detail(r, QUARANTINE ": %s",
                      r == -EPERM ? "not a directory: put it somewhere else, what is cut goes into "
                                    "one of that name"
                                  : logstore_error_text(r));
}

static int create_free(int quarantine, const char *name)
{
        char numbered[64];
        int fd = -EEXIST;

        for (int i = 0; fd == -EEXIST && i < NAMES_MAX; i++) {
                snprintf(numbered, sizeof(numbered), "%s.%d", name, i);
                fd = os_open(quarantine, numbered, OS_WRITE | OS_CREATE, 0600);
        }
        return fd;
}

static int copy_piece(int from, int to, char *piece, uint64_t at, uint64_t end)
{
        int r = 0;

        while (r == 0 && at < end) {
                size_t bytes = end - at < PIECE_BYTES ? end - at : PIECE_BYTES, got;

                r = os_read(from, piece, bytes, at, &got);
                if (r == 0)
                        r = os_write(to, piece, got, at);
                at += got ? got : bytes; /* 0: the file was cut meanwhile */
        }
        return r;
}

/* Copy data and leave holes: a file can be far longer than its disk. */
static int copy_bytes(int from, uint64_t bytes, int to)
{
        char *piece = malloc(PIECE_BYTES);
        uint64_t at = 0, end = 0;
        int r = piece ? 0 : -ENOMEM;

        while (r == 0 && (r = os_next_data(from, end, &at, &end)) == 0)
                r = copy_piece(from, to, piece, at, end);
        free(piece);
        if (r == -ENXIO)
                r = os_grow(to, bytes);
        return r < 0 ? r : os_sync_file(to);
}

/* Move *used behind the last byte from @at to before @end that is not zero, if there is one. */
static int find_used(int fd, char *piece, uint64_t at, uint64_t end, uint64_t *used)
{
        int r = 0;

        while (r == 0 && end > at) {
                size_t bytes = end - at < PIECE_BYTES ? end - at : PIECE_BYTES, got = 0;

                r = os_read(fd, piece, bytes, end -= bytes, &got);
                for (; r == 0 && got > 0; got--)
                        if (piece[got - 1] != 0) {
                                *used = end + got;
                                return 0;
                        }
        }
        return r;
}

int quarantine_measure(int directory, const char *name, uint64_t from, uint64_t *ret)
{
        uint64_t at = 0, end = from, used = from;
        int fd = file_open(directory, name, OS_READ, NULL), r = fd;
        char *piece = malloc(PIECE_BYTES);

        if (fd >= 0)
                r = piece ? 0 : -ENOMEM;
        while (r == 0 && (r = os_next_data(fd, end, &at, &end)) == 0)
                r = find_used(fd, piece, at, end, &used);
        free(piece);
        if (fd >= 0)
                os_close(fd); /* only read */
        *ret = used - from;
        return r == -ENXIO ? 0 : r;
}

static int finish(int quarantine, const char *name, int r)
{
        os_close(quarantine); /* only names were changed */
        return r < 0 ? detail(r, QUARANTINE ": cannot take %s: %s", name, logstore_error_text(r))
                     : 0;
}

int quarantine_sync(int directory)
{
        int quarantine = open_quarantine(directory), r;

        if (quarantine < 0)
                return quarantine;
        r = os_sync_directory(quarantine);
        if (r == 0)
                r = os_sync_directory(directory);
        os_close(quarantine); /* synced */
        return detail_sync(r, QUARANTINE);
}

int quarantine_copy(int directory, const char *name)
{
        int quarantine = open_quarantine(directory), from, to, r;
        struct os_stat st;

        if (quarantine < 0)
                return quarantine;
        from = file_open(directory, name, OS_READ, &st);
        to = from < 0 ? from : create_free(quarantine, name);
        r = to < 0 ? to : copy_bytes(from, st.bytes, to);
        if (to >= 0 && os_close(to) < 0 && r == 0)
                r = -EIO;
        if (from >= 0)
                os_close(from); /* only read */
        return finish(quarantine, name, r);
}

static int link_free(int directory, int quarantine, const char *name)
{
        char numbered[64];
        int r = -EEXIST;

        for (int i = 0; r == -EEXIST && i < NAMES_MAX; i++) {
                snprintf(numbered, sizeof(numbered), "%s.%d", name, i);
                r = os_link(directory, name, quarantine, numbered);
        }
        return r;
}

int quarantine_link(int directory, const char *name)
{
        int quarantine = open_quarantine(directory), r;

        if (quarantine < 0)
                return quarantine;
        r = link_free(directory, quarantine, name);
        os_close(quarantine); /* only names were changed */
        return r == 0 ? 0 : quarantine_copy(directory, name);
}

int quarantine_move(int directory, const char *name)
{
        int quarantine = open_quarantine(directory), r = -EEXIST;
        char numbered[64];

        if (quarantine < 0)
                return quarantine;
        for (int i = 0; r == -EEXIST && i < NAMES_MAX; i++) {
                snprintf(numbered, sizeof(numbered), "%s.%d", name, i);
                r = os_move(directory, name, quarantine, numbered);
        }
        return finish(quarantine, name, r);
}
