/*
 * commit_name.c - names of commits, checkpoints and segments' objects
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "remote/commit.h"

#define SEQ_DIGITS 16

void commit_name(char name[COMMIT_NAME_BYTES], uint64_t seq)
{
        snprintf(name, COMMIT_NAME_BYTES, COMMIT_PREFIX "%016" PRIu64, COMMIT_SEQ_MAX - seq);
}

void checkpoint_name(char name[COMMIT_NAME_BYTES], uint64_t seq, uint64_t number)
{
        snprintf(name, COMMIT_NAME_BYTES, COMMIT_PREFIX "%016" PRIu64 "k-%" PRIu64,
                 COMMIT_SEQ_MAX - seq, number);
}

void segment_object_name(char name[BUCKET_NAME_MAX], const struct remote_entry *entry)
{
        snprintf(name, BUCKET_NAME_MAX,
                 SEGMENT_OBJECT_PREFIX "%010" PRIu64 "-%016" PRIx64 "-%u-%016" PRIx64 ".log%s",
                 entry->id, entry->salt, entry->term, entry->nonce,
                 entry->codec == CODEC_ZSTD ? ".zst" : "");
}

/* Digits alone, as they are written: no sign, no space, no zero before others unless padded. */
static bool read_digits(const char *text, size_t digits, uint64_t *ret)
{
        uint64_t value = 0;

        for (size_t i = 0; i < digits; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return false;
                value = value * 10 + (uint64_t)(text[i] - '0');
        }
        *ret = value;
        return digits > 0;
}

bool commit_name_read(const char *name, uint64_t *ret_seq, bool *ret_checkpoint,
                      uint64_t *ret_number)
{
        const char *digits = name + strlen(COMMIT_PREFIX), *behind;
        size_t length = strlen(name);
        uint64_t rest;

        if (length < strlen(COMMIT_PREFIX) + SEQ_DIGITS ||
            strncmp(name, COMMIT_PREFIX, strlen(COMMIT_PREFIX)) != 0 ||
            !read_digits(digits, SEQ_DIGITS, &rest) || rest >= COMMIT_SEQ_MAX)
                return false;
        behind = digits + SEQ_DIGITS;
        *ret_seq = COMMIT_SEQ_MAX - rest;
        *ret_checkpoint = *behind != '\0';
        *ret_number = 0;
        if (!*ret_checkpoint)
                return true;
        return strncmp(behind, "k-", 2) == 0 && strlen(behind + 2) <= 18 &&
               read_digits(behind + 2, strlen(behind + 2), ret_number);
}

struct newest {
        struct commit_listed listed;
        uint64_t cut_seq;                 /* the newest commit that sets the end back */
        const struct bucket_reply *reply; /* of the page that is told, or NULL */
        struct bucket_reply first;        /* of the one that had the newest commit */
};

enum { FOUND_BOTH = 1 };

static void note_commit(struct newest *newest, uint64_t seq, uint64_t size)
{
        if (newest->listed.seq == 0) {
                newest->listed.seq = seq;
                if (newest->reply)
                        newest->first = *newest->reply;
        }
        if (newest->cut_seq == 0 && size % 8 != 0)
                newest->cut_seq = seq;
}

static int note(void *context, const struct bucket_listed *listed)
{
        struct newest *newest = context;
        uint64_t seq, number;
        bool checkpoint;

        if (!commit_name_read(listed->name, &seq, &checkpoint, &number))
                return 0; /* somebody else's */
        if (!checkpoint)
                note_commit(newest, seq, listed->size);
        if (!checkpoint || newest->listed.seq < seq)
                return 0;
        newest->listed.checkpoint = seq;
        newest->listed.checkpoint_number = number;
        newest->listed.cut = newest->cut_seq > seq;
        return FOUND_BOTH;
}

int commit_list_newest(struct bucket *bucket, struct commit_listed *ret,
                       struct bucket_reply *ret_reply)
{
        struct newest newest = { .reply = ret_reply };
        int r = bucket_list(bucket, COMMIT_PREFIX, NULL, 1000, note, &newest, ret_reply);

        if (r < 0)
                return r;
        if (ret_reply && newest.listed.seq) /* later pages confirm nothing */
                *ret_reply = newest.first;
        *ret = newest.listed;
        return 0;
}

int commit_list_one(struct bucket *bucket, uint64_t *ret_seq)
{
        struct newest newest = { 0 };
        int r = bucket_list(bucket, COMMIT_PREFIX, NULL, 1, note, &newest, NULL);

        if (r >= 0 && newest.listed.seq == 0) /* somebody else's name, or nothing */
                r = commit_list_newest(bucket, &newest.listed, NULL);
        if (r < 0)
                return r;
        *ret_seq = newest.listed.seq;
        return 0;
}

int commit_find_newest(struct bucket *bucket, uint64_t *ret_seq, uint64_t *ret_checkpoint,
                       uint64_t *ret_checkpoint_number, struct bucket_reply *ret_reply)
{
        struct commit_listed listed;
        int r = commit_list_newest(bucket, &listed, ret_reply);

        if (r < 0)
                return r;
        *ret_seq = listed.seq;
        *ret_checkpoint = listed.checkpoint;
        *ret_checkpoint_number = listed.checkpoint_number;
        return 0;
}
