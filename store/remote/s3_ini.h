/*
 * s3_ini.h - a file of sections and settings
 *
 *     [SECTION]
 *     NAME = VALUE        # and ; begin comments, at a line's start or behind a space
 *     NAME =
 *         BELOW = VALUE   known as NAME.BELOW
 *
 * Of two settings of one name the last counts. Values are secrets, so their memory is overwritten.
 */
#ifndef LOGSTORE_S3_INI_H
#define LOGSTORE_S3_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "remote/remote_text.h"

#define INI_FILE_MAX_BYTES (1 << 20)

struct ini_setting {
        const char *section, *above, *name, *value; /* in the text; above: "" at the left */
};

/* All zero: empty. */
struct ini {
        struct text text; /* where each part is ended by a 0 */
        struct ini_setting *settings;
        size_t count, room;
};

/* As file_read_small(). */
int ini_load(const char *path, struct ini *ret);
void ini_free(struct ini *ini);

bool ini_has(const struct ini *ini, const char *section);

/* NULL: it is not there, or empty. */
const char *ini_value(const struct ini *ini, const char *section, const char *setting);

#endif
