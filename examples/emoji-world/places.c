/* Places: each is painted of gradients and shapes that vary in position, number and colour, so that it is never twice
 * the same. Nothing in a place looks like one of the things. */
#include <math.h>

#include "scenery.h"

static const ew_tint white = {1, 1, 1};

static void paint_sky(cairo_t *cairo, ew_chance *chance, double bottom)
{
    static const ew_tint tops[] = {{0.28, 0.56, 0.88}, {0.36, 0.64, 0.92}, {0.45, 0.62, 0.80}, {0.50, 0.70, 0.95}};
    static const ew_tint feet[] = {{0.78, 0.90, 0.98}, {0.86, 0.92, 0.96}, {0.98, 0.90, 0.80}, {0.80, 0.88, 0.95}};
    int choice = ew_below(chance, 4);
    ew_band(cairo, 0, bottom, ew_vary(chance, tops[choice], 0.12), ew_vary(chance, feet[ew_below(chance, 4)], 0.06));
}

static void paint_sun(cairo_t *cairo, ew_chance *chance, double bottom)
{
    double x = ew_between(chance, 0.08, 0.92), y = ew_between(chance, 0.06, bottom),
           radius = ew_between(chance, 0.04, 0.07);
    ew_glow(cairo, x, y, radius * 4, (ew_tint){1, 0.95, 0.7}, 0.7);
    ew_use(cairo, (ew_tint){1, 0.97, 0.82}, 1);
    ew_ellipse(cairo, x, y, radius, radius);
}

static void paint_beach(cairo_t *cairo, ew_chance *chance)
{
    double horizon = ew_between(chance, 0.22, 0.38), shore = horizon + ew_between(chance, 0.14, 0.24);
    ew_tint sea = ew_vary(chance, (ew_tint){0.12, 0.58, 0.72}, 0.15);
    ew_tint sand = ew_vary(chance, (ew_tint){0.93, 0.82, 0.60}, 0.07);
    paint_sky(cairo, chance, horizon);
    if (ew_happens(chance, 0.5))
        paint_sun(cairo, chance, horizon * 0.7);
    ew_clouds(cairo, chance, 0.03, horizon * 0.7, ew_below(chance, 4), 0.8);
    ew_band(cairo, horizon, shore + 0.1, ew_shade(sea, 0.75), ew_blend(sea, white, 0.35));
    ew_use(cairo, white, 0.35);
    for (int i = 0; i < 4; i++)
        ew_ripple(cairo, chance, ew_between(chance, horizon + 0.02, shore), 0.006, 3, 0.005);
    double slope = ew_between(chance, 0.015, 0.04);
    ew_chance again = *chance;
    ew_hills(cairo, &again, shore - 0.012, slope, 0.8, white, white);
    again = *chance;
    ew_hills(cairo, &again, shore + 0.008, slope, 0.8, ew_shade(sand, 0.82), ew_shade(sand, 0.9));
    ew_hills(cairo, chance, shore + 0.05, slope, 0.8, sand, ew_shade(sand, 0.93));
    ew_speckles(cairo, chance, shore + 0.1, 1, 60, 0.006, 0.13);
}

static void paint_flowers(cairo_t *cairo, ew_chance *chance, double top, int count)
{
    static const ew_tint petals[] = {{1, 1, 1}, {1, 0.85, 0.2}, {0.95, 0.45, 0.6}, {0.7, 0.55, 0.95}};
    for (int i = 0; i < count; i++) {
        double near = ew_between(chance, 0, 1);
        ew_use(cairo, petals[ew_below(chance, 4)], 0.9);
        double radius = 0.004 + 0.007 * near;
        ew_ellipse(cairo, ew_between(chance, 0, 1), top + (1 - top) * near, radius, radius * 0.8);
    }
}

static void paint_blades(cairo_t *cairo, ew_chance *chance, double top, int count, ew_tint tint)
{
    cairo_set_line_width(cairo, 0.006);
    for (int i = 0; i < count; i++) {
        double near = ew_between(chance, 0, 1), x = ew_between(chance, 0, 1), y = top + (1 - top) * near;
        ew_use(cairo, ew_shade(tint, ew_between(chance, 0.65, 1.35)), 0.7);
        cairo_move_to(cairo, x, y);
        cairo_line_to(cairo, x + ew_between(chance, -0.012, 0.012), y - 0.015 - 0.03 * near);
        cairo_stroke(cairo);
    }
}

