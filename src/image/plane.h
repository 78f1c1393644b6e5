/* Pictures as floats, 0 .. 1, for changes that need more than bytes: sums along lines, blurs, values between pixels.
 * Outside its borders a picture goes on as its mirror image (half-sample: c b a | a b c | c b a). */
#ifndef PG_IMAGE_PLANE_H
#define PG_IMAGE_PLANE_H

#include "image/image.h"

/* [height][width][channels] */
typedef struct pg_plane {
    size_t width, height, channels;
    float *values;
} pg_plane;

/* Zeros; freed with pg_plane_free, which accepts {0}. Sizes are those of pictures, with at most 4 channels. */
pg_status pg_plane_new(pg_plane *out, size_t width, size_t height, size_t channels);
void pg_plane_free(pg_plane *plane);

/* A copy of its own. */
pg_status pg_plane_copy(pg_plane *out, const pg_plane *plane);

/* A picture's pixels / 255, and the way back: cut to 0 .. 1 and rounded to the nearest byte. */
pg_status pg_plane_from_image(pg_plane *out, const pg_image *image);
pg_status pg_plane_to_image(pg_image **out, const pg_plane *plane);

/* The pixel of a line of `count` that stands at a place outside of it. */
static inline size_t pg_mirror(int64_t place, size_t count)
{
    int64_t size = (int64_t)count, period = 2 * size;
    if (place >= 0 && place < size)
        return (size_t)place;
    place = (place % period + period) % period;
    return (size_t)(place < size ? place : period - 1 - place);
}

/* The value of a channel at a place between pixels (pixel i has its middle at i), bilinear. */
float pg_plane_at(const pg_plane *plane, double x, double y, size_t channel);

/* A line as the integral over its mirrored repetition, so that the mean of any stretch takes the same time. */
typedef struct pg_line_sums {
    size_t count;
    double *sums; /* [2 count + 1]: of one period */
} pg_line_sums;

pg_status pg_line_sums_new(pg_line_sums *out, size_t most);
void pg_line_sums_free(pg_line_sums *line);

/* Takes `count` values (at most those it was made for) that are `stride` floats apart. */
void pg_line_sums_set(pg_line_sums *line, const float *values, size_t count, size_t stride);

/* The integral from `from` to `to`, where pixel i lies between i and i + 1. */
double pg_line_sum(const pg_line_sums *line, double from, double to);

/* Gaussian blur with this deviation in pixels, in place: three extended boxes of exactly its variance (Gwosdek et al.
 * 2011), whose time does not depend on it. */
pg_status pg_plane_blur(pg_plane *plane, double deviation);

#endif
