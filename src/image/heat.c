/* Heat maps over pictures: the values, enlarged by Keys' cubic interpolation (a = -1/2), which keeps them where they
 * were measured, are colours and opacities at once. */
#include <math.h>
#include <string.h>

#include "image/canvas.h"
#include "image/palette.h"
#include "image/tint.h"

#define HEAT_OPACITY   0.8
#define CAPTION_GROUND 0.72 /* of black under white letters: they stand out, contrast 8.9, even on white */
#define CAPTION_LINES  4

/* The four values around a place, of which the middle two enclose it. Beyond the ends they repeat. */
typedef struct tap_set {
    size_t at[4];
    double weights[4];
} tap_set;

static tap_set find_taps(size_t place, size_t size, size_t count)
{
    double u = ((double)place + 0.5) * (double)count / (double)size - 0.5, t = u - floor(u);
    tap_set taps = {.weights = {((-0.5 * t + 1) * t - 0.5) * t, (1.5 * t - 2.5) * t * t + 1,
                                ((-1.5 * t + 2) * t + 0.5) * t, (0.5 * t - 0.5) * t * t}};
    for (int i = 0; i < 4; i++) {
        double at = floor(u) - 1 + i;
        taps.at[i] = at < 0 ? 0 : at < (double)count ? (size_t)at : count - 1;
    }
    return taps;
}

/* rows [count, width] out of values [count, columns], scaled to 0 .. 1. */
static pg_status widen(float **out, size_t width, const float *values, size_t columns, size_t count)
{
    float low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < columns * count; i++) {
        low = isfinite(values[i]) ? fminf(low, values[i]) : low;
        high = isfinite(values[i]) ? fmaxf(high, values[i]) : high;
    }
    float *rows = *out = pg_alloc(count, width * sizeof *rows);
    if (!rows)
        return PG_ERROR_MEMORY;
    double range = high > low ? (double)high - low : INFINITY; /* nothing stands out: all is 0 */
    for (size_t x = 0; x < width; x++) {
        tap_set taps = find_taps(x, width, columns);
        for (size_t y = 0; y < count; y++) {
            double sum = 0;
            for (int i = 0; i < 4; i++) {
                float value = values[y * columns + taps.at[i]];
                double heat = isnan(value) || value < low ? 0 : value > high ? 1 : ((double)value - low) / range;
                sum += taps.weights[i] * heat;
            }
            rows[y * width + x] = (float)sum;
        }
    }
    return PG_OK;
}

static void blend(pg_image *image, const float *rows, size_t count, double opacity)
{
    for (size_t y = 0; y < image->height; y++) {
        tap_set taps = find_taps(y, image->height, count);
        for (size_t x = 0; x < image->width; x++) {
            double heat = 0, color[3];
            for (int i = 0; i < 4; i++)
                heat += taps.weights[i] * rows[taps.at[i] * image->width + x];
            heat = fmin(fmax(heat, 0), 1); /* cubics swing over steps */
            pg_color_heat(color, heat);
            pg_pixel_blend(image->pixels + 3 * (y * image->width + x), color,
                           opacity * sqrt(heat)); /* else half the heat was hardly seen */
        }
    }
}

static pg_status write_caption(pg_image **image, const char *caption, double text)
{
    static const double black[3] = {0, 0, 0}, white[3] = {1, 1, 1};
    pg_canvas canvas = {0};
    pg_lines lines = {0};
    pg_image *written = NULL;
    double width = (double)(*image)->width, height = (double)(*image)->height, step = 1.3 * text;
    pg_status status;
    PG_TRY_GOTO(pg_canvas_open(&canvas, (*image)->width, (*image)->height, *image, PG_LETTERS_BOLD));
    PG_TRY_GOTO(pg_letters_wrap(&lines, &canvas, caption, text, width - text, CAPTION_LINES));
    double top = fmax(0, floor(height - (double)lines.count * step - 0.4 * text));
    cairo_rectangle(canvas.cairo, 0, top, width, height - top);
    pg_canvas_color(&canvas, black, CAPTION_GROUND);
    cairo_fill(canvas.cairo);
    pg_canvas_color(&canvas, white, 1);
    for (size_t i = 0; i < lines.count; i++)
        pg_letters_show(&canvas, lines.items[i], strlen(lines.items[i]), text, text / 2,
                        top + 0.2 * text + ((double)i + 0.77) * step);
    PG_TRY_GOTO(pg_canvas_image(&written, &canvas));
    pg_image_free(*image);
    *image = written;
done:
    pg_lines_free(&lines);
    pg_canvas_close(&canvas);
    return status;
}

pg_status pg_image_draw_heat(pg_image **out, const pg_image *image, const float *values, size_t columns, size_t rows,
                             const char *caption, const pg_draw_options *options)
{
    pg_draw_options settled;
    pg_image *copy = NULL;
    float *wide = NULL;
    pg_status status;
    *out = NULL;
    PG_TRY(pg_draw_options_settle(&settled, options, image, HEAT_OPACITY));
    if (!columns || !rows)
        return pg_fail(PG_ERROR_ARGUMENT, "a heat map of %zu x %zu values, expected at least 1 x 1", columns, rows);
    if (caption)
        PG_TRY(pg_letters_check(caption, "the caption"));
    PG_TRY_GOTO(pg_image_new(&copy, image->pixels, image->width, image->height, 0));
    PG_TRY_GOTO(widen(&wide, image->width, values, columns, rows));
    blend(copy, wide, rows, settled.opacity);
    if (caption && *caption)
        PG_TRY_GOTO(write_caption(&copy, caption, settled.text));
    *out = copy;
    copy = NULL;
done:
    pg_free(wide);
    pg_image_free(copy);
    return status;
}
