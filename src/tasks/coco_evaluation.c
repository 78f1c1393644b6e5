/* COCO's files as metrics/average_precision.h takes them: true objects, what was found, and what is wrong with either.
 */
#include <string.h>

#include "objects/segmentation.h"
#include "tasks/coco_evaluation.h"

void pg_ap_list_free(pg_ap_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        pg_runs_free(&list->objects[i].mask);
    pg_free(list->objects);
    *list = (pg_ap_list){0};
}

pg_status pg_ap_list_add(pg_ap_list *list, const pg_ap_object *object)
{
    PG_TRY(pg_grow((void **)&list->objects, &list->capacity, list->count + 1, sizeof *object));
    list->objects[list->count++] = *object;
    return PG_OK;
}

void pg_coco_evaluation_close(pg_coco_evaluation *evaluation)
{
    if (!evaluation)
        return;
    pg_ap_list_free(&evaluation->truth);
    pg_ap_list_free(&evaluation->found);
    pg_coco_free(&evaluation->coco);
    pg_free(evaluation->path);
    pg_free(evaluation);
}

/* ---------------------------------------------------------------- one object */

/* The picture that an object lies in; NULL after PG_ERROR_FORMAT. */
static const pg_coco_image *find_image(const pg_coco_evaluation *evaluation, int64_t id)
{
    uint64_t number = pg_id_map_find(&evaluation->coco.image_ids, id);
    if (number == PG_ID_NONE) {
        pg_fail(PG_ERROR_FORMAT, "there is no picture of id %lld in %s", (long long)id, evaluation->path);
        return NULL;
    }
    const pg_coco_image *image = &evaluation->coco.images[number];
    if (image->width >= 1 && image->height >= 1)
        return image;
    pg_fail(PG_ERROR_FORMAT, "picture %lld in %s has no \"width\" and \"height\"", (long long)id, evaluation->path);
    return NULL;
}

static pg_status find_category(uint32_t *out, const pg_coco_evaluation *evaluation, int64_t id)
{
    uint64_t number = pg_id_map_find(&evaluation->coco.category_ids, id);
    if (number >= UINT32_MAX)
        return pg_fail(PG_ERROR_FORMAT, "there is no category of id %lld in %s", (long long)id, evaluation->path);
    *out = (uint32_t)number;
    return PG_OK;
}

static pg_status read_mask(pg_runs *out, const pg_coco_image *image, const json_t *segmentation)
{
    return pg_runs_from_json(out, (size_t)image->width, (size_t)image->height, segmentation);
}

/* A box may reach beyond its picture, but not lie outside. */
static pg_status check_box(const double box[4], const pg_coco_image *image)
{
    if (!(box[2] >= 0 && box[3] >= 0))
        return pg_fail(PG_ERROR_FORMAT, "the box is %g pixels wide and %g high", box[2], box[3]);
    if (!(box[0] <= image->width && box[1] <= image->height && box[0] + box[2] >= 0 && box[1] + box[3] >= 0))
        return pg_fail(PG_ERROR_FORMAT, "the box (%g, %g, %g, %g) lies outside of its picture of %.0f x %.0f pixels",
                       box[0], box[1], box[2], box[3], image->width, image->height);
    return PG_OK;
}

/* Checks what is compared, derives what was not said (area -1, no box), and adds the object, which takes the mask. */
static pg_status add_object(pg_ap_list *list, pg_ap_object *object, const pg_coco_image *image, bool boxed, bool masks)
{
    bool masked = object->mask.lengths;
    if (masks ? !masked : !masked && !boxed)
        return pg_fail(PG_ERROR_FORMAT, "\"%s\" is missing", masks ? "segmentation" : "bbox");
    if (!boxed)
        pg_runs_box(object->box, &object->mask);
    PG_TRY(check_box(object->box, image));
    if (object->area < 0)
        object->area = boxed ? object->box[2] * object->box[3] : (double)pg_runs_area(&object->mask);
    if (!masks)
        pg_runs_free(&object->mask);
    return pg_ap_list_add(list, object);
}

