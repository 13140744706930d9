/*
 * ship_all_scan.c - which stores there are
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "remote/ship_all.h"

void ship_store_free(struct ship_store *store)
{
        if (!store)
                return;
        logstore_ship_close(store->ship);
        free(store);
}

static bool is_known(const struct logstore_ship_all *all, const char *name)
{
        for (const struct ship_store *store = all->first; store; store = store->next)
                if (strcmp(store->name, name) == 0)
                        return true;
        return false;
}

static int add(struct logstore_ship_all *all, const char *name)
{
        struct ship_store *store = calloc(1, sizeof(*store) + strlen(name) + 1);

        if (!store)
                return remote_detail(-ENOMEM, "no memory for another store");
        memcpy(store->name, name, strlen(name) + 1);
        store->next = all->first;
        all->first = store;
        all->report.stores++;
        return 0;
}

/* Its control file: what makes a directory a store. */
static bool find_control(int parent, const char *name, struct stat *ret)
{
        char control[300];

        if (name[0] == '.' || strlen(name) > sizeof(control) - sizeof("/" CONTROL_NAME))
                return false;
        snprintf(control, sizeof(control), "%s/" CONTROL_NAME, name);
        return fstatat(parent, control, ret, 0) == 0;
}

int ship_store_note(const struct logstore_ship_all *all, struct ship_store *store)
{
        int parent = open(all->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st = { 0 };
        bool found;

        if (parent < 0)
                return remote_detail(-errno, "%s: cannot open: %s", all->parent, strerror(errno));
        found = find_control(parent, store->name, &st);
        close(parent); /* only read */
        if (!found)
                return remote_detail(-ENOENT, "%s/%s: it has gone", all->parent, store->name);
        store->device = st.st_dev;
        store->inode = st.st_ino;
        return 0;
}

/* A store that was removed and made anew, or restored, goes by its name like any other; but who has
 * it open sees the old one. */
static bool is_there(int parent, const struct ship_store *store)
{
        struct stat st;

        return find_control(parent, store->name, &st) &&
               (!store->ship || (st.st_dev == store->device && st.st_ino == store->inode));
}

/* With the lock. One that is being shipped is looked at the next time. */
static void drop_gone(struct logstore_ship_all *all, int parent)
{
        struct ship_store **link = &all->first;

        while (*link) {
                struct ship_store *store = *link;

                if (store->busy || is_there(parent, store)) {
                        link = &store->next;
                        continue;
                }
                *link = store->next;
                all->report.stores--;
                ship_store_free(store);
        }
}

int ship_all_scan(struct logstore_ship_all *all)
{
        int fd = open(all->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *parent = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        struct stat st;
        int r = 0;

        if (!parent) {
                r = remote_detail(-errno, "%s: cannot read the directory: %s", all->parent,
                                  strerror(errno));
                if (fd >= 0)
                        close(fd); /* only read */
                return r;
        }
        pthread_mutex_lock(&all->lock);
        drop_gone(all, fd);
        while (r == 0 && (entry = readdir(parent)))
                if (find_control(fd, entry->d_name, &st) && !is_known(all, entry->d_name))
                        r = add(all, entry->d_name);
        pthread_mutex_unlock(&all->lock);
        closedir(parent);
        return r;
}
