/*
 * fork.c - what a child of fork(2) must not inherit
 *
 * Writable mappings are MADV_DONTFORK. A page marked MADV_WIPEONFORK tells a child that it is one.
 * That leaves the lock: it lives as long as any copy of its descriptor, so a handler closes it in
 * the child.
 *
 * The handlers also lock the library's global state across the fork: this list, the list of stores
 * that the end of a thread walks, and the guard's table. The child then forgets what belongs to its
 * parent. So neither a thread that ends in the child nor a fault there touches the parent's stores.
 */
#include "care/fork.h"

#include <pthread.h>

#include "store.h"

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct logstore *list;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;

static void before(void)
{
        pthread_mutex_lock(&list_lock);
        claims_lock_stores();
        guard_lock();
}

static void in_parent(void)
{
        guard_unlock(false);
        claims_unlock_stores(false);
        pthread_mutex_unlock(&list_lock);
}

static void in_child(void)
{
        for (struct logstore *store = list; store; store = store->next_store)
                if (store->lock_fd >= 0)
                        os_close(store->lock_fd);
        list = NULL;
        guard_unlock(true);
        claims_unlock_stores(true);
        pthread_mutex_unlock(&list_lock);
}

static void install(void)
{
        once_error = pthread_atfork(before, in_parent, in_child);
}

int fork_register(struct logstore *store)
{
        pthread_once(&once, install);
        if (once_error)
                return detail(-once_error, "cannot install a fork handler");
        pthread_mutex_lock(&list_lock);
        store->next_store = list;
        list = store;
        pthread_mutex_unlock(&list_lock);
        return 0;
}

void fork_hold(void)
{
        pthread_mutex_lock(&list_lock);
}

void fork_release(void)
{
        pthread_mutex_unlock(&list_lock);
}

void fork_unregister(struct logstore *store)
{
        pthread_mutex_lock(&list_lock);
        for (struct logstore **at = &list; *at; at = &(*at)->next_store)
                if (*at == store) {
                        *at = store->next_store;
                        break;
                }
        pthread_mutex_unlock(&list_lock);
}
