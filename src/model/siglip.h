/* SigLIP (Zhai et al. 2023): the vision tower, its pooling head, and the text tower. */
#ifndef PG_MODEL_SIGLIP_H
#define PG_MODEL_SIGLIP_H

#include "model/weights.h"
#include "tensor/context.h"

/* pixels [count][3][side][side] in -1..1 -> the last hidden states, after post_layernorm: [count * P, D]. */
pg_tensor *pg_siglip_vision_forward(pg_context *g, const pg_siglip_vision *model, const float *pixels, int64_t count);

/* The pooling head: hidden states of `count` pictures [count * P, D] -> [count, D]. P is any number of patches that are
 * pooled together: with 1 each patch alone becomes a vector of the same space. */
pg_tensor *pg_siglip_pool(pg_context *g, const pg_siglip_vision *model, pg_tensor *hidden, int64_t count);

/* `count` texts of model->config.context ids each -> [count, projection]: the last position, through the head. */
pg_tensor *pg_siglip_words_forward(pg_context *g, const pg_siglip_words *model, const int32_t *ids, int64_t count);

#endif
