/*
 * Masks to train a mask codec on: PNG files (a folder or one), white on black, each cut to what is white; or the
 * objects of a COCO file, each cut to its annotation's box. Crowds are left out. A row is a mask as the codec takes it.
 */
#include "data/masks.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/folder.h"
#include "base/resize_floats.h"
#include "data/coco.h"
#include "data/dataset.h"
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
static pg_status find_white(pg_mask *mask, double box[4], const pg_image *image)
{
    size_t left = image->width, top = image->height, right = 0, bottom = 0;
    PG_TRY(pg_mask_new(mask, image->width, image->height));
    for (size_t y = 0; y < image->height; y++)
        for (size_t x = 0; x < image->width; x++) {
            size_t at = y * image->width + x;
            mask->pixels[at] = image->pixels[3 * at] >= WHITE;
            if (!mask->pixels[at])
                continue;
            left = x < left ? x : left;
            top = y < top ? y : top;
            right = x + 1 > right ? x + 1 : right;
            bottom = y + 1 > bottom ? y + 1 : bottom;
        }
    double around[4] = {(double)left, (double)top, (double)right, (double)bottom};
    memcpy(box, around, sizeof around);
    return right ? PG_OK : pg_fail(PG_ERROR_FORMAT, "the mask is empty: no pixel is white");
}

pg_status pg_masks_read_png(pg_mask *out, double box[4], const char *path)
{
    pg_image_options options;
    pg_image *image;
    *out = (pg_mask){0};
    pg_image_options_init(&options);
    PG_TRY(pg_image_load(&image, path, &options));
    pg_status status = find_white(out, box, image);
    pg_image_free(image);
    return status;
}

static pg_status read_picture(pg_data_row *out, const pg_dataset *dataset, size_t row)
{
    const pg_path_list *index = dataset->index;
    pg_mask mask;
    pg_mask_view view = {0};
    pg_status status = pg_masks_read_png(&mask, view.box, index->items[row]);
    view.pixels = mask.pixels;
    view.width = mask.width;
    view.height = mask.height;
    if (status == PG_OK)
        status = set_mask(out, &view);
    pg_mask_free(&mask);
    return status;
}

static pg_status place_picture(pg_buffer *out, const pg_dataset *dataset, size_t row)
{
    const pg_path_list *index = dataset->index;
    return pg_buffer_print(out, "%s", index->items[row]);
}

static const pg_source picture_source = {close_pictures, read_picture, place_picture, NULL};

bool pg_masks_is_png(const char *name)
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
    PG_TRY(pg_file_is_folder(dataset->text.path) ? pg_folder_list(index, dataset->text.path, pg_masks_is_png)
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
    pg_mask mask = {0};
    PG_TRY(pg_coco_check_picture(coco, annotation));
    pg_status status = pg_coco_mask(&mask, coco, annotation);
    pg_mask_view view = pg_coco_view(&mask, annotation);
    if (status == PG_OK)
        status = set_mask(out, &view);
    pg_mask_free(&mask);
    return status;
}

static pg_status place_object(pg_buffer *out, const pg_dataset *dataset, size_t row)
{
    const pg_coco *coco = dataset->index;
    return pg_buffer_print(out, "%s: annotation %lld", dataset->text.path, (long long)coco->annotations[row].id);
}

static const pg_source object_source = {close_objects, read_object, place_object, NULL};

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
    bool files = pg_file_is_folder(dataset->text.path) || pg_masks_is_png(dataset->text.path);
    return files ? open_pictures(dataset) : open_objects(dataset);
}
