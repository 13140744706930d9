/*
 * remote_text.h - a text that grows
 *
 * Fails:   once memory is short, what is added is dropped and `failed` stays set. So a caller adds
 *          as much as it likes and asks once, by text_check().
 * Secrets: text_free() and each move to a larger place overwrite what was there.
 */
#ifndef LOGSTORE_REMOTE_TEXT_H
#define LOGSTORE_REMOTE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* All zero: empty. */
struct text {
        char *bytes; /* with a 0 behind them; NULL as long as nothing was added */
        size_t size; /* without the 0 */
        size_t room_bytes;
        bool failed;
};

void text_add_bytes(struct text *text, const void *bytes, size_t size);
void text_add(struct text *text, const char *string);
__attribute__((format(printf, 2, 3))) void text_printf(struct text *text, const char *format, ...);

/* Add @string, where each byte but letters, digits, '-', '.', '_' and '~' becomes %XX. */
void text_add_escaped(struct text *text, const char *string);

/* The content, "" if there is none. Valid until the next change. */
const char *text_string(const struct text *text);

/* 0, or -ENOMEM with its line if anything was dropped. */
int text_check(const struct text *text);

/* Whether @size bytes are letters, digits, and characters of @more. */
bool text_only_has(const char *bytes, size_t size, const char *more);

void text_clear(struct text *text); /* keeps the memory, and forgets a failure */
void text_free(struct text *text);

#endif
