/* The first of two answers before the second (dpo): a right pair is one that is preferred more than by the reference.
 */
#include "train/objective_parts.h"
#include "train/preference.h"

static pg_preference pair_of(const pg_sample *sample)
{
    return (pg_preference){.prompt = sample->ids,
                           .prompt_count = (int64_t)sample->prefix,
                           .chosen = {sample->ids + sample->prefix, (int64_t)(sample->count - sample->prefix)},
                           .rejected = {sample->rejected, (int64_t)sample->rejected_count}};
}

pg_status pg_learn_preferences(pg_part_results *out, pg_context *g, const pg_objective *objective,
                               pg_sample *const *samples, size_t count, const pg_batch_totals *totals)
{
    pg_preference *pairs = pg_scratch(g, count * sizeof *pairs);
    float *reference = pg_scratch_values(g, 2 * count * sizeof *reference);
    const float *weights = pg_mean_weights(g, count, totals->rows);
    pg_preference_batch batch = {.pairs = pairs, .pair_count = (int64_t)count};
    batch.pixels = pg_sample_pixels(g, objective->model, samples, count, &batch.pictures);
    if (!batch.pixels)
        return g->status;
    for (size_t i = 0; i < count; i++)
        pairs[i] = pair_of(samples[i]);
    const pg_model *judge = objective->other ? objective->other : objective->model;
    PG_TRY(pg_reference_losses(reference, g, judge->weights, &batch, !objective->other));
    float *hits = pg_part_hits(out, count);
    pg_tensor *losses = pg_preference_training(g, objective->model->weights, &batch, reference, objective->beta, hits);
    return pg_end_part(out, g, losses, weights);
}
