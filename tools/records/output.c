/*
 * output.c - one record as bytes on standard output
 *
 * A record of ordinary size is formatted straight into the buffer; a larger one goes through it in
 * pieces, so that its size does not matter to the tool's memory.
 */
#include "records/output.h"

#include <errno.h>
#include <string.h>

#include "lib/numbers.h"
#include "lib/text.h"
#include "lib/times.h"

#define PIECE_BYTES ((size_t)24 << 10) /* a multiple of 3; six times as much fits the buffer */
#define HEAD_BYTES 128                 /* of a JSON line, in front of the payload */

int output_format_parse(const char *name, enum output_format *ret)
{
        static const char *const names[] = { "text", "short", "raw", "len32", "jsonl", "hex" };

        if (!name)
                return 0;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(name, names[i]) == 0) {
                        *ret = (enum output_format)i;
                        return 0;
                }
        return -EINVAL;
}

typedef char *(*encoder)(char *to, const void *data, size_t size);

static char *text_copy(char *to, const void *data, size_t size)
{
        memcpy(to, data, size);
        return to + size;
}

static void put_encoded(struct buffer *buffer, encoder encode, const struct logstore_record *record)
{
        const char *data = record->data;
        size_t left = record->size;

        while (left) {
                size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;

                buffer_took(buffer, encode(buffer_room(buffer, piece * 6), data, piece));
                data += piece;
                left -= piece;
        }
}

static char *put_literal(char *to, const char *literal)
{
        size_t size = strlen(literal);

        memcpy(to, literal, size);
        return to + size;
}

static void put_json(struct buffer *buffer, const struct logstore_record *record)
{
        char *to = buffer_room(buffer, HEAD_BYTES);
        encoder encode = text_base64;

        if (text_is_plain(record->data, record->size))
                encode = text_copy;
        else if (text_is_utf8(record->data, record->size))
                encode = text_json;
        to = number_format(put_literal(to, "{\"number\":"), record->number);
        to = time_format(put_literal(to, ",\"time\":\""), record->time_ns);
        to = put_literal(to, encode == text_base64 ? "\",\"data_b64\":\"" : "\",\"data\":\"");
        buffer_took(buffer, to);
        put_encoded(buffer, encode, record);
        buffer_put(buffer, "\"}\n", 3);
}

static void put_short_head(struct buffer *buffer, const struct logstore_record *record)
{
        char *to = time_format(buffer_room(buffer, HEAD_BYTES), record->time_ns);

        *to++ = ' ';
        to = number_format(to, record->number);
        *to++ = ' ';
        buffer_took(buffer, to);
}

void output_record(struct output *output, const struct logstore_record *record)
{
        struct buffer *buffer = &output->buffer;
        uint32_t size = (uint32_t)record->size;

        switch (output->format) {
        case OUTPUT_JSON:
                put_json(buffer, record);
                break;
        case OUTPUT_HEX:
                put_encoded(buffer, text_hex, record);
                buffer_put(buffer, "\n", 1);
                break;
        case OUTPUT_LENGTH:
                buffer_put(buffer, &size, sizeof(size));
                buffer_put(buffer, record->data, record->size);
                break;
        case OUTPUT_RAW:
                buffer_put(buffer, record->data, record->size);
                break;
        case OUTPUT_SHORT:
                put_short_head(buffer, record);
                /* fall through */
        case OUTPUT_TEXT:
                buffer_put(buffer, record->data, record->size);
                buffer_put(buffer, &output->terminator, 1);
                break;
        }
}

void output_number(struct output *output, uint64_t number)
{
        char *to = number_format(buffer_room(&output->buffer, 21), number);

        *to++ = '\n';
        buffer_took(&output->buffer, to);
}
