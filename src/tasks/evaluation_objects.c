/* Figures of detection and segmentation: COCO's average precision over all cases, and how good each case is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "objects/mask.h"
#include "tasks/coco_evaluation.h"
#include "tasks/evaluation.h"

#define OVERLAP 0.5 /* from which on an object counts as found in a case's own score */

/* Everything that is compared. Of a COCO file, lists borrow its objects. */
typedef struct comparison {
    pg_evaluation *evaluation;
    bool masks;
    pg_coco_evaluation *coco; /* NULL: true objects come from texts */
    pg_text_list categories;
    pg_ap_list truth, found;
    double overlaps;        /* sum of the largest ones of true objects */
    size_t matched, wanted; /* true objects that something overlaps; all of them */
} comparison;

static void free_comparison(comparison *c)
{
    if (c->coco) { /* the objects are the file's */
        pg_free(c->truth.objects);
        pg_free(c->found.objects);
    } else {
        pg_ap_list_free(&c->truth);
        pg_ap_list_free(&c->found);
    }
    pg_text_list_free(&c->categories);
    pg_coco_evaluation_close(c->coco);
}

/* ---------------------------------------------------------------- objects out of texts */

static pg_status add_object(pg_eval_objects *list, pg_eval_object *object, const char *label)
{
    PG_TRY(pg_grow((void **)&list->items, &list->capacity, list->count + 1, sizeof *object));
    object->label = pg_copy_text(label, SIZE_MAX);
    if (!object->label)
        return PG_ERROR_MEMORY;
    list->items[list->count++] = *object;
    return PG_OK;
}

/* The mask that a decoded one is in its picture. */
static pg_status place_mask(pg_runs *out, const pg_object *object, const pg_objects *objects)
{
    pg_mask mask;
    PG_TRY(pg_mask_new(&mask, objects->width, objects->height));
    pg_status status = pg_mask_place(mask.pixels, mask.width, mask.height, object->mask, object->places);
    if (status == PG_OK)
        status = pg_runs_from_pixels(out, mask.pixels, mask.width, mask.height);
    pg_mask_free(&mask);
    return status;
}

pg_status pg_eval_objects_take(pg_eval_objects *out, const pg_objects *objects)
{
    for (size_t i = 0; i < objects->count; i++) {
        const pg_object *object = &objects->items[i];
        pg_eval_object found = {.score = isfinite(object->score) ? object->score : 1};
        memcpy(found.box, object->box, sizeof found.box);
        pg_status status = object->mask ? place_mask(&found.mask, object, objects) : PG_OK;
        if (status == PG_OK)
            status = add_object(out, &found, object->label);
        if (status != PG_OK) {
            pg_runs_free(&found.mask);
            return status;
        }
    }
    return PG_OK;
}

static pg_status decode_masks(pg_objects *objects, const pg_mask_codec *codec)
{
    for (size_t i = 0; i < objects->count; i++) {
        pg_object *object = &objects->items[i];
        if (!object->has_codes)
            continue;
        object->mask = pg_alloc((size_t)PG_MASK_SIDE * PG_MASK_SIDE, sizeof *object->mask);
        if (!object->mask)
            return PG_ERROR_MEMORY;
        PG_TRY(pg_mask_codec_decode(object->mask, codec, object->codes, 1, 1));
    }
    return PG_OK;
}

pg_status pg_eval_objects_read(pg_eval_objects *out, const pg_evaluation *evaluation, const pg_eval_item *item,
                               const char *text)
{
    pg_objects *objects;
    PG_TRY(pg_objects_parse(&objects, text, SIZE_MAX, item->width, item->height));
    pg_status status = evaluation->codec ? decode_masks(objects, evaluation->codec) : PG_OK;
    if (status == PG_OK)
        status = pg_eval_objects_take(out, objects);
    pg_objects_free(objects);
    return status;
}

/* Objects of an answer that came without them: from its text. */
static pg_status complete_item(const comparison *c, pg_eval_item *item)
{
    if (item->objects.count || !*item->prediction)
        return PG_OK;
    PG_TRY(pg_eval_item_measure(item, c->evaluation));
    pg_status status = pg_eval_objects_read(&item->objects, c->evaluation, item, item->prediction);
    return status == PG_OK || status == PG_ERROR_MEMORY ? status : pg_fail_context(status, "%s", item->place);
}

/* ---------------------------------------------------------------- true objects out of texts */

static pg_status category_of(uint32_t *out, comparison *c, const char *label)
{
    for (size_t i = 0; i < c->categories.count; i++)
        if (!strcmp(c->categories.items[i], label)) {
            *out = (uint32_t)i;
            return PG_OK;
        }
    *out = (uint32_t)c->categories.count;
    return pg_text_list_add(&c->categories, label);
}

