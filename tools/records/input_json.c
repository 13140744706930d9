/*
 * input_json.c - a line of JSON as a record: its data and its time
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json_line.h"
#include "lib/text.h"
#include "lib/times.h"
#include "records/input_private.h"

static int scratch_room(struct input *in, size_t size)
{
        char *scratch;

        if (size <= in->scratch_capacity)
                return 0;
        scratch = realloc(in->scratch, size);
        if (!scratch)
                return -ENOMEM;
        in->scratch = scratch;
        in->scratch_capacity = size;
        return 0;
}

static int json_time(const struct json_member *member, int64_t *ret)
{
        char text[64];
        const char *data;
        size_t size;
        json_t *owner;
        int r = json_line_string(member, &owner, &data, &size);

        if (r < 0)
                return r;
        if (size < sizeof(text) && !memchr(data, 0, size)) {
                memcpy(text, data, size);
                text[size] = 0;
                r = time_parse_fixed(text, ret);
        } else {
                r = -EINVAL;
        }
        json_decref(owner);
        if (r < 0 || *ret == LOGSTORE_TIME_ZERO) /* which stands for another one */
                return r < 0 ? r : -ERANGE;
        if (*ret == 0)
                *ret = LOGSTORE_TIME_ZERO; /* 0 would be now */
        return 0;
}

static int json_data(struct input *in, const struct json_member *member, bool base64,
                     struct logstore_entry *ret)
{
        const char *data;
        json_t *owner;
        size_t size;
        int r = json_line_string(member, &owner, &data, &size);

        if (r < 0)
                return r;
        ret->data = data;
        ret->size = size;
        if (base64 || owner) {
                r = scratch_room(in, size + 1);
                if (r == 0 && base64)
                        r = text_base64_decode(in->scratch, data, size, &ret->size);
                else if (r == 0)
                        memcpy(in->scratch, data, size);
                ret->data = in->scratch;
        }
        json_decref(owner);
        return r;
}

static int json_entry(struct input *in, const char *line, size_t size, struct logstore_entry *ret)
{
        enum { DATA, BASE64, TIME, COUNT };
        struct json_member members[COUNT] = { { .name = "data" },
                                              { .name = "data_b64" },
                                              { .name = "time" } };
        const char *wrong = json_line_find(line, size, members, COUNT);
        bool base64 = members[BASE64].value;
        int r;

        if (wrong)
                return input_problem(in, -EBADMSG, "not JSON: %s", wrong);
        if (!members[DATA].value == !base64)
                return input_problem(in, -EBADMSG, "wants a string \"data\" or \"data_b64\"");
        r = members[TIME].value ? json_time(&members[TIME], &ret->time_ns) : 0;
        if (r == -EINVAL)
                return input_problem(in, -EBADMSG, "\"time\" is not RFC 3339");
        if (r == -ERANGE)
                return input_problem(in, -EBADMSG, "\"time\" is out of range: " TIME_RANGE_TEXT);
        if (r == 0)
                r = json_data(in, &members[base64 ? BASE64 : DATA], base64, ret);
        if (r == -EINVAL)
                return input_problem(in, -EBADMSG, "\"%s\" is not %s", base64 ? "data_b64" : "data",
                                     base64 ? "base64" : "a string of UTF-8");
        if (r == 0 && ret->size > in->record_limit)
                return input_too_long(in, "", ret->size);
        return r < 0 ? r : 1;
}

static bool is_blank(const char *line, size_t size)
{
        while (size && (*line == ' ' || *line == '\t' || *line == '\r')) {
                line++;
                size--;
        }
        return size == 0;
}

int input_take_json(struct input *in, struct logstore_entry *ret)
{
        /* An escape is 6 characters at most for a byte; the rest is for the other members. */
        size_t limit = in->record_limit * 6 + 4096, size = 0;
        const char *line = NULL;
        int r;

        do {
                r = input_take_line(in, limit, &line, &size);
                if (r <= 0)
                        return r;
        } while (is_blank(line, size));
        return json_entry(in, line, size, ret);
}
