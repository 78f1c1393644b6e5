/* Figures of referring expressions: the first object of an answer against the one that is meant. True masks come from
 * "segmentation" in a JSONL row (polygons, or "size" and "counts"), else from the <seg> tokens of the right answer. */
#include <string.h>

#include "data/dataset.h"
#include "metrics/referring.h"
#include "objects/segmentation.h"
#include "tasks/evaluation.h"

/* Takes over the mask of a row that has its own. */
static pg_status read_segmentation(pg_eval_object *truth, const pg_evaluation *evaluation, const pg_eval_item *item)
{
    json_t *record;
    PG_TRY(pg_dataset_record(&record, evaluation->dataset, item->row));
    const json_t *segmentation = json_object_get(record, "segmentation");
    pg_status status = PG_OK;
    if (segmentation) {
        pg_runs_free(&truth->mask);
        status = pg_runs_from_json(&truth->mask, item->width, item->height, segmentation);
    }
    json_decref(record);
    return status;
}

static pg_status make_mask(pg_mask *out, const pg_runs *runs)
{
    PG_TRY(pg_mask_new(out, runs->width, runs->height));
    pg_mask_add_runs(out, runs);
    return PG_OK;
}

static void corner_box(double out[4], const double box[4])
{
    out[0] = box[0];
    out[1] = box[1];
    out[2] = box[2] - box[0];
    out[3] = box[3] - box[1];
}

/* Masks are compared where the true object has one; an answer without one has then found no pixel. */
static pg_status compare_objects(pg_referring_case *out, const pg_eval_object *truth, const pg_eval_object *found)
{
    double true_box[4], found_box[4];
    pg_mask true_mask = {0}, found_mask = {0};
    pg_status status = PG_OK;
    corner_box(true_box, truth->box);
    if (found)
        corner_box(found_box, found->box);
    if (truth->mask.lengths) {
        PG_TRY_GOTO(make_mask(&true_mask, &truth->mask));
        if (found && found->mask.lengths)
            PG_TRY_GOTO(make_mask(&found_mask, &found->mask));
    }
    pg_referring_compare(out, true_box, truth->mask.lengths ? &true_mask : NULL, found ? found_box : NULL,
                         found_mask.pixels ? &found_mask : NULL);
done:
    pg_mask_free(&true_mask);
    pg_mask_free(&found_mask);
    return status;
}

static pg_status compare_item(pg_referring_case *out, const pg_evaluation *evaluation, pg_eval_item *item)
{
    pg_eval_objects truth = {0};
    pg_status status;
    PG_TRY_GOTO(pg_eval_item_measure(item, evaluation));
    PG_TRY_GOTO(pg_eval_objects_read(&truth, evaluation, item, item->references.items[0]));
    if (!truth.count)
        PG_TRY_GOTO(pg_fail(PG_ERROR_FORMAT, "%s: the right answer has no box", item->place));
    PG_TRY_GOTO(read_segmentation(&truth.items[0], evaluation, item));
    if (!item->objects.count)
        PG_TRY_GOTO(pg_eval_objects_read(&item->objects, evaluation, item, item->prediction));
    status = compare_objects(out, &truth.items[0], item->objects.count ? &item->objects.items[0] : NULL);
    item->score = truth.items[0].mask.lengths ? out->iou : out->box_iou;
done:
    pg_eval_objects_free(&truth);
    return status;
}

static pg_status add_figures(pg_evaluation *evaluation, const pg_referring_case *cases, bool masks)
{
    pg_referring_scores scores;
    pg_referring_average(&scores, cases, evaluation->count);
    if (masks) {
        PG_TRY(pg_evaluation_add_figure(evaluation, scores.miou, "mIoU"));
        PG_TRY(pg_evaluation_add_figure(evaluation, scores.ciou, "cIoU"));
    }
    PG_TRY(pg_evaluation_add_figure(evaluation, scores.box_accuracy_50, "box accuracy@0.5"));
    PG_TRY(pg_evaluation_add_figure(evaluation, scores.box_accuracy_75, "box accuracy@0.75"));
    return pg_evaluation_add_figure(evaluation, (double)scores.invalid, "nothing found");
}

pg_status pg_evaluation_measure_referring(pg_evaluation *evaluation)
{
    pg_referring_case *cases = pg_alloc(evaluation->count, sizeof *cases);
    pg_status status = cases ? PG_OK : PG_ERROR_MEMORY;
    bool masks = false;
    for (size_t i = 0; i < evaluation->count && status == PG_OK; i++) {
        status = compare_item(&cases[i], evaluation, &evaluation->items[i]);
        masks = masks || cases[i].either > 0;
    }
    if (status == PG_OK)
        status = add_figures(evaluation, cases, masks);
    pg_free(cases);
    return status;
}