static pg_status copy_mask(pg_runs *out, const pg_runs *mask)
{
    *out = (pg_runs){mask->width, mask->height, pg_alloc(mask->count, sizeof *out->lengths), mask->count};
    if (!out->lengths)
        return PG_ERROR_MEMORY;
    memcpy(out->lengths, mask->lengths, mask->count * sizeof *out->lengths);
    return PG_OK;
}

static pg_status add_compared(pg_ap_list *list, comparison *c, const pg_eval_object *object, int64_t image)
{
    const double *box = object->box;
    pg_ap_object added = {.image = image,
                          .score = object->score,
                          .box = {box[0], box[1], box[2] - box[0], box[3] - box[1]}};
    added.area = c->masks ? (double)pg_runs_area(&object->mask) : added.box[2] * added.box[3];
    PG_TRY(category_of(&added.category, c, object->label));
    if (c->masks)
        PG_TRY(copy_mask(&added.mask, &object->mask));
    pg_status status = pg_ap_list_add(list, &added);
    if (status != PG_OK)
        pg_runs_free(&added.mask);
    return status;
}

/* Objects without a mask are none where masks are compared. */
static pg_status add_all(pg_ap_list *list, comparison *c, const pg_eval_objects *objects, int64_t image)
{
    for (size_t i = 0; i < objects->count; i++)
        if (!c->masks || objects->items[i].mask.lengths)
            PG_TRY(add_compared(list, c, &objects->items[i], image));
    return PG_OK;
}

static pg_status add_truth(comparison *c, pg_eval_item *item, int64_t image)
{
    pg_eval_objects objects = {0};
    pg_status status = pg_eval_item_measure(item, c->evaluation);
    for (size_t i = 0; i < item->references.count && status == PG_OK; i++)
        status = pg_eval_objects_read(&objects, c->evaluation, item, item->references.items[i]);
    if (status == PG_OK)
        status = add_all(&c->truth, c, &objects, image);
    pg_eval_objects_free(&objects);
    return status;
}

