/*
 * input.c - bytes from a descriptor, cut into records
 *
 * One buffer, read(2) in blocks as large as what is free in it; records are handed out where they
 * lie. A record that does not fit makes the buffer grow, up to the limit of a record and no
 * further: a line without an end costs the memory of the largest record, not of the input.
 */
#include "records/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/numbers.h"
#include "records/input_private.h"

#define INPUT_BYTES ((size_t)512 << 10)
#define LENGTH_BYTES sizeof(uint32_t)

/* ---- what the formats are ---- */

static int escape_parse(const char **text, char *ret)
{
        unsigned int byte;

        switch (*(*text)++) {
        case 'n':
                *ret = '\n';
                return 0;
        case 't':
                *ret = '\t';
                return 0;
        case 'r':
                *ret = '\r';
                return 0;
        case '0':
                *ret = '\0';
                return 0;
        case '\\':
                *ret = '\\';
                return 0;
        case 'x':
                if (strspn(*text, "0123456789abcdefABCDEF") < 2 || sscanf(*text, "%2x", &byte) != 1)
                        return -EINVAL;
                *text += 2;
                *ret = (char)byte;
                return 0;
        default:
                return -EINVAL;
        }
}

static int delimiter_parse(const char *text, struct input_format *format)
{
        format->delimiter_bytes = 0;
        while (*text) {
                char byte = *text++;

                if (byte == '\\' && escape_parse(&text, &byte) < 0)
                        return -EINVAL;
                if (format->delimiter_bytes == sizeof(format->delimiter))
                        return -EINVAL;
                format->delimiter[format->delimiter_bytes++] = byte;
        }
        return format->delimiter_bytes ? 0 : -EINVAL;
}

int input_format_parse(const char *name, const char *delimiter, struct input_format *ret)
{
        struct input_format format = { .kind = INPUT_LINES, .delimiter_bytes = 1 };

        format.delimiter[0] = '\n';
        if (name && strcmp(name, "nul") == 0)
                format.delimiter[0] = '\0';
        else if (name && strcmp(name, "len32") == 0)
                format.kind = INPUT_LENGTH;
        else if (name && strcmp(name, "jsonl") == 0)
                format.kind = INPUT_JSON;
        else if (name && strcmp(name, "lines") != 0)
                return -EINVAL;
        if (delimiter && (format.kind != INPUT_LINES || delimiter_parse(delimiter, &format) < 0))
                return -EINVAL;
        *ret = format;
        return 0;
}

/* ---- the buffer ---- */

int input_open(struct input *in, int fd, const struct input_format *format, size_t record_limit)
{
        *in = (struct input){
                .format = *format,
                .fd = fd,
                .signal_fd = -1,
                .record_limit = record_limit,
                .capacity = INPUT_BYTES,
        };
        in->bytes = malloc(in->capacity);
        return in->bytes ? 0 : -ENOMEM;
}

void input_close(struct input *in)
{
        free(in->bytes);
        free(in->scratch);
        in->bytes = in->scratch = NULL;
}

/* Move what is left to the front; double the buffer if that is most of it. */
static int make_room(struct input *in)
{
        char *bytes;

        memmove(in->bytes, in->bytes + in->start, in->end - in->start);
        in->end -= in->start;
        in->scanned -= in->start;
        in->start = 0;
        if (in->end <= in->capacity / 2)
                return 0;
        bytes = realloc(in->bytes, in->capacity * 2);
        if (!bytes)
                return -ENOMEM;
        in->bytes = bytes;
        in->capacity *= 2;
        return 0;
}

bool input_idle(const struct input *in, int timeout_ms)
{
        struct pollfd fds[2] = {
                { .fd = in->fd, .events = POLLIN },
                { .fd = in->signal_fd, .events = POLLIN },
        };

        return poll(fds, 2, timeout_ms) == 0;
}

static int wait_for_bytes(const struct input *in)
{
        struct pollfd fds[2] = {
                { .fd = in->fd, .events = POLLIN },
                { .fd = in->signal_fd, .events = POLLIN },
        };

        if (poll(fds, 2, -1) < 0)
                return -errno;
        return fds[1].revents ? -EINTR : 0;
}

