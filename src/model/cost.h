/*
 * What a forward pass costs at least: operations of its products (a multiplication and an addition are two) and bytes
 * that must be read. Norms, activations and rotations are left out: they are below a hundredth. MODEL.md has the
 * formulas.
 */
#ifndef PG_MODEL_COST_H
#define PG_MODEL_COST_H

#include "model/weights.h"

/* Operations of the vision tower for one picture, with the projector where the model has one. */
double pg_cost_vision(const pg_config *config);

/* Operations of the decoder for a prompt of `tokens`, of which the first `prefix` see each other both ways, up to the
 * last one's logits: of the last layer that takes all keys and values, and the rest of one row. */
double pg_cost_prompt(const pg_gemma_config *config, int64_t tokens, int64_t prefix);

/* Operations of a step of training, by the rule that it takes 6 for each weight and row: 2 on the way there, 4 on the
 * way back, whatever is trained; of the decoder's (SigLIP: the text tower's) layers for all tokens, of the output
 * matrix for those that are scored, and three times pg_cost_vision for each picture. */
double pg_cost_training(const pg_config *config, int64_t pictures, int64_t tokens, int64_t scored);

/* Bytes of all weights that a generated token reads: the whole decoder, of the embedding table only where it is the
 * output matrix too. */
double pg_cost_token_weights(const pg_weights *weights);

/* Bytes of the cache that a generated token reads when its sequence has `keys` tokens. */
double pg_cost_token_cache(const pg_gemma_config *config, int64_t keys, pg_dtype dtype);

#endif
