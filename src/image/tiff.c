/* TIFF through libtiff: the first page, in strips or tiles, of 1, 2, 4, 8 or 16 bits a sample: grey, RGB, palette, CMYK
 * and YCbCr. Extra samples are dropped, but colours that are premultiplied by alpha are divided by it, as Pillow does;
 * of 16-bit samples the high byte is taken. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <tiffio.h>

#include "image/image.h"

#define MOST_SAMPLES    8
#define MOST_TILE_SIZE  (64 << 20)
#define MOST_TILES_SIZE (1 << 30) /* together, beyond what the picture itself needs */

typedef struct reader {
    const pg_image_source *source;
    size_t offset;
    char text[256]; /* the library's first complaint */
    TIFF *tiff;
    uint32_t width, height;
    uint16_t photometric, bits, samples, compression, planar;
    uint16_t colour_channels; /* samples that make the colour */
    bool premultiplied;
    const uint16_t *palette[3];
    uint32_t block_width, block_height; /* what is read at once: a tile, or a row of a strip */
    size_t block_row;                   /* bytes from one row of a block to the next */
} reader;

static void keep_text(reader *r, const char *format, va_list arguments)
{
    if (!r->text[0])
        vsnprintf(r->text, sizeof r->text, format, arguments);
}

static pg_status fail_reading(const reader *r)
{
    return pg_fail(PG_ERROR_FORMAT, "%s: TIFF: %s", r->source->name, r->text[0] ? r->text : "damaged");
}

static tmsize_t take_bytes(thandle_t handle, void *to, tmsize_t size)
{
    reader *r = handle;
    size_t left = r->source->size - r->offset, taken = (size_t)size < left ? (size_t)size : left;
    memcpy(to, r->source->bytes + r->offset, taken);
    r->offset += taken;
    return (tmsize_t)taken;
}

static tmsize_t give_nothing(thandle_t handle, void *from, tmsize_t size)
{
    (void)handle;
    (void)from;
    (void)size;
    return -1;
}

static toff_t move(thandle_t handle, toff_t offset, int whence)
{
    reader *r = handle;
    toff_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? r->offset : r->source->size;
    toff_t target = base + offset; /* modulo 2^64: offsets may stand for negative numbers */
    r->offset = target < r->source->size ? (size_t)target : r->source->size;
    return r->offset;
}

static int close_nothing(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t tell_size(thandle_t handle)
{
    return ((reader *)handle)->source->size;
}

/* libtiff 4.5 has error handlers for each file; before, they belong to the process, and the thread's reader must be
 * found another way. */
#if TIFFLIB_VERSION >= 20221213

static int keep_error(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments)
{
    (void)tiff;
    (void)module;
    keep_text(user, format, arguments);
    return 1;
}

static int ignore_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments)
{
    (void)tiff;
    (void)user;
    (void)module;
    (void)format;
    (void)arguments;
    return 1;
}

static TIFF *open_quietly(reader *r)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options)
        return NULL;
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)r->source->size + MOST_TILE_SIZE);
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_error, r);
    TIFFOpenOptionsSetWarningHandlerExtR(options, ignore_warning, r);
    TIFF *tiff =
        TIFFClientOpenExt("", "rm", r, take_bytes, give_nothing, move, close_nothing, tell_size, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

static void close_quietly(reader *r)
{
    TIFFClose(r->tiff);
}

#else
#include <pthread.h>

static _Thread_local reader *current;

static void keep_error(const char *module, const char *format, va_list arguments)
{
    (void)module;
    if (current)
        keep_text(current, format, arguments);
}

static void set_handlers(void)
{
    TIFFSetErrorHandler(keep_error);
    TIFFSetWarningHandler(NULL);
}

static TIFF *open_quietly(reader *r)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_handlers);
    current = r;
    TIFF *tiff = TIFFClientOpen("", "rm", r, take_bytes, give_nothing, move, close_nothing, tell_size, NULL, NULL);
    if (!tiff)
        current = NULL;
    return tiff;
}

static void close_quietly(reader *r)
{
    TIFFClose(r->tiff);
    current = NULL;
}

#endif

static bool is_supported_compression(uint16_t compression)
{
    switch (compression) {
    case COMPRESSION_NONE:
    case COMPRESSION_CCITTRLE:
    case COMPRESSION_CCITTFAX3:
    case COMPRESSION_CCITTFAX4:
    case COMPRESSION_LZW:
    case COMPRESSION_JPEG:
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE:
    case COMPRESSION_PACKBITS:
    case COMPRESSION_LZMA:
    case COMPRESSION_ZSTD:
    case COMPRESSION_WEBP: return TIFFIsCODECConfigured(compression);
    }
    return false;
}

/* Number of samples that make a colour; 0 for colour spaces that are not supported. */
static uint16_t count_colour_channels(uint16_t photometric)
{
    switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_PALETTE: return 1;
    case PHOTOMETRIC_RGB:
    case PHOTOMETRIC_YCBCR: return 3;
    case PHOTOMETRIC_SEPARATED: return 4;
    }
    return 0;
}

