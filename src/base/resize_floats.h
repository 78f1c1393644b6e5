/* Planes of numbers in another size: masks, maps. */
#ifndef PG_BASE_RESIZE_FLOATS_H
#define PG_BASE_RESIZE_FLOATS_H

#include "base/memory.h"

/* A plane of floats [plane_height, plane_width] as Pillow's bilinear filter resizes it, to [height, width], both at
 * least 1. */
pg_status pg_floats_resize(float *out, size_t width, size_t height, const float *plane, size_t plane_width,
                           size_t plane_height);

#endif
