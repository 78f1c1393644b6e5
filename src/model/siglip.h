/* SigLIP (Zhai et al. 2023): the vision tower, its pooling head, and the text tower. */
#ifndef PG_MODEL_SIGLIP_H
#define PG_MODEL_SIGLIP_H

#include "model/weights.h"
#include "tensor/context.h"

/* pixels [count][3][side][side] in -1..1 -> the last hidden states, after post_layernorm: [count * P, D]. */
pg_tensor *pg_siglip_vision_forward(pg_context *g, const pg_siglip_vision *model, const float *pixels, int64_t count);

/*
 * The same of one picture in pieces, for work between other work: a layer has keys and values of all rows before it
 * computes any row, and everything takes any number of rows at a time, with the same bits.
 */

/* Keys and values of a layer: [P, D] in f32. */
typedef struct pg_keys {
    pg_tensor keys, values;
} pg_keys;

/* Patches (pg_patches) from number `first` on -> the first layer's input. */
pg_tensor *pg_siglip_vision_begin(pg_context *g, const pg_siglip_vision *model, pg_tensor *patches, int64_t first);

/* Keys and values of some rows of a layer's input, into rows `slots`. */
void pg_siglip_layer_keys(pg_context *g, const pg_siglip_vision *model, int64_t layer, pg_tensor *x,
                          const pg_keys *keys, const int64_t *slots);

/* What a layer makes of some rows: x [queries->rows, D] -> the same shape. */
pg_tensor *pg_siglip_layer_rows(pg_context *g, const pg_siglip_vision *model, int64_t layer, pg_tensor *x,
                                const pg_keys *keys, const pg_batch *queries);

/* post_layernorm. */
pg_tensor *pg_siglip_vision_end(pg_context *g, const pg_siglip_vision *model, pg_tensor *x);

/* The pooling head: hidden states of `count` pictures [count * P, D] -> [count, D]. P is any number of patches that are
 * pooled together: with 1 each patch alone becomes a vector of the same space. */
pg_tensor *pg_siglip_pool(pg_context *g, const pg_siglip_vision *model, pg_tensor *hidden, int64_t count);

/* `count` texts of model->config.context ids each -> [count, projection]: the last position, through the head. */
pg_tensor *pg_siglip_words_forward(pg_context *g, const pg_siglip_words *model, const int32_t *ids, int64_t count);

#endif
