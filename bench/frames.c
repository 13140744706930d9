/*
 * frames.c - the bare work on frames, without a store around it: what the limits are made of
 *
 * Writing is a header, a memcpy and one XXH3 over time and payload, as the format demands (and in
 * the same fast form that the store uses), and nothing else. Reading
 * maps the store's own files and walks from commit word to commit word.
 */
#include "bench.h"
#include "format.h"
#include "segment/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct hash_key key;

/* Any seed, but none that the compiler could know. */
static void key_init(void)
{
        key.seed = now_ns();
        XXH3_generateSecret_fromSeed(key.secret, key.seed);
}

uint8_t *memory_ready(uint64_t bytes)
{
        uint8_t *p;

        key_init();
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                 -1, 0);

        return p == MAP_FAILED ? NULL : p;
}

uint64_t frame_bytes(size_t record_bytes)
{
        return (FRAME_HEADER_BYTES + record_bytes + FRAME_ALIGN - 1) & ~(uint64_t)(FRAME_ALIGN - 1);
}

static uint64_t frame_hash(const struct frame *frame, size_t size)
{
        return hash_bytes(&key, &frame->time_ns, sizeof(frame->time_ns) + size);
}

uint8_t *frame_put(uint8_t *at, const void *data, size_t size, uint32_t ordinal)
{
        struct frame *frame = (struct frame *)at;
        uint32_t word = (uint32_t)size | FRAME_RECORD << FRAME_KIND_SHIFT;

        frame->ordinal = ordinal;
        frame->time_ns = ordinal;
        memcpy(frame->payload, data, size);
        frame->check = frame_hash(frame, size) ^ word * CHECK_WORD_FACTOR;
        atomic_store_explicit(&frame->commit, word, memory_order_release); /* no partner */
        return at + frame_bytes(size);
}

static int segments_only(const struct dirent *entry)
{
        size_t length = strlen(entry->d_name);

        return length > 4 && strcmp(entry->d_name + length - 4, ".log") == 0 &&
               entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
}

static int file_map(const char *dir, const char *name, struct iovec *ret)
{
        char path[4096];
        struct stat s;
        void *p;
        int fd, r = 0;

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &s) < 0)
                r = -errno;
        p = r < 0 ? MAP_FAILED
                  : mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
        if (r == 0 && p == MAP_FAILED)
                r = -errno;
        close(fd);
        if (r == 0)
                *ret = (struct iovec){ p, (size_t)s.st_size };
        return r;
}

int frames_map(const char *dir, struct iovec **ret_files, size_t *ret_count)
{
        struct dirent **names;
        int r = 0, count = scandir(dir, &names, segments_only, alphasort);
        struct iovec *files;

        if (count < 0)
                return -errno;
        key_init();
        files = calloc((size_t)count + 1, sizeof(*files));
        for (int i = 0; i < count; i++) {
                if (r == 0)
                        r = files ? file_map(dir, names[i]->d_name, &files[i]) : -ENOMEM;
                free(names[i]);
        }
        free(names);
        if (r < 0) {
                free(files);
                return r;
        }
        *ret_files = files;
        *ret_count = (size_t)count;
        return 0;
}

void frames_walk(const struct iovec *file, bool verified, struct frame_sum *sum)
{
        const uint8_t *at = file->iov_base, *end = at + file->iov_len;

        at += HEADER_BYTES;
        while (at + FRAME_HEADER_BYTES <= end) {
                const struct frame *frame = (const struct frame *)at;
                uint32_t word = atomic_load_explicit(&frame->commit, memory_order_relaxed);
                uint32_t size = word & FRAME_SIZE_MASK, kind = word >> FRAME_KIND_SHIFT;

                if (word == 0)
                        break;
                if (kind == FRAME_PAD) {
                        at += size;
                        continue;
                }
                if (!verified) /* halves the time of one load a frame; a hash would be slower */
                        __builtin_prefetch(at + frame_bytes(size) + 64);
                if (kind != FRAME_VOID && frame->ordinal != 0) {
                        sum->records++;
                        sum->sum += verified ? frame_hash(frame, size) : frame->payload[0];
                }
                at += frame_bytes(size);
        }
        sum->bytes += (uint64_t)(at - (const uint8_t *)file->iov_base);
}
