/* The palette, contrast after WCAG, and the map of heat. */
#include "image/palette.h"

#include <math.h>
#include <stdint.h>

const double pg_palette[PG_PALETTE][3] = {
    {0.000, 0.000, 0.000}, {0.000, 0.447, 0.698}, {0.835, 0.369, 0.000}, {0.000, 0.620, 0.451},
    {0.800, 0.475, 0.655}, {0.902, 0.624, 0.000}, {0.337, 0.706, 0.914}, {0.941, 0.894, 0.259},
};

/* FNV-1a, whose low bits alone would not do. */
size_t pg_palette_of(const char *text)
{
    uint32_t hash = 2166136261u;
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return 1 + (hash ^ hash >> 15) % (PG_PALETTE - 1);
}

static double linear(double part)
{
    return part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4);
}

static double luminance(const double color[3])
{
    return 0.2126 * linear(color[0]) + 0.7152 * linear(color[1]) + 0.0722 * linear(color[2]);
}

double pg_color_contrast(const double a[3], const double b[3])
{
    double la = luminance(a) + 0.05, lb = luminance(b) + 0.05;
    return la > lb ? la / lb : lb / la;
}

const double *pg_color_on(const double ground[3])
{
    static const double black[3] = {0, 0, 0}, white[3] = {1, 1, 1};
    return pg_color_contrast(ground, black) >= pg_color_contrast(ground, white) ? black : white;
}

void pg_color_heat(double out[3], double heat)
{
    static const double points[][3] = {
        {0.001, 0.000, 0.014}, {0.042, 0.028, 0.141}, {0.129, 0.047, 0.291}, {0.238, 0.037, 0.396},
        {0.342, 0.062, 0.429}, {0.441, 0.099, 0.432}, {0.541, 0.135, 0.415}, {0.640, 0.171, 0.381},
        {0.736, 0.216, 0.330}, {0.817, 0.271, 0.270}, {0.890, 0.348, 0.198}, {0.944, 0.443, 0.120},
        {0.977, 0.551, 0.039}, {0.988, 0.668, 0.058}, {0.976, 0.790, 0.196}, {0.949, 0.910, 0.395},
        {0.988, 0.998, 0.645},
    };
    const size_t last = sizeof points / sizeof *points - 1;
    double at = heat * (double)last;
    size_t i = at < (double)last ? (size_t)at : last - 1;
    for (size_t c = 0; c < 3; c++)
        out[c] = points[i][c] + (at - (double)i) * (points[i + 1][c] - points[i][c]);
}
