/*
 * s3_ini.c - a file of sections and settings
 */
#include "remote/s3_ini.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"
#include "remote/remote_file.h"

#define SPACE " \t\r\f\v"

/* Where a line stands: what is above it. */
struct place {
        const char *section, *above;
};

static int add(struct ini *ini, const struct ini_setting *setting)
{
        if (ini->count == ini->room) {
                size_t room = ini->room ? 2 * ini->room : 32;
                struct ini_setting *more = reallocarray(ini->settings, room, sizeof(*more));

                if (!more)
                        return remote_detail(-ENOMEM, "out of memory");
                ini->settings = more;
                ini->room = room;
        }
        ini->settings[ini->count++] = *setting;
        return 0;
}

/* Cut spaces at both ends. */
static char *trim(char *from, char *end)
{
        while (end > from && strchr(SPACE, end[-1]))
                end--;
        *end = 0;
        return from + strspn(from, SPACE);
}

/* Cut a comment: '#' or ';' behind a space. */
static void cut_comment(char *line)
{
        for (char *at = line; (at = strpbrk(at, "#;")); at++) {
                if (at == line || strchr(SPACE, at[-1])) {
                        *at = 0;
                        return;
                }
        }
}

/* "[ profile  NAME ]" is the section "profile NAME". It also counts if it is empty. */
static int section_line(struct ini *ini, char *line, struct place *place)
{
        char *end = strchr(line, ']'), *gap;

        place->section = NULL; /* what follows a broken line belongs to nobody */
        place->above = "";
        if (!end)
                return 0;
        line = trim(line + 1, end);
        gap = strpbrk(line, SPACE);
        if (gap) {
                *gap++ = ' ';
                memmove(gap, gap + strspn(gap, SPACE), strlen(gap + strspn(gap, SPACE)) + 1);
        }
        place->section = line;
        return add(ini, &(struct ini_setting){ line, "", "", "" });
}

static int setting_line(struct ini *ini, char *line, bool indented, struct place *place)
{
        char *equals = strchr(line, '=');
        struct ini_setting setting = { .section = place->section, .above = "" };

        if (!equals || !place->section)
                return 0;
        setting.name = trim(line, equals);
        setting.value = trim(equals + 1, equals + 1 + strlen(equals + 1));
        if (indented)
                setting.above = place->above;
        else
                place->above = *setting.value ? "" : setting.name;
        return add(ini, &setting);
}

static int take_line(struct ini *ini, char *line, struct place *place)
{
        bool indented = strchr(SPACE, *line) != NULL; /* also an empty one, which is skipped */

        cut_comment(line);
        line = trim(line, line + strlen(line));
        if (!*line)
                return 0;
        if (*line == '[')
                return section_line(ini, line, place);
        return setting_line(ini, line, indented, place);
}

int ini_load(const char *path, struct ini *ret)
{
        struct place place = { .above = "" };
        char *line, *rest;
        int r = file_read_small(path, INI_FILE_MAX_BYTES, &ret->text);

        if (r < 0 || !ret->text.bytes)
                return r;
        rest = ret->text.bytes;
        while (r == 0 && (line = strsep(&rest, "\n")))
                r = take_line(ret, line, &place);
        return r;
}

void ini_free(struct ini *ini)
{
        text_free(&ini->text);
        free(ini->settings);
        *ini = (struct ini){ 0 };
}

bool ini_has(const struct ini *ini, const char *section)
{
        for (size_t i = 0; i < ini->count; i++)
                if (strcmp(ini->settings[i].section, section) == 0)
                        return true;
        return false;
}

static bool is_named(const struct ini_setting *setting, const char *name)
{
        size_t size = strlen(setting->above);

        if (size == 0)
                return strcmp(setting->name, name) == 0;
        return strncmp(setting->above, name, size) == 0 && name[size] == '.' &&
               strcmp(setting->name, name + size + 1) == 0;
}

const char *ini_value(const struct ini *ini, const char *section, const char *setting)
{
        for (size_t i = ini->count; i-- > 0;) {
                const struct ini_setting *one = &ini->settings[i];

                if (strcmp(one->section, section) == 0 && is_named(one, setting))
                        return *one->value ? one->value : NULL;
        }
        return NULL;
}