static void paint_meadow(cairo_t *cairo, ew_chance *chance)
{
    double horizon = ew_between(chance, 0.25, 0.45);
    ew_tint green = ew_vary(chance, (ew_tint){0.42, 0.72, 0.25}, 0.14);
    paint_sky(cairo, chance, horizon + 0.08);
    if (ew_happens(chance, 0.4))
        paint_sun(cairo, chance, horizon * 0.6);
    ew_clouds(cairo, chance, 0.03, horizon * 0.8, 1 + ew_below(chance, 4), 0.9);
    ew_tint far = ew_blend(green, (ew_tint){0.55, 0.75, 0.75}, 0.4);
    ew_hills(cairo, chance, horizon, 0.07, 0.9, far, far);
    ew_hills(cairo, chance, horizon + 0.08, 0.05, 0.7, ew_shade(green, 1.08), green);
    ew_hills(cairo, chance, horizon + 0.2, 0.05, 0.6, ew_shade(green, 1.0), ew_shade(green, 0.72));
    paint_blades(cairo, chance, horizon + 0.2, 70, green);
    paint_flowers(cairo, chance, horizon + 0.18, ew_below(chance, 50));
}

static void paint_snow(cairo_t *cairo, ew_chance *chance)
{
    double horizon = ew_between(chance, 0.25, 0.42);
    ew_tint sky = ew_vary(chance, (ew_tint){0.62, 0.72, 0.84}, 0.12);
    ew_tint shadow = ew_vary(chance, (ew_tint){0.78, 0.86, 0.95}, 0.05), snow = {0.97, 0.98, 1};
    ew_band(cairo, 0, horizon + 0.1, sky, ew_blend(sky, white, 0.6));
    ew_hills(cairo, chance, horizon, 0.07, 0.8, ew_shade(shadow, 0.96), shadow);
    ew_tint tree = ew_vary(chance, (ew_tint){0.25, 0.42, 0.42}, 0.1);
    int trees = ew_below(chance, 7);
    for (int i = 0; i < trees; i++) {
        double x = ew_between(chance, 0, 1), height = ew_between(chance, 0.1, 0.2);
        ew_conifer(cairo, x, horizon + 0.07, height, ew_blend(tree, white, 0.25));
    }
    ew_hills(cairo, chance, horizon + 0.08, 0.05, 0.7, snow, shadow);
    ew_hills(cairo, chance, horizon + 0.26, 0.06, 0.6, snow, ew_blend(snow, shadow, 0.8));
    ew_use(cairo, white, 0.85);
    int flakes = ew_below(chance, 90);
    for (int i = 0; i < flakes; i++) {
        double radius = ew_between(chance, 0.003, 0.009);
        ew_ellipse(cairo, ew_between(chance, 0, 1), ew_between(chance, 0, 1), radius, radius);
    }
}

static void paint_sea(cairo_t *cairo, ew_chance *chance)
{
    double horizon = ew_between(chance, 0.14, 0.32);
    ew_tint deep = ew_vary(chance, (ew_tint){0.05, 0.27, 0.52}, 0.15),
            light = ew_vary(chance, (ew_tint){0.20, 0.55, 0.75}, 0.12);
    paint_sky(cairo, chance, horizon);
    if (ew_happens(chance, 0.4))
        paint_sun(cairo, chance, horizon * 0.7);
    ew_clouds(cairo, chance, 0.02, horizon * 0.7, ew_below(chance, 4), 0.8);
    ew_band(cairo, horizon, 1, light, deep);
    for (int i = 0; i < 9; i++) {
        double near = (i + 0.5) / 9, y = horizon + (1 - horizon) * near * near;
        ew_tint body = ew_blend(light, deep, near * ew_between(chance, 0.6, 1));
        ew_chance again = *chance;
        ew_hills(cairo, chance, y, 0.008 + 0.022 * near, 3.5 - 2 * near, ew_shade(body, 1.1), body);
        ew_use(cairo, white, 0.28);
        ew_ripple(cairo, &again, y, 0.008 + 0.022 * near, 3.5 - 2 * near, 0.003 + 0.006 * near);
    }
}

