/*
 * buffer.h - shared copies of file contents, each at the start of its own stretch of memory
 *
 * Bytes from used up are zero. A buffer with more than one reference is never written.
 */
#ifndef SIM_BUFFER_H
#define SIM_BUFFER_H

#include "disk.h"

struct buffer *buffer_new(void); /* all zero */
struct buffer *buffer_get(struct buffer *buffer);
void buffer_put(struct buffer *buffer);  /* NULL is fine */
void buffer_own(struct buffer **buffer); /* replace it by a copy unless it has no other user */
void buffer_use(struct buffer *buffer, uint64_t end); /* bytes below @end will be written */
struct buffer *buffer_at(const void *address, uint64_t *ret_offset); /* NULL: elsewhere */

/* As a device does, which reads memory while threads write to it. */
void buffer_read(void *to, const void *from, size_t bytes);
bool buffer_differs(const void *now, const void *then, size_t bytes);

#endif
