/* Contact sheets: a grid of pictures on white, each fitted into its cell, with its caption below. A row is as high as
 * its highest picture and its longest caption. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "image/canvas.h"
#include "image/palette.h"

#define SMALLEST_CELL 32
#define LARGEST_CELL  4096
#define CAPTION_LINES 8

typedef struct sheet_plan {
    const pg_image *const *images;
    pg_lines *captions; /* of every picture */
    size_t count, columns, cell;
    double text, gap;
} sheet_plan;

static double line_step(const sheet_plan *sheet)
{
    return ceil(1.3 * sheet->text);
}

/* The size at which a picture fills its cell in one direction. */
static void fitted(size_t *width, size_t *height, const pg_image *image, size_t cell)
{
    double scale = (double)cell / (double)(image->width > image->height ? image->width : image->height);
    *width = (size_t)fmax(1, round((double)image->width * scale));
    *height = (size_t)fmax(1, round((double)image->height * scale));
}

/* Heights of a row's pictures, and of its captions with the gap to them. */
static void measure_row(double *pictures, double *captions, const sheet_plan *sheet, size_t first)
{
    *pictures = *captions = 0;
    for (size_t i = first; i < sheet->count && i < first + sheet->columns; i++) {
        size_t width = 0, height = 0;
        if (sheet->images[i])
            fitted(&width, &height, sheet->images[i], sheet->cell);
        *pictures = fmax(*pictures, (double)height);
        if (sheet->captions[i].count)
            *captions = fmax(*captions, (double)sheet->captions[i].count * line_step(sheet) + 0.4 * sheet->text);
    }
}

static double sheet_height(const sheet_plan *sheet)
{
    double height = sheet->gap, pictures, captions;
    for (size_t first = 0; first < sheet->count; first += sheet->columns) {
        measure_row(&pictures, &captions, sheet, first);
        height += ceil(pictures + captions) + sheet->gap;
    }
    return height;
}

static double sheet_width(const sheet_plan *sheet)
{
    return (double)sheet->columns * ((double)sheet->cell + sheet->gap) + sheet->gap;
}

/* Copies a picture onto the canvas, around x and y. */
static pg_status paste(const pg_canvas *canvas, const pg_image *image, size_t cell, double x, double y)
{
    size_t width, height;
    pg_image *small;
    fitted(&width, &height, image, cell);
    PG_TRY(pg_image_resize(&small, image, width, height, PG_RESIZE_PILLOW13));
    size_t left = (size_t)round(x - (double)width / 2), top = (size_t)round(y - (double)height / 2);
    cairo_surface_flush(cairo_get_target(canvas->cairo));
    for (size_t row = 0; row < height; row++)
        for (size_t column = 0; column < width; column++) {
            const uint8_t *from = small->pixels + 3 * (row * width + column);
            canvas->pixels[(top + row) * canvas->stride + left + column] =
                (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        }
    cairo_surface_mark_dirty(cairo_get_target(canvas->cairo));
    pg_image_free(small);
    return PG_OK;
}

/* Lines around x, from y down. */
static void write_caption(const pg_canvas *canvas, const sheet_plan *sheet, const pg_lines *lines, double x, double y)
{
    pg_canvas_color(canvas, pg_palette[0], 0.9);
    for (size_t i = 0; i < lines->count; i++) {
        size_t length = strlen(lines->items[i]);
        double width = pg_letters_width(canvas, lines->items[i], length, sheet->text);
        pg_letters_show(canvas, lines->items[i], length, sheet->text, x - width / 2,
                        y + ((double)i + 1) * line_step(sheet));
    }
}

static pg_status draw_sheet(const pg_canvas *canvas, const sheet_plan *sheet)
{
    double y = sheet->gap, pictures, captions, cell = (double)sheet->cell;
    for (size_t first = 0; first < sheet->count; first += sheet->columns) {
        measure_row(&pictures, &captions, sheet, first);
        for (size_t i = first; i < sheet->count && i < first + sheet->columns; i++) {
            double x = sheet->gap + (double)(i - first) * (cell + sheet->gap) + cell / 2;
            if (sheet->images[i])
                PG_TRY(paste(canvas, sheet->images[i], sheet->cell, x, y + pictures / 2));
            write_caption(canvas, sheet, &sheet->captions[i], x, y + pictures);
        }
        y += ceil(pictures + captions) + sheet->gap;
    }
    return PG_OK;
}

static pg_status check_sheet(const sheet_plan *sheet, const char *const *captions)
{
    char what[64];
    if (!sheet->count)
        return pg_fail(PG_ERROR_ARGUMENT, "a contact sheet of no pictures");
    if (sheet->cell < SMALLEST_CELL || sheet->cell > LARGEST_CELL)
        return pg_fail(PG_ERROR_ARGUMENT, "cells of %zu pixels, expected %d to %d", sheet->cell, SMALLEST_CELL,
                       LARGEST_CELL);
    for (size_t i = 0; captions && i < sheet->count; i++) {
        snprintf(what, sizeof what, "caption %zu", i);
        if (captions[i])
            PG_TRY(pg_letters_check(captions[i], what));
    }
    return PG_OK;
}

/* A canvas of one pixel is enough to measure letters on. */
static pg_status wrap_captions(sheet_plan *sheet, const char *const *captions)
{
    pg_canvas canvas = {0};
    pg_status status = PG_OK;
    sheet->captions = pg_alloc(sheet->count, sizeof *sheet->captions);
    if (!sheet->captions)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_canvas_open(&canvas, 1, 1, NULL, PG_LETTERS_PLAIN));
    for (size_t i = 0; captions && status == PG_OK && i < sheet->count; i++)
        if (captions[i])
            status = pg_letters_wrap(&sheet->captions[i], &canvas, captions[i], sheet->text, (double)sheet->cell,
                                     CAPTION_LINES);
    pg_canvas_close(&canvas);
    return status;
}

static pg_status make_sheet(pg_image **out, const sheet_plan *sheet)
{
    pg_canvas canvas = {0};
    double width = sheet_width(sheet), height = sheet_height(sheet);
    if (width * height > PG_IMAGE_MAX_PIXELS)
        return pg_fail(PG_ERROR_LIMIT,
                       "%zu pictures make a contact sheet of %.0f x %.0f pixels, at most %d are possible: choose "
                       "smaller cells or fewer pictures",
                       sheet->count, width, height, PG_IMAGE_MAX_PIXELS);
    PG_TRY(pg_canvas_open(&canvas, (size_t)width, (size_t)height, NULL, PG_LETTERS_PLAIN));
    pg_status status = draw_sheet(&canvas, sheet);
    if (status == PG_OK)
        status = pg_canvas_image(out, &canvas);
    pg_canvas_close(&canvas);
    return status;
}

pg_status pg_image_sheet(pg_image **out, const pg_image *const *images, const char *const *captions, size_t count,
                         size_t columns, size_t cell)
{
    sheet_plan sheet = {.images = images, .count = count, .cell = cell};
    *out = NULL;
    PG_TRY(check_sheet(&sheet, captions));
    sheet.columns = columns ? columns : (size_t)ceil(sqrt((double)count));
    sheet.columns = sheet.columns < count ? sheet.columns : count;
    sheet.text = fmax(11, round((double)cell / 18));
    sheet.gap = round(fmax(8, (double)cell / 20));
    pg_status status = wrap_captions(&sheet, captions);
    if (status == PG_OK)
        status = make_sheet(out, &sheet);
    for (size_t i = 0; sheet.captions && i < count; i++)
        pg_lines_free(&sheet.captions[i]);
    pg_free(sheet.captions);
    return status;
}
