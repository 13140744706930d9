/*
 * tee.c - the input of append, copied to standard output once it was appended
 */
#include "records/tee.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void tee_free(struct tee *tee)
{
        free(tee->held);
        *tee = (struct tee){ 0 };
}

static int hold(struct tee *tee, const char *bytes, size_t count)
{
        size_t wanted = tee->held_bytes + count;

        if (wanted > tee->held_capacity) {
                size_t capacity = wanted * 2;
                char *held = realloc(tee->held, capacity);

                if (!held)
                        return -ENOMEM;
                tee->held = held;
                tee->held_capacity = capacity;
        }
        memcpy(tee->held + tee->held_bytes, bytes, count);
        tee->held_bytes = wanted;
        return 0;
}

int tee_take(struct tee *tee, const char *bytes, size_t count, bool appended)
{
        if (count == 0)
                return 0;
        if (!appended)
                return hold(tee, bytes, count);
        tee_release(tee);
        buffer_put(tee->out, bytes, count);
        return 0;
}

void tee_release(struct tee *tee)
{
        if (tee->held_bytes)
                buffer_put(tee->out, tee->held, tee->held_bytes);
        tee->held_bytes = 0;
}

void tee_drop(struct tee *tee)
{
        tee->held_bytes = 0;
}
