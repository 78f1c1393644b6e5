#include "train/objective_parts.h"

#include <string.h>

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

/* What each byte of a channel becomes. */
static void fill_levels(float out[3][256], const pg_processor *processor)
{
    uint8_t pixels[256][3];
    for (size_t level = 0; level < 256; level++)
        memset(pixels[level], (int)level, sizeof pixels[level]);
    pg_pixels_to_floats(pixels[0], 256, out[0], processor->rescale, processor->mean, processor->deviation);
}

const float *pg_sample_pixels(pg_context *g, const pg_model *model, pg_sample *const *samples, size_t count,
                              int64_t *pictures)
{
    const pg_processor *processor = &model->processor;
    int64_t plane = processor->side * processor->side, at = 0;
    float levels[3][256];
    *pictures = 0;
    for (size_t i = 0; i < count; i++)
        *pictures += (int64_t)samples[i]->image_count;
    const uint8_t **pixels = pg_scratch(g, (size_t)*pictures * sizeof *pixels);
    for (size_t i = 0; pixels && i < count; i++)
        for (size_t k = 0; k < samples[i]->image_count; k++)
            pixels[at++] = samples[i]->pixels + k * 3 * (size_t)plane;
    fill_levels(levels, processor);
    return pixels ? pg_pixel_values(g, pixels, *pictures, plane, levels) : NULL;
}

float *pg_mean_weights(pg_context *g, size_t count, size_t all)
{
    float *weights = pg_scratch(g, count * sizeof *weights);
    for (size_t i = 0; weights && i < count; i++)
        weights[i] = (float)(1 / (double)all);
    return weights;
}

float *pg_part_hits(pg_part_results *out, size_t count)
{
    float *hits = out->hits + out->hit_count;
    out->hit_count += count;
    return hits;
}

pg_status pg_end_part(pg_part_results *out, pg_context *g, pg_tensor *losses, const float *weights)
{
    pg_tensor *loss = pg_weighted_sum(g, losses, weights);
    if (!loss)
        return g->status;
    pg_values_move(g->device, out->losses + out->loss_count++, loss->data, sizeof *out->losses);
    return g->tape ? pg_tape_backward(g, loss, 1) : PG_OK;
}
