/* Every decoder, then the resize: the kind is told by the bytes, as for a user's file. Small pictures only, so that
 * time goes into different inputs and not into many pixels. */
#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_image_options options;
    pg_image_options_init(&options);
    options.max_pixels = 1 << 16;
    options.keep_orientation = size % 2;
    pg_image *image, *resized;
    if (pg_image_decode(&image, data, size, "fuzz", &options) != PG_OK)
        return 0;
    if (pg_image_resize(&resized, image, 5, 7, size % 4 < 2 ? PG_RESIZE_PILLOW13 : PG_RESIZE_CLASSIC) != PG_OK)
        __builtin_trap();
    pg_image_free(resized);
    pg_image_free(image);
    return 0;
}
