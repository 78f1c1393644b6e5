#include "train/objective_parts.h"

#include "image/image.h"
#include "ops/ops.h"

int64_t pg_sample_first_scored(const pg_sample *sample)
{
    return sample->prefix > 1 ? (int64_t)sample->prefix : 1;
}

int64_t pg_sample_scored(const pg_sample *sample)
{
    int64_t scored = (int64_t)sample->count - pg_sample_first_scored(sample);
    return scored > 0 ? scored : 0;
}

float *pg_sample_pixels(pg_context *g, const pg_model *model, pg_sample *const *samples, size_t count,
                        int64_t *pictures)
{
    const pg_processor *processor = &model->processor;
    size_t plane = (size_t)(processor->side * processor->side), at = 0;
    *pictures = 0;
    for (size_t i = 0; i < count; i++)
        *pictures += (int64_t)samples[i]->image_count;
    float *pixels = pg_scratch(g, (size_t)*pictures * 3 * plane * sizeof *pixels);
    for (size_t i = 0; pixels && i < count; i++)
        for (size_t k = 0; k < samples[i]->image_count; k++, at++)
            pg_pixels_to_floats(samples[i]->pixels + k * 3 * plane, plane, pixels + at * 3 * plane, processor->rescale,
                                processor->mean, processor->deviation);
    return pixels;
}

float *pg_mean_weights(pg_context *g, size_t count, size_t all)
{
    float *weights = pg_scratch(g, count * sizeof *weights);
    for (size_t i = 0; weights && i < count; i++)
        weights[i] = (float)(1 / (double)all);
    return weights;
}

pg_status pg_end_part(pg_score *out, pg_context *g, pg_tensor *losses, const float *weights, const float *hits)
{
    pg_tensor *loss = pg_weighted_sum(g, losses, weights);
    if (!loss)
        return g->status;
    out->loss += *(const float *)loss->data;
    for (int64_t i = 0; i < losses->rows; i++)
        out->hits += hits[i];
    return g->tape ? pg_tape_backward(g, loss, 1) : PG_OK;
}
