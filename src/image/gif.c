/* GIF through giflib: the first frame on its canvas, as Pillow shows it. The canvas is the screen, made larger if the
 * frame reaches over it; around the frame it has the transparent colour, else colour 0. */
#include <string.h>

#include <gif_lib.h>

#include "image/image.h"

typedef struct reader {
    GifFileType *gif;
    const pg_image_source *source;
    size_t offset;
    int transparent; /* colour index, or NO_TRANSPARENT_COLOR */
    GifColorType colours[256];
} reader;

static int take_bytes(GifFileType *gif, GifByteType *to, int size)
{
    reader *r = gif->UserData;
    size_t left = r->source->size - r->offset, taken = (size_t)size < left ? (size_t)size : left;
    memcpy(to, r->source->bytes + r->offset, taken);
    r->offset += taken;
    return (int)taken;
}

static pg_status fail(const reader *r, int code)
{
    const char *text = GifErrorString(code);
    pg_status status = code == D_GIF_ERR_NOT_ENOUGH_MEM ? PG_ERROR_MEMORY : PG_ERROR_FORMAT;
    return pg_fail(status, "%s: GIF: %s", r->source->name, text ? text : "damaged");
}

static pg_status read_extension(reader *r)
{
    int code;
    GifByteType *block;
    if (DGifGetExtension(r->gif, &code, &block) == GIF_ERROR)
        return fail(r, r->gif->Error);
    while (block) {
        GraphicsControlBlock control;
        if (code == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
            r->transparent = control.TransparentColor;
        if (DGifGetExtensionNext(r->gif, &block) == GIF_ERROR)
            return fail(r, r->gif->Error);
    }
    return PG_OK;
}

/* Reads on to the first frame's descriptor. */
static pg_status find_frame(reader *r)
{
    for (;;) {
        GifRecordType kind;
        if (DGifGetRecordType(r->gif, &kind) == GIF_ERROR)
            return fail(r, r->gif->Error);
        if (kind == TERMINATE_RECORD_TYPE)
            return pg_fail(PG_ERROR_FORMAT, "%s: GIF: no frame", r->source->name);
        if (kind == EXTENSION_RECORD_TYPE)
            PG_TRY(read_extension(r));
        if (kind == IMAGE_DESC_RECORD_TYPE)
            return DGifGetImageDesc(r->gif) == GIF_ERROR ? fail(r, r->gif->Error) : PG_OK;
    }
}

/* The frame's own colours, else the file's, else greys; indices beyond them are black. */
static void find_colours(reader *r)
{
    const ColorMapObject *map = r->gif->Image.ColorMap ? r->gif->Image.ColorMap : r->gif->SColorMap;
    for (int i = 0; i < 256; i++)
        if (!map)
            r->colours[i] = (GifColorType){(GifByteType)i, (GifByteType)i, (GifByteType)i};
        else if (i < map->ColorCount)
            r->colours[i] = map->Colors[i];
}

static void paint(uint8_t *to, GifColorType colour)
{
    to[0] = colour.Red;
    to[1] = colour.Green;
    to[2] = colour.Blue;
}

static pg_status read_rows(reader *r, pg_image *image, uint8_t *indices)
{
    static const int interlaced[][2] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}}, plain[][2] = {{0, 1}};
    const GifImageDesc *frame = &r->gif->Image;
    const int(*passes)[2] = frame->Interlace ? interlaced : plain;
    for (int pass = 0; pass < (frame->Interlace ? 4 : 1); pass++)
        for (int y = passes[pass][0]; y < frame->Height; y += passes[pass][1]) {
            if (DGifGetLine(r->gif, indices, frame->Width) == GIF_ERROR)
                return fail(r, r->gif->Error);
            uint8_t *row = image->pixels + ((size_t)(frame->Top + y) * image->width + (size_t)frame->Left) * 3;
            for (int x = 0; x < frame->Width; x++)
                paint(row + 3 * x, r->colours[indices[x]]);
        }
    return PG_OK;
}

static pg_status read_picture(pg_image **image, reader *r)
{
    PG_TRY(find_frame(r));
    find_colours(r);
    const GifImageDesc *frame = &r->gif->Image;
    if (frame->Width <= 0 || frame->Height <= 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: GIF: the first frame is empty", r->source->name);
    int right = frame->Left + frame->Width, bottom = frame->Top + frame->Height;
    PG_TRY(pg_image_start(image, r->source, (uint64_t)(right > r->gif->SWidth ? right : r->gif->SWidth),
                          (uint64_t)(bottom > r->gif->SHeight ? bottom : r->gif->SHeight), 0));
    GifColorType background = r->colours[r->transparent == NO_TRANSPARENT_COLOR ? 0 : r->transparent];
    for (size_t i = 0; i < (*image)->width * (*image)->height; i++)
        paint((*image)->pixels + 3 * i, background);
    uint8_t *indices = pg_alloc((size_t)frame->Width, 1);
    pg_status status = indices ? read_rows(r, *image, indices) : PG_ERROR_MEMORY;
    pg_free(indices);
    return status;
}

pg_status pg_gif_decode(pg_image **out, int *orientation, const pg_image_source *source)
{
    (void)orientation; /* GIF has no EXIF */
    reader r = {.source = source, .transparent = NO_TRANSPARENT_COLOR};
    int code = 0;
    r.gif = DGifOpen(&r, take_bytes, &code);
    if (!r.gif)
        return fail(&r, code);
    pg_status status = read_picture(out, &r);
    DGifCloseFile(r.gif, &code);
    return status;
}
