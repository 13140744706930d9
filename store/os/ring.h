/*
 * ring.h - io_uring: syncs and reads that go on while the caller does something else
 */
#ifndef LOGSTORE_RING_H
#define LOGSTORE_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring;

/* -ENOSYS, -EPERM, -ENOMEM, ...: there is none here; use a thread or plain reads. */
int ring_new(unsigned entries, struct ring **ret);
void ring_free(struct ring *ring);

/* Signal @eventfd at each completion. */
int ring_notify(struct ring *ring, int eventfd);

/* Queue one operation. -EBUSY: the ring is full, submit and reap first. */
int ring_sync(struct ring *ring, int fd, uint64_t offset, uint64_t bytes, uint64_t tag);
int ring_read(struct ring *ring, int fd, void *buffer, size_t bytes, uint64_t offset, uint64_t tag);

/* Start what is queued; returns how many. */
int ring_submit(struct ring *ring);

/* Sleep until there is a completion to take. -ETIMEDOUT: none came in @timeout_ns (-1: for ever).
 * It changes nothing, so it is the only call that may run beside another. */
int ring_wait(struct ring *ring, int64_t timeout_ns);

/* Take one completion. Returns RING_TAKEN, with *ret_tag and *ret_result (negative errno or count),
 * RING_NONE if there is none yet, or an error. With @wait it sleeps until there is one. */
enum { RING_NONE, RING_TAKEN };
int ring_reap(struct ring *ring, int wait, uint64_t *ret_tag, int *ret_result);

#endif
