/*
 * demo.h - what the demonstrations share: exact figures from the kernel, and rows of one table
 *
 * A row has what was done, what common belief expects, what was observed, and a note that is
 * shown only when the two differ. A demonstration exits 0 when it could measure, whatever the
 * machine answered, and 1 when it could not.
 */
#ifndef DEMO_H
#define DEMO_H

#include <stddef.h>
#include <stdint.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* An empty @note says that the machine agrees; @expected "-" that nothing is. */
void demo_row(const char *what, const char *expected, const char *observed, const char *note);

/* Rows differ when the figures are further apart than @slack. */
void demo_bytes(const char *what, size_t expected, size_t observed, size_t slack, const char *note);
void demo_count(const char *what, size_t expected, size_t observed, size_t slack, const char *note);
void demo_text(const char *what, const char *expected, const char *observed, const char *note);

/* End the program with 1 unless @ok; @what names the step. */
void demo_need(int ok, const char *what);

/* Figures of this process, in bytes, from /proc/self/smaps_rollup ("Rss:", "Anonymous:", ...) or
 * /proc/self/status ("VmPTE:", "RssShmem:", ...). */
size_t demo_smaps(const char *name);
size_t demo_status(const char *name);

/* Bytes of a mapping that are in memory, by mincore(). */
size_t demo_resident(void *at, size_t bytes);

/* Map @bytes; ends the program on failure. @fd -1 adds MAP_ANONYMOUS. */
void *demo_map(size_t bytes, int flags, int fd);

/* An unlinked file of @bytes written bytes ('a'), synced, in @dir. */
int demo_file(const char *dir, size_t bytes);

/* Write one byte in every page. */
void demo_touch(void *at, size_t bytes);

/* Load or store one byte. Returns the byte, or minus the signal that it raised. */
int demo_load(const volatile char *at);
int demo_store(volatile char *at, char value);
const char *demo_outcome(int loaded); /* "0x61", "SIGBUS", "SIGSEGV" */

size_t demo_minor_faults(void);

#endif
