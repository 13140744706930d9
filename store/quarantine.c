/*
 * quarantine.c - durable copies of what a repair cuts off
 */
#include "quarantine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detail.h"
#include "logstore.h"
#include "os.h"

#define PIECE_BYTES (1u << 20)

static int open_quarantine(const char *path)
{
        char *name = malloc(strlen(path) + sizeof("/quarantine"));
        int r;

        if (!name)
                return detail(-ENOMEM, "no memory for a path");
        sprintf(name, "%s/quarantine", path);
        r = os_make_directory(name, 0700);
        if (r == -EEXIST)
                r = 0;
        if (r == 0)
                r = os_open_directory(name);
        if (r < 0)
                detail(r, "%s: cannot make the directory: %s", name, logstore_error_text(r));
        free(name);
        return r;
}

static int create_free(int quarantine, const char *name)
{
        char numbered[64];
        int fd = -EEXIST;

        for (int i = 0; fd == -EEXIST && i < 1000; i++) {
                snprintf(numbered, sizeof(numbered), "%s.%d", name, i);
                fd = os_open(quarantine, numbered, OS_WRITE | OS_CREATE, 0600);
        }
        return fd;
}

static int copy_bytes(int from, int to)
{
        char *piece = malloc(PIECE_BYTES);
        size_t got = PIECE_BYTES;
        int r = piece ? 0 : -ENOMEM;

        for (uint64_t at = 0; r == 0 && got == PIECE_BYTES; at += got) {
                r = os_read(from, piece, PIECE_BYTES, at, &got);
                if (r == 0)
                        r = os_write(to, piece, got, at);
        }
        free(piece);
        return r < 0 ? r : os_sync_file(to);
}

int quarantine_copy(int directory, const char *path, const char *name)
{
        int quarantine = open_quarantine(path), from, to, r;

        if (quarantine < 0)
                return quarantine;
        from = os_open(directory, name, OS_READ, 0);
        to = from < 0 ? from : create_free(quarantine, name);
        r = to < 0 ? to : copy_bytes(from, to);
        if (to >= 0 && os_close(to) < 0 && r == 0)
                r = -EIO;
        if (from >= 0)
                os_close(from); /* only read */
        if (r == 0)
                r = os_sync_directory(quarantine);
        if (r == 0)
                r = os_sync_directory(directory);
        os_close(quarantine); /* synced */
        return r < 0 ? detail(r, "%s: cannot copy to quarantine: %s", name, logstore_error_text(r))
                     : 0;
}
