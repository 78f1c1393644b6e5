/* PPM and PGM (P2, P3, P5, P6): samples 0..maxval, of one byte or of two (the high one first), become round(255 *
 * sample / maxval), ties to even, as in Pillow's P6. */
#include "image/image.h"

#include <math.h>

typedef struct reader {
    const pg_image_source *source;
    size_t offset;
} reader;

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The next byte, or a blank at the end of the file. */
static uint8_t peek(const reader *r)
{
    return r->offset < r->source->size ? r->source->bytes[r->offset] : ' ';
}

static void skip_blanks(reader *r)
{
    for (; r->offset < r->source->size && (is_blank(peek(r)) || peek(r) == '#'); r->offset++)
        if (peek(r) == '#')
            while (r->offset < r->source->size && peek(r) != '\n' && peek(r) != '\r')
                r->offset++;
}

/* A decimal number after blanks and comments. */
static pg_status read_number(uint32_t *out, reader *r, uint32_t most, const char *what)
{
    skip_blanks(r);
    size_t digits = 0;
    uint64_t value = 0;
    for (; peek(r) >= '0' && peek(r) <= '9' && value <= most; r->offset++, digits++)
        value = value * 10 + (uint64_t)(peek(r) - '0');
    if (!digits || !(is_blank(peek(r)) || peek(r) == '#') || value > most)
        return pg_fail(PG_ERROR_FORMAT, "%s: PPM/PGM: at byte %zu: expected %s, a number up to %u", r->source->name,
                       r->offset, what, most);
    *out = (uint32_t)value;
    return PG_OK;
}

static pg_status read_sample(uint32_t *out, reader *r, uint32_t maxval, bool text)
{
    if (text)
        return read_number(out, r, maxval, "a sample");
    size_t bytes = maxval > 255 ? 2 : 1;
    if (r->source->size - r->offset < bytes)
        return pg_fail(PG_ERROR_FORMAT, "%s: PPM/PGM: the file ends early", r->source->name);
    *out = 0;
    while (bytes--)
        *out = *out << 8 | r->source->bytes[r->offset++];
    return PG_OK;
}

static pg_status read_samples(reader *r, pg_image *image, uint32_t maxval, size_t channels, bool text)
{
    for (size_t i = 0; i < image->width * image->height * 3; i += 3 / channels) {
        uint32_t sample;
        PG_TRY(read_sample(&sample, r, maxval, text));
        double level = maxval == 255 ? sample : fmin(255.0, rint((double)sample / maxval * 255));
        for (size_t c = 0; c < 3 / channels; c++)
            image->pixels[i + c] = (uint8_t)level;
    }
    return PG_OK;
}

pg_status pg_pnm_decode(pg_image **out, int *orientation, const pg_image_source *source)
{
    (void)orientation; /* PPM has no EXIF */
    char kind = (char)source->bytes[1];
    bool text = kind == '2' || kind == '3';
    size_t channels = kind == '3' || kind == '6' ? 3 : 1;
    reader r = {source, 2};
    uint32_t width, height, maxval;
    PG_TRY(read_number(&width, &r, INT32_MAX, "the width"));
    PG_TRY(read_number(&height, &r, INT32_MAX, "the height"));
    PG_TRY(read_number(&maxval, &r, 65535, "the largest sample"));
    if (!maxval)
        return pg_fail(PG_ERROR_FORMAT, "%s: PPM/PGM: the largest sample is 0", source->name);
    if (r.offset < source->size)
        r.offset++; /* one blank stands between header and samples */
    PG_TRY(pg_image_start(out, source, width, height, (double)channels * (!text && maxval > 255 ? 2 : 1)));
    return read_samples(&r, *out, maxval, channels, text);
}