/* ---------------------------------------------------------------- true objects */

static pg_status read_annotation_mask(pg_runs *out, const pg_coco *coco, const pg_coco_annotation *annotation,
                                      const pg_coco_image *image)
{
    json_t *record;
    PG_TRY(pg_coco_parse(&record, coco, annotation));
    const json_t *segmentation = json_object_get(record, "segmentation");
    pg_status status = segmentation ? read_mask(out, image, segmentation) : PG_OK;
    json_decref(record);
    return status;
}

static pg_status add_truth(pg_coco_evaluation *evaluation, const pg_coco_annotation *annotation)
{
    pg_ap_object object = {.image = annotation->image_id, .crowd = annotation->crowd, .area = annotation->area};
    bool boxed = false;
    for (int i = 0; i < 2; i++) {
        object.box[i] = annotation->box[i];
        object.box[2 + i] = annotation->extent[i];
        boxed = boxed || annotation->box[i] != 0 || annotation->extent[i] != 0;
    }
    const pg_coco_image *image = find_image(evaluation, annotation->image_id);
    if (!image)
        return PG_ERROR_FORMAT;
    PG_TRY(find_category(&object.category, evaluation, annotation->category_id));
    if (evaluation->masks)
        PG_TRY(read_annotation_mask(&object.mask, &evaluation->coco, annotation, image));
    pg_status status = add_object(&evaluation->truth, &object, image, boxed, evaluation->masks);
    if (status != PG_OK)
        pg_runs_free(&object.mask);
    return status;
}

static pg_status read_truth(pg_coco_evaluation *evaluation, const char *path)
{
    evaluation->path = pg_copy_text(path, SIZE_MAX);
    if (!evaluation->path)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_coco_read(&evaluation->coco, path));
    for (size_t i = 0; i < evaluation->coco.annotation_count; i++) {
        const pg_coco_annotation *annotation = &evaluation->coco.annotations[i];
        pg_status status = add_truth(evaluation, annotation);
        if (status != PG_OK)
            return pg_fail_context(status, "%s: annotation %lld", path, (long long)annotation->id);
    }
    return PG_OK;
}

pg_status pg_coco_evaluation_open(pg_coco_evaluation **out, const char *path, bool masks)
{
    pg_coco_evaluation *evaluation = pg_alloc(1, sizeof *evaluation);
    *out = NULL;
    if (!evaluation)
        return PG_ERROR_MEMORY;
    evaluation->masks = masks;
    pg_status status = read_truth(evaluation, path);
    if (status == PG_OK)
        *out = evaluation;
    else
        pg_coco_evaluation_close(evaluation);
    return status;
}

/* ---------------------------------------------------------------- finds */

/* Adds a find whose mask, if it has one, is a record's segmentation or a compressed text. */
typedef struct find {
    int64_t image_id, category_id;
    double score;
    const double *box;          /* NULL: none */
    const json_t *segmentation; /* NULL: none */
    const char *runs;           /* the same */
} find;

static pg_status read_find_mask(pg_runs *out, const pg_coco_image *image, const find *f)
{
    if (f->segmentation)
        return read_mask(out, image, f->segmentation);
    if (f->runs)
        return pg_runs_parse(out, (size_t)image->width, (size_t)image->height, f->runs, strlen(f->runs));
    return PG_OK;
}

static pg_status add_find(pg_coco_evaluation *evaluation, const find *f)
{
    const pg_coco_image *image = find_image(evaluation, f->image_id);
    pg_ap_object object = {.image = f->image_id, .score = f->score, .area = -1};
    if (!image)
        return PG_ERROR_FORMAT;
    PG_TRY(find_category(&object.category, evaluation, f->category_id));
    if (f->score != f->score)
        return pg_fail(PG_ERROR_FORMAT, "the score is not a number");
    if (f->box)
        memcpy(object.box, f->box, sizeof object.box);
    if (evaluation->masks || !f->box)
        PG_TRY(read_find_mask(&object.mask, image, f));
    pg_status status = add_object(&evaluation->found, &object, image, f->box, evaluation->masks);
    if (status != PG_OK)
        pg_runs_free(&object.mask);
    return status;
}