/* Pictures are numbered as their cases. */
static pg_status compare_texts(comparison *c)
{
    if (c->masks && !c->evaluation->codec)
        return pg_fail(PG_ERROR_ARGUMENT, "masks of <seg> tokens are compared by a mask codec: name one");
    for (size_t i = 0; i < c->evaluation->count; i++) {
        pg_eval_item *item = &c->evaluation->items[i];
        PG_TRY(add_truth(c, item, (int64_t)i));
        PG_TRY(complete_item(c, item));
        PG_TRY(add_all(&c->found, c, &item->objects, (int64_t)i));
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- a COCO file */

/* A label that is none of the file's categories was found for nothing. */
static bool find_category(int64_t *id, const pg_coco_evaluation *coco, const char *label)
{
    for (size_t i = 0; i < pg_coco_evaluation_categories(coco); i++)
        if (!strcmp(pg_coco_evaluation_category(coco, i, id), label))
            return true;
    return false;
}

static pg_status add_found(comparison *c, const pg_eval_item *item, const pg_eval_object *object)
{
    const double *ends = object->box, box[4] = {ends[0], ends[1], ends[2] - ends[0], ends[3] - ends[1]};
    int64_t category;
    pg_buffer runs = {0};
    if (!find_category(&category, c->coco, object->label) || (c->masks && !object->mask.lengths))
        return PG_OK;
    pg_status status = c->masks ? pg_runs_print(&runs, &object->mask) : PG_OK;
    if (status == PG_OK)
        status = pg_coco_evaluation_add(c->coco, item->image_id, category, object->score, box, runs.data);
    pg_buffer_free(&runs);
    return status == PG_OK || status == PG_ERROR_MEMORY ? status : pg_fail_context(status, "%s", item->place);
}

static pg_status add_answers(comparison *c)
{
    for (size_t i = 0; i < c->evaluation->count; i++) {
        pg_eval_item *item = &c->evaluation->items[i];
        PG_TRY(complete_item(c, item));
        for (size_t k = 0; k < item->objects.count; k++)
            PG_TRY(add_found(c, item, &item->objects.items[k]));
    }
    return PG_OK;
}

static pg_eval_item *item_of_image(const pg_evaluation *evaluation, int64_t image)
{
    char key[64];
    snprintf(key, sizeof key, "image %lld", (long long)image);
    return pg_evaluation_find(evaluation, key);
}

/* Borrows the objects of all pictures, or of those that are cases. */
static pg_status borrow(pg_ap_list *out, const comparison *c, const pg_ap_list *from)
{
    for (size_t i = 0; i < from->count; i++)
        if (!c->evaluation->limited || item_of_image(c->evaluation, from->objects[i].image))
            PG_TRY(pg_ap_list_add(out, &from->objects[i]));
    return PG_OK;
}

static pg_status compare_coco(comparison *c)
{
    PG_TRY(pg_coco_evaluation_open(&c->coco, pg_dataset_path(c->evaluation->dataset), c->masks));
    for (size_t i = 0; i < pg_coco_evaluation_categories(c->coco); i++)
        PG_TRY(pg_text_list_add(&c->categories, pg_coco_evaluation_category(c->coco, i, NULL)));
    if (c->evaluation->results)
        PG_TRY(pg_coco_evaluation_load(c->coco, c->evaluation->results));
    else
        PG_TRY(add_answers(c));
    PG_TRY(borrow(&c->truth, c, &c->coco->truth));
    return borrow(&c->found, c, &c->coco->found);
}

/* ---------------------------------------------------------------- scores of cases */

static int compare_images(const void *a, const void *b)
{
    const pg_ap_object *one = *(const pg_ap_object *const *)a, *other = *(const pg_ap_object *const *)b;
    if (one->image != other->image)
        return one->image < other->image ? -1 : 1;
    return one->score != other->score ? (one->score > other->score ? -1 : 1) : (one > other) - (one < other);
}

/* By picture, the best first. */
static const pg_ap_object **sort_objects(const pg_ap_list *list)
{
    const pg_ap_object **sorted = pg_alloc(list->count, sizeof *sorted);
    for (size_t i = 0; sorted && i < list->count; i++)
        sorted[i] = &list->objects[i];
    if (sorted && list->count)
        qsort(sorted, list->count, sizeof *sorted, compare_images);
    return sorted;
}

static double overlap(const comparison *c, const pg_ap_object *truth, const pg_ap_object *found)
{
    if (!c->masks)
        return pg_box_overlap(truth->box, found->box, false);
    uint64_t shared = pg_runs_shared(&truth->mask, &found->mask);
    uint64_t either = pg_runs_area(&truth->mask) + pg_runs_area(&found->mask) - shared;
    return either ? (double)shared / (double)either : 0;
}

static double overlap_of_same(const comparison *c, const pg_ap_object *truth, const pg_ap_object *found)
{
    return !truth->crowd && truth->category == found->category ? overlap(c, truth, found) : 0;
}

/* How well each true object was found: the largest overlap with an object of the same label. */
static void measure_overlaps(comparison *c, const pg_ap_object *const *truth, size_t truth_count,
                             const pg_ap_object *const *found, size_t found_count)
{
    for (size_t i = 0; i < truth_count; i++) {
        double best = 0;
        for (size_t k = 0; k < found_count; k++)
            best = fmax(best, overlap_of_same(c, truth[i], found[k]));
        c->wanted += !truth[i]->crowd;
        c->matched += best > 0;
        c->overlaps += best;
    }
}

/* The true object that a found one overlaps most, and well enough, is taken; false if there is none. */
static bool take_match(const comparison *c, const pg_ap_object **truth, size_t count, const pg_ap_object *found)
{
    size_t taken = count;
    double best = OVERLAP;
    for (size_t i = 0; i < count; i++) {
        double here = truth[i] ? overlap_of_same(c, truth[i], found) : 0;
        if (here >= best) {
            best = here;
            taken = i;
        }
    }
    if (taken < count)
        truth[taken] = NULL;
    return taken < count;
}

static void note_score(pg_evaluation *evaluation, const pg_ap_object *found, bool right)
{
    evaluation->found_scores[evaluation->found_count] = found->score;
    evaluation->found_right[evaluation->found_count++] = right;
}

/* F1 of one picture's objects: found ones that are right, and true ones that were found. */
static double score_picture(const comparison *c, const pg_ap_object **truth, size_t truth_count,
                            const pg_ap_object *const *found, size_t found_count)
{
    size_t wanted = 0, right = 0;
    for (size_t i = 0; i < truth_count; i++)
        wanted += !truth[i]->crowd;
    for (size_t i = 0; i < found_count; i++) {
        bool matches = take_match(c, truth, truth_count, found[i]);
        note_score(c->evaluation, found[i], matches);
        right += matches;
    }
    return wanted + found_count ? 2 * (double)right / (double)(wanted + found_count) : 1;
}

static size_t count_image(const pg_ap_object *const *objects, size_t count, int64_t image)
{
    size_t n = 0;
    while (n < count && objects[n]->image == image)
        n++;
    return n;
}

static pg_eval_item *item_of(const comparison *c, int64_t image)
{
    return c->coco ? item_of_image(c->evaluation, image) : &c->evaluation->items[image];
}

static void score_pictures(comparison *c, const pg_ap_object **truth, const pg_ap_object *const *found)
{
    for (size_t i = 0; i < c->evaluation->count; i++)
        c->evaluation->items[i].score = 1; /* nothing there and nothing found */
    for (size_t t = 0, f = 0; t < c->truth.count || f < c->found.count;) {
        bool of_truth = t < c->truth.count && (f == c->found.count || truth[t]->image <= found[f]->image);
        int64_t image = of_truth ? truth[t]->image : found[f]->image;
        size_t wanted = count_image(truth + t, c->truth.count - t, image);
        size_t seen = count_image(found + f, c->found.count - f, image);
        pg_eval_item *item = item_of(c, image);
        measure_overlaps(c, truth + t, wanted, found + f, seen);
        double score = score_picture(c, truth + t, wanted, found + f, seen);
        if (item)
            item->score = score;
        t += wanted;
        f += seen;
    }
}

static pg_status make_room(pg_evaluation *evaluation, size_t found)
{
    pg_free(evaluation->found_scores);
    pg_free(evaluation->found_right);
    evaluation->found_count = 0;
    evaluation->found_scores = pg_alloc(found, sizeof *evaluation->found_scores);
    evaluation->found_right = pg_alloc(found, sizeof *evaluation->found_right);
    return evaluation->found_scores && evaluation->found_right ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status score_cases(comparison *c)
{
    const pg_ap_object **truth = sort_objects(&c->truth), **found = sort_objects(&c->found);
    pg_status status = truth && found ? make_room(c->evaluation, c->found.count) : PG_ERROR_MEMORY;
    if (status == PG_OK)
        score_pictures(c, truth, found);
    pg_free(truth);
    pg_free(found);
    return status;
}

/* ---------------------------------------------------------------- figures */

static pg_status add_figures(pg_evaluation *evaluation, const pg_coco_scores *s)
{
    const struct {
        const char *name;
        double value;
    } figures[] = {{"AP", s->ap},
                   {"AP50", s->ap50},
                   {"AP75", s->ap75},
                   {"AP small", s->ap_small},
                   {"AP medium", s->ap_medium},
                   {"AP large", s->ap_large},
                   {"AR1", s->ar1},
                   {"AR10", s->ar10},
                   {"AR100", s->ar100},
                   {"AR small", s->ar_small},
                   {"AR medium", s->ar_medium},
                   {"AR large", s->ar_large}};
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        PG_TRY(pg_evaluation_add_figure(evaluation, figures[i].value, "%s", figures[i].name));
    return PG_OK;
}

static pg_status add_all_figures(const comparison *c)
{
    size_t count = c->categories.count;
    pg_coco_scores all, *each = pg_alloc(count, sizeof *each);
    if (!each)
        return PG_ERROR_MEMORY;
    pg_status status = pg_average_precision(&all, each, count, c->truth.objects, c->truth.count, c->found.objects,
                                            c->found.count, c->masks);
    if (status == PG_OK)
        status = add_figures(c->evaluation, &all);
    double sum = 0;
    for (size_t i = 0; i < c->evaluation->count; i++)
        sum += c->evaluation->items[i].score;
    if (status == PG_OK)
        status = pg_evaluation_add_figure(c->evaluation, sum / (double)c->evaluation->count, "F1 of a picture");
    if (status == PG_OK)
        status = pg_evaluation_add_figure(c->evaluation, c->wanted ? c->overlaps / (double)c->wanted : -1, "mIoU");
    if (status == PG_OK)
        status = pg_evaluation_add_figure(c->evaluation, c->matched ? c->overlaps / (double)c->matched : -1,
                                          "mIoU of found objects");
    if (status == PG_OK)
        status = pg_evaluation_measure_scores(c->evaluation);
    for (size_t i = 0; i < count && status == PG_OK; i++)
        status = pg_evaluation_add_figure(c->evaluation, each[i].ap, "AP %s", c->categories.items[i]);
    pg_free(each);
    return status;
}

pg_status pg_evaluation_measure_objects(pg_evaluation *evaluation)
{
    comparison c = {.evaluation = evaluation, .masks = evaluation->task == PG_EVAL_SEGMENT};
    pg_status status = pg_evaluation_has_coco_objects(evaluation) ? compare_coco(&c) : compare_texts(&c);
    if (status == PG_OK)
        status = score_cases(&c);
    if (status == PG_OK)
        status = add_all_figures(&c);
    free_comparison(&c);
    return status;
}
