/*
 * Pictures full of letters, to learn their shapes from, and to read: strips of boards, with a letter in each patch,
 * with lines of letters of any size, or with a text on each. Beside the picture a map is made, of whose cell each pixel
 * is in.
 */
#include <math.h>

#include "world.h"

/* What both are drawn with; units are patches. */
typedef struct page {
    cairo_t *picture, *map;
    double across; /* patches of a side */
    ew_chance *chance;
} page;

static char choose_letter(ew_chance *chance)
{
    static const char all[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return all[ew_below(chance, (int)sizeof all - 1)];
}

static void fill(cairo_t *cairo, double x, double y, double width, double height)
{
    cairo_rectangle(cairo, x, y, width, height);
    cairo_fill(cairo);
}

/* How far a text reaches in the font at hand. */
static double advance(cairo_t *cairo, const char *text, double size)
{
    cairo_text_extents_t extents;
    cairo_set_font_size(cairo, size);
    cairo_text_extents(cairo, text, &extents);
    return extents.x_advance;
}

/* A letter with its left end and foot at a point; returns how far it reaches. */
static double paint_letter(cairo_t *cairo, char letter, double x, double foot, double size)
{
    const char text[2] = {letter, 0};
    double width = advance(cairo, text, size);
    cairo_move_to(cairo, x, foot);
    cairo_text_path(cairo, text);
    cairo_fill(cairo);
    return width;
}

static void mark(const page *p, char letter, double x, double y, double width, double height)
{
    cairo_set_source_rgba(p->map, 0, 0, 0, letter / 255.0);
    fill(p->map, x, y, width, height);
}

static void start_strip(const page *p, double left, double top, double width, double height)
{
    ew_sign style = {0};
    ew_choose_style(&style, p->chance);
    ew_use_board(p->picture, &style);
    fill(p->picture, left, top, width, height);
    ew_use_letters(p->picture, &style);
}

/* A lattice of letters, each near the middle of its cell: a cell for each patch, more or less, or larger ones, so that
 * what is easy to tell and what is hard lie close together. */
static void paint_grid(const page *p)
{
    double cell = ew_happens(p->chance, 0.4) ? 1 : exp(ew_between(p->chance, 0, log(4)));
    double most = cell > 1 ? cell / 2 : ew_between(p->chance, 0, 0.3);
    double left = ew_between(p->chance, -most, most) - cell, top = ew_between(p->chance, -most, most) - cell;
    int cells = (int)ceil((p->across + 2 * cell) / cell);
    for (int row = 0; row < cells; row++) {
        double y = top + row * cell;
        start_strip(p, 0, y, p->across, cell);
        double size = cell * ew_between(p->chance, 0.8, 1.35);
        for (int i = 0; i < cells; i++) {
            char letter = choose_letter(p->chance);
            double x = left + i * cell;
            double start = x + cell * (0.5 + ew_between(p->chance, -0.2, 0.2)) - 0.3 * size;
            double foot = y + cell * (0.5 + ew_between(p->chance, -0.15, 0.15)) + 0.35 * size;
            paint_letter(p->picture, letter, start, foot, size);
            mark(p, letter, x, y, cell, cell);
        }
    }
}

static void turn(const page *p, double most)
{
    double angle = ew_between(p->chance, -most, most);
    cairo_rotate(p->picture, angle);
    cairo_rotate(p->map, angle);
}

/* A letter of a line and its cell; returns how far it reaches. */
static double paint_cell(const page *p, char letter, double x, double top, double size)
{
    double width = paint_letter(p->picture, letter, x, top + 0.86 * size, size);
    mark(p, letter, x, top + 0.14 * size, width, 0.8 * size);
    return width;
}

/* Lines of letters in sizes of one to three patches, a little turned: from beyond one margin to beyond the other. */
static void paint_lines(const page *p)
{
    double beyond = 0.2 * p->across;
    turn(p, 0.14);
    double top = -beyond - ew_between(p->chance, 0, 2), end = p->across + beyond;
    while (top < end) {
        double size = ew_between(p->chance, 1, ew_happens(p->chance, 0.5) ? 2 : 3), height = 1.15 * size;
        start_strip(p, -beyond, top, end + beyond, height);
        for (double x = -beyond - ew_between(p->chance, 0, size); x < end;) {
            char letter = choose_letter(p->chance);
            x += paint_cell(p, letter, x, top, size);
        }
        top += height;
    }
}

/* A text on each strip, altogether in the picture, which is a little turned; text: all of them, line by line. */
static void paint_texts(const page *p, ew_split split, char text[EW_TEXT])
{
    double margin = 0.06 * p->across, width = p->across - 2 * margin, top = margin;
    turn(p, 0.05);
    start_strip(p, -p->across, -p->across, 3 * p->across, 3 * p->across);
    for (;;) {
        ew_sign sign;
        ew_make_sign(&sign, p->chance, split, false);
        double size = ew_between(p->chance, 1.2, ew_happens(p->chance, 0.5) ? 2.2 : 5);
        start_strip(p, -p->across, top, 3 * p->across, p->across);
        double length = advance(p->picture, sign.lines[0], 1);
        size = fmin(size, width / fmax(length, 1.2)); /* the first fits in any case */
        if (top + 1.2 * size > p->across - margin)
            break;
        double x = margin + ew_between(p->chance, 0, width - size * length);
        for (const char *letter = sign.lines[0]; *letter; letter++)
            x += paint_cell(p, *letter, x, top, size);
        ew_append(text, "%s%s", text[0] ? "\n" : "", sign.lines[0]);
        top += size * ew_between(p->chance, 1.15, 1.6);
    }
}

void ew_paint_primer(uint8_t *rgb, uint8_t *letters, char text[EW_TEXT], int size, ew_split split, ew_chance *chance)
{
    page p = {ew_start_picture(size), ew_start_map(size), (double)size / EW_PATCH, chance};
    text[0] = 0;
    cairo_save(p.picture);
    cairo_scale(p.picture, 1 / p.across, 1 / p.across);
    cairo_scale(p.map, 1 / p.across, 1 / p.across);
    switch (ew_below(chance, 4)) {
    case 0: paint_grid(&p); break;
    case 1: paint_lines(&p); break;
    default: paint_texts(&p, split, text);
    }
    cairo_restore(p.picture);
    ew_take_map(letters, p.map, size);
    ew_finish_picture(rgb, p.picture, size, chance);
}
