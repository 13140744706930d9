/*
 * quarantine.h - putting aside what a repair cuts off, durably
 *
 * There can be a hundred thousand files, so their names are made durable all at once, at the end.
 */
#ifndef LOGSTORE_QUARANTINE_H
#define LOGSTORE_QUARANTINE_H

#include <stdint.h>

/* Copy file @name of the store into its quarantine/, under a free name there. Holes stay holes.
 * -EPERM: it is no regular file, or quarantine is no directory. */
int quarantine_copy(int directory, const char *name);

/* Give the file a second name there, or copy it where that is impossible. Only for a durable file
 * that nobody writes to any more, not even if the repair ends here: a file with two names is
 * refused for writing. */
int quarantine_link(int directory, const char *name);

/* Move it there, whatever it is. Not for a file that somebody may have mapped as part of the
 * log. */
int quarantine_move(int directory, const char *name);

/* How many bytes the file has from @from to the last one that is not zero. */
int quarantine_measure(int directory, const char *name, uint64_t from, uint64_t *ret);

/* Make what went there durable, and that moved files have left the store's directory. */
int quarantine_sync(int directory);

#endif