pg_status pg_coco_evaluation_add(pg_coco_evaluation *evaluation, int64_t image_id, int64_t category_id, double score,
                                 const double box[4], const char *runs)
{
    return add_find(evaluation, &(find){image_id, category_id, score, box, NULL, runs});
}

/* The keys of a result, in the order of the reader below. */
enum { IMAGE, CATEGORY, SCORE, BOX, SEGMENTATION };

static const char *const result_keys[] = {"image_id", "category_id", "score", "bbox", "segmentation"};

typedef struct results {
    pg_coco_evaluation *evaluation;
    size_t count;
} results;

static pg_status take_result(void *user, const pg_span *values, pg_span whole)
{
    results *r = user;
    find f = {0};
    double box[4];
    json_t *segmentation = NULL;
    (void)whole;
    for (int i = 0; i <= SCORE; i++)
        if (!values[i].text)
            return pg_fail(PG_ERROR_FORMAT, "result %zu: \"%s\" is missing", r->count, result_keys[i]);
    PG_TRY(pg_span_integer(&f.image_id, values[IMAGE], "image_id"));
    PG_TRY(pg_span_integer(&f.category_id, values[CATEGORY], "category_id"));
    PG_TRY(pg_span_number(&f.score, values[SCORE], "score"));
    if (values[BOX].text && !pg_span_is(values[BOX], "[]")) {
        PG_TRY(pg_span_numbers(box, 4, values[BOX], "bbox"));
        f.box = box;
    }
    if (values[SEGMENTATION].text)
        PG_TRY(pg_json_parse(&segmentation, values[SEGMENTATION].text, values[SEGMENTATION].size, "segmentation"));
    f.segmentation = segmentation;
    pg_status status = add_find(r->evaluation, &f);
    json_decref(segmentation);
    return status == PG_OK ? r->count++, PG_OK : pg_fail_context(status, "result %zu", r->count);
}

pg_status pg_coco_evaluation_load(pg_coco_evaluation *evaluation, const char *path)
{
    results r = {evaluation, 0};
    pg_record_reader reader = {.take = take_result, .user = &r};
    pg_file_map map;
    PG_TRY(pg_file_map_open(&map, path));
    memcpy(reader.keys, result_keys, sizeof result_keys);
    const char *text = (const char *)map.data;
    pg_scan scan = {.name = path, .begin = text, .at = text, .end = text + map.size};
    pg_status status = pg_records_read(&scan, &reader);
    if (status == PG_OK)
        status = pg_scan_finish(&scan);
    pg_scan_free(&scan);
    pg_file_map_close(&map);
    return status;
}

/* ---------------------------------------------------------------- what comes of it */

size_t pg_coco_evaluation_categories(const pg_coco_evaluation *evaluation)
{
    return evaluation->coco.category_count;
}

/* Ids are kept sorted, each with the number of its category. */
const char *pg_coco_evaluation_category(const pg_coco_evaluation *evaluation, size_t i, int64_t *id)
{
    const pg_coco *coco = &evaluation->coco;
    for (size_t k = 0; id && k < coco->category_ids.count; k++)
        if (coco->category_ids.entries[k].number == i)
            *id = coco->category_ids.entries[k].id;
    return coco->names.data + coco->categories[i];
}

pg_status pg_coco_evaluation_measure(pg_coco_scores *out, pg_coco_scores *by_category,
                                     const pg_coco_evaluation *evaluation)
{
    size_t categories = evaluation->coco.category_count;
    const pg_ap_list *truth = &evaluation->truth, *found = &evaluation->found;
    pg_coco_scores *own = by_category ? NULL : pg_alloc(categories, sizeof *own);
    if (!by_category && !own)
        return PG_ERROR_MEMORY;
    pg_status status = pg_average_precision(out, by_category ? by_category : own, categories, truth->objects,
                                            truth->count, found->objects, found->count, evaluation->masks);
    pg_free(own);
    return status;
}
