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

static bool is_store(int parent, const char *name)
{
        char control[300];

        if (name[0] == '.' || strlen(name) > sizeof(control) - sizeof("/" CONTROL_NAME))
                return false;
        snprintf(control, sizeof(control), "%s/" CONTROL_NAME, name);
        return faccessat(parent, control, F_OK, 0) == 0;
}

/* With the lock. One that is being shipped is looked at the next time. */
static void drop_gone(struct logstore_ship_all *all, int parent)
{
        struct ship_store **link = &all->first;

        while (*link) {
                struct ship_store *store = *link;

                if (store->busy || is_store(parent, store->name)) {
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
                if (is_store(fd, entry->d_name) && !is_known(all, entry->d_name))
                        r = add(all, entry->d_name);
        pthread_mutex_unlock(&all->lock);
        closedir(parent);
        return r;
}