/* The road from the bottom to a point on the horizon; dashes: of its middle line. */
static void paint_lane(cairo_t *cairo, ew_chance *chance, double horizon, double vanish)
{
    double left = ew_between(chance, -0.15, 0.08), right = ew_between(chance, 0.92, 1.15);
    ew_tint asphalt = ew_vary(chance, (ew_tint){0.36, 0.36, 0.39}, 0.14);
    ew_use(cairo, (ew_tint){0.9, 0.9, 0.86}, 1);
    cairo_move_to(cairo, vanish - 0.03, horizon);
    cairo_line_to(cairo, vanish + 0.03, horizon);
    cairo_line_to(cairo, right + 0.04, 1.01);
    cairo_line_to(cairo, left - 0.04, 1.01);
    cairo_fill(cairo);
    ew_use(cairo, asphalt, 1);
    cairo_move_to(cairo, vanish - 0.025, horizon);
    cairo_line_to(cairo, vanish + 0.025, horizon);
    cairo_line_to(cairo, right, 1.01);
    cairo_line_to(cairo, left, 1.01);
    cairo_fill(cairo);
    ew_use(cairo, ew_happens(chance, 0.5) ? white : (ew_tint){0.98, 0.8, 0.25}, 0.9);
    double foot = (left + right) / 2, start = ew_between(chance, 0, 0.2);
    for (int i = 0; i < 6; i++) {
        double from = pow((i + start) / 6, 1.8), to = pow((i + start + 0.5) / 6, 1.8);
        double y = horizon + (1.02 - horizon) * from, end = horizon + (1.02 - horizon) * to;
        double x = vanish + (foot - vanish) * from, last = vanish + (foot - vanish) * to;
        cairo_move_to(cairo, x - 0.003 - 0.018 * from, y);
        cairo_line_to(cairo, x + 0.003 + 0.018 * from, y);
        cairo_line_to(cairo, last + 0.003 + 0.018 * to, end);
        cairo_line_to(cairo, last - 0.003 - 0.018 * to, end);
        cairo_fill(cairo);
    }
}

static void paint_road(cairo_t *cairo, ew_chance *chance)
{
    static const ew_tint verges[] = {{0.45, 0.62, 0.30}, {0.72, 0.66, 0.40}, {0.55, 0.55, 0.38}};
    double horizon = ew_between(chance, 0.24, 0.42);
    ew_tint verge = ew_vary(chance, verges[ew_below(chance, 3)], 0.12);
    paint_sky(cairo, chance, horizon + 0.06);
    ew_clouds(cairo, chance, 0.03, horizon * 0.7, ew_below(chance, 4), 0.8);
    ew_hills(cairo, chance, horizon, 0.03, 1.2, ew_blend(verge, (ew_tint){0.5, 0.6, 0.7}, 0.4), verge);
    ew_band(cairo, horizon + 0.02, 1, verge, ew_shade(verge, 0.8));
    ew_speckles(cairo, chance, horizon + 0.03, 1, 50, 0.006, 0.12);
    paint_lane(cairo, chance, horizon + 0.02, ew_between(chance, 0.35, 0.65));
}

