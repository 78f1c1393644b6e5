/* JPEG through libjpeg-turbo: baseline and progressive, grey, YCbCr, RGB, CMYK and YCCK. The library's default
 * transform (islow) and upsampling (fancy), as in Pillow. */
#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>
#include <jerror.h>

#include "base/file.h"
#include "image/image.h"

/* A scan of a few bytes can walk over a whole picture, so hundreds of them are an attack. Encoders write about ten. */
#define MOST_SCANS       100
#define MOST_LARGE_SCANS 20 /* of pictures of more than LARGE pixels */
#define LARGE            (40 * 1000 * 1000)

/* An 8 x 8 block takes at least one bit of Huffman code in some scan, and at least half as many blocks as the picture
 * has are stored whatever the subsampling. Arithmetic codes know no such bound. */
#define LEAST_BYTES_PER_PIXEL (1.0 / (64 * 8 * 2))

typedef struct reader {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape; /* where the library's errors come out, with `status` set */
    pg_status status;
    const pg_image_source *source;
    pg_image *image;
} reader;

static void give_up(j_common_ptr info)
{
    reader *r = info->client_data;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    bool memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
    r->status = pg_fail(memory ? PG_ERROR_MEMORY : PG_ERROR_FORMAT, "%s: JPEG: %s", r->source->name, text);
    longjmp(r->escape, 1);
}

/* Warnings of lost or damaged picture data are errors here: what the library puts in its place is no picture. Others,
 * such as stray bytes between segments, are common and harmless. */
static void note_warning(j_common_ptr info, int level)
{
    if (level >= 0)
        return;
    switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC: give_up(info);
    }
}

static void stop_endless_scans(j_common_ptr info)
{
    reader *r = info->client_data;
    int most = (uint64_t)r->info.image_width * r->info.image_height > LARGE ? MOST_LARGE_SCANS : MOST_SCANS;
    if (r->info.input_scan_number <= most)
        return;
    r->status = pg_fail(PG_ERROR_LIMIT, "%s: JPEG: more than %d scans", r->source->name, most);
    longjmp(r->escape, 1);
}

static void find_orientation(int *orientation, const struct jpeg_decompress_struct *info)
{
    for (jpeg_saved_marker_ptr marker = info->marker_list; marker; marker = marker->next)
        pg_exif_orientation(orientation, marker->data, marker->data_length);
}

/* Adobe's CMYK is stored inverted (0 is full ink), so a channel is colour times black; Pillow takes all four-channel
 * JPEGs so. */
static void read_cmyk_rows(reader *r)
{
    struct jpeg_decompress_struct *info = &r->info;
    JSAMPARRAY row = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, info->output_width * 4, 1);
    for (uint8_t *to = r->image->pixels; info->output_scanline < info->output_height;) {
        jpeg_read_scanlines(info, row, 1);
        for (const uint8_t *from = row[0]; from < row[0] + (size_t)info->output_width * 4; from += 4)
            for (int c = 0; c < 3; c++)
                *to++ = (uint8_t)((from[c] * from[3] + 127) / 255);
    }
}

static void read_rgb_rows(reader *r)
{
    struct jpeg_decompress_struct *info = &r->info;
    while (info->output_scanline < info->output_height) {
        JSAMPROW row = r->image->pixels + (size_t)info->output_scanline * r->image->width * 3;
        jpeg_read_scanlines(info, &row, 1);
    }
}

