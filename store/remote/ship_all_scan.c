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
        for (size_t i = 0; i < all->count; i++)
                if (strcmp(all->stores[i]->name, name) == 0)
                        return true;
        return false;
}

static int make_room(struct logstore_ship_all *all)
{
        size_t room = all->room ? 2 * all->room : 64;
        struct ship_store **stores;

        if (all->count < all->room)
                return 0;
        stores = reallocarray(all->stores, room, sizeof(*stores));
        if (!stores)
                return remote_detail(-ENOMEM, "no memory for another store");
        all->stores = stores;
        all->room = room;
        return 0;
}

static int add(struct logstore_ship_all *all, const char *name)
{
        struct ship_store *store;
        int r = make_room(all);

        if (r < 0)
                return r;
        store = calloc(1, sizeof(*store) + strlen(name) + 1);
        if (!store)
                return remote_detail(-ENOMEM, "no memory for another store");
        memcpy(store->name, name, strlen(name) + 1);
        all->stores[all->count++] = store;
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
        size_t kept = 0;

        for (size_t i = 0; i < all->count; i++) {
                struct ship_store *store = all->stores[i];

                if (store->busy || is_store(parent, store->name))
                        all->stores[kept++] = store;
                else
                        ship_store_free(store);
        }
        all->count = kept;
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
