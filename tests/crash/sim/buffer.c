/*
 * buffer.c - one large reservation cut into equal slots; what was freed last is used first
 */
#include "buffer.h"

#include <string.h>
#include <sys/mman.h>

#define SLOTS 16384u

static uint8_t *region;
static struct buffer slots[SLOTS];
static uint32_t free_slots[SLOTS], free_count;

static void reserve(void)
{
        region = mmap(NULL, (size_t)SLOTS * DISK_FILE_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (region == MAP_FAILED)
                disk_refuse("no memory for file contents");
        madvise(region, (size_t)SLOTS * DISK_FILE_BYTES, MADV_NOHUGEPAGE);
        for (uint32_t i = 0; i < SLOTS; i++) {
                slots[i].bytes = region + (size_t)i * DISK_FILE_BYTES;
                free_slots[free_count++] = SLOTS - 1 - i;
        }
}

/* Leaves what the last user left there. */
static struct buffer *take(void)
{
        struct buffer *buffer;

        if (!region)
                reserve();
        if (free_count == 0)
                disk_refuse("too many file contents at once");
        buffer = &slots[free_slots[--free_count]];
        buffer->refs = 1;
        buffer->owner = NULL;
        return buffer;
}

struct buffer *buffer_new(void)
{
        struct buffer *buffer = take();

        memset(buffer->bytes, 0, buffer->used);
        buffer->used = 0;
        return buffer;
}

struct buffer *buffer_get(struct buffer *buffer)
{
        buffer->refs++;
        return buffer;
}

void buffer_put(struct buffer *buffer)
{
        if (!buffer || --buffer->refs > 0)
                return;
        buffer->owner = NULL;
        free_slots[free_count++] = (uint32_t)(buffer - slots);
}

void buffer_own(struct buffer **buffer)
{
        struct buffer *old = *buffer, *copy;

        if (old->refs == 1)
                return;
        copy = take();
        buffer_read(copy->bytes, old->bytes, old->used);
        if (copy->used > old->used)
                memset(copy->bytes + old->used, 0, copy->used - old->used);
        copy->used = old->used;
        old->refs--;
        *buffer = copy;
}

void buffer_use(struct buffer *buffer, uint64_t end)
{
        uint64_t whole = (end + DISK_PAGE_BYTES - 1) / DISK_PAGE_BYTES * DISK_PAGE_BYTES;

        if (whole > DISK_FILE_BYTES)
                disk_refuse("a file larger than the simulator has");
        if (buffer->used < whole)
                buffer->used = (uint32_t)whole;
}

struct buffer *buffer_at(const void *address, uint64_t *ret_offset)
{
        const uint8_t *at = address;
        uint64_t distance;

        if (!region || at < region || at >= region + (size_t)SLOTS * DISK_FILE_BYTES)
                return NULL;
        distance = (uint64_t)(at - region);
        *ret_offset = distance % DISK_FILE_BYTES;
        return &slots[distance / DISK_FILE_BYTES];
}

#ifdef __SANITIZE_THREAD__
/* Nothing orders a device and the threads that write to the memory it reads. */
__attribute__((no_sanitize("thread"))) void buffer_read(void *to, const void *from, size_t bytes)
{
        for (size_t i = 0; i < bytes; i++)
                ((volatile uint8_t *)to)[i] = ((const volatile uint8_t *)from)[i];
}

__attribute__((no_sanitize("thread"))) bool buffer_differs(const void *now, const void *then,
                                                           size_t bytes)
{
        for (size_t i = 0; i < bytes; i++)
                if (((const volatile uint8_t *)now)[i] != ((const volatile uint8_t *)then)[i])
                        return true;
        return false;
}
#else
void buffer_read(void *to, const void *from, size_t bytes)
{
        memcpy(to, from, bytes);
}

bool buffer_differs(const void *now, const void *then, size_t bytes)
{
        return memcmp(now, then, bytes) != 0;
}
#endif
