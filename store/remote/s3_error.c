/*
 * s3_error.c - what an answer that is no success means
 */
#include "remote/s3_error.h"

#include <errno.h>
#include <string.h>

#include "remote/remote_detail.h"
#include "remote/remote_xml.h"

#define EXPIRED 1

/* What the body says, if it is an <Error>. */
struct said {
        char code[80], message[320], region[64];
        bool is_error;
};

/* A code decides before the status does. */
static const struct {
        const char *code;
        int outcome;
} codes[] = {
        { "RequestTimeTooSkewed", -ETIME },
        { "NoSuchBucket", -ENOENT },
        { "QuotaExceeded", -ENOSPC },
        { "XMinioStorageFull", -ENOSPC },
        { "EntityTooLarge", -EMSGSIZE },
        { "ExpiredToken", EXPIRED },
        { "ExpiredTokenException", EXPIRED },
        { "TokenRefreshRequired", EXPIRED },
        { "RequestTimeout", -EAGAIN },
        { "NoSuchUpload", -EAGAIN }, /* completed or aborted by an earlier try: put it again */
        { "BadDigest", -EAGAIN },    /* harmed on its way */
        { "XAmzContentSHA256Mismatch", -EAGAIN },
        { "IncompleteBody", -EAGAIN },
        { "InternalError", -EAGAIN },
        { "SlowDown", -EAGAIN },
        { "ServiceUnavailable", -EAGAIN },
        { "OperationAborted", -EAGAIN },
        { "ConditionalRequestConflict", -EAGAIN },
        { "InvalidToken", -EACCES },
        { "InvalidAccessKeyId", -EACCES },
        { "SignatureDoesNotMatch", -EACCES },
        { "NotImplemented", -EOPNOTSUPP },
};

static const struct {
        int status, outcome;
} statuses[] = {
        { 401, -EACCES },     { 403, -EACCES }, { 404, -ENOENT }, { 405, -EOPNOTSUPP },
        { 408, -EAGAIN },     { 409, -EAGAIN }, { 412, -EEXIST }, { 413, -EMSGSIZE },
        { 416, -ERANGE },     { 425, -EAGAIN }, { 429, -EAGAIN }, { 501, -EOPNOTSUPP },
        { 505, -EOPNOTSUPP }, { 507, -ENOSPC },
};

static void take_text(const char *text, char *to, size_t room)
{
        size_t size = strlen(text) < room ? strlen(text) : room - 1;

        /* Not half a character. */
        while (size && size < strlen(text) && ((unsigned char)text[size] & 0xc0) == 0x80)
                size--;
        memcpy(to, text, size);
        to[size] = 0;
        for (unsigned char *c = (unsigned char *)to; *c; c++)
                if (*c < ' ' || *c == 127)
                        *c = ' ';
}

static int take(void *context, const char *path, const char *text)
{
        struct said *said = context;

        if (!text)
                said->is_error |= strcmp(path, "Error") == 0;
        else if (strcmp(path, "Error/Code") == 0)
                take_text(text, said->code, sizeof(said->code));
        else if (strcmp(path, "Error/Message") == 0)
                take_text(text, said->message, sizeof(said->message));
        else if (strcmp(path, "Error/Region") == 0)
                take_text(text, said->region, sizeof(said->region));
        return 0;
}

/* A proxy may answer in HTML, or with nothing. */
static void listen(const struct http_answer *answer, struct said *said)
{
        *said = (struct said){ 0 };
        if (!answer->body.size ||
            xml_read(text_string(&answer->body), answer->body.size, take, said) < 0)
                *said = (struct said){ 0 };
        if (!*said->region)
                take_text(answer->region, said->region, sizeof(said->region));
}

static int outcome_of(int status, const char *code)
{
        for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
                if (strcmp(codes[i].code, code) == 0)
                        return codes[i].outcome;
        for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
                if (statuses[i].status == status)
                        return statuses[i].outcome;
        return status >= 500 ? -EAGAIN : -EIO;
}

/* The text for @outcome. Regions are what people get wrong first. */
static int tell(int outcome, int status, const struct said *said, const char *region)
{
        const char *gap = *said->message ? ": " : "";

        if (*said->region && strcmp(said->region, region) != 0 &&
            (status == 301 || status == 307 || status == 400))
                return remote_detail(-EIO, "status %d: the bucket is in region %s, not in %s",
                                     status, said->region, region);
        if (status >= 300 && status < 400)
                return remote_detail(-EIO,
                                     "status %d: the server sends us elsewhere, which is not "
                                     "followed: %s%s%s",
                                     status, said->code, gap, said->message);
        if (strcmp(said->code, "NoSuchBucket") == 0)
                return remote_detail(outcome, "status %d: the server has no such bucket", status);
        if (outcome == -ETIME)
                return remote_detail(outcome,
                                     "status %d: this machine's clock differs too much from the "
                                     "server's: %s%s%s",
                                     status, said->code, gap, said->message);
        return remote_detail(outcome, "status %d%s%s%s%s", status, *said->code ? " " : "",
                             said->code, gap, said->message);
}

int s3_error(const struct http_answer *answer, const char *region)
{
        struct said said;

        listen(answer, &said);
        return tell(outcome_of(answer->status, said.code), answer->status, &said, region);
}

int s3_error_inside(const struct http_answer *answer, const char *region)
{
        struct said said;
        int r;

        listen(answer, &said);
        if (!said.is_error)
                return 0;
        r = outcome_of(500, said.code);
        return tell(r, answer->status, &said, region);
}

bool s3_error_is_bucket(const struct http_answer *answer)
{
        struct said said;

        listen(answer, &said);
        return strcmp(said.code, "NoSuchBucket") == 0;
}