static void paint_night(cairo_t *cairo, ew_chance *chance)
{
    ew_tint top = ew_vary(chance, (ew_tint){0.03, 0.05, 0.18}, 0.3),
            foot = ew_vary(chance, (ew_tint){0.16, 0.18, 0.42}, 0.25);
    ew_band(cairo, 0, 1, top, foot);
    for (int i = 0; i < 2; i++)
        ew_glow(cairo, ew_between(chance, 0, 1), ew_between(chance, 0.1, 0.9), ew_between(chance, 0.3, 0.6),
                ew_vary(chance, (ew_tint){0.45, 0.3, 0.7}, 0.4), 0.3);
    int stars = 50 + ew_below(chance, 70);
    for (int i = 0; i < stars; i++) {
        double radius = ew_between(chance, 0.002, 0.006) * (ew_happens(chance, 0.1) ? 1.6 : 1);
        ew_use(cairo, ew_vary(chance, (ew_tint){0.97, 0.95, 0.88}, 0.12), ew_between(chance, 0.5, 1));
        ew_ellipse(cairo, ew_between(chance, 0, 1), ew_between(chance, 0, 1), radius, radius);
    }
    double x = ew_between(chance, 0.1, 0.9), y = ew_between(chance, 0.08, 0.3), radius = ew_between(chance, 0.05, 0.09);
    ew_glow(cairo, x, y, radius * 3, (ew_tint){0.9, 0.9, 0.75}, 0.35);
    ew_use(cairo, (ew_tint){0.96, 0.94, 0.82}, 1);
    ew_ellipse(cairo, x, y, radius, radius);
    ew_use(cairo, top, 0.95);
    if (ew_happens(chance, 0.6))
        ew_ellipse(cairo, x + radius * ew_between(chance, 0.3, 0.7), y - radius * 0.2, radius * 0.92, radius * 0.92);
}

static void paint_window(cairo_t *cairo, ew_chance *chance, double floor)
{
    double width = ew_between(chance, 0.2, 0.32), height = ew_between(chance, 0.24, 0.34);
    double x = ew_between(chance, 0.04, 0.96 - width), y = ew_between(chance, 0.05, floor - height - 0.08);
    ew_use(cairo, (ew_tint){0.98, 0.97, 0.94}, 1);
    cairo_rectangle(cairo, x - 0.015, y - 0.015, width + 0.03, height + 0.03);
    cairo_fill(cairo);
    ew_use(cairo, ew_vary(chance, (ew_tint){0.68, 0.85, 0.96}, 0.08), 1);
    cairo_rectangle(cairo, x, y, width, height);
    cairo_fill(cairo);
    ew_use(cairo, (ew_tint){0.98, 0.97, 0.94}, 1);
    cairo_rectangle(cairo, x + width / 2 - 0.006, y, 0.012, height);
    cairo_rectangle(cairo, x, y + height / 2 - 0.006, width, 0.012);
    cairo_fill(cairo);
}

static void paint_boards(cairo_t *cairo, ew_chance *chance, double floor, ew_tint wood)
{
    ew_band(cairo, floor, 1, ew_shade(wood, 0.85), wood);
    ew_use(cairo, ew_shade(wood, 0.6), 0.6);
    cairo_set_line_width(cairo, 0.005);
    int boards = 6 + ew_below(chance, 5);
    for (int i = -boards; i <= 2 * boards; i++) {
        double foot = (double)i / boards, top = 0.5 + (foot - 0.5) * 0.55;
        cairo_move_to(cairo, top, floor);
        cairo_line_to(cairo, foot, 1.01);
        cairo_stroke(cairo);
    }
}

static void paint_room(cairo_t *cairo, ew_chance *chance)
{
    static const ew_tint walls[] = {
        {0.93, 0.86, 0.74}, {0.80, 0.88, 0.82}, {0.88, 0.78, 0.78}, {0.78, 0.82, 0.90}, {0.95, 0.90, 0.62}};
    double floor = ew_between(chance, 0.58, 0.72);
    ew_tint wall = ew_vary(chance, walls[ew_below(chance, 5)], 0.06);
    ew_band(cairo, 0, floor, wall, ew_shade(wall, 0.92));
    if (ew_happens(chance, 0.6)) {
        double width = ew_between(chance, 0.03, 0.07);
        ew_use(cairo, ew_shade(wall, ew_happens(chance, 0.5) ? 0.9 : 1.1), 0.7);
        double start = ew_between(chance, -0.1, 0);
        for (int i = 0; start + 2 * i * width < 1; i++)
            cairo_rectangle(cairo, start + 2 * i * width, 0, width, floor);
        cairo_fill(cairo);
    }
    paint_window(cairo, chance, floor);
    paint_boards(cairo, chance, floor, ew_vary(chance, (ew_tint){0.66, 0.45, 0.28}, 0.16));
    ew_use(cairo, (ew_tint){0.97, 0.96, 0.93}, 1);
    cairo_rectangle(cairo, -0.01, floor - 0.03, 1.02, 0.03);
    cairo_fill(cairo);
}

