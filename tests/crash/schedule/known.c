/*
 * known.c - the list
 */
#include "known.h"

#include <stddef.h>
#include <string.h>

static const char *const faults[] = {
        /* A reader writes the index of a segment that is trimmed meanwhile. */
        ".idx is left, its segment is gone",
        /* A segment is trimmed between the list of segments and the look at it. */
        "segments: a sound one is said to be damaged",
        /* A truncation to below the first record empties the log beside a read. */
        "no valid frame leads to the record",
        /* A power cut behind a truncation that has returned 0 brings back what it cut. */
        "of before the truncation to",
        "was cut by truncate_after",
        /* The keeper looks at the synced place, which a round in another thread is changing. */
        "race: a write in sync_conclude, a read in sync_by_policy",
        "race: a read in sync_by_policy, a write in sync_conclude",
};

bool known_fault(const char *verdict)
{
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
                if (strstr(verdict, faults[i]))
                        return true;
        return false;
}
