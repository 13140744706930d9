/*
 * oracle.c - what the workload was promised, kept outside the store in one 512-byte sector
 */
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void oracle_print(const struct oracle *oracle, char sector[ORACLE_BYTES])
{
        int at;

        memset(sector, 0, ORACLE_BYTES);
        at = snprintf(sector, ORACLE_BYTES,
                      "oracle acked=%" PRIu64 " trim=%" PRIu64 " trimmed=%" PRIu64 " cut=%" PRIu64
                      " cuts=%" PRIu64 " lives=%" PRIu32,
                      oracle->acked, oracle->trim, oracle->trimmed, oracle->cut, oracle->cuts,
                      oracle->lives);
        for (uint32_t i = 0; i < oracle->lives; i++)
                at += snprintf(sector + at, ORACLE_BYTES - (size_t)at, " %" PRIu64 ":%" PRIx64,
                               oracle->life[i].first, oracle->life[i].seed);
}

int oracle_parse(const char sector[ORACLE_BYTES], struct oracle *ret)
{
        struct oracle oracle = { 0 };
        char text[ORACLE_BYTES + 1];
        int at = 0;

        memcpy(text, sector, ORACLE_BYTES);
        text[ORACLE_BYTES] = 0;
        if (text[0] == 0) {
                *ret = oracle;
                return 0;
        }
        if (sscanf(text,
                   "oracle acked=%" SCNu64 " trim=%" SCNu64 " trimmed=%" SCNu64 " cut=%" SCNu64
                   " cuts=%" SCNu64 " lives=%" SCNu32 "%n",
                   &oracle.acked, &oracle.trim, &oracle.trimmed, &oracle.cut, &oracle.cuts,
                   &oracle.lives, &at) != 6 ||
            oracle.lives > ORACLE_LIVES_MAX)
                return -EBADMSG;
        for (uint32_t i = 0; i < oracle.lives; i++) {
                int used = 0;

                if (sscanf(text + at, " %" SCNu64 ":%" SCNx64 "%n", &oracle.life[i].first,
                           &oracle.life[i].seed, &used) != 2)
                        return -EBADMSG;
                at += used;
        }
        *ret = oracle;
        return 0;
}

int oracle_open(const char *path)
{
        struct stat st;
        int flags = O_RDWR | O_CREAT | O_CLOEXEC;
        int fd;

        if (stat(path, &st) == 0 && S_ISBLK(st.st_mode))
                flags = O_RDWR | O_DIRECT | O_CLOEXEC;
        fd = open(path, flags, 0600);
        return fd < 0 ? -errno : fd;
}

int oracle_load(int fd, uint64_t offset_bytes, struct oracle *ret)
{
        _Alignas(4096) char sector[ORACLE_BYTES] = { 0 };
        ssize_t n = pread(fd, sector, sizeof(sector), (off_t)offset_bytes);

        if (n < 0)
                return -errno;
        return oracle_parse(sector, ret);
}

int oracle_store(int fd, uint64_t offset_bytes, const struct oracle *oracle)
{
        _Alignas(4096) char sector[ORACLE_BYTES];
        ssize_t n;

        oracle_print(oracle, sector);
        n = pwrite(fd, sector, sizeof(sector), (off_t)offset_bytes);
        if (n < 0)
                return -errno;
        return n == (ssize_t)sizeof(sector) ? 0 : -EIO;
}

uint64_t oracle_seed(const struct oracle *oracle, uint64_t number)
{
        uint64_t seed = 0;

        for (uint32_t i = 0; i < oracle->lives && oracle->life[i].first <= number; i++)
                seed = oracle->life[i].seed;
        return seed;
}

/* Life i owns nothing if the next one begins where it began, or below what was trimmed. */
static void forget_lives(struct oracle *oracle, uint64_t first)
{
        uint32_t kept = 0;

        while (oracle->lives > 0 && oracle->life[oracle->lives - 1].first >= first)
                oracle->lives--;
        for (uint32_t i = 0; i < oracle->lives; i++)
                if (i + 1 == oracle->lives || oracle->life[i + 1].first > oracle->trimmed)
                        oracle->life[kept++] = oracle->life[i];
        oracle->lives = kept;
}

int oracle_begin_life(struct oracle *oracle, uint64_t first, uint64_t seed)
{
        forget_lives(oracle, first);
        if (oracle->lives == ORACLE_LIVES_MAX)
                return -ENOSPC;
        oracle->life[oracle->lives++] = (struct oracle_life){ .first = first, .seed = seed };
        return 0;
}

void oracle_begin_cut(struct oracle *oracle, uint64_t next)
{
        oracle->cut = next;
        oracle->cuts++;
}

bool oracle_cut_is_done(const struct oracle *oracle, uint64_t tail)
{
        return oracle->cut > 0 && tail == oracle->cut - 1;
}

void oracle_settle(struct oracle *oracle, uint64_t first, uint64_t tail)
{
        if (oracle_cut_is_done(oracle, tail)) {
                if (oracle->trim > tail + 1)
                        oracle->trim = tail + 1; /* nobody asked to trim what comes now */
                if (first == tail + 1)
                        oracle->trim = oracle->trimmed = first; /* all of the log was cut */
        }
        oracle->acked = tail;
        oracle->cut = 0;
}
