/*
 * guard.c - a SIGBUS inside a store mapping becomes an error of the call
 *
 * The handler marks the mapping as faulted and puts an anonymous page of zeros where the fault was.
 * The interrupted instruction then goes on. Zeros never validate as a frame, and a store into that
 * page reaches no file. The code asks map_faulted() afterwards, and learns that nothing read or
 * written counts. So no code path needs a jump out of the middle, and locks are released as always.
 *
 * State:  the table of mappings is process-wide because signal handlers are. The handler only
 *         reads it and calls mmap, sigaction and the handler that was there before. That is what
 *         a handler may do; mmap is a plain system call on Linux.
 * Others: a fault outside our calls or our mappings goes to the handler that was there.
 */
#include "os/guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "logstore.h"
#include "os/detail.h"
#include "os/os.h"

__thread int guard_depth;

static struct gate {
        _Atomic uintptr_t base; /* 0: free */
        _Atomic uintptr_t end;
} slots[GUARD_SLOTS];
_Atomic bool guard_faults[GUARD_SLOTS];
static _Atomic int slots_used; /* slots from here on were never used */
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction previous;
static bool installed;

int guard_add(void *base, size_t bytes)
{
        int slot = -1;

        pthread_mutex_lock(&slots_lock);
        for (int i = 0; i < GUARD_SLOTS && slot < 0; i++)
                if (atomic_load(&slots[i].base) == 0)
                        slot = i;
        if (slot >= 0) {
                atomic_store(&guard_faults[slot], false);
                atomic_store(&slots[slot].end, (uintptr_t)base + bytes);
                atomic_store(&slots[slot].base, (uintptr_t)base);
                if (slot >= atomic_load(&slots_used))
                        atomic_store(&slots_used, slot + 1);
        }
        pthread_mutex_unlock(&slots_lock);
        return slot;
}

void guard_remove(int slot)
{
        atomic_store(&slots[slot].base, 0);
}

void guard_lock(void)
{
        pthread_mutex_lock(&slots_lock);
}

void guard_unlock(bool forget)
{
        for (int i = 0; forget && i < GUARD_SLOTS; i++)
                atomic_store(&slots[i].base, 0);
        pthread_mutex_unlock(&slots_lock);
}

static struct gate *find(uintptr_t address)
{
        int used = atomic_load(&slots_used);

        for (int i = 0; i < used; i++) {
                uintptr_t base = atomic_load(&slots[i].base);
                if (base != 0 && address >= base && address < atomic_load(&slots[i].end))
                        return &slots[i];
        }
        return NULL;
}

static void pass_on(int signal, siginfo_t *info, void *context)
{
        if (previous.sa_flags & SA_SIGINFO) {
                previous.sa_sigaction(signal, info, context);
        } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
                /* The default action is back, so the instruction faults again, as it would without
                 * us. */
                struct sigaction plain = { .sa_handler = SIG_DFL };
                sigaction(signal, &plain, NULL);
        } else {
                previous.sa_handler(signal);
        }
}

/* The thread sanitizer takes mmap() for a store to the page, which nothing orders against the
 * threads that use it. So this is the system call itself. */
static bool map_zeros(uintptr_t address, size_t bytes)
{
        return syscall(SYS_mmap, address, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != -1;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
        uintptr_t page = os_page_bytes();
        uintptr_t address = (uintptr_t)info->si_addr;
        struct gate *slot = guard_depth > 0 ? find(address) : NULL;
        int saved = errno;

        /* Mark the mapping before the zeros: no thread sees the zeros without the mark. */
        if (slot)
                atomic_store(&guard_faults[slot - slots], true);
        if (!slot || !map_zeros(address & ~(page - 1), page))
                pass_on(signal, info, context);
        errno = saved;
}

int logstore_guard_sigbus(void)
{
        struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
        int r = 0;

        detail_clear();
        pthread_mutex_lock(&slots_lock);
        if (!installed && sigaction(SIGBUS, &action, &previous) < 0)
                r = detail(-errno, "cannot install the SIGBUS handler");
        else
                installed = true;
        pthread_mutex_unlock(&slots_lock);
        return r;
}
