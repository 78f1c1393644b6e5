/* Inside the picture room: what decoders are given and make, and what the model side takes from a picture. */
#ifndef PG_IMAGE_IMAGE_H
#define PG_IMAGE_IMAGE_H

#include "base/buffer.h"

#define PG_IMAGE_MAX_PIXELS 178956970 /* Pillow's limit: half a gibibyte of 3-byte pixels */
#define PG_IMAGE_MAX_SIDE   1000000

struct pg_image {
    size_t width, height;
    _Alignas(PG_ALIGNMENT) uint8_t pixels[]; /* [height, width, 3] */
};

/* A picture file in memory; `name` stands for it in errors. */
typedef struct pg_image_source {
    const uint8_t *bytes;
    size_t size;
    const char *name;
    uint64_t max_pixels;
} pg_image_source;

/* Decoders make the picture as it is stored. *orientation (1 before the call) becomes what EXIF says, 1 to 8. *out,
 * NULL before the call, may hold an unfinished picture after a failure: the caller frees it in any case. */
typedef pg_status pg_image_decoder(pg_image **out, int *orientation, const pg_image_source *source);
pg_image_decoder pg_jpeg_decode, pg_png_decode, pg_webp_decode, pg_gif_decode, pg_bmp_decode, pg_pnm_decode,
    pg_tiff_decode;

/* Appends the picture as a JPEG file; quality: 1 to 100, as libjpeg counts it. full_colour: at the picture's
 * resolution, else at half of it. */
pg_status pg_jpeg_encode(pg_buffer *out, const pg_image *image, int quality, bool full_colour);

/* No side is 0 or above PG_IMAGE_MAX_SIDE, and there are at most max_pixels pixels: products of these sizes and of a
 * few bytes a pixel do not overflow. */
pg_status pg_image_check_size(uint64_t width, uint64_t height, uint64_t max_pixels, const char *name);

/* A black picture of a checked size. */
pg_status pg_image_blank(pg_image **out, size_t width, size_t height);

/* A black picture of the size a file declares, after checking that size, and that the file is as long as it must be if
 * it has `least` bytes a pixel (0 if its compression knows no bound). */
pg_status pg_image_start(pg_image **out, const pg_image_source *source, uint64_t width, uint64_t height, double least);

/* Writes a JPEG file of quality 92 with full colour resolution; nothing is left behind on failure. */
pg_status pg_image_save_jpeg(const pg_image *image, const char *path);

/* Reads the orientation out of an EXIF block ("Exif\0\0" in front or not). Leaves *orientation alone if there is none.
 */
void pg_exif_orientation(int *orientation, const uint8_t *bytes, size_t size);

/* Replaces a picture stored with this EXIF orientation by the upright one. */
pg_status pg_image_turn(pg_image **image, int orientation);

/* Model input: out[c, y, x] = ((float)(pixel * rescale) - mean[c]) / std[c], the product in double, the rest in float.
 */
void pg_image_to_floats(const pg_image *image, float *out, double rescale, const double mean[3], const double std[3]);

/* The same from `plane` RGB pixels. */
void pg_pixels_to_floats(const uint8_t *pixels, size_t plane, float *out, double rescale, const double mean[3],
                         const double std[3]);

#endif
