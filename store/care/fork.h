/*
 * fork.h - what a child of fork(2) must not inherit
 */
#ifndef LOGSTORE_FORK_H
#define LOGSTORE_FORK_H

struct logstore;

/* Keep the lock's descriptor out of children. Otherwise they would hold the store locked after our
 * end. */
int fork_register(struct logstore *store);
void fork_unregister(struct logstore *store);

/* Between these two no child is made. So no child has a descriptor of the lock that its handler
 * does not know. */
void fork_hold(void);
void fork_release(void);

#endif
