/*
 * mem_draw.c - a store's pages as a map of cells: in the terminal, or as SVG
 *
 * A row is a file, a cell an equal part of it. What a cell says is in its character; colour only
 * repeats it.
 */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/numbers.h"
#include "lib/terminal.h"
#include "verbs/mem.h"

enum cell_state {
        CELL_EMPTY, /* of an empty file */
        CELL_NONE,
        CELL_EVICTED, /* not there, and was a short time ago */
        CELL_PART,
        CELL_ALL,
        CELL_DIRTY,
        CELL_WRITEBACK,
        CELL_UNKNOWN,
};

static const struct {
        const char *block, *plain; /* in UTF-8, in ASCII */
        const char *colour;        /* of the terminal */
        const char *fill;          /* in SVG */
        const char *name;
} states[] = {
        [CELL_EMPTY] = { " ", " ", "", "none", NULL },
        [CELL_NONE] = { "·", ".", "\033[2m", "#e8e8e8", "not in memory" },
        [CELL_EVICTED] = { "-", "-", "\033[34m", "#a6bddb", "evicted recently" },
        [CELL_PART] = { "▒", "o", "\033[32m", "#a1d99b", "in part" },
        [CELL_ALL] = { "█", "O", "\033[32m", "#31a354", "in memory" },
        [CELL_DIRTY] = { "D", "D", "\033[33m", "#fd8d3c", "dirty" },
        [CELL_WRITEBACK] = { "W", "W", "\033[35m", "#9e4ac4", "being written" },
        [CELL_UNKNOWN] = { "?", "?", "", "#ffffff", "unknown" },
};
#define STATE_COUNT (sizeof(states) / sizeof(states[0]))

static bool some(uint64_t bytes)
{
        return bytes != LOGSTORE_UNKNOWN && bytes > 0;
}

static enum cell_state state_of(const struct logstore_residency *cell)
{
        if (cell->resident == LOGSTORE_UNKNOWN)
                return CELL_UNKNOWN;
        if (cell->file_bytes == 0)
                return CELL_EMPTY;
        if (some(cell->writeback))
                return CELL_WRITEBACK;
        if (some(cell->dirty))
                return CELL_DIRTY;
        if (cell->resident >= cell->file_bytes)
                return CELL_ALL;
        if (cell->resident)
                return CELL_PART;
        return some(cell->recently_evicted) ? CELL_EVICTED : CELL_NONE;
}

struct pen {
        bool blocks, colour;
};

static struct pen pen_choose(void)
{
        const char *no_colour = getenv("NO_COLOR");
        struct pen pen;

        setlocale(LC_CTYPE, "");
        pen.blocks = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
        setlocale(LC_CTYPE, "C");
        pen.colour = isatty(STDOUT_FILENO) && !(no_colour && no_colour[0]) && !terminal_is_dumb();
        return pen;
}

static void draw_cell(const struct pen *pen, enum cell_state state)
{
        const char *glyph = pen->blocks ? states[state].block : states[state].plain;

        if (pen->colour && states[state].colour[0])
                printf("%s%s\033[0m", states[state].colour, glyph);
        else
                fputs(glyph, stdout);
}

static void draw_share(const struct logstore_residency *all)
{
        char resident[SIZE_TEXT_BYTES], whole[SIZE_TEXT_BYTES];

        printf(" %s of %s", size_format(resident, all->resident, 0),
               size_format(whole, all->file_bytes, 0));
}

/* Where there is little room, cells are worth more than the share of a file that they show. */
#define NAME_COLUMNS 15
#define SHARE_COLUMNS 25
#define CELLS_LEAST 8

static bool shares_fit(size_t columns)
{
        return columns > NAME_COLUMNS + CELLS_LEAST + SHARE_COLUMNS;
}

size_t mem_map_cells(size_t columns)
{
        size_t around = 1 + NAME_COLUMNS + (shares_fit(columns) ? SHARE_COLUMNS : 0);

        return columns > around ? columns - around : 1;
}

static void draw_row(const struct mem_view *view, const struct mem_segment *segment,
                     const struct pen *pen, bool share)
{
        printf("%-14s ", segment->name);
        for (size_t i = 0; i < view->cell_count; i++)
                draw_cell(pen, state_of(&segment->cells[i]));
        if (share)
                draw_share(&segment->all);
        putchar('\n');
}

