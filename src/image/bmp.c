/* BMP: Windows headers of 40, 52, 56, 108 and 124 bytes and OS/2's of 12 and 64; palettes of 1, 2, 4 and 8 bits a
 * pixel, plain or run-length encoded; 16, 24 and 32 bits with any colour masks. Alpha is dropped. */
#include "image/image.h"

#include <string.h>

#define FILE_HEADER 14
#define MASKS_AT    (FILE_HEADER + 40)

enum compression { PLAIN = 0, RUNS_OF_8 = 1, RUNS_OF_4 = 2, MASKS = 3 };

/* Where a colour stands in a pixel: (pixel & mask) >> shift lies in 0..top. */
typedef struct channel {
    uint32_t mask, top;
    int shift;
} channel;

typedef struct bitmap {
    const pg_image_source *source;
    uint32_t header_size, bits, compression, colours; /* bytes; bits a pixel; enum compression; palette entries */
    int64_t width, height;
    bool top_down;
    size_t pixels_at;
    uint8_t palette[256][3]; /* colours beyond the file's are black */
    channel channels[3];
} bitmap;

static uint32_t get16(const bitmap *b, size_t at)
{
    return (uint32_t)(b->source->bytes[at] | b->source->bytes[at + 1] << 8);
}

static uint32_t get32(const bitmap *b, size_t at)
{
    return get16(b, at) | get16(b, at + 2) << 16;
}

static pg_status fail_early_end(const bitmap *b)
{
    return pg_fail(PG_ERROR_FORMAT, "%s: BMP: the file ends early", b->source->name);
}

static pg_status read_header(bitmap *b)
{
    size_t size = b->source->size;
    b->header_size = size < FILE_HEADER + 12 ? UINT32_MAX : get32(b, FILE_HEADER);
    if (size < (size_t)FILE_HEADER + b->header_size)
        return fail_early_end(b);
    b->pixels_at = get32(b, 10);
    if (b->header_size == 12) {
        b->width = get16(b, 18);
        b->height = get16(b, 20);
        b->bits = get16(b, 24);
        return PG_OK;
    }
    if (b->header_size < 40 || b->header_size > 124)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: BMP: found a header of %u bytes, expected 12 or 40 to 124",
                       b->source->name, b->header_size);
    b->width = (int32_t)get32(b, 18);
    b->height = (int32_t)get32(b, 22);
    b->top_down = b->height < 0;
    b->height = b->top_down ? -b->height : b->height;
    b->bits = get16(b, 28);
    b->compression = get32(b, 30);
    b->colours = get32(b, 46);
    return PG_OK;
}

static bool is_supported(const bitmap *b)
{
    switch (b->compression) {
    case PLAIN:
        return b->bits == 1 || b->bits == 2 || b->bits == 4 || b->bits == 8 || b->bits == 16 || b->bits == 24 ||
               b->bits == 32;
    case RUNS_OF_8: return b->bits == 8 && !b->top_down;
    case RUNS_OF_4: return b->bits == 4 && !b->top_down;
    case MASKS: return (b->bits == 16 || b->bits == 24 || b->bits == 32) && b->header_size != 64;
    }
    return false;
}

static void read_palette(bitmap *b)
{
    size_t entry = b->header_size == 12 ? 3 : 4, at = FILE_HEADER + b->header_size;
    uint32_t most = 1u << b->bits, count = b->colours && b->colours < most ? b->colours : most;
    for (uint32_t i = 0; i < count && at + entry <= b->pixels_at; i++, at += entry)
        for (size_t c = 0; c < 3; c++)
            b->palette[i][c] = b->source->bytes[at + 2 - c];
}

static pg_status read_masks(bitmap *b)
{
    static const uint32_t of_15[3] = {0x7c00, 0x3e0, 0x1f}, of_24[3] = {0xff0000, 0xff00, 0xff};
    uint32_t masks[3];
    memcpy(masks, b->bits == 16 ? of_15 : of_24, sizeof masks);
    if (b->compression == MASKS) {
        if (b->source->size < MASKS_AT + 12)
            return fail_early_end(b);
        uint32_t stored[3] = {get32(b, MASKS_AT), get32(b, MASKS_AT + 4), get32(b, MASKS_AT + 8)};
        if (stored[0] | stored[1] | stored[2]) /* all 0: the usual ones are meant */
            memcpy(masks, stored, sizeof masks);
    }
    for (int c = 0; c < 3; c++) {
        int shift = masks[c] ? __builtin_ctz(masks[c]) : 0;
        uint32_t top = masks[c] >> shift;
        if (top & (top + 1))
            return pg_fail(PG_ERROR_UNSUPPORTED, "%s: BMP: found colour mask %08x, expected bits in one piece",
                           b->source->name, masks[c]);
        b->channels[c] = (channel){masks[c], top, shift};
    }
    return PG_OK;
}

