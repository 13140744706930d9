/*
 * fiber.c - switching between stacks
 */
#include "fiber.h"

#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

static char *locals;
static size_t locals_bytes;

/* Callee-saved registers go onto the old stack and come from the new one. */
void fiber_swap(void **from, void *to);
__asm__(".text\n.globl fiber_swap\n.hidden fiber_swap\n.type fiber_swap,@function\n"
        "fiber_swap:\n"
        " push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
        " mov %rsp,(%rdi)\n mov %rsi,%rsp\n"
        " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n"
        ".size fiber_swap,.-fiber_swap\n");

static int find_locals(struct dl_phdr_info *object, size_t bytes, void *context)
{
        (void)bytes, (void)context;
        for (int i = 0; i < object->dlpi_phnum; i++)
                if (object->dlpi_phdr[i].p_type == PT_TLS) {
                        locals_bytes = object->dlpi_phdr[i].p_memsz;
                        locals = object->dlpi_tls_data;
                }
        return 1; /* the program itself comes first; the libraries' stay shared */
}

static void *memory(size_t bytes)
{
        void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (p == MAP_FAILED)
                abort();
        return p;
}

static void need_locals(struct fiber *fiber)
{
        if (!locals)
                dl_iterate_phdr(find_locals, NULL);
        if (!fiber->locals)
                fiber->locals = memory(locals_bytes + 1);
}

void fiber_make(struct fiber *fiber, void (*entry)(void))
{
        void **top;

        need_locals(fiber);
        for (size_t i = 0; i < locals_bytes; i++)
                fiber->locals[i] = 0;
        if (!fiber->stack)
                fiber->stack = memory(FIBER_STACK_BYTES);
        top = (void **)(void *)(fiber->stack + FIBER_STACK_BYTES - 64);
        *--top = NULL; /* the caller of @entry: none */
        *--top = (void *)(uintptr_t)entry;
        for (int i = 0; i < 6; i++)
                *--top = NULL;
        fiber->stack_pointer = top;
        fiber->saved_errno = 0;
}

/* Byte by byte: memcpy belongs to what is observed. */
static void copy(char *to, const char *from, size_t bytes)
{
        for (size_t i = 0; i < bytes; i++)
                ((volatile char *)to)[i] = from[i];
}

void fiber_switch(struct fiber *from, struct fiber *to)
{
        need_locals(from);
        from->saved_errno = errno;
        copy(from->locals, locals, locals_bytes);
        copy(locals, to->locals, locals_bytes);
        errno = to->saved_errno;
        fiber_swap(&from->stack_pointer, to->stack_pointer);
}

bool fiber_owns(const struct fiber *running, const void *address)
{
        uintptr_t at = (uintptr_t)address;

        if (at - (uintptr_t)locals < locals_bytes || address == &errno)
                return true;
        if (running->stack)
                return at - (uintptr_t)running->stack < FIBER_STACK_BYTES;
        return at - (uintptr_t)__builtin_frame_address(0) < ((uintptr_t)1 << 20);
}

unsigned fiber_stack(const struct fiber *fiber, const void *frame, const void **ret, unsigned most)
{
        const uintptr_t *at = frame ? frame : ((void **)fiber->stack_pointer)[5]; /* its %rbp */
        uintptr_t low = (uintptr_t)fiber->stack, high = low + FIBER_STACK_BYTES - 96;
        unsigned n = 0;

        if (!fiber->stack)
                return 0;
        while (n < most && (uintptr_t)at >= low && (uintptr_t)at < high && at[1] != 0) {
                ret[n++] = (const void *)(at[1] - 1);
                at = (const uintptr_t *)at[0];
        }
        return n;
}
