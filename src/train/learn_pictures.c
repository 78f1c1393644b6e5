/* Pictures and their texts (siglip): a right one is a picture whose own text is the nearest of the batch. */
#include <string.h>

#include "train/contrastive.h"
#include "train/objective_parts.h"

static pg_status check_pairs(pg_sample *const *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (samples[i]->image_count != 1)
            return pg_fail(PG_ERROR_FORMAT, "row %zu has %zu pictures; a text is compared with one",
                           samples[i]->row + 1, samples[i]->image_count);
    return PG_OK;
}

static const int32_t *join_ids(pg_context *g, pg_sample *const *samples, size_t count)
{
    size_t length = samples[0]->count; /* of all: SigLIP's texts are filled up */
    int32_t *ids = pg_scratch(g, count * length * sizeof *ids);
    for (size_t i = 0; ids && i < count; i++)
        memcpy(ids + i * length, samples[i]->ids, length * sizeof *ids);
    return ids;
}

pg_status pg_learn_pictures(pg_part_results *out, pg_context *g, const pg_objective *objective,
                            pg_sample *const *samples, size_t count, const pg_batch_totals *totals)
{
    static const float one = 1;
    (void)totals; /* these rows are the whole batch */
    PG_TRY(check_pairs(samples, count));
    int64_t pictures;
    pg_contrastive_batch batch = {.count = (int64_t)count};
    batch.pixels = pg_sample_pixels(g, objective->model, samples, count, &pictures);
    batch.ids = join_ids(g, samples, count);
    if (!batch.pixels || !batch.ids)
        return g->status;
    size_t at_once = objective->micro_rows;
    const pg_weights *weights = objective->model->weights;
    float *hits = pg_part_hits(out, count);
    if (!g->tape || !at_once || at_once >= count)
        return pg_end_part(out, g, pg_contrastive(g, weights, &batch, hits), &one);
    float *loss = out->losses + out->loss_count++;
    return pg_contrastive_in_parts(loss, g, weights, &batch, (int64_t)at_once, 1, hits);
}
