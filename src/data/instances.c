/*
 * COCO instances. For detection a row is a picture with its objects: "detect A ; B" names the categories that are there
 * in the order of the file's list, the answer has the objects in the order of the annotations. For segmentation a row
 * is an object or, `together`, all objects of one name in a picture. Crowds are regions, not objects, and left out; so
 * is an object whose box is empty in <loc> steps.
 */
#include <stdlib.h>
#include <string.h>

#include "data/coco.h"
#include "data/segments.h"
#include "objects/boxes.h"

/* Annotations of one picture, next to each other. Those of unknown pictures are together in one row, which is bad. */
typedef struct group {
    size_t first, count;
} group;

typedef struct instances {
    pg_coco coco;
    group *groups;
    size_t count, capacity;
} instances;

static void close_index(void *memory)
{
    instances *index = memory;
    pg_coco_free(&index->coco);
    pg_free(index->groups);
    pg_free(index);
}

static const char *category_name(const pg_coco *coco, size_t category)
{
    return coco->names.data + coco->categories[category];
}

/* What both kinds of rows begin with. */
static pg_status begin_row(pg_data_row *out, const pg_dataset *dataset, const pg_coco_annotation *annotation)
{
    const pg_coco *coco = &((const instances *)dataset->index)->coco;
    out->kind = PG_ROW_SUFFIX;
    PG_TRY(pg_coco_check_picture(coco, annotation));
    return pg_row_add_file(out, dataset, coco->names.data + coco->images[annotation->image].name);
}

static pg_status fail_category(const pg_coco_annotation *annotation)
{
    return pg_fail(PG_ERROR_FORMAT, "annotation %lld: there is no category of id %lld", (long long)annotation->id,
                   (long long)annotation->category_id);
}

/* The tokens of an object's box; false if the box is empty. */
static bool make_box(int tokens[4], const pg_coco *coco, const pg_coco_annotation *annotation)
{
    const pg_coco_image *image = &coco->images[annotation->image];
    pg_box_tokens(tokens, annotation->box, image->width, image->height);
    return tokens[2] > tokens[0] && tokens[3] > tokens[1];
}

/* ---------------------------------------------------------------- detection */

static pg_status add_object(pg_buffer *suffix, bool *present, const pg_coco *coco, const pg_coco_annotation *annotation)
{
    int tokens[4];
    if (annotation->category == PG_COCO_NONE)
        return fail_category(annotation);
    if (!make_box(tokens, coco, annotation))
        return PG_OK;
    present[annotation->category] = true;
    if (suffix->size)
        PG_TRY(pg_buffer_append(suffix, " ; ", 3));
    PG_TRY(pg_box_print(suffix, tokens));
    return pg_buffer_print(suffix, " %s", category_name(coco, annotation->category));
}

static pg_status name_categories(pg_buffer *prefix, const bool *present, const pg_coco *coco)
{
    PG_TRY(pg_buffer_append(prefix, "detect ", 7));
    bool first = true;
    for (size_t i = 0; i < coco->category_count; i++) {
        if (!present[i])
            continue;
        PG_TRY(pg_buffer_print(prefix, "%s%s", first ? "" : " ; ", category_name(coco, i)));
        first = false;
    }
    return PG_OK;
}

static pg_status make_detection(pg_buffer *prefix, pg_buffer *suffix, bool *present, const pg_coco *coco, group objects)
{
    PG_TRY(pg_buffer_append(suffix, "", 0));
    for (size_t i = 0; i < objects.count; i++)
        PG_TRY(add_object(suffix, present, coco, &coco->annotations[objects.first + i]));
    return name_categories(prefix, present, coco);
}

static pg_status read_detection(pg_data_row *out, const pg_dataset *dataset, size_t row)
{
    const instances *index = dataset->index;
    const pg_coco *coco = &index->coco;
    pg_buffer prefix = {0}, suffix = {0};
    bool *present = NULL;
    pg_status status;
    PG_TRY_GOTO(begin_row(out, dataset, &coco->annotations[index->groups[row].first]));
    present = pg_alloc(coco->category_count, sizeof *present);
    PG_TRY_GOTO(present ? PG_OK : PG_ERROR_MEMORY);
    PG_TRY_GOTO(make_detection(&prefix, &suffix, present, coco, index->groups[row]));
    PG_TRY_GOTO(pg_row_set_text(&out->prefix, prefix.data, prefix.size, "name of a category"));
    PG_TRY_GOTO(pg_row_set_answer(&out->suffix, suffix.data, suffix.size, "list of objects with a box"));
done:
    pg_buffer_free(&prefix);
    pg_buffer_free(&suffix);
    pg_free(present);
    return status;
}

static pg_status place_detection(pg_buffer *out, const pg_dataset *dataset, size_t row)
{
    const instances *index = dataset->index;
    return pg_buffer_print(out, "%s: image %lld", dataset->text.path,
                           (long long)index->coco.annotations[index->groups[row].first].image_id);
}

static pg_status read_record(json_t **out, const pg_dataset *dataset, size_t row)
{
    const instances *index = dataset->index;
    return pg_coco_parse(out, &index->coco, &index->coco.annotations[index->groups[row].first]);
}

static const pg_source detection = {close_index, read_detection, place_detection, read_record};

