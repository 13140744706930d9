/*
 * tee.h - the input of append, copied to standard output once it was appended
 */
#ifndef TOOL_TEE_H
#define TOOL_TEE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buffer.h"

struct tee {
        struct buffer *out;
        char *held; /* of records taken and not appended yet: those of a batch that is not full */
        size_t held_bytes, held_capacity;
};

void tee_free(struct tee *tee); /* not the buffer */

/* These bytes of input were taken; with @appended, they and all held before are in the store.
 * 0 or -ENOMEM; what output meets stays in the buffer. */
int tee_take(struct tee *tee, const char *bytes, size_t count, bool appended);

/* All that is held was appended, or was refused. */
void tee_release(struct tee *tee);
void tee_drop(struct tee *tee);

#endif
