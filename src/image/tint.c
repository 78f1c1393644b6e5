/*
 * A mask's pixels are mixed with its colour. The outline comes from the mask blurred over twice the line's width:
 * across an edge the blurred values fall from 1 to 0, so how far a pixel is from the edge can be read from its own, and
 * the line is smooth where the mask has steps. What is thinner than the blur has low values everywhere and becomes all
 * line.
 */
#include "image/tint.h"

#include <math.h>
#include <string.h>

/* A part of the picture with room for the outline around the mask. */
typedef struct tinted_region {
    size_t left, top, width, height;
    float *values; /* [height, width] */
    float *line;   /* one row or column */
} tinted_region;

bool pg_mask_bounds(size_t bounds[4], const uint8_t *mask, size_t width, size_t height)
{
    size_t left = width, top = height, right = 0, bottom = 0;
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            if (mask[y * width + x]) {
                left = x < left ? x : left;
                right = x >= right ? x + 1 : right;
                top = y < top ? y : top;
                bottom = y + 1;
            }
    memcpy(bounds, (const size_t[]){left, top, right, bottom}, sizeof(size_t[4]));
    return right > 0;
}

void pg_pixel_blend(uint8_t pixel[3], const double color[3], double share)
{
    for (size_t c = 0; c < 3; c++)
        pixel[c] = (uint8_t)lround((1 - share) * pixel[c] + share * 255 * color[c]);
}

static pg_status cut_region(tinted_region *out, const pg_image *image, const uint8_t *mask, const size_t bounds[4],
                            size_t margin)
{
    size_t right = bounds[2] + margin < image->width ? bounds[2] + margin : image->width;
    size_t bottom = bounds[3] + margin < image->height ? bounds[3] + margin : image->height;
    tinted_region region = {.left = bounds[0] > margin ? bounds[0] - margin : 0,
                            .top = bounds[1] > margin ? bounds[1] - margin : 0};
    region.width = right - region.left;
    region.height = bottom - region.top;
    region.values = pg_alloc(region.width * region.height, sizeof *region.values);
    region.line = pg_alloc(region.width > region.height ? region.width : region.height, sizeof *region.line);
    *out = region;
    if (!region.values || !region.line)
        return PG_ERROR_MEMORY;
    for (size_t y = 0; y < region.height; y++)
        for (size_t x = 0; x < region.width; x++)
            region.values[y * region.width + x] = mask[(region.top + y) * image->width + region.left + x] != 0;
    return PG_OK;
}

/* The mean over `reach` values on both sides; the first and the last go on beyond the ends, so that no outline appears
 * along the picture's edge. */
static void blur(float *values, size_t count, size_t step, size_t reach, float *line)
{
    double sum = 0, width = 2 * (double)reach + 1;
    const size_t last = count - 1;
    for (size_t i = 0; i < count; i++)
        line[i] = values[i * step];
    for (size_t i = 0; i < 2 * reach + 1; i++) { /* around value 0 */
        size_t at = i > reach ? i - reach : 0;
        sum += line[at < last ? at : last];
    }
    for (size_t i = 0; i < count; i++) {
        values[i * step] = (float)(sum / width);
        sum += line[i + reach + 1 < last ? i + reach + 1 : last] - line[i > reach ? i - reach : 0];
    }
}

static void blur_region(const tinted_region *region, size_t reach)
{
    for (int round = 0; round < 2; round++) {
        for (size_t y = 0; y < region->height; y++)
            blur(region->values + y * region->width, region->width, 1, reach, region->line);
        for (size_t x = 0; x < region->width; x++)
            blur(region->values + x, region->height, region->width, reach, region->line);
    }
}

/* How much of a pixel the outline covers. Twice blurred over `width` pixels, an edge falls by 1 / width a pixel. */
static double outline(double value, bool inside, double width, double line)
{
    if (inside && value < 0.5)
        return 1;
    double distance = fabs(value - 0.5) * width;
    return fmin(fmax(line / 2 + 0.5 - distance, 0), 1);
}

pg_status pg_image_tint(pg_image *image, const uint8_t *mask, const double color[3], double opacity, double line)
{
    size_t bounds[4], reach = (size_t)ceil(line);
    tinted_region region;
    if (!pg_mask_bounds(bounds, mask, image->width, image->height))
        return PG_OK;
    pg_status status = cut_region(&region, image, mask, bounds, 2 * reach + 1);
    if (status == PG_OK)
        blur_region(&region, reach);
    for (size_t y = 0; status == PG_OK && y < region.height; y++)
        for (size_t x = 0; x < region.width; x++) {
            size_t at = (region.top + y) * image->width + region.left + x;
            double edge = outline(region.values[y * region.width + x], mask[at], 2 * (double)reach + 1, line);
            double share = fmax(edge, mask[at] ? opacity : 0);
            if (share > 0)
                pg_pixel_blend(image->pixels + 3 * at, color, share);
        }
    pg_free(region.values);
    pg_free(region.line);
    return status;
}