static pg_status read_picture(reader *r, int *orientation)
{
    struct jpeg_decompress_struct *info = &r->info;
    if (setjmp(r->escape))
        return r->status;
    jpeg_create_decompress(info);
    info->progress = &r->progress;
    jpeg_mem_src(info, r->source->bytes, r->source->size);
    jpeg_save_markers(info, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(info, TRUE);
    PG_TRY(pg_image_start(&r->image, r->source, info->image_width, info->image_height,
                          info->arith_code ? 0 : LEAST_BYTES_PER_PIXEL));
    find_orientation(orientation, info);
    bool cmyk = info->num_components == 4;
    info->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(info);
    if (cmyk)
        read_cmyk_rows(r);
    else
        read_rgb_rows(r);
    jpeg_finish_decompress(info);
    return PG_OK;
}

pg_status pg_jpeg_decode(pg_image **out, int *orientation, const pg_image_source *source)
{
    reader r = {.source = source, .progress.progress_monitor = stop_endless_scans};
    r.info.err = jpeg_std_error(&r.errors);
    r.info.client_data = &r;
    r.errors.error_exit = give_up;
    r.errors.emit_message = note_warning;
    pg_status status = read_picture(&r, orientation);
    jpeg_destroy_decompress(&r.info);
    *out = r.image;
    return status;
}

/* ---------------------------------------------------------------- writing */

#define PIECE   16384 /* bytes that the library makes at a time */
#define QUALITY 92    /* of files */

typedef struct writer {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    jmp_buf escape;
    pg_status status;
    pg_buffer *out;
    JOCTET piece[PIECE];
} writer;

static void give_up_writing(j_common_ptr info)
{
    writer *w = info->client_data;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    bool memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
    w->status = pg_fail(memory ? PG_ERROR_MEMORY : PG_ERROR_ARGUMENT, "JPEG: %s", text);
    longjmp(w->escape, 1);
}

static void start_piece(j_compress_ptr info)
{
    writer *w = info->client_data;
    w->destination.next_output_byte = w->piece;
    w->destination.free_in_buffer = PIECE;
}

static void keep_bytes(writer *w, size_t size)
{
    w->status = pg_buffer_append(w->out, w->piece, size);
    if (w->status != PG_OK)
        longjmp(w->escape, 1);
}

static boolean keep_piece(j_compress_ptr info)
{
    keep_bytes(info->client_data, PIECE);
    start_piece(info);
    return TRUE;
}

static void keep_rest(j_compress_ptr info)
{
    writer *w = info->client_data;
    keep_bytes(w, PIECE - w->destination.free_in_buffer);
}

static pg_status write_picture(writer *w, const pg_image *image, int quality, bool full_colour)
{
    struct jpeg_compress_struct *info = &w->info;
    if (setjmp(w->escape))
        return w->status;
    jpeg_create_compress(info);
    info->dest = &w->destination;
    info->image_width = (JDIMENSION)image->width;
    info->image_height = (JDIMENSION)image->height;
    info->input_components = 3;
    info->in_color_space = JCS_RGB;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, quality, TRUE);
    if (full_colour)
        info->comp_info[0].h_samp_factor = info->comp_info[0].v_samp_factor = 1;
    info->optimize_coding = TRUE;
    jpeg_start_compress(info, TRUE);
    while (info->next_scanline < info->image_height) {
        JSAMPROW row = (JSAMPROW)image->pixels + (size_t)info->next_scanline * image->width * 3;
        jpeg_write_scanlines(info, &row, 1);
    }
    jpeg_finish_compress(info);
    return PG_OK;
}

pg_status pg_jpeg_encode(pg_buffer *out, const pg_image *image, int quality, bool full_colour)
{
    writer w = {.out = out};
    w.info.err = jpeg_std_error(&w.errors);
    w.info.client_data = &w;
    w.errors.error_exit = give_up_writing;
    w.destination = (struct jpeg_destination_mgr){.init_destination = start_piece,
                                                  .empty_output_buffer = keep_piece,
                                                  .term_destination = keep_rest};
    pg_status status = write_picture(&w, image, quality, full_colour);
    jpeg_destroy_compress(&w.info);
    return status;
}

/* Every sample of colour is kept: thin lines and letters lose theirs when they are halved. */
pg_status pg_image_save_jpeg(const pg_image *image, const char *path)
{
    pg_buffer bytes = {0};
    pg_file_writer file;
    pg_status status = pg_jpeg_encode(&bytes, image, QUALITY, true);
    if (status != PG_OK)
        pg_fail_context(status, "%s", path);
    else if ((status = pg_file_writer_open(&file, path)) == PG_OK) {
        status = pg_file_writer_write(&file, bytes.data, bytes.size);
        if (status == PG_OK)
            status = pg_file_writer_commit(&file);
        else
            pg_file_writer_abort(&file);
    }
    pg_buffer_free(&bytes);
    return status;
}
