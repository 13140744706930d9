/*
 * shipped.c - what shippers have noted in the store
 */
#include "records/shipped.h"

#include <string.h>

#define NAME "ship-0123456789abcdef" /* a hash of the place */

static int note(void *context, const struct logstore_position *position)
{
        uint64_t *shipped = context, number = position->number;

        if (position->error < 0 || !(position->flags & LOGSTORE_POSITION_FLOOR) ||
            strncmp(position->name, NAME, strlen("ship-")) != 0 ||
            strlen(position->name) != strlen(NAME))
                return 0;
        if (position->state == LOGSTORE_POSITION_CUT)
                number = position->resume_number;
        if (number - 1 < *shipped)
                *shipped = number - 1;
        return 0;
}

uint64_t shipped_number(struct logstore *store)
{
        uint64_t shipped = LOGSTORE_UNKNOWN;

        return logstore_position_list(store, note, &shipped) < 0 ? LOGSTORE_UNKNOWN : shipped;
}
