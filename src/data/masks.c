/*
 * Masks to train a mask codec on: PNG files (a folder or one), white on black, each cut to what is white; or the
 * objects of a COCO file, each cut to its annotation's box. Crowds are left out. A row is a mask as the codec takes it.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/folder.h"
#include "base/resize_floats.h"
#include "data/coco.h"
#include "data/dataset.h"
#include "objects/mask.h"
#include "image/image.h"

#define WHITE 128 /* and above */

/* ---------------------------------------------------------------- cutting */

/* Where a side of the box is, in whole pixels: as the reference places it, from a fraction of the picture in f32. */
static size_t round_side(double at, size_t size)
{
    float rounded = rintf((float)size * (float)(at / (double)size));
    return (size_t)fmin(fmax((double)rounded, 0), (double)size);
}

pg_status pg_mask_cut(float out[PG_MASK_SIDE * PG_MASK_SIDE], const pg_mask_view *mask)
{
    size_t left = round_side(mask->box[0], mask->width), right = round_side(mask->box[2], mask->width);
    size_t top = round_side(mask->box[1], mask->height), bottom = round_side(mask->box[3], mask->height);
    if (right <= left || bottom <= top)
        return pg_fail(PG_ERROR_FORMAT, "the mask's box has no pixel: x from %g to %g, y from %g to %g", mask->box[0],
                       mask->box[2], mask->box[1], mask->box[3]);
    size_t width = right - left, height = bottom - top;
    float *plane = pg_alloc(width * height, sizeof *plane);
    if (!plane)
        return PG_ERROR_MEMORY;
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            plane[y * width + x] = mask->pixels[(top + y) * mask->width + left + x] ? 255 : 0;
    pg_status status = pg_floats_resize(out, PG_MASK_SIDE, PG_MASK_SIDE, plane, width, height);
    for (size_t i = 0; i < (size_t)PG_MASK_SIDE * PG_MASK_SIDE; i++)
        out[i] /= 255;
    pg_free(plane);
    return status;
}

static pg_status set_mask(pg_data_row *row, const pg_mask_view *view)
{
    row->kind = PG_ROW_MASK;
    row->mask = pg_alloc((size_t)PG_MASK_SIDE * PG_MASK_SIDE, sizeof *row->mask);
    return row->mask ? pg_mask_cut(row->mask, view) : PG_ERROR_MEMORY;
}

/* ---------------------------------------------------------------- pictures */

static void close_pictures(void *memory)
{
    pg_path_list *index = memory;
    pg_path_list_free(index);
    pg_free(index);
}

/* What is white becomes 1, and the box goes around it. */
static pg_status find_white(pg_mask_view *view, uint8_t *pixels, const pg_image *image)
{
    size_t left = image->width, top = image->height, right = 0, bottom = 0;
    for (size_t y = 0; y < image->height; y++)
        for (size_t x = 0; x < image->width; x++) {
            size_t at = y * image->width + x;
            pixels[at] = image->pixels[3 * at] >= WHITE;
            if (!pixels[at])
                continue;
            left = x < left ? x : left;
            top = y < top ? y : top;
            right = x + 1 > right ? x + 1 : right;
            bottom = y + 1 > bottom ? y + 1 : bottom;
        }
    *view =
        (pg_mask_view){pixels, image->width, image->height, {(double)left, (double)top, (double)right, (double)bottom}};
    return right ? PG_OK : pg_fail(PG_ERROR_FORMAT, "the mask is empty: no pixel is white");
}

static pg_status read_picture(pg_data_row *out, const pg_dataset *dataset, size_t row)
{
    const pg_path_list *index = dataset->index;
    pg_image_options options;
    pg_image *image = NULL;
    pg_mask_view view;
    pg_image_options_init(&options);
    PG_TRY(pg_image_load(&image, index->items[row], &options));
    uint8_t *pixels = pg_alloc(image->width, image->height);
    pg_status status = pixels ? find_white(&view, pixels, image) : PG_ERROR_MEMORY;
    if (status == PG_OK)
        status = set_mask(out, &view);
    pg_free(pixels);
    pg_image_free(image);
    return status;
}

