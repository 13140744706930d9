/*
 * descriptors.h - standard input, output and error that the caller had closed
 */
#ifndef TOOL_DESCRIPTORS_H
#define TOOL_DESCRIPTORS_H

/* Before anything else is opened: give each closed one of the three a descriptor that can neither
 * be read nor written (-EBADF), so that no file of the tool gets its number. */
void descriptors_occupy(void);

/* Returns 0, or -EBADF if @fd was closed or cannot be used in this direction. Otherwise a caller
 * would find out by the first byte only, or never: a pipe's wrong end never becomes ready. @mode is
 * O_RDONLY or O_WRONLY. */
int descriptors_check(int fd, int mode);

#endif
