/*
 * copy.c - records of a log, copied one by one to a new store
 */
#include "care/copy.h"

int copy_begin(struct copy *copy, const char *path, const struct logstore_options *options)
{
        copy->next = options->first_number;
        return store_open_new(path, options, &copy->to);
}

/* A claim that is aborted is a void. */
int copy_voids(struct copy *copy, uint64_t until)
{
        struct logstore_claim claim;
        int r = 0;

        while (r == 0 && copy->next < until) {
                r = logstore_claim(copy->to, 0, &claim);
                if (r == 0)
                        r = logstore_abort(copy->to, &claim);
                copy->next++;
        }
        return r;
}

int copy_record(struct copy *copy, uint64_t number, int64_t time_ns, const void *data, size_t size)
{
        struct logstore_entry entry = { data, size, store_entry_time(time_ns) };
        int r = copy_voids(copy, number);

        if (r == 0)
                r = logstore_append_batch(copy->to, &entry, 1, NULL);
        copy->next = number + 1;
        return r;
}