static void paint_forest(cairo_t *cairo, ew_chance *chance)
{
    ew_tint leaves = ew_vary(chance, (ew_tint){0.16, 0.40, 0.18}, 0.18),
            bark = ew_vary(chance, (ew_tint){0.33, 0.23, 0.15}, 0.15);
    double ground = ew_between(chance, 0.62, 0.75);
    ew_band(cairo, 0, ground + 0.12, ew_shade(leaves, 0.75), ew_blend(leaves, (ew_tint){0.75, 0.85, 0.6}, 0.55));
    for (int layer = 0; layer < 3; layer++) {
        int trunks = 4 + ew_below(chance, 3);
        double width = 0.018 + 0.022 * layer, foot = ground + 0.05 * layer;
        ew_tint haze = ew_blend(bark, leaves, 0.6 - 0.3 * layer);
        for (int i = 0; i < trunks; i++) {
            double x = ew_between(chance, -0.02, 1.02);
            ew_use(cairo, ew_shade(haze, ew_between(chance, 0.85, 1.15)), 1);
            cairo_rectangle(cairo, x - width / 2, -0.01, width, foot + 0.01);
            cairo_fill(cairo);
        }
    }
    ew_hills(cairo, chance, ground + 0.05, 0.025, 1.5, ew_shade(leaves, 1.1), ew_shade(bark, 0.9));
    ew_speckles(cairo, chance, ground + 0.08, 1, 50, 0.008, 0.12);
    for (int i = 0; i < 34; i++) {
        double radius = ew_between(chance, 0.05, 0.11);
        ew_use(cairo, ew_shade(leaves, ew_between(chance, 0.7, 1.6)), 0.85);
        ew_ellipse(cairo, ew_between(chance, 0, 1), ew_between(chance, -0.05, 0.22), radius, radius * 0.7);
    }
}

static void paint_desert(cairo_t *cairo, ew_chance *chance)
{
    static const ew_tint tops[] = {{0.45, 0.70, 0.90}, {0.95, 0.60, 0.35}, {0.55, 0.72, 0.85}};
    double horizon = ew_between(chance, 0.28, 0.45);
    ew_tint sand = ew_vary(chance, (ew_tint){0.90, 0.60, 0.28}, 0.1);
    ew_band(cairo, 0, horizon + 0.1, ew_vary(chance, tops[ew_below(chance, 3)], 0.08), (ew_tint){1, 0.92, 0.72});
    if (ew_happens(chance, 0.7))
        paint_sun(cairo, chance, horizon * 0.7);
    ew_hills(cairo, chance, horizon, 0.07, 0.8, ew_blend(sand, (ew_tint){0.9, 0.7, 0.6}, 0.5), sand);
    for (int i = 0; i < 3; i++) {
        double y = horizon + 0.1 + 0.17 * i;
        ew_hills(cairo, chance, y, 0.06, 0.55, ew_shade(sand, 1.12), ew_shade(sand, 0.76));
    }
    ew_use(cairo, ew_shade(sand, 0.75), 0.4);
    for (int i = 0; i < 7; i++)
        ew_ripple(cairo, chance, ew_between(chance, horizon + 0.3, 1), 0.01, 2.5, 0.005);
}

