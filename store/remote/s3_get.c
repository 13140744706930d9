/*
 * s3_get.c - reading a range of an object
 *
 * What the answer's headers promise must be the very range that was asked for; else nothing of the
 * body reaches the sink.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"
#include "remote/s3.h"

struct range {
        uint64_t offset, size; /* size UINT64_MAX: to the end */
        bool asked;            /* with a header Range */
};

static int number(const char **at, uint64_t *ret)
{
        char *end;

        if (**at < '0' || **at > '9')
                return -1;
        errno = 0;
        *ret = strtoull(*at, &end, 10);
        *at = end;
        return errno ? -1 : 0;
}

static int skip(const char **at, const char *word)
{
        if (strncmp(*at, word, strlen(word)) != 0)
                return -1;
        *at += strlen(word);
        return 0;
}

/* "bytes FIRST-LAST/TOTAL" */
static int parse(const char *text, uint64_t *first, uint64_t *last, uint64_t *total)
{
        if (skip(&text, "bytes ") < 0 || number(&text, first) < 0 || skip(&text, "-") < 0 ||
            number(&text, last) < 0 || skip(&text, "/") < 0 || number(&text, total) < 0 || *text)
                return -1;
        return *first <= *last && *last < *total ? 0 : -1;
}

static int check_part(const struct range *range, const struct http_answer *answer, uint64_t *ret)
{
        uint64_t first, last, total, end;

        if (parse(answer->content_range, &first, &last, &total) < 0)
                return remote_detail(-EIO, "no or a bad Content-Range: \"%s\"",
                                     answer->content_range);
        end = range->size == UINT64_MAX ? total : range->offset + range->size;
        if (first == range->offset && last == total - 1 && total < end)
                return remote_detail(-ERANGE, "the object ends at %" PRIu64, total);
        if (first != range->offset || last + 1 != end)
                return remote_detail(-EIO, "another range came: \"%s\"", answer->content_range);
        if (answer->length >= 0 && (uint64_t)answer->length != last - first + 1)
                return remote_detail(-EIO, "Content-Length %" PRId64 " does not fit \"%s\"",
                                     answer->length, answer->content_range);
        *ret = last - first + 1;
        return 0;
}

static int begin(void *context, const struct http_answer *answer, uint64_t *ret_bytes)
{
        const struct range *range = context;

        if (answer->status == 206 && range->asked)
                return check_part(range, answer, ret_bytes);
        if (answer->status == 206 || (answer->status == 200 && range->asked))
                return remote_detail(-EIO, "status %d: the server did not heed the range",
                                     answer->status);
        if (answer->status != 200)
                return 1;
        if (answer->length < 0)
                return remote_detail(-EIO, "no Content-Length");
        *ret_bytes = (uint64_t)answer->length;
        return 0;
}

/* A whole object needs no range, and an empty one has none. */
int s3_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
           const struct bucket_sink *sink, struct bucket_reply *ret_reply)
{
        struct range range = { offset, size, size != UINT64_MAX || offset };
        struct s3_call call = { .s3 = (struct s3 *)bucket,
                                .method = "GET",
                                .name = name,
                                .job.request = {
                                        .begin = begin, .context = &range, .sink = sink } };
        char value[64];
        int r;

        if (size == UINT64_MAX)
                snprintf(value, sizeof(value), "bytes=%" PRIu64 "-", offset);
        else
                snprintf(value, sizeof(value), "bytes=%" PRIu64 "-%" PRIu64, offset,
                         offset + size - 1);
        if (range.asked)
                call.more[0] = (struct sign_header){ "range", value };
        r = s3_call(&call, ret_reply);
        s3_call_free(&call);
        return r;
}