static void convert_indices(const bitmap *b, uint8_t *to, const uint8_t *from)
{
    uint32_t mask = (1u << b->bits) - 1, in_byte = 8 / b->bits;
    for (int64_t x = 0; x < b->width; x++, to += 3) {
        uint32_t shift = 8 - b->bits - (uint32_t)x % in_byte * b->bits;
        memcpy(to, b->palette[from[x / in_byte] >> shift & mask], 3);
    }
}

static void convert_masked(const bitmap *b, uint8_t *to, const uint8_t *from)
{
    size_t bytes = b->bits / 8;
    for (int64_t x = 0; x < b->width; x++, from += bytes) {
        uint32_t pixel = 0;
        for (size_t i = 0; i < bytes; i++)
            pixel |= (uint32_t)from[i] << 8 * i;
        for (const channel *c = b->channels; c < b->channels + 3; c++) {
            uint32_t value = (pixel & c->mask) >> c->shift;
            *to++ = (uint8_t)(c->top == 255 || !c->top ? value : (uint64_t)value * 255 / c->top);
        }
    }
}

static size_t row_size(const bitmap *b)
{
    return ((size_t)b->width * b->bits + 31) / 32 * 4;
}

static uint8_t *image_row(const bitmap *b, pg_image *image, int64_t y)
{
    return image->pixels + (size_t)(b->top_down ? y : b->height - 1 - y) * image->width * 3;
}

static pg_status read_rows(const bitmap *b, pg_image *image)
{
    /* Some writers leave out the padding of the last row. */
    size_t size = row_size(b), last = ((size_t)b->width * b->bits + 7) / 8;
    if (b->source->size - b->pixels_at < size * (size_t)(b->height - 1) + last)
        return fail_early_end(b);
    const uint8_t *from = b->source->bytes + b->pixels_at;
    for (int64_t y = 0; y < b->height; y++, from += size)
        if (b->bits <= 8)
            convert_indices(b, image_row(b, image, y), from);
        else
            convert_masked(b, image_row(b, image, y), from);
    return PG_OK;
}

typedef struct pen {
    const bitmap *b;
    pg_image *image;
    int64_t x, y; /* y counts from the bottom */
} pen;

/* Paints the next `count` pixels of a row: pixel i has the index in byte or nibble i % period. What reaches over the
 * end of the row is lost. */
static void paint_run(pen *p, const uint8_t *indices, uint32_t count, uint32_t period)
{
    for (uint32_t i = 0; i < count && p->x < p->b->width && p->y < p->b->height; i++, p->x++) {
        uint32_t j = i % period, bits = p->b->bits;
        uint8_t index = bits == 8 ? indices[j] : indices[j / 2] >> (j % 2 ? 0 : 4) & 15;
        memcpy(image_row(p->b, p->image, p->y) + p->x * 3, p->b->palette[index], 3);
    }
}

/* Pixels that no run paints have colour 0. */
static pg_status read_runs(const bitmap *b, pg_image *image)
{
    for (size_t i = 0; i < image->width * image->height; i++)
        memcpy(image->pixels + 3 * i, b->palette[0], 3);
    pen p = {b, image, 0, 0};
    const uint8_t *from = b->source->bytes + b->pixels_at, *end = b->source->bytes + b->source->size;
    while (end - from >= 2) {
        uint8_t count = from[0], code = from[1];
        from += 2;
        if (count)
            paint_run(&p, &from[-1], count, 8 / b->bits);
        else if (code == 0) {
            p.x = 0;
            p.y++;
        } else if (code == 1)
            return PG_OK;
        else if (code == 2 && end - from >= 2) {
            p.x += from[0];
            p.y += from[1];
            from += 2;
        } else {
            size_t bytes = ((size_t)code * b->bits + 15) / 16 * 2; /* runs of indices are padded to 16 bits */
            if (code == 2 || (size_t)(end - from) < bytes)
                break;
            paint_run(&p, from, code, code);
            from += bytes;
        }
    }
    return p.y >= b->height || (p.y == b->height - 1 && p.x >= b->width) ? PG_OK : fail_early_end(b);
}

pg_status pg_bmp_decode(pg_image **out, int *orientation, const pg_image_source *source)
{
    (void)orientation; /* BMP has no EXIF */
    bitmap b = {.source = source};
    PG_TRY(read_header(&b));
    if (b.width < 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: BMP: found a width of %lld", source->name, (long long)b.width);
    if (!is_supported(&b))
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: BMP: %u bits a pixel with compression %u are not supported",
                       source->name, b.bits, b.compression);
    if (b.pixels_at < FILE_HEADER + b.header_size || b.pixels_at > source->size)
        return fail_early_end(&b);
    if (b.bits <= 8)
        read_palette(&b);
    else
        PG_TRY(read_masks(&b));
    bool plain = b.compression == PLAIN || b.compression == MASKS;
    PG_TRY(pg_image_start(out, source, (uint64_t)b.width, (uint64_t)b.height, plain ? b.bits / 8.0 : 0));
    return plain ? read_rows(&b, *out) : read_runs(&b, *out);
}
