/* Colours of drawings, as parts 0 .. 1 of red, green and blue (sRGB). */
#ifndef PG_IMAGE_PALETTE_H
#define PG_IMAGE_PALETTE_H

#include <stddef.h>

/* Black, then Okabe and Ito's colours, which people who confuse red and green tell apart (Color Universal Design,
 * 2008). The last, yellow, is too pale for lines on white. */
#define PG_PALETTE 8
extern const double pg_palette[PG_PALETTE][3];

/* The number of a text's colour, 1 .. PG_PALETTE - 1: always the same. */
size_t pg_palette_of(const char *text);

/* How much lighter one colour is than another, 1 .. 21 (WCAG 2.1, "contrast ratio"). */
double pg_color_contrast(const double a[3], const double b[3]);

/* Black or white, whichever stands out more on a colour; the contrast is at least 4.58 on any. */
const double *pg_color_on(const double ground[3]);

/* The perceptually even map "inferno" of matplotlib (Smith and van der Walt, public domain), black to pale yellow,
 * between 17 of its points; heat: 0 .. 1. */
void pg_color_heat(double out[3], double heat);

#endif
