/* From the bytes of a file to an upright picture: tells the kind by its first bytes and calls that kind's decoder. */
#include "image/image.h"

#include <string.h>

#include "base/file.h"

#define FILE_LIMIT ((size_t)512 << 20)

/* '?' stands for any byte. Kinds without a decoder are known only to say what was found. */
static const struct kind {
    const char *name, *magic;
    size_t size;
    pg_image_decoder *decode;
} kinds[] = {
    {"JPEG", "\xff\xd8\xff", 3, pg_jpeg_decode},
    {"PNG", "\x89PNG\r\n\x1a\n", 8, pg_png_decode},
    {"WebP", "RIFF????WEBP", 12, pg_webp_decode},
    {"GIF", "GIF87a", 6, pg_gif_decode},
    {"GIF", "GIF89a", 6, pg_gif_decode},
    {"BMP", "BM", 2, pg_bmp_decode},
    {"PGM as text", "P2", 2, pg_pnm_decode},
    {"PPM as text", "P3", 2, pg_pnm_decode},
    {"PGM", "P5", 2, pg_pnm_decode},
    {"PPM", "P6", 2, pg_pnm_decode},
    {"TIFF", "II*\0", 4, pg_tiff_decode},
    {"TIFF", "MM\0*", 4, pg_tiff_decode},
    {"BigTIFF", "II+\0", 4, pg_tiff_decode},
    {"BigTIFF", "MM\0+", 4, pg_tiff_decode},
    {"HEIC, AVIF or video", "????ftyp", 8, NULL},
    {"JPEG XL", "\xff\x0a", 2, NULL},
    {"JPEG XL", "\0\0\0\x0cJXL ", 8, NULL},
    {"JPEG 2000", "\0\0\0\x0cjP  ", 8, NULL},
    {"Photoshop", "8BPS", 4, NULL},
    {"PDF", "%PDF", 4, NULL},
    {"ZIP", "PK\x03\x04", 4, NULL},
    {"markup such as HTML or SVG", "<", 1, NULL},
};

void pg_image_options_init(pg_image_options *options)
{
    *options = (pg_image_options){.max_pixels = PG_IMAGE_MAX_PIXELS};
}

static bool starts_with(const pg_image_source *source, const struct kind *kind)
{
    if (source->size < kind->size)
        return false;
    for (size_t i = 0; i < kind->size; i++)
        if (kind->magic[i] != '?' && (uint8_t)kind->magic[i] != source->bytes[i])
            return false;
    return true;
}

static const struct kind *find_kind(const pg_image_source *source)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (starts_with(source, &kinds[i]))
            return &kinds[i];
    return NULL;
}

static void describe_bytes(char *text, size_t room, const pg_image_source *source)
{
    size_t shown = source->size < 8 ? source->size : 8, printable = 0;
    while (printable < shown && source->bytes[printable] >= ' ' && source->bytes[printable] < 0x7f)
        printable++;
    if (!shown)
        snprintf(text, room, "an empty file");
    else if (printable == shown)
        snprintf(text, room, "text that begins with \"%.*s\"", (int)shown, (const char *)source->bytes);
    else {
        size_t used = (size_t)snprintf(text, room, "the bytes");
        for (size_t i = 0; i < shown; i++)
            used += (size_t)snprintf(text + used, room - used, " %02x", source->bytes[i]);
    }
}

static pg_status fail_unknown(const pg_image_source *source, const struct kind *kind)
{
    char found[64];
    if (kind)
        snprintf(found, sizeof found, "%s", kind->name);
    else
        describe_bytes(found, sizeof found, source);
    return pg_fail(PG_ERROR_FORMAT,
                   "%s: not a picture that can be read (found %s, expected JPEG, PNG, WebP, GIF, BMP, PPM/PGM or TIFF)",
                   source->name, found);
}

pg_status pg_image_decode(pg_image **out, const void *bytes, size_t size, const char *name,
                          const pg_image_options *options)
{
    *out = NULL;
    pg_image_options defaults;
    pg_image_options_init(&defaults);
    if (!options)
        options = &defaults;
    pg_image_source source = {bytes, size, name, options->max_pixels};
    const struct kind *kind = find_kind(&source);
    if (!kind || !kind->decode)
        return fail_unknown(&source, kind);
    pg_image *image = NULL;
    int orientation = 1;
    pg_status status = kind->decode(&image, &orientation, &source);
    if (status == PG_OK && !options->keep_orientation)
        status = pg_image_turn(&image, orientation);
    if (status == PG_OK)
        *out = image;
    else
        pg_image_free(image);
    return status;
}

pg_status pg_image_load(pg_image **out, const char *path, const pg_image_options *options)
{
    *out = NULL;
    pg_buffer bytes = {0};
    pg_status status = pg_file_read(&bytes, path, FILE_LIMIT);
    if (status == PG_OK)
        status = pg_image_decode(out, bytes.data, bytes.size, strcmp(path, "-") ? path : "standard input", options);
    pg_buffer_free(&bytes);
    return status;
}
