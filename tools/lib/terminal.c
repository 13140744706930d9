/*
 * terminal.c - what the terminal can do
 */
#include "lib/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

void terminal_size(int fd, size_t *ret_columns, size_t *ret_rows)
{
        struct winsize size = { 0 };

        if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                size = (struct winsize){ .ws_col = 110 };
        *ret_columns = size.ws_col;
        *ret_rows = size.ws_row;
}

bool terminal_is_dumb(void)
{
        const char *name = getenv("TERM");

        return !name || name[0] == 0 || strcmp(name, "dumb") == 0;
}
