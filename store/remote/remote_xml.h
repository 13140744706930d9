/*
 * remote_xml.h - reads the small XML documents of S3 and STS
 *
 * Each element without children is told with its path, like "ListBucketResult/Contents/Key", and
 * its text. Strict: no document type, so no entities of its own; at most 8 levels, and 4 KiB of
 * text in one element.
 */
#ifndef LOGSTORE_REMOTE_XML_H
#define LOGSTORE_REMOTE_XML_H

#include <stddef.h>

/* @leaf is called for each element that has no children, and for each other at its end, then with
 * @text NULL. Not 0: stop, xml_read() returns it. Paths and texts are valid during the call.
 * -EIO: it is no such document. -ENOMEM. */
int xml_read(const char *bytes, size_t size,
             int (*leaf)(void *context, const char *path, const char *text), void *context);

#endif
