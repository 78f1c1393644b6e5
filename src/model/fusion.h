/* PaliGemma: what joins SigLIP's vision tower and Gemma's decoder. */
#ifndef PG_MODEL_FUSION_H
#define PG_MODEL_FUSION_H

#include "model/weights.h"
#include "tensor/context.h"

/* Pixels [count][3][side][side] through vision tower and projector: [count * P, decoder width]. */
pg_tensor *pg_paligemma_features(pg_context *g, const pg_weights *weights, const float *pixels, int64_t count);

/* The projector alone: hidden states of the vision tower, any number of rows -> features. */
pg_tensor *pg_paligemma_project(pg_context *g, const pg_weights *weights, pg_tensor *hidden);

/* The decoder's input: embeddings of `count` ids, with the features (NULL: no pictures) in the places of the image
 * tokens, in their order. [count, decoder width] */
pg_tensor *pg_paligemma_embed(pg_context *g, const pg_weights *weights, const int32_t *ids, int64_t count,
                              pg_tensor *features);

#endif