/* Before the old descriptor is closed, so that no writer is without a reader. */
static int open_again(struct input *in)
{
        struct stat st;
        int fd = open(in->fifo, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r = 0;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                r = -errno;
        else if (!S_ISFIFO(st.st_mode))
                r = -EINVAL;
        if (r < 0) {
                close(fd);
                return r;
        }
        close(in->fd);
        in->fd = fd;
        return 0;
}

int input_fill(struct input *in)
{
        ssize_t n;
        int r;

        if (in->ended && !in->fifo)
                return 0;
        in->ended = false;
        r = make_room(in);
        if (r < 0)
                return r;
        do {
                r = wait_for_bytes(in);
                if (r < 0)
                        return r;
                n = read(in->fd, in->bytes + in->end, in->capacity - in->end);
        } while (n < 0 && (errno == EAGAIN || errno == EINTR));
        if (n < 0)
                return -errno;
        if (n == 0) {
                in->ended = true;
                r = in->fifo ? open_again(in) : 0;
        }
        in->end += (size_t)n;
        in->total_bytes += (uint64_t)n;
        return r < 0 ? r : n > 0 || in->fifo || in->end > in->start;
}

int input_problem(struct input *in, int error, const char *format, ...)
{
        va_list arguments;
        bool lines = in->format.kind != INPUT_LENGTH && in->format.delimiter_bytes == 1 &&
                     in->format.delimiter[0] == '\n';
        int n = snprintf(in->problem, sizeof(in->problem), "%s %llu: ", lines ? "line" : "record",
                         (unsigned long long)in->place);

        va_start(arguments, format);
        vsnprintf(in->problem + n, sizeof(in->problem) - (size_t)n, format, arguments);
        va_end(arguments);
        return error;
}

int input_too_long(struct input *in, const char *at_least, size_t size)
{
        return input_problem(in, -EMSGSIZE,
                             "%s%zu bytes, and the largest record of this store is %zu", at_least,
                             size, in->record_limit);
}

/* ---- cutting ---- */

static const char *find(const char *from, const char *end, const struct input_format *format)
{
        size_t size = (size_t)(end - from);

        if (format->delimiter_bytes == 1)
                return memchr(from, format->delimiter[0], size);
        return memmem(from, size, format->delimiter, format->delimiter_bytes);
}

/* Hand out what lies at the start, and go on behind it. */
static void take_raw(struct input *in, size_t size)
{
        in->raw = in->bytes + in->start;
        in->raw_bytes = size;
        in->start += size;
        in->scanned = in->start;
        in->taken++;
}

/* Of what was refused: false while there is more of it to come. */
static bool pass_over(struct input *in)
{
        size_t left = in->end - in->start, overlap = in->format.delimiter_bytes - 1;
        const char *stop;

        if (in->pass_line) {
                stop = find(in->bytes + in->start, in->bytes + in->end, &in->format);
                in->pass_line = !stop && !in->ended;
                if (stop)
                        in->start = (size_t)(stop - in->bytes) + in->format.delimiter_bytes;
                else if (in->ended)
                        in->start = in->end;
                else if (left > overlap)
                        in->start = in->end - overlap;
                in->taken += !in->pass_line;
        } else if (in->pass_bytes) {
                left = left < in->pass_bytes ? left : (size_t)in->pass_bytes;
                in->start += left;
                in->pass_bytes = in->ended ? 0 : in->pass_bytes - left;
        }
        if (in->scanned < in->start)
                in->scanned = in->start;
        return !in->pass_line && !in->pass_bytes;
}

/* A piece of a line that is longer than a record. */
static void take_piece(struct input *in, size_t size)
{
        in->cut_lines += !in->cut;
        in->cut = true;
        take_raw(in, size);
        in->taken--;
}

int input_take_line(struct input *in, size_t limit, const char **ret_data, size_t *ret_size)
{
        const char *data = in->bytes + in->start, *end = in->bytes + in->end;
        const char *stop = find(in->bytes + in->scanned, end, &in->format);
        size_t size = (size_t)((stop ? stop : end) - data);

        in->place = in->taken + 1;
        if (size > limit + (stop ? 0 : in->format.delimiter_bytes - 1)) {
                if (in->split) {
                        take_piece(in, *ret_size = limit);
                        *ret_data = data;
                        return 1;
                }
                in->pass_line = true;
                return input_too_long(in, stop ? "" : "more than ", stop ? size : limit);
        }
        if (!stop && (!in->ended || data == end)) {
                size_t overlap = in->format.delimiter_bytes - 1;

                in->scanned = size > overlap ? in->end - overlap : in->start;
                return 0;
        }
        take_raw(in, size + (stop ? in->format.delimiter_bytes : 0));
        in->cut = false;
        *ret_data = data;
        *ret_size = size;
        return 1;
}

static int take_length(struct input *in, struct logstore_entry *ret)
{
        size_t left = in->end - in->start;
        uint32_t size;

        if (left == 0)
                return 0;
        in->place = in->taken + 1;
        if (left >= LENGTH_BYTES) {
                memcpy(&size, in->bytes + in->start, LENGTH_BYTES);
                if (size > in->record_limit) {
                        in->pass_bytes = LENGTH_BYTES + (uint64_t)size;
                        in->taken++;
                        return input_too_long(in, "", size);
                }
                if (left - LENGTH_BYTES >= size) {
                        ret->data = in->bytes + in->start + LENGTH_BYTES;
                        ret->size = size;
                        take_raw(in, LENGTH_BYTES + size);
                        return 1;
                }
        }
        if (!in->ended)
                return 0;
        in->start = in->end;
        return input_problem(in, -EBADMSG, "the input ends inside of it");
}

int input_take(struct input *in, struct logstore_entry *ret)
{
        int r;

        if (!pass_over(in))
                return 0;
        ret->time_ns = 0;
        switch (in->format.kind) {
        case INPUT_LENGTH:
                r = take_length(in, ret);
                break;
        case INPUT_JSON:
                r = input_take_json(in, ret);
                break;
        default:
                r = input_take_line(in, in->record_limit, (const char **)&ret->data, &ret->size);
                break;
        }
        return r;
}
