/* A scene's pixels: the place, the objects from back to front, then light, blur and noise over all. */
#include <math.h>
#include <string.h>

#include "scenery.h"

void ew_paint_object(cairo_t *cairo, const ew_scene *scene, int object, double pixels)
{
    const ew_object *it = &scene->objects[object];
    cairo_save(cairo);
    cairo_translate(cairo, it->x, it->y);
    cairo_rotate(cairo, it->angle);
    if (it->mirrored)
        cairo_scale(cairo, -1, 1);
    if (it->thing == EW_SIGN)
        ew_paint_sign(cairo, &scene->sign, it->size);
    else
        ew_paint_glyph(cairo, it->thing, it->size, pixels);
    cairo_restore(cairo);
}

/* Where an object's foot is on the ground. */
static void paint_shadow(cairo_t *cairo, const ew_scene *scene, const ew_object *object)
{
    bool sign = object->thing == EW_SIGN;
    double width = object->size * (sign ? 1 : ew_glyph_width(object->thing)) / 2;
    double foot = object->y + object->size * (sign ? scene->sign.aspect : ew_glyph_height(object->thing)) / 2;
    if (foot < ew_ground(scene->place) || object->size > 0.55)
        return;
    cairo_save(cairo);
    cairo_translate(cairo, object->x, foot);
    cairo_scale(cairo, 1, 0.22);
    ew_glow(cairo, 0, 0, width * 1.15, (ew_tint){0, 0, 0}, 0.45);
    cairo_restore(cairo);
}

/* Sunlight or dusk: a colour that multiplies, and a vignette or a lighter side. */
static void paint_light(cairo_t *cairo, ew_chance *chance)
{
    static const ew_tint lights[] = {{1, 1, 1}, {1, 0.95, 0.86}, {0.90, 0.95, 1}, {0.92, 0.91, 0.95}};
    ew_tint light = ew_vary(chance, lights[ew_below(chance, 4)], 0.06);
    cairo_set_operator(cairo, CAIRO_OPERATOR_MULTIPLY);
    ew_use(cairo, light, 1);
    cairo_paint(cairo);
    cairo_set_operator(cairo, CAIRO_OPERATOR_OVER);
    if (ew_happens(chance, 0.4))
        ew_glow(cairo, ew_between(chance, 0, 1), ew_between(chance, 0, 0.5), 0.9, (ew_tint){1, 0.98, 0.9},
                ew_between(chance, 0.05, 0.25));
}

/* Three pixels' mean, `strength` of it, along rows and columns: a slight blur. */
static void blur_line(uint8_t *line, int count, ptrdiff_t step, double strength)
{
    double before = line[0];
    for (int i = 1; i + 1 < count; i++) {
        double here = line[i * step], mean = (before + here + line[(i + 1) * step]) / 3;
        before = here;
        line[i * step] = (uint8_t)lrint(here + strength * (mean - here));
    }
}

static void blur(uint8_t *rgb, int size, double strength)
{
    ptrdiff_t row = (ptrdiff_t)size * 3;
    for (int i = 0; i < size; i++)
        for (int channel = 0; channel < 3; channel++) {
            blur_line(rgb + i * row + channel, size, 3, strength);
            blur_line(rgb + (ptrdiff_t)i * 3 + channel, size, row, strength);
        }
}

static void add_noise(uint8_t *rgb, int size, double deviation, ew_chance *chance)
{
    for (size_t i = 0; i < (size_t)size * (size_t)size; i++) {
        double light = deviation * ew_normal(chance);
        for (int channel = 0; channel < 3; channel++) {
            double value = rgb[i * 3 + (size_t)channel] + light;
            rgb[i * 3 + (size_t)channel] = (uint8_t)lrint(fmin(fmax(value, 0), 255));
        }
    }
}

static void copy_pixels(uint8_t *rgb, cairo_surface_t *surface, int size)
{
    cairo_surface_flush(surface);
    const uint8_t *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++, rgb += 3) {
            uint32_t pixel;
            memcpy(&pixel, data + (ptrdiff_t)y * stride + (ptrdiff_t)x * 4, sizeof pixel);
            rgb[0] = pixel >> 16 & 0xff;
            rgb[1] = pixel >> 8 & 0xff;
            rgb[2] = pixel & 0xff;
        }
}

cairo_t *ew_start_picture(int size)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, size, size);
    cairo_t *cairo = cairo_create(surface);
    cairo_surface_destroy(surface);
    cairo_scale(cairo, size, size);
    return cairo;
}

void ew_finish_picture(uint8_t *rgb, cairo_t *cairo, int size, ew_chance *chance)
{
    paint_light(cairo, chance);
    if (cairo_status(cairo) != CAIRO_STATUS_SUCCESS)
        ew_fail("cairo: %s", cairo_status_to_string(cairo_status(cairo)));
    copy_pixels(rgb, cairo_get_target(cairo), size);
    cairo_destroy(cairo);
    double strength = ew_happens(chance, 0.3) ? ew_between(chance, 0.15, 0.65) : 0;
    double noise = ew_happens(chance, 0.4) ? ew_between(chance, 1, 5.5) : 0;
    if (strength > 0)
        blur(rgb, size, strength);
    if (noise > 0)
        add_noise(rgb, size, noise, chance);
}

void ew_paint_scene(uint8_t *rgb, const ew_scene *scene, int size)
{
    ew_chance chance = {ew_mix(scene->seed, 1)}, finish = {ew_mix(scene->seed, 2)};
    cairo_t *cairo = ew_start_picture(size);
    ew_paint_place(cairo, scene->place, &chance);
    for (int i = 0; i < scene->count; i++) {
        paint_shadow(cairo, scene, &scene->objects[i]);
        ew_paint_object(cairo, scene, i, size);
    }
    ew_finish_picture(rgb, cairo, size, &finish);
}
