/*
 * quarantine.h - durable copies of what a repair cuts off
 */
#ifndef LOGSTORE_QUARANTINE_H
#define LOGSTORE_QUARANTINE_H

/* Copy file @name of the store into quarantine/ beside it, under a name that is free there. */
int quarantine_copy(int directory, const char *path, const char *name);

#endif
