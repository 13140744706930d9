/*
 * ceph_library.c - the functions of librados, which is loaded when a bucket needs it first
 */
#include "remote/ceph_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "remote/remote_detail.h"

#define LIBRARY "librados.so.2"

struct ceph_library librados;

static const struct {
        const char *name;
        size_t offset;
} calls[] = {
#define CALL(name) { "rados_" #name, offsetof(struct ceph_library, name) },
        CEPH_LIBRARY_CALLS(CALL)
#undef CALL
};

static int load(void)
{
        void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

        if (!library)
                return remote_detail(-EOPNOTSUPP, "cannot load librados: %s", dlerror());
        for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
                void *call = dlsym(library, calls[i].name);

                if (!call)
                        return remote_detail(-EOPNOTSUPP, "%s is too old: it lacks %s", LIBRARY,
                                             calls[i].name);
                memcpy((char *)&librados + calls[i].offset, &call, sizeof(call));
        }
        return 0;
}

int ceph_library_load(void)
{
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static bool loaded;
        int r = 0;

        pthread_mutex_lock(&lock);
        if (!loaded)
                r = load();
        loaded = r == 0;
        pthread_mutex_unlock(&lock);
        return r;
}
