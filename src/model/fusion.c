#include "model/fusion.h"

#include "model/gemma.h"
#include "model/siglip.h"
#include "ops/ops.h"

pg_tensor *pg_paligemma_features(pg_context *g, const pg_weights *weights, const float *pixels, int64_t count)
{
    pg_tensor *hidden = pg_siglip_vision_forward(g, &weights->vision, pixels, count); /* [count P, D] */
    return pg_paligemma_project(g, weights, hidden);
}

pg_tensor *pg_paligemma_project(pg_context *g, const pg_weights *weights, pg_tensor *hidden)
{
    return pg_linear(g, hidden, &weights->projector, &weights->projector_bias);
}

pg_tensor *pg_paligemma_embed(pg_context *g, const pg_weights *weights, const int32_t *ids, int64_t count,
                              pg_tensor *features)
{
    pg_tensor *x = pg_gemma_embed(g, &weights->text, ids, count, 0);
    if (!features)
        return x;
    int64_t *places = pg_scratch(g, (size_t)count * sizeof *places), found = 0;
    if (!places)
        return NULL;
    for (int64_t i = 0; i < count; i++)
        if (ids[i] == weights->config.image_token)
            places[found++] = i;
    return pg_place_rows(g, x, places, features);
}
