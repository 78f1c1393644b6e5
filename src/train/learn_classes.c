/* Classes of pictures and texts (classifier): cross entropy of a linear layer on pooled features, or on each patch. */
#include "train/objective_parts.h"

typedef struct class_memory {
    const int32_t **ids;
    int64_t *lengths;
    int32_t *targets;
} class_memory;

static bool make_room(class_memory *out, pg_context *g, size_t count)
{
    out->ids = pg_scratch(g, count * sizeof *out->ids);
    out->lengths = pg_scratch(g, count * sizeof *out->lengths);
    out->targets = pg_scratch(g, count * sizeof *out->targets);
    return out->targets;
}

/* The text of a row without the places of its pictures, whose features stand beside it. */
static void take_text(const class_memory *memory, size_t i, const pg_model *reader, const pg_sample *sample)
{
    const pg_config *config = &reader->weights->config;
    size_t first = 0;
    while (config->kind == PG_MODEL_PALIGEMMA && first < sample->count && sample->ids[first] == config->image_token)
        first++;
    memory->ids[i] = sample->ids + first;
    memory->lengths[i] = (int64_t)(sample->count - first);
}

static pg_status lay_out(const class_memory *memory, const pg_objective *objective, pg_sample *const *samples,
                         size_t count)
{
    const pg_model *reader = objective->other ? objective->other : objective->model;
    for (size_t i = 0; i < count; i++) {
        const pg_sample *sample = samples[i];
        if (sample->image_count != objective->pictures)
            return pg_fail(PG_ERROR_FORMAT, "row %zu has %zu pictures, and the first row %d; all rows need as many",
                           sample->row + 1, sample->image_count, objective->pictures);
        if (objective->texts)
            take_text(memory, i, reader, sample);
        if (objective->texts && memory->lengths[i] < 1)
            return pg_fail(PG_ERROR_FORMAT, "row %zu has no text, and the first row has one", sample->row + 1);
        if (sample->label < 0 || (size_t)sample->label >= objective->head->label_count)
            return pg_fail(PG_ERROR_FORMAT, "row %zu has the label %lld, there are %zu classes", sample->row + 1,
                           (long long)sample->label, objective->head->label_count);
        memory->targets[i] = (int32_t)sample->label;
    }
    return PG_OK;
}

/* Of pictures as wholes, of texts, or of both. */
static pg_status learn_wholes(pg_part_results *out, pg_context *g, const pg_objective *objective,
                              pg_sample *const *samples, size_t count, const pg_batch_totals *totals)
{
    class_memory memory;
    int64_t pictures;
    if (!make_room(&memory, g, count))
        return g->status;
    PG_TRY(lay_out(&memory, objective, samples, count));
    const float *weights = pg_mean_weights(g, count, totals->rows);
    const float *pixels = pg_sample_pixels(g, objective->model, samples, count, &pictures);
    if (!weights || !pixels)
        return g->status;
    const pg_model *reader = objective->other ? objective->other : objective->model;
    pg_pooled_batch batch = {.pixels = objective->pictures ? pixels : NULL,
                             .ids = objective->texts ? memory.ids : NULL,
                             .lengths = memory.lengths,
                             .count = (int64_t)count};
    pg_tensor *features = pg_pooled_features(g, objective->model->weights, reader->weights, &batch);
    float *hits = pg_part_hits(out, count);
    pg_tensor *losses = pg_classifier_losses(g, objective->head, features, memory.targets, objective->smoothing, hits);
    return pg_end_part(out, g, losses, weights);
}

/* The labels of all patches, those of one picture after another. */
static pg_status lay_out_patches(int32_t *targets, const pg_objective *objective, pg_sample *const *samples,
                                 size_t count, size_t patches)
{
    for (size_t i = 0; i < count; i++) {
        const pg_sample *sample = samples[i];
        if (sample->image_count != 1 || sample->patch_count != patches)
            return pg_fail(
                PG_ERROR_FORMAT,
                "row %zu has %zu pictures and labels for %zu patches, expected one of each of the %zu patches "
                "that the model sees of a picture",
                sample->row + 1, sample->image_count, sample->patch_count, patches);
        for (size_t p = 0; p < patches; p++) {
            targets[i * patches + p] = sample->patch_labels[p];
            if ((size_t)sample->patch_labels[p] >= objective->head->label_count)
                return pg_fail(PG_ERROR_FORMAT, "row %zu has the label %d, there are %zu classes", sample->row + 1,
                               (int)sample->patch_labels[p], objective->head->label_count);
        }
    }
    return PG_OK;
}

static pg_status learn_patches(pg_part_results *out, pg_context *g, const pg_objective *objective,
                               pg_sample *const *samples, size_t count, const pg_batch_totals *totals)
{
    const pg_weights *vision = objective->model->weights;
    size_t patches = (size_t)pg_config_patches(&vision->config.vision), all = count * patches;
    int64_t pictures;
    int32_t *targets = pg_scratch(g, all * sizeof *targets);
    const float *weights = pg_mean_weights(g, all, totals->rows * patches);
    if (!targets || !weights)
        return g->status;
    PG_TRY(lay_out_patches(targets, objective, samples, count, patches));
    const float *pixels = pg_sample_pixels(g, objective->model, samples, count, &pictures);
    if (!pixels)
        return g->status;
    pg_tensor *features = pg_patch_features(g, vision, pixels, pictures);
    float *hits = pg_part_hits(out, all);
    pg_tensor *losses = pg_classifier_losses(g, objective->head, features, targets, objective->smoothing, hits);
    return pg_end_part(out, g, losses, weights);
}

pg_status pg_learn_classes(pg_part_results *out, pg_context *g, const pg_objective *objective,
                           pg_sample *const *samples, size_t count, const pg_batch_totals *totals)
{
    return (objective->patches ? learn_patches : learn_wholes)(out, g, objective, samples, count, totals);
}
