/*
 * ring.c - io_uring: syncs and reads that go on while the caller does something else
 *
 * A thin layer over liburing, so that nothing above knows its structures. Where io_uring is missing
 * or forbidden, as in many containers, ring_new() says so at once. Two threads must not use a ring
 * at a time, except for ring_wait(): the owner's lock guards it.
 */
#include "os/ring.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

struct ring {
        struct io_uring uring;
};

int ring_new(unsigned entries, struct ring **ret)
{
        struct ring *ring = malloc(sizeof(*ring)); /* 216 bytes, not worth an account */
        int r;

        if (!ring)
                return -ENOMEM;
        r = io_uring_queue_init(entries, &ring->uring, 0);
        if (r < 0) {
                free(ring);
                return r;
        }
        *ret = ring;
        return 0;
}

void ring_free(struct ring *ring)
{
        if (!ring)
                return;
        io_uring_queue_exit(&ring->uring);
        free(ring);
}

int ring_notify(struct ring *ring, int eventfd)
{
        return io_uring_register_eventfd(&ring->uring, eventfd);
}

int ring_sync(struct ring *ring, int fd, uint64_t offset, uint64_t bytes, uint64_t tag)
{
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

        if (!sqe)
                return -EBUSY;
        io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
        sqe->off = offset;
        sqe->len = (uint32_t)(bytes <= UINT32_MAX ? bytes : 0); /* 0: to the end of the file */
        io_uring_sqe_set_data64(sqe, tag);
        return 0;
}

int ring_read(struct ring *ring, int fd, void *buffer, size_t bytes, uint64_t offset, uint64_t tag)
{
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

        if (!sqe)
                return -EBUSY;
        io_uring_prep_read(sqe, fd, buffer, (unsigned)bytes, offset);
        io_uring_sqe_set_data64(sqe, tag);
        return 0;
}

int ring_submit(struct ring *ring)
{
        int r;

        do
                r = io_uring_submit(&ring->uring);
        while (r == -EINTR);
        return r;
}

int ring_wait(struct ring *ring, int64_t timeout_ns)
{
        struct timespec timeout = { timeout_ns / 1000000000, timeout_ns % 1000000000 };
        struct pollfd completed = { .fd = ring->uring.ring_fd, .events = POLLIN };
        int r = ppoll(&completed, 1, timeout_ns < 0 ? NULL : &timeout, NULL);

        if (r < 0)
                return errno == EINTR ? 0 : -errno;
        return r == 0 ? -ETIMEDOUT : 0;
}

int ring_reap(struct ring *ring, int wait, uint64_t *ret_tag, int *ret_result)
{
        struct io_uring_cqe *cqe;
        int r;

        do
                r = wait ? io_uring_wait_cqe(&ring->uring, &cqe)
                         : io_uring_peek_cqe(&ring->uring, &cqe);
        while (r == -EINTR);
        if (r == -EAGAIN)
                return RING_NONE;
        if (r < 0)
                return r;
        *ret_tag = io_uring_cqe_get_data64(cqe);
        *ret_result = cqe->res;
        io_uring_cqe_seen(&ring->uring, cqe);
        return RING_TAKEN;
}