/* ---------------------------------------------------------------- segmentation */

static pg_status add_mask(pg_buffer *suffix, const pg_dataset *dataset, const pg_coco_annotation *annotation)
{
    const pg_coco *coco = &((const instances *)dataset->index)->coco;
    pg_mask mask = {0};
    pg_status status = pg_coco_mask(&mask, coco, annotation);
    pg_mask_view view = pg_coco_view(&mask, annotation);
    if (status == PG_OK)
        status = pg_segments_add(suffix, dataset, &view, category_name(coco, annotation->category));
    pg_mask_free(&mask);
    return status;
}

/* An object alone is bad if its box is empty; among others of its name it is left out, as in detection. */
static pg_status add_masks(pg_buffer *suffix, const pg_dataset *dataset, group objects)
{
    const pg_coco *coco = &((const instances *)dataset->index)->coco;
    int tokens[4];
    for (size_t i = 0; i < objects.count; i++) {
        const pg_coco_annotation *annotation = &coco->annotations[objects.first + i];
        if (objects.count == 1 || make_box(tokens, coco, annotation))
            PG_TRY(add_mask(suffix, dataset, annotation));
    }
    return pg_buffer_append(suffix, "", 0);
}

static pg_status read_segmentation(pg_data_row *out, const pg_dataset *dataset, size_t row)
{
    const instances *index = dataset->index;
    const pg_coco_annotation *annotation = &index->coco.annotations[index->groups[row].first];
    pg_buffer suffix = {0};
    PG_TRY(begin_row(out, dataset, annotation));
    if (annotation->category == PG_COCO_NONE)
        return fail_category(annotation);
    pg_status status = add_masks(&suffix, dataset, index->groups[row]);
    if (status == PG_OK)
        status = pg_segments_finish(out, &suffix, category_name(&index->coco, annotation->category));
    pg_buffer_free(&suffix);
    return status;
}

static pg_status place_segmentation(pg_buffer *out, const pg_dataset *dataset, size_t row)
{
    const instances *index = dataset->index;
    return pg_buffer_print(out, "%s: annotation %lld", dataset->text.path,
                           (long long)index->coco.annotations[index->groups[row].first].id);
}

static const pg_source segmentation = {close_index, read_segmentation, place_segmentation, read_record};

/* ---------------------------------------------------------------- opening */

/* Which annotations are a row together. */
typedef enum grouping { ALONE, OF_A_NAME, OF_A_PICTURE } grouping;

static int compare_images(const void *left, const void *right)
{
    const pg_coco_annotation *a = left, *b = right;
    if (a->image != b->image)
        return a->image < b->image ? -1 : 1;
    return a->start < b->start ? -1 : a->start > b->start;
}

static int compare_names(const void *left, const void *right)
{
    const pg_coco_annotation *a = left, *b = right;
    if (a->image == b->image && a->category != b->category)
        return a->category < b->category ? -1 : 1;
    return compare_images(a, b);
}

static bool belong_together(const pg_coco_annotation *a, const pg_coco_annotation *b, grouping how)
{
    return how != ALONE && a->image == b->image && (how == OF_A_PICTURE || a->category == b->category);
}

static pg_status add_to_groups(instances *index, size_t annotation, bool joins)
{
    if (joins) {
        index->groups[index->count - 1].count++;
        return PG_OK;
    }
    PG_TRY(pg_grow((void **)&index->groups, &index->capacity, index->count + 1, sizeof *index->groups));
    index->groups[index->count++] = (group){annotation, 1};
    return PG_OK;
}

/* Crowds go first, so that a group is a run of annotations. */
static void drop_crowds(pg_coco *coco)
{
    size_t kept = 0;
    for (size_t i = 0; i < coco->annotation_count; i++)
        if (!coco->annotations[i].crowd)
            coco->annotations[kept++] = coco->annotations[i];
    coco->annotation_count = kept;
}

static pg_status make_groups(instances *index, grouping how)
{
    pg_coco *coco = &index->coco;
    drop_crowds(coco);
    if (how != ALONE && coco->annotation_count)
        qsort(coco->annotations, coco->annotation_count, sizeof *coco->annotations,
              how == OF_A_NAME ? compare_names : compare_images);
    for (size_t i = 0; i < coco->annotation_count; i++) {
        const pg_coco_annotation *annotation = &coco->annotations[i];
        PG_TRY(add_to_groups(index, i, i && belong_together(annotation - 1, annotation, how)));
    }
    return PG_OK;
}

pg_status pg_instances_open(pg_dataset *dataset)
{
    bool detect = dataset->kind == PG_DATA_COCO_DETECT;
    instances *index = dataset->index = pg_alloc(1, sizeof *index);
    dataset->source = detect ? &detection : &segmentation;
    dataset->row_kind = PG_ROW_SUFFIX;
    if (!index)
        return PG_ERROR_MEMORY;
    if (!detect)
        PG_TRY(pg_segments_check(dataset));
    PG_TRY(pg_coco_read(&index->coco, dataset->text.path));
    PG_TRY(make_groups(index, detect ? OF_A_PICTURE : dataset->together ? OF_A_NAME : ALONE));
    if (index->count == 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: has no objects", dataset->text.path);
    dataset->count = index->count;
    return PG_OK;
}
