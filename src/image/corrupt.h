/* Inside pg_image_corrupt: the kinds of damage, each a function that changes floats in place. */
#ifndef PG_IMAGE_CORRUPT_H
#define PG_IMAGE_CORRUPT_H

#include "image/plane.h"

/* How a picture is damaged. Random numbers are a function of seed, stream and the place they are drawn for; a kind that
 * draws several sets takes the streams behind its own. */
typedef struct pg_damage {
    int severity; /* 0 .. 4 */
    double unit;  /* what the paper's pixels, of pictures 224 wide, are long here */
    uint64_t seed, stream;
} pg_damage;

typedef pg_status pg_corrupter(pg_plane *plane, const pg_damage *damage);

/* corrupt_blur.c */
pg_corrupter pg_blur_defocus, pg_blur_glass, pg_blur_motion, pg_blur_zoom;

/* corrupt_weather.c */
pg_corrupter pg_weather_snow, pg_weather_frost, pg_weather_fog;

/* Uniform in [low, high), and normal with mean 0 and deviation 1. */
double pg_damage_uniform(const pg_damage *damage, uint64_t stream, uint64_t counter, double low, double high);
double pg_damage_normal(const pg_damage *damage, uint64_t stream, uint64_t counter);

/* A one-sided Gaussian smear of 2 radius + 1 pixels with this deviation, towards `angle` (radians, clockwise from the
 * right): ImageMagick's motion blur, which takes pixels whole. */
pg_status pg_plane_smear(pg_plane *plane, double radius, double deviation, double angle);

/* Every channel replaced by its values around the middle, enlarged `factor` times. */
pg_status pg_plane_zoom(pg_plane *out, const pg_plane *plane, double factor);

#endif
