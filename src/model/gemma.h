/* Gemma's decoder (Gemma Team 2024), forward: prompts, generated tokens and training batches alike. */
#ifndef PG_MODEL_GEMMA_H
#define PG_MODEL_GEMMA_H

#include "model/weights.h"
#include "tensor/context.h"

/* Token embeddings times sqrt(width): [count, D]. */
pg_tensor *pg_gemma_embed(pg_context *g, const pg_gemma *model, const int32_t *ids, int64_t count, int64_t single);

/* All layers and the final norm: x [batch->rows, D] -> [batch->rows, D], or [batch->wanted_count, D] with the same bits
 * if only some rows are wanted: then the last layer computes keys and values of all rows, and the rest of those. With a
 * cache, keys and values are kept at batch->slots and the segments' spans name cache rows; without, they name rows of
 * the batch. */
pg_tensor *pg_gemma_forward(pg_context *g, const pg_gemma *model, pg_tensor *x, const pg_batch *batch,
                            const pg_cache *cache);

/*
 * The same in pieces, for prompts that are computed bit by bit between other work: a layer has keys and values of all
 * rows before it computes any row, and both halves take any number of rows at a time, with the same bits.
 */

/* Rotations of rows at these positions, which all layers share: [count, E]. */
pg_tensor *pg_gemma_angles(pg_context *g, const pg_gemma *model, const int32_t *positions, int64_t count);

/* Keys and values of some rows of a layer's input, into the cache rows `slots`. */
void pg_gemma_layer_keys(pg_context *g, const pg_gemma *model, int64_t layer, pg_tensor *x, pg_tensor *angles,
                         const int64_t *slots, const pg_cache *cache);

/* What a layer makes of some rows: x [queries->rows, D] -> the same shape. */
pg_tensor *pg_gemma_layer_rows(pg_context *g, const pg_gemma *model, int64_t layer, pg_tensor *x, pg_tensor *angles,
                               const pg_batch *queries, const pg_cache *cache);

/* The final norm. */
pg_tensor *pg_gemma_end(pg_context *g, const pg_gemma *model, pg_tensor *x);

/* [rows, D] -> [rows, V]. */
pg_tensor *pg_gemma_logits(pg_context *g, const pg_gemma *model, pg_tensor *x);

#endif
