/* A mask of 64 x 64 values into its box of a picture, as big_vision's evaluation does it: the box in whole pixels, the
 * values resized to it, and inside what is above 0 then. */
#include <string.h>

#include "base/resize_floats.h"
#include "objects/boxes.h"

bool pg_box_pixels(size_t out[4], const int places[4], size_t width, size_t height)
{
    double box[4];
    pg_box_scale(box, places, 1023, (double)width, (double)height);
    for (int i = 0; i < 4; i++) {
        if (places[i] < 0 || places[i] > 1023)
            return false;
        out[i] = (size_t)box[i];
    }
    return out[2] > out[0] && out[3] > out[1];
}

pg_status pg_mask_place(uint8_t *out, size_t width, size_t height, const float *values, const int places[4])
{
    size_t box[4];
    for (int i = 0; i < 4; i++)
        if (places[i] < 0 || places[i] > 1023)
            return pg_fail(PG_ERROR_ARGUMENT, "number %d of a box is %d, expected 0 to 1023", i, places[i]);
    memset(out, 0, width * height);
    if (!pg_box_pixels(box, places, width, height))
        return PG_OK;
    size_t across = box[2] - box[0], down = box[3] - box[1];
    float *small = pg_alloc(across * down, sizeof *small);
    if (!small)
        return PG_ERROR_MEMORY;
    pg_status status = pg_floats_resize(small, across, down, values, PG_MASK_SIDE, PG_MASK_SIDE);
    for (size_t y = 0; status == PG_OK && y < down; y++)
        for (size_t x = 0; x < across; x++)
            out[(box[1] + y) * width + box[0] + x] = small[y * across + x] > 0;
    pg_free(small);
    return status;
}
