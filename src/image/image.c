/* A picture is one block of memory: its size and its pixels. */
#include "image/image.h"

#include <string.h>
#include <strings.h>

pg_status pg_image_check_size(uint64_t width, uint64_t height, uint64_t max_pixels, const char *name)
{
    if (!width || !height)
        return pg_fail(PG_ERROR_FORMAT, "%s: the picture is empty: %llu x %llu pixels", name, (unsigned long long)width,
                       (unsigned long long)height);
    if (width > max_pixels / height)
        return pg_fail(PG_ERROR_LIMIT, "%s: %llu x %llu pixels, at most %llu are accepted", name,
                       (unsigned long long)width, (unsigned long long)height, (unsigned long long)max_pixels);
    if (width > PG_IMAGE_MAX_SIDE || height > PG_IMAGE_MAX_SIDE)
        return pg_fail(PG_ERROR_LIMIT, "%s: %llu x %llu pixels, at most %d on a side are accepted", name,
                       (unsigned long long)width, (unsigned long long)height, PG_IMAGE_MAX_SIDE);
    return PG_OK;
}

pg_status pg_image_blank(pg_image **out, size_t width, size_t height)
{
    pg_image *image = pg_alloc(1, sizeof *image + width * height * 3);
    if (!image)
        return PG_ERROR_MEMORY;
    image->width = width;
    image->height = height;
    *out = image;
    return PG_OK;
}

pg_status pg_image_start(pg_image **out, const pg_image_source *source, uint64_t width, uint64_t height, double least)
{
    PG_TRY(pg_image_check_size(width, height, source->max_pixels, source->name));
    if ((double)width * (double)height * least > (double)source->size)
        return pg_fail(PG_ERROR_FORMAT, "%s: the file ends early: found %zu bytes, too few for %llu x %llu pixels",
                       source->name, source->size, (unsigned long long)width, (unsigned long long)height);
    return pg_image_blank(out, width, height);
}

pg_status pg_image_new(pg_image **out, const uint8_t *rgb, size_t width, size_t height, size_t stride)
{
    *out = NULL;
    if (!width || !height)
        return pg_fail(PG_ERROR_ARGUMENT, "a picture of %zu x %zu pixels, expected at least 1 x 1", width, height);
    PG_TRY(pg_image_check_size(width, height, PG_IMAGE_MAX_PIXELS, "new picture"));
    size_t row = width * 3;
    if (!stride)
        stride = row;
    if (stride < row)
        return pg_fail(PG_ERROR_ARGUMENT, "a stride of %zu bytes, expected at least %zu for %zu pixels", stride, row,
                       width);
    PG_TRY(pg_image_blank(out, width, height));
    for (size_t y = 0; y < height; y++)
        memcpy((*out)->pixels + y * row, rgb + y * stride, row);
    return PG_OK;
}

void pg_image_free(pg_image *image)
{
    pg_free(image);
}

size_t pg_image_width(const pg_image *image)
{
    return image->width;
}

size_t pg_image_height(const pg_image *image)
{
    return image->height;
}

const uint8_t *pg_image_pixels(const pg_image *image)
{
    return image->pixels;
}

pg_status pg_image_save(const pg_image *image, const char *path)
{
    const char *dot = strrchr(path, '.'), *ending = dot ? dot : "";
    if (!strcasecmp(ending, ".png"))
        return pg_image_save_png(image, path);
    if (!strcasecmp(ending, ".jpg") || !strcasecmp(ending, ".jpeg"))
        return pg_image_save_jpeg(image, path);
    return pg_fail(PG_ERROR_ARGUMENT, "%s: pictures are written to files whose names end in .png, .jpg or .jpeg", path);
}

void pg_image_to_floats(const pg_image *image, float *out, double rescale, const double mean[3], const double std[3])
{
    pg_pixels_to_floats(image->pixels, image->width * image->height, out, rescale, mean, std);
}

void pg_pixels_to_floats(const uint8_t *pixels, size_t plane, float *out, double rescale, const double mean[3],
                         const double std[3])
{
    for (size_t c = 0; c < 3; c++) {
        float values[256];
        for (int level = 0; level < 256; level++)
            values[level] = ((float)(level * rescale) - (float)mean[c]) / (float)std[c];
        for (size_t i = 0; i < plane; i++)
            out[c * plane + i] = values[pixels[3 * i + c]];
    }
}
