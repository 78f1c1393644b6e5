#include "scenery.h"

#include <math.h>

static double clamp(double value)
{
    return fmin(fmax(value, 0), 1);
}

ew_tint ew_vary(ew_chance *chance, ew_tint tint, double amount)
{
    double light = 1 + ew_between(chance, -amount, amount), shift = amount * 0.35;
    return (ew_tint){clamp(tint.red * light + ew_between(chance, -shift, shift)),
                     clamp(tint.green * light + ew_between(chance, -shift, shift)),
                     clamp(tint.blue * light + ew_between(chance, -shift, shift))};
}

ew_tint ew_blend(ew_tint a, ew_tint b, double share)
{
    return (ew_tint){a.red + (b.red - a.red) * share, a.green + (b.green - a.green) * share,
                     a.blue + (b.blue - a.blue) * share};
}

ew_tint ew_shade(ew_tint tint, double factor)
{
    return (ew_tint){clamp(tint.red * factor), clamp(tint.green * factor), clamp(tint.blue * factor)};
}

void ew_use(cairo_t *cairo, ew_tint tint, double alpha)
{
    cairo_set_source_rgba(cairo, tint.red, tint.green, tint.blue, alpha);
}

static void use_gradient(cairo_t *cairo, double top, double bottom, ew_tint upper, ew_tint lower)
{
    cairo_pattern_t *pattern = cairo_pattern_create_linear(0, top, 0, bottom);
    cairo_pattern_add_color_stop_rgb(pattern, 0, upper.red, upper.green, upper.blue);
    cairo_pattern_add_color_stop_rgb(pattern, 1, lower.red, lower.green, lower.blue);
    cairo_set_source(cairo, pattern);
    cairo_pattern_destroy(pattern);
}

void ew_band(cairo_t *cairo, double top, double bottom, ew_tint upper, ew_tint lower)
{
    use_gradient(cairo, top, bottom, upper, lower);
    cairo_rectangle(cairo, -0.01, top, 1.02, bottom - top + 0.01);
    cairo_fill(cairo);
}

/* Three sines, each of about twice the frequency and half the height of the one before. */
static void trace_wave(cairo_t *cairo, ew_chance *chance, double y, double height, double waves)
{
    double phase[3], stretch[3];
    for (int i = 0; i < 3; i++) {
        phase[i] = ew_between(chance, 0, 2 * M_PI);
        stretch[i] = waves * (1 << i) * ew_between(chance, 0.8, 1.25);
    }
    for (int step = 0; step <= 40; step++) {
        double x = -0.02 + 1.04 * step / 40, sum = 0;
        for (int i = 0; i < 3; i++)
            sum += sin(2 * M_PI * stretch[i] * x + phase[i]) / (1 << i);
        cairo_line_to(cairo, x, y - height * sum / 1.75);
    }
}

void ew_hills(cairo_t *cairo, ew_chance *chance, double y, double height, double waves, ew_tint upper, ew_tint lower)
{
    cairo_new_path(cairo);
    trace_wave(cairo, chance, y, height, waves);
    cairo_line_to(cairo, 1.02, 1.02);
    cairo_line_to(cairo, -0.02, 1.02);
    cairo_close_path(cairo);
    use_gradient(cairo, y - height, 1, upper, lower);
    cairo_fill(cairo);
}

void ew_ripple(cairo_t *cairo, ew_chance *chance, double y, double height, double waves, double thickness)
{
    cairo_new_path(cairo);
    trace_wave(cairo, chance, y, height, waves);
    cairo_set_line_width(cairo, thickness);
    cairo_stroke(cairo);
}

void ew_ellipse(cairo_t *cairo, double x, double y, double width, double height)
{
    cairo_save(cairo);
    cairo_translate(cairo, x, y);
    cairo_scale(cairo, width, height);
    cairo_arc(cairo, 0, 0, 1, 0, 2 * M_PI);
    cairo_restore(cairo);
    cairo_fill(cairo);
}

void ew_glow(cairo_t *cairo, double x, double y, double radius, ew_tint tint, double alpha)
{
    cairo_pattern_t *pattern = cairo_pattern_create_radial(x, y, 0, x, y, radius);
    cairo_pattern_add_color_stop_rgba(pattern, 0, tint.red, tint.green, tint.blue, alpha);
    cairo_pattern_add_color_stop_rgba(pattern, 1, tint.red, tint.green, tint.blue, 0);
    cairo_set_source(cairo, pattern);
    cairo_pattern_destroy(pattern);
    cairo_rectangle(cairo, x - radius, y - radius, 2 * radius, 2 * radius);
    cairo_fill(cairo);
}

/* Ellipses in one path, so that they do not show where they overlap. */
static void paint_cloud(cairo_t *cairo, ew_chance *chance, double x, double y, double size)
{
    for (int i = 0; i < 5; i++) {
        double puff = size * ew_between(chance, 0.25, 0.5) * (i == 0 || i == 4 ? 0.7 : 1);
        cairo_save(cairo);
        cairo_translate(cairo, x + size * (i - 2) * 0.38, y - ew_between(chance, 0, 0.4) * puff);
        cairo_scale(cairo, puff, puff * 0.6);
        cairo_new_sub_path(cairo);
        cairo_arc(cairo, 0, 0, 1, 0, 2 * M_PI);
        cairo_restore(cairo);
    }
    cairo_fill(cairo);
}

void ew_clouds(cairo_t *cairo, ew_chance *chance, double top, double bottom, int count, double alpha)
{
    for (int i = 0; i < count; i++) {
        double size = ew_between(chance, 0.08, 0.2);
        ew_use(cairo, (ew_tint){1, 1, 1}, alpha * ew_between(chance, 0.6, 1));
        paint_cloud(cairo, chance, ew_between(chance, 0, 1), ew_between(chance, top, bottom), size);
    }
}

void ew_speckles(cairo_t *cairo, ew_chance *chance, double top, double bottom, int count, double radius, double alpha)
{
    for (int i = 0; i < count; i++) {
        double near = ew_between(chance, 0, 1), size = radius * (0.4 + 0.8 * near) * ew_between(chance, 0.6, 1.3);
        ew_use(cairo, ew_happens(chance, 0.5) ? (ew_tint){0, 0, 0} : (ew_tint){1, 1, 1}, alpha);
        ew_ellipse(cairo, ew_between(chance, 0, 1), top + (bottom - top) * near, size * 1.4, size);
    }
}

void ew_conifer(cairo_t *cairo, double x, double foot, double height, ew_tint tint)
{
    ew_use(cairo, (ew_tint){0.30, 0.20, 0.12}, 1);
    cairo_rectangle(cairo, x - height * 0.035, foot - height * 0.15, height * 0.07, height * 0.15);
    cairo_fill(cairo);
    for (int i = 0; i < 3; i++) {
        double top = foot - height * (0.5 + 0.25 * i), half = height * (0.26 - 0.06 * i);
        ew_use(cairo, ew_shade(tint, 0.85 + 0.15 * i), 1);
        cairo_move_to(cairo, x, top);
        cairo_line_to(cairo, x + half, top + height * 0.42);
        cairo_line_to(cairo, x - half, top + height * 0.42);
        cairo_close_path(cairo);
        cairo_fill(cairo);
    }
}
