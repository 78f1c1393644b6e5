/* Masks laid over pixels. */
#ifndef PG_IMAGE_TINT_H
#define PG_IMAGE_TINT_H

#include "image/image.h"

/* The smallest rectangle around what is not 0 in a mask of the whole picture: left, top, right, bottom, the last two
 * behind it. False where there is nothing. */
bool pg_mask_bounds(size_t bounds[4], const uint8_t *mask, size_t width, size_t height);

/* Colours what lies in the mask (height * width bytes, inside where not 0), and draws its outline, `line` pixels wide.
 */
pg_status pg_image_tint(pg_image *image, const uint8_t *mask, const double color[3], double opacity, double line);

/* value := (1 - share) * value + share * color, in sRGB as cairo does it; share: 0 .. 1. */
void pg_pixel_blend(uint8_t pixel[3], const double color[3], double share);

#endif