static void read_fields(reader *r)
{
    uint16_t extra_count = 0, *extras = NULL;
    TIFFGetField(r->tiff, TIFFTAG_IMAGEWIDTH, &r->width);
    TIFFGetField(r->tiff, TIFFTAG_IMAGELENGTH, &r->height);
    TIFFGetField(r->tiff, TIFFTAG_PHOTOMETRIC, &r->photometric);
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_COMPRESSION, &r->compression);
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_BITSPERSAMPLE, &r->bits);
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_SAMPLESPERPIXEL, &r->samples);
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_PLANARCONFIG, &r->planar);
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extras);
    r->premultiplied = r->photometric == PHOTOMETRIC_RGB && extra_count && extras[0] == EXTRASAMPLE_ASSOCALPHA;
    r->colour_channels = count_colour_channels(r->photometric);
}

static pg_status check_fields(reader *r)
{
    const char *name = r->source->name;
    uint16_t format = SAMPLEFORMAT_UINT;
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_SAMPLEFORMAT, &format);
    if (!is_supported_compression(r->compression))
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: TIFF: compression %u is not supported", name, r->compression);
    if (!r->colour_channels || r->samples < r->colour_channels || r->samples > MOST_SAMPLES)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: TIFF: colour space %u with %u samples a pixel is not supported", name,
                       r->photometric, r->samples);
    bool palette = r->photometric == PHOTOMETRIC_PALETTE;
    bool whole = r->bits == 8 || (r->bits == 16 && !palette), part = r->bits == 1 || r->bits == 2 || r->bits == 4;
    if (!(whole || (part && r->samples == 1)) || (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID))
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: TIFF: %u samples of %u bits in format %u are not supported", name,
                       r->samples, r->bits, format);
    if (r->planar == PLANARCONFIG_SEPARATE && (r->premultiplied || r->photometric == PHOTOMETRIC_SEPARATED))
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: TIFF: CMYK and premultiplied alpha in planes are not supported",
                       name);
    if (palette && !TIFFGetField(r->tiff, TIFFTAG_COLORMAP, &r->palette[0], &r->palette[1], &r->palette[2]))
        return pg_fail(PG_ERROR_FORMAT, "%s: TIFF: a palette picture without a palette", name);
    return PG_OK;
}

/* Sample number `i` of a row, as a level 0..255, or as a palette index. */
static uint8_t get_sample(const reader *r, const uint8_t *row, size_t i)
{
    if (r->bits == 8)
        return row[i];
    if (r->bits == 16)
        return (uint8_t)(((const uint16_t *)(const void *)row)[i] >> 8);
    unsigned top = (1u << r->bits) - 1, shift = 8 - r->bits - (unsigned)(i * r->bits % 8);
    unsigned value = row[i * r->bits / 8] >> shift & top;
    return (uint8_t)(r->photometric == PHOTOMETRIC_PALETTE ? value : value * 255 / top);
}

/* Several samples of one pixel to its colour. */
static void mix(const reader *r, uint8_t *to, const uint8_t *row, size_t at)
{
    unsigned last = r->samples > 3 ? get_sample(r, row, at + 3) : 255;
    for (size_t c = 0; c < 3; c++) {
        unsigned level = get_sample(r, row, at + c);
        if (r->photometric == PHOTOMETRIC_SEPARATED)
            level = ((255 - level) * (255 - last) + 127) / 255;
        else if (r->premultiplied)
            level = last ? level * 255 / last : 0;
        to[c] = (uint8_t)(level < 255 ? level : 255);
    }
}

/* `count` pixels of a row, or one channel of them if the file keeps channels apart. */
static void convert(const reader *r, uint8_t *to, const uint8_t *row, size_t count, uint16_t plane)
{
    bool apart = r->planar == PLANARCONFIG_SEPARATE;
    size_t step = apart ? 1 : r->samples;
    for (size_t x = 0; x < count; x++, to += 3)
        if (r->colour_channels > 1 && apart)
            to[plane] = get_sample(r, row, x);
        else if (r->colour_channels > 1)
            mix(r, to, row, x * step);
        else {
            uint8_t value = get_sample(r, row, x * step);
            for (int c = 0; c < 3; c++)
                to[c] = r->photometric == PHOTOMETRIC_PALETTE      ? (uint8_t)(r->palette[c][value] >> 8)
                        : r->photometric == PHOTOMETRIC_MINISWHITE ? 255 - value
                                                                   : value;
        }
}

static pg_status read_block(reader *r, uint8_t *block, uint32_t x, uint32_t y, uint16_t plane)
{
    bool read = TIFFIsTiled(r->tiff) ? TIFFReadTile(r->tiff, block, x, y, 0, plane) >= 0
                                     : TIFFReadScanline(r->tiff, block, y, plane) == 1;
    return read ? PG_OK : fail_reading(r);
}

