/* PNG through libpng: all colour types and depths become 8-bit RGB; alpha and transparent colours are dropped, 16-bit
 * samples give their high byte, gamma and colour profiles are left alone. */
#include <setjmp.h>
#include <string.h>

#include <png.h>

#include "base/file.h"
#include "image/image.h"

#define DEFLATE_RATIO 1032 /* no deflated byte stands for more (zlib's technical notes) */

typedef struct reader {
    png_structp png;
    png_infop info;
    pg_status status; /* of the error that comes out at the png_structp's setjmp */
    const pg_image_source *source;
    size_t offset;
    pg_image *image;
    bool complete; /* all pixels are there */
} reader;

static void give_up_reading(png_structp png, png_const_charp text)
{
    reader *r = png_get_error_ptr(png);
    r->status = pg_fail(PG_ERROR_FORMAT, "%s: PNG: %s", r->source->name, text);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void take_bytes(png_structp png, png_bytep to, size_t size)
{
    reader *r = png_get_io_ptr(png);
    if (size > r->source->size - r->offset)
        png_error(png, "the file ends early");
    memcpy(to, r->source->bytes + r->offset, size);
    r->offset += size;
}

/* Texts and profiles can be compressed bombs, and none of them matters here; of the optional chunks only eXIf does. */
static void skip_optional_chunks(png_structp png)
{
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT, (png_const_bytep) "eXIf", 1);
}

static void convert_to_rgb(png_structp png)
{
    png_set_palette_to_rgb(png);
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_strip_16(png);
    png_set_gray_to_rgb(png);
    png_set_strip_alpha(png);
}

static void find_orientation(int *orientation, const reader *r)
{
    png_bytep exif = NULL;
    png_uint_32 size = 0;
    if (png_get_eXIf_1(r->png, r->info, &size, &exif))
        pg_exif_orientation(orientation, exif, size);
}

static pg_status read_picture(reader *r, int *orientation)
{
    if (setjmp(png_jmpbuf(r->png))) {
        if (!r->complete)
            return r->status;
        find_orientation(orientation, r); /* what is behind the pixels may be missing */
        return PG_OK;
    }
    png_set_read_fn(r->png, r, take_bytes);
    png_set_user_limits(r->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* pg_image_start checks the size */
    skip_optional_chunks(r->png);
    png_read_info(r->png, r->info);
    int bits = png_get_channels(r->png, r->info) * png_get_bit_depth(r->png, r->info);
    PG_TRY(pg_image_start(&r->image, r->source, png_get_image_width(r->png, r->info),
                          png_get_image_height(r->png, r->info), bits / 8.0 / DEFLATE_RATIO));
    convert_to_rgb(r->png);
    int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    size_t row = r->image->width * 3;
    if (png_get_rowbytes(r->png, r->info) != row)
        png_error(r->png, "rows do not become RGB");
    while (passes--)
        for (size_t y = 0; y < r->image->height; y++)
            png_read_row(r->png, r->image->pixels + y * row, NULL);
    r->complete = true;
    png_read_end(r->png, r->info);
    find_orientation(orientation, r);
    return PG_OK;
}

pg_status pg_png_decode(pg_image **out, int *orientation, const pg_image_source *source)
{
    reader r = {.source = source};
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, give_up_reading, ignore_warning);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    pg_status status = r.info ? read_picture(&r, orientation) : pg_fail(PG_ERROR_MEMORY, "%s: no memory", source->name);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    *out = r.image;
    return status;
}

/* Where a PNG file goes: to a file or into memory. */
typedef struct writer {
    png_structp png;
    png_infop info;
    pg_status status; /* as the reader's */
    const char *name;
    pg_file_writer *file;
    pg_buffer *memory;
} writer;

static void give_up_writing(png_structp png, png_const_charp text)
{
    writer *w = png_get_error_ptr(png);
    if (w->status == PG_OK)
        w->status = pg_fail(PG_ERROR_FILE, "%s: PNG: %s", w->name, text);
    png_longjmp(png, 1);
}

static void give_bytes(png_structp png, png_bytep from, size_t size)
{
    writer *w = png_get_io_ptr(png);
    w->status = w->file ? pg_file_writer_write(w->file, from, size) : pg_buffer_append(w->memory, from, size);
    if (w->status != PG_OK)
        png_error(png, "cannot be written");
}

/* The file is synced when it is committed. */
static void flush_nothing(png_structp png)
{
    (void)png;
}

static pg_status write_rows(writer *w, const pg_image *image)
{
    if (setjmp(png_jmpbuf(w->png)))
        return w->status;
    png_set_write_fn(w->png, w, give_bytes, flush_nothing);
    png_set_user_limits(w->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(w->png, w->info, (png_uint_32)image->width, (png_uint_32)image->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(w->png, w->info);
    for (size_t y = 0; y < image->height; y++)
        png_write_row(w->png, image->pixels + y * image->width * 3);
    png_write_end(w->png, w->info);
    return PG_OK;
}

static pg_status write_picture(writer *w, const pg_image *image)
{
    w->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, w, give_up_writing, ignore_warning);
    w->info = w->png ? png_create_info_struct(w->png) : NULL;
    pg_status status = w->info ? write_rows(w, image) : pg_fail(PG_ERROR_MEMORY, "%s: no memory", w->name);
    png_destroy_write_struct(&w->png, &w->info);
    return status;
}

pg_status pg_image_save_png(const pg_image *image, const char *path)
{
    pg_file_writer file;
    PG_TRY(pg_file_writer_open(&file, path));
    writer w = {.name = path, .file = &file};
    pg_status status = write_picture(&w, image);
    if (status == PG_OK)
        return pg_file_writer_commit(&file);
    pg_file_writer_abort(&file);
    return status;
}

pg_status pg_image_encode_png(uint8_t **out, size_t *size, const pg_image *image)
{
    pg_buffer memory = {0};
    writer w = {.name = "picture", .memory = &memory};
    pg_status status = write_picture(&w, image);
    *out = NULL;
    *size = 0;
    if (status != PG_OK) {
        pg_buffer_free(&memory);
        return status;
    }
    *out = (uint8_t *)memory.data;
    *size = memory.size;
    return PG_OK;
}
