/* What places are painted with. The unit is the picture's side; y grows downwards. */
#ifndef EMOJI_WORLD_SCENERY_H
#define EMOJI_WORLD_SCENERY_H

#include "world.h"

typedef struct ew_tint {
    double red, green, blue;
} ew_tint;

/* The colour, somewhat lighter or darker and somewhat shifted, by about `amount` (0..1). */
ew_tint ew_vary(ew_chance *chance, ew_tint tint, double amount);
ew_tint ew_blend(ew_tint a, ew_tint b, double share); /* share: of b */
ew_tint ew_shade(ew_tint tint, double factor);        /* darker below 1, lighter above */
void ew_use(cairo_t *cairo, ew_tint tint, double alpha);

/* A band of the whole width between two heights, from one colour at its top to another at its bottom. */
void ew_band(cairo_t *cairo, double top, double bottom, ew_tint upper, ew_tint lower);

/* All below a wavy line around `y`; waves of the given height and number, colours from the line to the bottom. */
void ew_hills(cairo_t *cairo, ew_chance *chance, double y, double height, double waves, ew_tint upper, ew_tint lower);

/* A wavy line of the given thickness across the picture. */
void ew_ripple(cairo_t *cairo, ew_chance *chance, double y, double height, double waves, double thickness);

void ew_ellipse(cairo_t *cairo, double x, double y, double width, double height); /* radii; filled */
void ew_glow(cairo_t *cairo, double x, double y, double radius, ew_tint tint, double alpha);
void ew_clouds(cairo_t *cairo, ew_chance *chance, double top, double bottom, int count, double alpha);

/* Little ellipses between two heights, larger where nearer. */
void ew_speckles(cairo_t *cairo, ew_chance *chance, double top, double bottom, int count, double radius, double alpha);
void ew_conifer(cairo_t *cairo, double x, double foot, double height, ew_tint tint);

#endif
