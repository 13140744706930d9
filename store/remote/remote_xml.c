/*
 * remote_xml.c - reads the small XML documents of S3 and STS, by expat
 */
#include "remote/remote_xml.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"
#include "remote/remote_text.h"

#define LEVELS_MAX 8
#define TEXT_MAX_BYTES 4096
#define PATH_MAX_BYTES 512

struct reader {
        XML_Parser parser;
        int (*leaf)(void *context, const char *path, const char *text);
        void *context;
        char path[PATH_MAX_BYTES];
        size_t ends[LEVELS_MAX]; /* of the path, above each level */
        size_t level;
        bool has_children; /* of the element that ends next */
        struct text text;
        int result;
};

static void stop(struct reader *reader, int r)
{
        reader->result = r;
        XML_StopParser(reader->parser, XML_FALSE);
}

static void begin(void *context, const XML_Char *name, const XML_Char **attributes)
{
        struct reader *reader = context;
        size_t end = strlen(reader->path), size = strlen(name);

        (void)attributes;
        if (reader->level == LEVELS_MAX || end + size + 2 > PATH_MAX_BYTES) {
                stop(reader, remote_detail(-EIO, "XML of too many levels"));
                return;
        }
        reader->ends[reader->level++] = end;
        if (end)
                reader->path[end++] = '/';
        memcpy(reader->path + end, name, size + 1);
        reader->has_children = false;
        text_clear(&reader->text);
}

static void end(void *context, const XML_Char *name)
{
        struct reader *reader = context;
        int r = text_check(&reader->text);

        (void)name;
        if (r == 0)
                r = reader->leaf(reader->context, reader->path,
                                 reader->has_children ? NULL : text_string(&reader->text));
        reader->path[reader->ends[--reader->level]] = 0;
        reader->has_children = true; /* of the one around it */
        text_clear(&reader->text);
        if (r)
                stop(reader, r);
}

static void characters(void *context, const XML_Char *text, int size)
{
        struct reader *reader = context;

        if (reader->text.size + (size_t)size > TEXT_MAX_BYTES)
                stop(reader, remote_detail(-EIO, "XML with a text of more than 4 KiB"));
        else
                text_add_bytes(&reader->text, text, (size_t)size);
}

static void doctype(void *context, const XML_Char *name, const XML_Char *system,
                    const XML_Char *public, int internal)
{
        (void)name, (void)system, (void)public, (void)internal;
        stop(context, remote_detail(-EIO, "XML with a document type"));
}

static int parse(struct reader *reader, const char *bytes, size_t size)
{
        /* A server that takes long sends these, so that nobody takes the wait for an end. */
        while (size && memchr(" \t\r\n", *bytes, 4)) {
                bytes++;
                size--;
        }
        XML_SetUserData(reader->parser, reader);
        XML_SetElementHandler(reader->parser, begin, end);
        XML_SetCharacterDataHandler(reader->parser, characters);
        XML_SetStartDoctypeDeclHandler(reader->parser, doctype);
        if (size > INT_MAX)
                return remote_detail(-EIO, "XML of more than 2 GiB");
        if (XML_Parse(reader->parser, bytes, (int)size, XML_TRUE) == XML_STATUS_OK)
                return 0;
        if (reader->result)
                return reader->result;
        if (XML_GetErrorCode(reader->parser) == XML_ERROR_NO_MEMORY)
                return remote_detail(-ENOMEM, "out of memory");
        return remote_detail(-EIO, "not XML: %s",
                             XML_ErrorString(XML_GetErrorCode(reader->parser)));
}

int xml_read(const char *bytes, size_t size,
             int (*leaf)(void *context, const char *path, const char *text), void *context)
{
        struct reader reader = { .leaf = leaf, .context = context };
        int r;

        reader.parser = XML_ParserCreate("UTF-8");
        if (!reader.parser)
                return remote_detail(-ENOMEM, "out of memory");
        r = parse(&reader, bytes, size);
        XML_ParserFree(reader.parser);
        text_free(&reader.text);
        return r;
}
