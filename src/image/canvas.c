/* Pictures as cairo's surfaces. A pixel is a word 0x00RRGGBB there, so what is not drawn on stays as it was, bit for
 * bit. */
#include "image/canvas.h"

#include <math.h>

#define LONGEST_SIDE 32767 /* of cairo's image surfaces */
#define WIDEST_LINE  1000.0
#define LARGEST_TEXT 2000.0

static const cairo_user_data_key_t pixels_key;

static pg_status fail_cairo(cairo_status_t status)
{
    return pg_fail(status == CAIRO_STATUS_NO_MEMORY ? PG_ERROR_MEMORY : PG_ERROR_ARGUMENT,
                   "the picture cannot be drawn on: %s", cairo_status_to_string(status));
}

static void fill(const pg_canvas *canvas, const pg_image *ground)
{
    for (size_t y = 0; y < canvas->height; y++) {
        uint32_t *to = canvas->pixels + y * canvas->stride;
        const uint8_t *from = ground ? ground->pixels + y * canvas->width * 3 : NULL;
        for (size_t x = 0; x < canvas->width; x++)
            to[x] = from ? (uint32_t)from[3 * x] << 16 | (uint32_t)from[3 * x + 1] << 8 | from[3 * x + 2] : 0xffffff;
    }
}

/* The surface owns its pixels from the moment they are tied to it. */
static pg_status make_surface(cairo_surface_t **out, const pg_canvas *canvas)
{
    cairo_surface_t *surface =
        cairo_image_surface_create_for_data((unsigned char *)canvas->pixels, CAIRO_FORMAT_RGB24, (int)canvas->width,
                                            (int)canvas->height, (int)(canvas->stride * sizeof(uint32_t)));
    cairo_status_t status = cairo_surface_set_user_data(surface, &pixels_key, canvas->pixels, pg_free);
    if (status != CAIRO_STATUS_SUCCESS) {
        cairo_surface_destroy(surface);
        pg_free(canvas->pixels);
        return fail_cairo(status);
    }
    *out = surface;
    return PG_OK;
}

/* Grey edges whatever the screen is, and widths that do not depend on hints: a drawing is the same everywhere. */
static void set_up(cairo_t *cairo)
{
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_SLIGHT);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cairo, options);
    cairo_font_options_destroy(options);
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
}

pg_status pg_canvas_open(pg_canvas *out, size_t width, size_t height, const pg_image *ground, pg_letters_weight weight)
{
    pg_canvas canvas = {.width = width, .height = height};
    cairo_surface_t *surface = NULL;
    if (width > LONGEST_SIDE || height > LONGEST_SIDE)
        return pg_fail(PG_ERROR_LIMIT, "%zu x %zu pixels are to be drawn on, expected at most %d on a side", width,
                       height, LONGEST_SIDE);
    canvas.stride = (size_t)cairo_format_stride_for_width(CAIRO_FORMAT_RGB24, (int)width) / sizeof(uint32_t);
    canvas.pixels = pg_alloc(height, canvas.stride * sizeof *canvas.pixels);
    if (!canvas.pixels)
        return PG_ERROR_MEMORY;
    fill(&canvas, ground);
    PG_TRY(make_surface(&surface, &canvas));
    canvas.cairo = cairo_create(surface);
    cairo_surface_destroy(surface); /* cairo has its own hold on it */
    set_up(canvas.cairo);
    pg_status status = pg_letters_open(&canvas.letters, weight);
    if (status == PG_OK)
        *out = canvas;
    else
        pg_canvas_close(&canvas);
    return status;
}

void pg_canvas_close(pg_canvas *canvas)
{
    pg_letters_close(canvas->letters);
    if (canvas->cairo)
        cairo_destroy(canvas->cairo);
    *canvas = (pg_canvas){0};
}

pg_status pg_canvas_image(pg_image **out, const pg_canvas *canvas)
{
    cairo_surface_flush(cairo_get_target(canvas->cairo));
    cairo_status_t status = cairo_status(canvas->cairo);
    if (status != CAIRO_STATUS_SUCCESS)
        return fail_cairo(status);
    PG_TRY(pg_image_blank(out, canvas->width, canvas->height));
    uint8_t *to = (*out)->pixels;
    for (size_t y = 0; y < canvas->height; y++)
        for (size_t x = 0; x < canvas->width; x++) {
            uint32_t pixel = canvas->pixels[y * canvas->stride + x];
            *to++ = (uint8_t)(pixel >> 16);
            *to++ = (uint8_t)(pixel >> 8);
            *to++ = (uint8_t)pixel;
        }
    return PG_OK;
}

void pg_canvas_color(const pg_canvas *canvas, const double color[3], double opacity)
{
    cairo_set_source_rgba(canvas->cairo, color[0], color[1], color[2], opacity);
}

/* ---------------------------------------------------------------- options */

void pg_draw_options_init(pg_draw_options *options)
{
    *options = (pg_draw_options){.opacity = -1};
}

static pg_status check_options(const pg_draw_options *options)
{
    if (!(options->line >= 0 && options->line <= WIDEST_LINE))
        return pg_fail(PG_ERROR_ARGUMENT, "lines %g pixels wide, expected 0 to %g", options->line, WIDEST_LINE);
    if (!(options->text >= 0 && options->text <= LARGEST_TEXT))
        return pg_fail(PG_ERROR_ARGUMENT, "letters of %g pixels, expected 0 to %g", options->text, LARGEST_TEXT);
    if (!(options->opacity <= 1))
        return pg_fail(PG_ERROR_ARGUMENT, "an opacity of %g, expected 0 to 1", options->opacity);
    return PG_OK;
}

/* A drawing looks the same whatever the picture's resolution, but letters stay large enough to be read. */
pg_status pg_draw_options_settle(pg_draw_options *out, const pg_draw_options *options, const pg_image *image,
                                 double opacity)
{
    double side = (double)(image->width < image->height ? image->width : image->height);
    pg_draw_options_init(out);
    if (options)
        *out = *options;
    PG_TRY(check_options(out));
    out->line = out->line > 0 ? out->line : fmax(2, round(side / 150));
    out->text = out->text > 0 ? out->text : fmax(12, round(side / 30));
    out->opacity = out->opacity >= 0 ? out->opacity : opacity;
    return PG_OK;
}
