/*
 * Pictures full of letters, to learn their shapes from: strips of boards, with a letter in each patch or with lines of
 * letters of any size. Beside the picture a map is made, of whose cell each pixel is in.
 */
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

/* A letter with its left end and foot at a point; returns how far it reaches. */
static double paint_letter(cairo_t *cairo, char letter, double x, double foot, double size)
{
    const char text[2] = {letter, 0};
    cairo_text_extents_t extents;
    cairo_set_font_size(cairo, size);
    cairo_text_extents(cairo, text, &extents);
    cairo_move_to(cairo, x, foot);
    cairo_text_path(cairo, text);
    cairo_fill(cairo);
    return extents.x_advance;
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

/* A letter for each patch, near its middle. */
static void paint_grid(const page *p)
{
    for (int row = 0; row < p->across; row++) {
        start_strip(p, 0, row, p->across, 1);
        double size = ew_between(p->chance, 0.8, 1.35);
        for (int i = 0; i < p->across; i++) {
            char letter = choose_letter(p->chance);
            double x = i + 0.5 - 0.3 * size + ew_between(p->chance, -0.2, 0.2);
            paint_letter(p->picture, letter, x, row + 0.5 + 0.35 * size + ew_between(p->chance, -0.15, 0.15), size);
            mark(p, letter, i, row, 1, 1);
        }
    }
}

/* Lines of letters in sizes of one to three patches, a little turned: from beyond one margin to beyond the other. */
static void paint_lines(const page *p)
{
    double angle = ew_between(p->chance, -0.14, 0.14), beyond = 0.2 * p->across;
    cairo_rotate(p->picture, angle);
    cairo_rotate(p->map, angle);
    double top = -beyond - ew_between(p->chance, 0, 2), end = p->across + beyond;
    while (top < end) {
        double size = ew_between(p->chance, 1, ew_happens(p->chance, 0.5) ? 2 : 3), height = 1.15 * size;
        start_strip(p, -beyond, top, end + beyond, height);
        for (double x = -beyond - ew_between(p->chance, 0, size); x < end;) {
            char letter = choose_letter(p->chance);
            double width = paint_letter(p->picture, letter, x, top + 0.86 * size, size);
            mark(p, letter, x, top + 0.14 * size, width, 0.8 * size);
            x += width;
        }
        top += height;
    }
}

void ew_paint_primer(uint8_t *rgb, uint8_t *letters, int size, ew_chance *chance)
{
    page p = {ew_start_picture(size), ew_start_map(size), (double)size / EW_PATCH, chance};
    cairo_save(p.picture);
    cairo_scale(p.picture, 1 / p.across, 1 / p.across);
    cairo_scale(p.map, 1 / p.across, 1 / p.across);
    (ew_happens(chance, 0.5) ? paint_grid : paint_lines)(&p);
    cairo_restore(p.picture);
    ew_take_map(letters, p.map, size);
    ew_finish_picture(rgb, p.picture, size, chance);
}