/* One mountain: a triangle with a broken edge and snow on its top. */
static void paint_peak(cairo_t *cairo, ew_chance *chance, double x, double top, double foot, ew_tint rock)
{
    double half = (foot - top) * ew_between(chance, 0.7, 1.0), lean = ew_between(chance, -0.05, 0.05);
    ew_use(cairo, rock, 1);
    cairo_move_to(cairo, x - half, foot);
    cairo_line_to(cairo, x - half * 0.45, top + (foot - top) * ew_between(chance, 0.38, 0.5));
    cairo_line_to(cairo, x, top);
    cairo_line_to(cairo, x + half * 0.5, top + (foot - top) * ew_between(chance, 0.4, 0.55));
    cairo_line_to(cairo, x + half, foot);
    cairo_fill(cairo);
    ew_use(cairo, ew_shade(rock, 0.72), 0.8);
    cairo_move_to(cairo, x, top);
    cairo_line_to(cairo, x + half * 0.5, top + (foot - top) * 0.48);
    cairo_line_to(cairo, x + half, foot);
    cairo_line_to(cairo, x + lean, foot);
    cairo_fill(cairo);
    double cap = (foot - top) * ew_between(chance, 0.2, 0.3), side = half * 0.9 * cap / (foot - top);
    ew_use(cairo, white, 0.95);
    cairo_move_to(cairo, x, top);
    cairo_line_to(cairo, x + side, top + cap);
    cairo_line_to(cairo, x + side * 0.4, top + cap * 0.75);
    cairo_line_to(cairo, x, top + cap * 1.15);
    cairo_line_to(cairo, x - side * 0.5, top + cap * 0.7);
    cairo_line_to(cairo, x - side, top + cap);
    cairo_fill(cairo);
}

static void paint_mountains(cairo_t *cairo, ew_chance *chance)
{
    double foot = ew_between(chance, 0.55, 0.7);
    ew_tint rock = ew_vary(chance, (ew_tint){0.48, 0.50, 0.58}, 0.14),
            grass = ew_vary(chance, (ew_tint){0.42, 0.52, 0.34}, 0.14);
    paint_sky(cairo, chance, foot);
    ew_clouds(cairo, chance, 0.03, 0.3, ew_below(chance, 4), 0.8);
    double start = ew_between(chance, -0.05, 0.1);
    for (int i = 0; i < 4; i++)
        paint_peak(cairo, chance, start + 0.3 * i, ew_between(chance, 0.12, 0.28), foot + 0.05,
                   ew_blend(rock, (ew_tint){0.75, 0.83, 0.92}, 0.45));
    start = ew_between(chance, 0.05, 0.25);
    for (int i = 0; i < 3; i++)
        paint_peak(cairo, chance, start + 0.33 * i, ew_between(chance, 0.18, 0.4), foot + 0.05, rock);
    ew_hills(cairo, chance, foot, 0.03, 1.2, grass, ew_shade(grass, 0.75));
    ew_speckles(cairo, chance, foot + 0.04, 1, 60, 0.009, 0.16);
}

static void paint_building(cairo_t *cairo, ew_chance *chance, double x, double width, double top, double foot,
                           ew_tint wall)
{
    ew_use(cairo, wall, 1);
    cairo_rectangle(cairo, x, top, width, foot - top);
    cairo_fill(cairo);
    int columns = 2 + ew_below(chance, 3), rows = (int)((foot - top) / 0.06);
    double cell = width / (columns + 0.5);
    ew_tint lit = {1, 0.92, 0.6}, dark = ew_shade(wall, 0.55);
    bool evening = ew_happens(chance, 0.5);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            ew_use(cairo, evening && ew_happens(chance, 0.5) ? lit : dark, 0.9);
            cairo_rectangle(cairo, x + cell * (column + 0.4), top + 0.02 + 0.058 * row, cell * 0.6, 0.032);
            cairo_fill(cairo);
        }
}

static void paint_city(cairo_t *cairo, ew_chance *chance)
{
    static const ew_tint walls[] = {
        {0.72, 0.52, 0.44}, {0.62, 0.64, 0.68}, {0.82, 0.76, 0.66}, {0.48, 0.56, 0.66}, {0.70, 0.66, 0.60}};
    double street = ew_between(chance, 0.66, 0.78);
    paint_sky(cairo, chance, street);
    for (int layer = 0; layer < 2; layer++)
        for (double x = ew_between(chance, -0.12, 0); x < 1;) {
            double width = ew_between(chance, 0.13, 0.24);
            double top = layer ? ew_between(chance, 0.3, 0.55) : ew_between(chance, 0.1, 0.32);
            ew_tint wall = ew_vary(chance, walls[ew_below(chance, 5)], 0.1);
            paint_building(cairo, chance, x, width, top, street,
                           layer ? wall : ew_blend(wall, (ew_tint){0.7, 0.8, 0.9}, 0.5));
            x += width + (layer ? ew_between(chance, 0, 0.06) : 0);
        }
    ew_tint pavement = ew_vary(chance, (ew_tint){0.70, 0.69, 0.67}, 0.08);
    ew_band(cairo, street, street + 0.07, pavement, ew_shade(pavement, 0.95));
    ew_band(cairo, street + 0.07, 1, (ew_tint){0.40, 0.40, 0.43}, (ew_tint){0.33, 0.33, 0.36});
    ew_use(cairo, (ew_tint){0.85, 0.85, 0.82}, 1);
    cairo_rectangle(cairo, -0.01, street + 0.065, 1.02, 0.012);
    cairo_fill(cairo);
}

