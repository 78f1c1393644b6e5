/*
 * Pictures of things. Noto Color Emoji is a font of bitmaps, 136 x 128 pixels; each glyph is drawn once, cut to what is
 * not transparent, and halved twice, so that painting picks the size next above what is wanted and never skips pixels.
 */
#include <cairo-ft.h>
#include <fontconfig/fontconfig.h>
#include <string.h>

#include "world.h"

enum { SIDE = 128, LEVELS = 3, CANVAS = 192 };

typedef struct picture {
    cairo_surface_t *levels[LEVELS]; /* 1, 1/2 and 1/4 of the full size */
    int width, height;               /* of the first */
} picture;

static picture glyphs[EW_THINGS];

cairo_font_face_t *ew_font(const char *family, bool bold, bool italic)
{
    FcPattern *wanted = FcPatternCreate();
    FcPatternAddString(wanted, FC_FAMILY, (const FcChar8 *)family);
    FcPatternAddInteger(wanted, FC_WEIGHT, bold ? FC_WEIGHT_BOLD : FC_WEIGHT_NORMAL);
    FcPatternAddInteger(wanted, FC_SLANT, italic ? FC_SLANT_OBLIQUE : FC_SLANT_ROMAN);
    FcConfigSubstitute(NULL, wanted, FcMatchPattern);
    FcDefaultSubstitute(wanted);
    FcResult result;
    FcPattern *found = FcFontMatch(NULL, wanted, &result);
    FcChar8 *name = NULL;
    if (!found || FcPatternGetString(found, FC_FAMILY, 0, &name) != FcResultMatch ||
        strcmp((const char *)name, family) != 0)
        ew_fail("there is no font %s (found %s); examples/emoji-world/README.md names the packages", family,
                name ? (const char *)name : "none");
    cairo_font_face_t *face = cairo_ft_font_face_create_for_pattern(found);
    FcPatternDestroy(found);
    FcPatternDestroy(wanted);
    return face;
}

/* The first and the last row or column with a pixel that is not transparent. */
static void find_bounds(int bounds[4], cairo_surface_t *surface)
{
    cairo_surface_flush(surface);
    const uint8_t *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    bounds[0] = bounds[1] = CANVAS;
    bounds[2] = bounds[3] = -1;
    for (int y = 0; y < CANVAS; y++)
        for (int x = 0; x < CANVAS; x++) {
            uint32_t pixel;
            memcpy(&pixel, data + y * stride + x * 4, sizeof pixel);
            if (pixel >> 24 < 16)
                continue;
            bounds[0] = x < bounds[0] ? x : bounds[0];
            bounds[1] = y < bounds[1] ? y : bounds[1];
            bounds[2] = x > bounds[2] ? x : bounds[2];
            bounds[3] = y > bounds[3] ? y : bounds[3];
        }
}

static cairo_surface_t *draw_character(const char *character, cairo_font_face_t *font)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, CANVAS, CANVAS);
    cairo_t *cairo = cairo_create(surface);
    cairo_set_font_face(cairo, font);
    cairo_set_font_size(cairo, 109); /* at which the font's bitmaps are not scaled */
    cairo_move_to(cairo, 20, 150);
    cairo_show_text(cairo, character);
    cairo_destroy(cairo);
    return surface;
}

static cairo_surface_t *crop(cairo_surface_t *surface, const int bounds[4])
{
    int width = bounds[2] - bounds[0] + 1, height = bounds[3] - bounds[1] + 1;
    cairo_surface_t *out = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, width, height);
    cairo_t *cairo = cairo_create(out);
    cairo_set_source_surface(cairo, surface, -bounds[0], -bounds[1]);
    cairo_paint(cairo);
    cairo_destroy(cairo);
    return out;
}

/* Half the size; each pixel the mean of four (cairo's filter for half sizes). */
static cairo_surface_t *halve(cairo_surface_t *surface)
{
    int width = cairo_image_surface_get_width(surface), height = cairo_image_surface_get_height(surface);
    cairo_surface_t *out = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (width + 1) / 2, (height + 1) / 2);
    cairo_t *cairo = cairo_create(out);
    cairo_scale(cairo, 0.5, 0.5);
    cairo_set_source_surface(cairo, surface, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cairo), CAIRO_FILTER_GOOD);
    cairo_paint(cairo);
    cairo_destroy(cairo);
    return out;
}

void ew_load_glyphs(void)
{
    cairo_font_face_t *font = ew_font("Noto Color Emoji", false, false);
    for (int i = 0; i < EW_THINGS; i++) {
        picture *glyph = &glyphs[i];
        int bounds[4];
        cairo_surface_t *canvas = draw_character(ew_things[i].glyph, font);
        find_bounds(bounds, canvas);
        if (bounds[2] - bounds[0] < SIDE / 4 && bounds[3] - bounds[1] < SIDE / 4)
            ew_fail("Noto Color Emoji has no picture of %s", ew_things[i].glyph);
        glyph->levels[0] = crop(canvas, bounds);
        cairo_surface_destroy(canvas);
        glyph->width = bounds[2] - bounds[0] + 1;
        glyph->height = bounds[3] - bounds[1] + 1;
        for (int level = 1; level < LEVELS; level++)
            glyph->levels[level] = halve(glyph->levels[level - 1]);
    }
    cairo_font_face_destroy(font);
}

static int longer_side(const picture *glyph)
{
    return glyph->width > glyph->height ? glyph->width : glyph->height;
}

double ew_glyph_width(int thing)
{
    return (double)glyphs[thing].width / longer_side(&glyphs[thing]);
}

double ew_glyph_height(int thing)
{
    return (double)glyphs[thing].height / longer_side(&glyphs[thing]);
}

void ew_paint_glyph(cairo_t *cairo, int thing, double size, double pixels)
{
    const picture *glyph = &glyphs[thing];
    int level = 0;
    while (level + 1 < LEVELS && (longer_side(glyph) >> (level + 1)) >= size * pixels)
        level++;
    double scale = size / longer_side(glyph);
    cairo_save(cairo);
    cairo_scale(cairo, scale, scale);
    cairo_translate(cairo, -glyph->width / 2.0, -glyph->height / 2.0);
    cairo_scale(cairo, 1 << level, 1 << level);
    cairo_set_source_surface(cairo, glyph->levels[level], 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cairo), CAIRO_FILTER_BILINEAR);
    cairo_paint(cairo);
    cairo_restore(cairo);
}
