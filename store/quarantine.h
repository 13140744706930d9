/*
 * quarantine.h - durable copies of what a repair cuts off
 */
#ifndef LOGSTORE_QUARANTINE_H
#define LOGSTORE_QUARANTINE_H

/* Copy file @name of the store into quarantine/ in it, under a name that is free there; its holes stay
 * holes. -EPERM: not a regular file, or quarantine is no directory. */
int quarantine_copy(int directory, const char *name);

/* Move it there, whatever it is. Not for what somebody may have mapped as part of the log. */
int quarantine_move(int directory, const char *name);

#endif