static void paint_weeds(cairo_t *cairo, ew_chance *chance, double floor)
{
    int weeds = 3 + ew_below(chance, 6);
    for (int i = 0; i < weeds; i++) {
        double x = ew_between(chance, 0, 1), height = ew_between(chance, 0.12, 0.35),
               sway = ew_between(chance, -0.06, 0.06);
        ew_use(cairo, ew_vary(chance, (ew_tint){0.12, 0.45, 0.30}, 0.25), 0.85);
        cairo_set_line_width(cairo, ew_between(chance, 0.012, 0.024));
        cairo_move_to(cairo, x, floor + 0.06);
        cairo_curve_to(cairo, x + sway, floor - height * 0.3, x - sway, floor - height * 0.6, x + sway, floor - height);
        cairo_stroke(cairo);
    }
}

static void paint_water(cairo_t *cairo, ew_chance *chance)
{
    ew_tint light = ew_vary(chance, (ew_tint){0.30, 0.75, 0.80}, 0.12),
            deep = ew_vary(chance, (ew_tint){0.02, 0.27, 0.42}, 0.2);
    double floor = ew_between(chance, 0.82, 0.92);
    ew_band(cairo, 0, 1, light, deep);
    for (int i = 0; i < 5; i++) {
        double x = ew_between(chance, -0.1, 1.1), width = ew_between(chance, 0.04, 0.12),
               slant = ew_between(chance, -0.3, 0.3);
        ew_use(cairo, white, ew_between(chance, 0.06, 0.16));
        cairo_move_to(cairo, x, -0.01);
        cairo_line_to(cairo, x + width, -0.01);
        cairo_line_to(cairo, x + slant + 2.2 * width, 1);
        cairo_line_to(cairo, x + slant - 1.2 * width, 1);
        cairo_fill(cairo);
    }
    ew_tint sand = ew_blend(ew_vary(chance, (ew_tint){0.80, 0.72, 0.50}, 0.1), deep, 0.45);
    ew_hills(cairo, chance, floor, 0.03, 1.2, ew_shade(sand, 1.15), ew_shade(sand, 0.8));
    paint_weeds(cairo, chance, floor);
    int bubbles = 8 + ew_below(chance, 26);
    cairo_set_line_width(cairo, 0.004);
    for (int i = 0; i < bubbles; i++) {
        double radius = ew_between(chance, 0.005, 0.018);
        ew_use(cairo, white, 0.6);
        cairo_new_sub_path(cairo);
        cairo_arc(cairo, ew_between(chance, 0, 1), ew_between(chance, 0, floor), radius, 0, 2 * M_PI);
        cairo_stroke(cairo);
    }
}

static const struct place {
    void (*paint)(cairo_t *, ew_chance *);
    double ground;
} places[EW_PLACES] = {
    {paint_beach, 0.62},  {paint_meadow, 0.55},   {paint_snow, 0.55}, {paint_sea, 1},
    {paint_road, 0.45},   {paint_night, 1},       {paint_room, 0.72}, {paint_forest, 0.75},
    {paint_desert, 0.55}, {paint_mountains, 0.7}, {paint_city, 0.78}, {paint_water, 1},
};

void ew_paint_place(cairo_t *cairo, int place, ew_chance *chance)
{
    places[place].paint(cairo, chance);
}

double ew_ground(int place)
{
    return places[place].ground;
}
