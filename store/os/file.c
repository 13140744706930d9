/*
 * file.c - opening one of a store's files: a regular file that nobody else has
 */
#include "os/file.h"

#include "logstore.h"
#include "os/detail.h"

static int check(const char *name, int flags, const struct os_stat *st)
{
        if (!st->regular)
                return detail(-EPERM, "%s: not a regular file", name);
        if (flags & OS_WRITE && st->links > 1)
                return detail(-EPERM,
                              "%s: the file has %u names (hard links), and writing would change it "
                              "under each: put a copy in its place (cp -p %s new.copy; mv new.copy "
                              "%s)",
                              name, st->links, name, name);
        return 0;
}

int file_open(int directory, const char *name, int flags, struct os_stat *ret)
{
        struct os_stat st;
        int fd = os_open(directory, name, flags, 0), r;

        if (fd == -ENOENT)
                return detail(fd, "%s: the file is missing", name);
        if (fd < 0)
                return detail(fd, "%s: cannot open: %s", name,
                              fd == -EPERM ? "not a regular file" : logstore_error_text(fd));
        r = os_stat(fd, &st);
        r = r < 0 ? detail(r, "%s: cannot stat: %s", name, logstore_error_text(r))
                  : check(name, flags, &st);
        if (r < 0) {
                os_close(fd); /* nothing was written */
                return r;
        }
        if (ret)
                *ret = st;
        return fd;
}