static pg_status place_picture(pg_buffer *out, const pg_dataset *dataset, size_t row)
{
    const pg_path_list *index = dataset->index;
    return pg_buffer_print(out, "%s", index->items[row]);
}

static const pg_source picture_source = {close_pictures, read_picture, place_picture};

static bool is_png(const char *name)
{
    size_t size = strlen(name);
    return *name != '.' && size > 4 && !strcasecmp(name + size - 4, ".png");
}

static pg_status open_pictures(pg_dataset *dataset)
{
    pg_path_list *index = dataset->index = pg_alloc(1, sizeof *index);
    dataset->source = &picture_source;
    if (!index)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_file_is_folder(dataset->text.path) ? pg_folder_list(index, dataset->text.path, is_png)
                                                 : pg_path_list_add(index, dataset->text.path));
    dataset->count = index->count;
    return dataset->count ? PG_OK : pg_fail(PG_ERROR_FORMAT, "%s: has no PNG files", dataset->text.path);
}

/* ---------------------------------------------------------------- objects */

static void close_objects(void *memory)
{
    pg_coco *coco = memory;
    pg_coco_free(coco);
    pg_free(coco);
}

static pg_status read_object(pg_data_row *out, const pg_dataset *dataset, size_t row)
{
    const pg_coco *coco = dataset->index;
    const pg_coco_annotation *annotation = &coco->annotations[row];
    json_t *record = NULL;
    pg_mask mask = {0};
    pg_status status;
    if (annotation->image == PG_COCO_NONE)
        return pg_fail(PG_ERROR_FORMAT, "there is no picture of id %lld", (long long)annotation->image_id);
    const pg_coco_image *image = &coco->images[annotation->image];
    if (image->width < 1 || image->height < 1)
        return pg_fail(PG_ERROR_FORMAT, "the picture's \"width\" and \"height\" are missing");
    PG_TRY_GOTO(pg_coco_parse(&record, coco, annotation));
    PG_TRY_GOTO(pg_mask_new(&mask, (size_t)image->width, (size_t)image->height));
    PG_TRY_GOTO(pg_mask_add_json(&mask, json_object_get(record, "segmentation")));
    pg_mask_view view = {.pixels = mask.pixels, .width = mask.width, .height = mask.height};
    memcpy(view.box, annotation->box, sizeof view.box);
    PG_TRY_GOTO(set_mask(out, &view));
done:
    pg_mask_free(&mask);
    json_decref(record);
    return status;
}

static pg_status place_object(pg_buffer *out, const pg_dataset *dataset, size_t row)
{
    const pg_coco *coco = dataset->index;
    return pg_buffer_print(out, "%s: annotation %lld", dataset->text.path, (long long)coco->annotations[row].id);
}

static const pg_source object_source = {close_objects, read_object, place_object};

static pg_status open_objects(pg_dataset *dataset)
{
    pg_coco *coco = dataset->index = pg_alloc(1, sizeof *coco);
    dataset->source = &object_source;
    if (!coco)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_coco_read(coco, dataset->text.path));
    for (size_t i = 0; i < coco->annotation_count; i++)
        if (!coco->annotations[i].crowd)
            coco->annotations[dataset->count++] = coco->annotations[i];
    coco->annotation_count = dataset->count;
    return dataset->count ? PG_OK : pg_fail(PG_ERROR_FORMAT, "%s: has no objects", dataset->text.path);
}

pg_status pg_masks_open(pg_dataset *dataset)
{
    dataset->row_kind = PG_ROW_MASK;
    bool files = pg_file_is_folder(dataset->text.path) || is_png(dataset->text.path);
    return files ? open_pictures(dataset) : open_objects(dataset);
}
