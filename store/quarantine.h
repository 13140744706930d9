/*
 * quarantine.h - what a repair cuts off is kept aside, durable
 *
 * There can be a hundred thousand files: their names are made durable all at once, at the end.
 */
#ifndef LOGSTORE_QUARANTINE_H
#define LOGSTORE_QUARANTINE_H

#include <stdint.h>

/* Copy file @name of the store into quarantine/ in it, under a name that is free there; its holes stay
 * holes. -EPERM: not a regular file, or quarantine is no directory. */
int quarantine_copy(int directory, const char *name);

/* Give it a second name there, or copy it where that cannot be. Only for what is durable, and not
 * written to any more, not even if the repair ends here: a file with two names is refused then. */
int quarantine_link(int directory, const char *name);

/* Move it there, whatever it is. Not for what somebody may have mapped as part of the log. */
int quarantine_move(int directory, const char *name);

/* How many bytes of it there are from @from on, up to the last that is not zero. */
int quarantine_measure(int directory, const char *name, uint64_t from, uint64_t *ret);

/* What was copied and moved so far survives a power cut, and so does that it is no more where it was. */
int quarantine_sync(int directory);

#endif
