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

/* [rows, D] -> [rows, V]. */
pg_tensor *pg_gemma_logits(pg_context *g, const pg_gemma *model, pg_tensor *x);

#endif
