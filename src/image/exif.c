/* EXIF orientation: finding it (tag 0x0112 of the first directory of a TIFF structure; Exif 2.32, 4.6.4) and turning a
 * picture upright. */
#include "image/image.h"

#include <string.h>

#define TAG_ORIENTATION 0x0112
#define TYPE_SHORT      3
#define TYPE_LONG       4
#define ENTRY_SIZE      12

static uint32_t read_integer(const uint8_t *bytes, size_t size, bool big)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[big ? i : size - 1 - i];
    return value;
}

void pg_exif_orientation(int *orientation, const uint8_t *bytes, size_t size)
{
    if (size >= 6 && !memcmp(bytes, "Exif\0\0", 6)) {
        bytes += 6;
        size -= 6;
    }
    if (size < 8 || (memcmp(bytes, "II*\0", 4) && memcmp(bytes, "MM\0*", 4)))
        return;
    bool big = bytes[0] == 'M';
    size_t directory = read_integer(bytes + 4, 4, big);
    if (directory > size - 2)
        return;
    size_t entries = read_integer(bytes + directory, 2, big), room = (size - directory - 2) / ENTRY_SIZE;
    const uint8_t *entry = bytes + directory + 2;
    for (size_t i = 0; i < entries && i < room; i++, entry += ENTRY_SIZE) {
        uint32_t type = read_integer(entry + 2, 2, big);
        if (read_integer(entry, 2, big) != TAG_ORIENTATION || (type != TYPE_SHORT && type != TYPE_LONG))
            continue;
        uint32_t value = read_integer(entry + 8, type == TYPE_SHORT ? 2 : 4, big);
        if (value >= 1 && value <= 8)
            *orientation = (int)value;
        return;
    }
}

/* Copies to[y, x] = from[y * row_step + x * step] tile by tile, so that both sides stay in the cache when the picture
 * is turned on its side. */
static void copy_pixels(pg_image *to, const uint8_t *from, ptrdiff_t step, ptrdiff_t row_step)
{
    const size_t tile = 32;
    for (size_t top = 0; top < to->height; top += tile)
        for (size_t left = 0; left < to->width; left += tile)
            for (size_t y = top; y < top + tile && y < to->height; y++)
                for (size_t x = left; x < left + tile && x < to->width; x++)
                    memcpy(to->pixels + (y * to->width + x) * 3, from + (ptrdiff_t)y * row_step + (ptrdiff_t)x * step,
                           3);
}

pg_status pg_image_turn(pg_image **image, int orientation)
{
    if (orientation < 2 || orientation > 8)
        return PG_OK;
    const pg_image *old = *image;
    bool mirrored = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool upended = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    bool sideways = orientation >= 5;
    ptrdiff_t row = (ptrdiff_t)old->width * 3;
    const uint8_t *from = old->pixels + (mirrored ? row - 3 : 0) + (upended ? row * ((ptrdiff_t)old->height - 1) : 0);
    ptrdiff_t along = mirrored ? -3 : 3, down = upended ? -row : row;
    pg_image *turned;
    PG_TRY(pg_image_blank(&turned, sideways ? old->height : old->width, sideways ? old->width : old->height));
    copy_pixels(turned, from, sideways ? down : along, sideways ? along : down);
    pg_image_free(*image);
    *image = turned;
    return PG_OK;
}
