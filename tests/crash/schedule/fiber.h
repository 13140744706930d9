/*
 * fiber.h - a thread's stack, registers and thread-local variables, without a thread
 *
 * All fibers run in one kernel thread. The program's thread-local variables are in one place; a
 * switch copies them out and in. They must be zero at the start of a thread, as the store's are.
 */
#ifndef SCHEDULE_FIBER_H
#define SCHEDULE_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#define FIBER_STACK_BYTES ((size_t)512 << 10)

struct fiber {
        void *stack_pointer;
        char *stack; /* NULL: the program's own */
        char *locals;
        int saved_errno;
};

/* Memory of an earlier use is used again. @entry must not return. */
void fiber_make(struct fiber *fiber, void (*entry)(void));
void fiber_switch(struct fiber *from, struct fiber *to);

/* Is it on the running fiber's stack, or a thread-local variable: nobody else's business? */
bool fiber_owns(const struct fiber *running, const void *address);

/* Return addresses from a fiber's frames, innermost first; how many. @frame: where the running one
 * stands, NULL: the fiber does not run. */
unsigned fiber_stack(const struct fiber *fiber, const void *frame, const void **ret, unsigned most);

#endif