static void draw_legend(const struct pen *pen, size_t columns)
{
        size_t used = 0;

        for (size_t i = 0; i < STATE_COUNT; i++) {
                size_t wanted = states[i].name ? 4 + strlen(states[i].name) : 0;

                if (wanted == 0)
                        continue;
                if (used && used + wanted > columns) {
                        putchar('\n');
                        used = 0;
                }
                used += wanted;
                draw_cell(pen, (enum cell_state)i);
                printf(" %s  ", states[i].name);
        }
        putchar('\n');
}

void mem_draw_map(const struct mem_view *view, size_t columns, size_t rows)
{
        struct pen pen = pen_choose();
        size_t skip = rows && view->segment_count > rows ? view->segment_count - rows : 0;

        if (skip)
                printf("(%zu older files are not shown)\n", skip);
        for (size_t i = skip; i < view->segment_count; i++)
                draw_row(view, &view->segments[i], &pen, shares_fit(columns));
        printf("%-*s", shares_fit(columns) ? NAME_COLUMNS - 1 : 0, "total");
        draw_share(&view->total);
        putchar('\n');
        draw_legend(&pen, columns);
}

/* ---- SVG ---- */

#define SVG_CELL 8
#define SVG_ROW 14
#define SVG_LEFT 120
#define SVG_TOP 60

/* XML may hold neither invalid UTF-8 nor most control characters: show them as anywhere else. */
static void svg_text(const char *text)
{
        char cut[4096], visible[TEXT_VISIBLE_BYTES(sizeof(cut))];

        snprintf(cut, sizeof(cut), "%s", text);
        for (const char *c = text_visible_line(visible, cut); *c; c++) {
                if (*c == '<')
                        fputs("&lt;", stdout);
                else if (*c == '&')
                        fputs("&amp;", stdout);
                else
                        putchar(*c);
        }
}

/* Neighbours that look alike are one rectangle. */
static void svg_row(const struct mem_view *view, const struct mem_segment *segment, size_t row)
{
        size_t y = SVG_TOP + row * SVG_ROW, start = 0;
        char resident[SIZE_TEXT_BYTES], whole[SIZE_TEXT_BYTES];

        printf("<text x=\"4\" y=\"%zu\">%s</text>\n", y + 9, segment->name);
        for (size_t i = 0; i < view->cell_count; i++) {
                enum cell_state state = state_of(&segment->cells[i]);

                if (i + 1 < view->cell_count && state_of(&segment->cells[i + 1]) == state)
                        continue;
                if (states[state].name)
                        printf("<rect x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"10\" fill=\"%s\">"
                               "<title>%s</title></rect>\n",
                               SVG_LEFT + start * SVG_CELL, y, (i + 1 - start) * SVG_CELL,
                               states[state].fill, states[state].name);
                start = i + 1;
        }
        printf("<text x=\"%zu\" y=\"%zu\">%s of %s</text>\n",
               SVG_LEFT + view->cell_count * SVG_CELL + 6, y + 9,
               size_format(resident, segment->all.resident, 0),
               size_format(whole, segment->all.file_bytes, 0));
}

static void svg_legend(void)
{
        size_t x = SVG_LEFT;

        for (size_t i = 0; i < STATE_COUNT; i++) {
                if (!states[i].name)
                        continue;
                printf("<rect x=\"%zu\" y=\"34\" width=\"10\" height=\"10\" fill=\"%s\" "
                       "stroke=\"#888\"/><text x=\"%zu\" y=\"43\">%s</text>\n",
                       x, states[i].fill, x + 14, states[i].name);
                x += 30 + 7 * strlen(states[i].name);
        }
}

void mem_draw_svg(const struct mem_view *view)
{
        size_t width = SVG_LEFT + view->cell_count * SVG_CELL + 170;
        size_t height = SVG_TOP + view->segment_count * SVG_ROW + 10;
        char resident[SIZE_TEXT_BYTES], whole[SIZE_TEXT_BYTES];

        printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
               "font-family=\"monospace\" font-size=\"11\">\n"
               "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
               "<text x=\"4\" y=\"18\" font-size=\"14\">",
               width, height);
        svg_text(view->dir);
        printf(": %s of %s in memory</text>\n", size_format(resident, view->total.resident, 0),
               size_format(whole, view->total.file_bytes, 0));
        svg_legend();
        for (size_t i = 0; i < view->segment_count; i++)
                svg_row(view, &view->segments[i], i);
        printf("</svg>\n");
}
