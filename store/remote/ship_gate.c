/*
 * ship_gate.c - what the shippers of one process have in memory together
 *
 * An object on its way takes some MiB, and a tail twice its size. Where many stores are shipped,
 * objects wait for each other in front of the gate, and so do large tails. Small ones pass.
 */
#include <errno.h>
#include <stdlib.h>

#include "remote/ship_private.h"

#define SMALL_BYTES (UINT64_C(8) << 20) /* of all small tails together */
#define TAILS 2                         /* of 8 MiB at most, twice */

int ship_gate_new(unsigned objects, unsigned threads, struct ship_gate **ret)
{
        struct ship_gate *gate = malloc(sizeof(*gate));

        if (!gate)
                return remote_detail(-ENOMEM, "no memory for shippers");
        sem_init(&gate->objects, 0, objects);
        sem_init(&gate->tails, 0, TAILS);
        gate->small_bytes = SMALL_BYTES / threads;
        *ret = gate;
        return 0;
}

void ship_gate_free(struct ship_gate *gate)
{
        if (!gate)
                return;
        sem_destroy(&gate->objects);
        sem_destroy(&gate->tails);
        free(gate);
}

static sem_t *pass(sem_t *at)
{
        while (sem_wait(at) < 0 && errno == EINTR)
                ;
        return at;
}

sem_t *ship_gate_object(struct ship_gate *gate)
{
        return gate ? pass(&gate->objects) : NULL;
}

sem_t *ship_gate_tail(struct ship_gate *gate, uint64_t bytes)
{
        return gate && bytes > gate->small_bytes ? pass(&gate->tails) : NULL;
}

void ship_gate_leave(sem_t *passed)
{
        if (passed)
                sem_post(passed);
}