static pg_status read_plane(reader *r, pg_image *image, uint8_t *block, uint16_t plane)
{
    for (size_t top = 0; top < r->height; top += r->block_height)
        for (size_t left = 0; left < r->width; left += r->block_width) {
            PG_TRY(read_block(r, block, (uint32_t)left, (uint32_t)top, plane));
            size_t rest = image->width - left, count = r->block_width < rest ? r->block_width : rest;
            for (size_t y = 0; y < r->block_height && top + y < r->height; y++)
                convert(r, image->pixels + ((top + y) * image->width + left) * 3, block + y * r->block_row, count,
                        plane);
        }
    return PG_OK;
}

/* Tiles that are mostly outside the picture, or strips that all stand for the same bytes, would keep the library busy
 * for hours. */
static pg_status check_work(const reader *r)
{
    bool tiled = TIFFIsTiled(r->tiff);
    uint64_t count = tiled ? TIFFNumberOfTiles(r->tiff) : TIFFNumberOfStrips(r->tiff);
    uint64_t stored = 0, size = r->source->size;
    for (uint32_t i = 0; i < count && stored <= 4 * size; i++) {
        uint64_t bytes = TIFFGetStrileByteCount(r->tiff, i);
        stored += bytes < size ? bytes : size;
    }
    uint64_t tile = tiled ? (uint64_t)TIFFTileSize(r->tiff) : 0, most = MOST_TILES_SIZE;
    most += 8 * (uint64_t)r->width * r->height * r->samples;
    if (stored > 4 * size || tile > MOST_TILE_SIZE || count * tile > most)
        return pg_fail(PG_ERROR_LIMIT, "%s: TIFF: %llu strips or tiles, far more or larger than the picture needs",
                       r->source->name, (unsigned long long)count);
    return PG_OK;
}

static pg_status read_samples(reader *r, pg_image *image)
{
    bool tiled = TIFFIsTiled(r->tiff), apart = r->planar == PLANARCONFIG_SEPARATE;
    r->block_width = r->width;
    r->block_height = 1;
    if (tiled) {
        TIFFGetField(r->tiff, TIFFTAG_TILEWIDTH, &r->block_width);
        TIFFGetField(r->tiff, TIFFTAG_TILELENGTH, &r->block_height);
    }
    r->block_row = (size_t)(tiled ? TIFFTileRowSize(r->tiff) : TIFFScanlineSize(r->tiff));
    size_t size = tiled ? (size_t)TIFFTileSize(r->tiff) : r->block_row;
    uint64_t row_bits = (uint64_t)r->block_width * r->bits * (apart ? 1 : r->samples);
    if (!r->block_width || !r->block_height || r->block_row < (row_bits + 7) / 8 ||
        size / r->block_row < r->block_height)
        return fail_reading(r);
    uint8_t *block = pg_alloc(size, 1);
    pg_status status = block ? PG_OK : PG_ERROR_MEMORY;
    for (uint16_t plane = 0; plane < (apart ? r->colour_channels : 1) && status == PG_OK; plane++)
        status = read_plane(r, image, block, plane);
    pg_free(block);
    return status;
}

/* YCbCr outside JPEG has its own layouts of subsampled blocks, which the library turns into RGBA. */
static pg_status read_through_rgba(reader *r, pg_image *image)
{
    uint32_t *rgba = pg_alloc(image->width * image->height, sizeof *rgba);
    if (!rgba)
        return PG_ERROR_MEMORY;
    TIFFSetField(r->tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT); /* rows as stored: turning them is not its job */
    pg_status status = PG_OK;
    if (!TIFFReadRGBAImageOriented(r->tiff, r->width, r->height, rgba, ORIENTATION_TOPLEFT, 1))
        status = fail_reading(r);
    for (size_t i = 0; status == PG_OK && i < image->width * image->height; i++) {
        image->pixels[3 * i] = (uint8_t)TIFFGetR(rgba[i]);
        image->pixels[3 * i + 1] = (uint8_t)TIFFGetG(rgba[i]);
        image->pixels[3 * i + 2] = (uint8_t)TIFFGetB(rgba[i]);
    }
    pg_free(rgba);
    return status;
}

static pg_status read_picture(pg_image **image, int *orientation, reader *r)
{
    read_fields(r);
    PG_TRY(check_fields(r));
    bool ycbcr = r->photometric == PHOTOMETRIC_YCBCR;
    if (ycbcr && r->compression == COMPRESSION_JPEG && r->planar == PLANARCONFIG_CONTIG) {
        TIFFSetField(r->tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        ycbcr = false;
    }
    PG_TRY(pg_image_start(image, r->source, r->width, r->height, 0));
    PG_TRY(check_work(r));
    uint16_t turned = 1;
    if (TIFFGetField(r->tiff, TIFFTAG_ORIENTATION, &turned) && turned >= 1 && turned <= 8)
        *orientation = turned;
    return ycbcr ? read_through_rgba(r, *image) : read_samples(r, *image);
}

pg_status pg_tiff_decode(pg_image **out, int *orientation, const pg_image_source *source)
{
    reader r = {.source = source};
    r.tiff = open_quietly(&r);
    if (!r.tiff)
        return fail_reading(&r);
    pg_status status = read_picture(out, orientation, &r);
    close_quietly(&r);
    return status;
}
