/* Pictures out: JPEG. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include "world.h"

enum { QUALITY = 92 };

void ew_write_jpeg(const char *path, const uint8_t *rgb, int size, ew_window window)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors; /* libjpeg's own: prints and exits */
    FILE *file = fopen(path, "wb");
    if (!file)
        ew_fail("%s: %s", path, strerror(errno));
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = jpeg.image_height = (JDIMENSION)window.size;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, QUALITY, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = window.top; y < window.top + window.size; y++) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(rgb + ((size_t)y * (size_t)size + (size_t)window.left) * 3);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    if (fclose(file) != 0)
        ew_fail("%s: %s", path, strerror(errno));
}
