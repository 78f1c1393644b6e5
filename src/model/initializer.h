/*
 * Values of an untrained model, as transformers 4.57 starts them: a function of seed, weight and place, so that they
 * may be made in any order.
 *
 *   Gemma       matrices and embedding normal, deviation 0.02; norms 0 (they stand for 1 + w)
 *   SigLIP      attention and MLP matrices, the probe and the pooling head's packed matrix uniform (Xavier); patch
 *               matrix, heads' outputs truncated normal (LeCun); tables normal, deviation 1 / sqrt(width); MLP biases
 *               normal, deviation 1e-6; other biases 0; norms 1; logit_scale log 10 and logit_bias -10, which are the
 *               paper's (Zhai et al. 2023): transformers has 0 and 0
 *   projector   normal, deviation 0.02; bias 0
 */
#ifndef PG_MODEL_INITIALIZER_H
#define PG_MODEL_INITIALIZER_H

#include "model/weights.h"

#define PG_INITIAL_DEVIATION 0.02

/* Rows first .. first + count - 1 of a weight. */
void pg_initial_values(float *out, const pg_weight_entry *entry, uint64_t seed, int64_t first, int64_t count);

#define PG_LOCATIONS 1024 /* <loc0000> ... <loc1023> */

/* A location token's row of a table, [width], as a smooth function of its place: sqrt(2) cos(2 pi f t + phase) with
 * t = location / 1023, and for each value its own frequency and phase, drawn for the table (random Fourier features;
 * Rahimi and Recht 2007). Mean and deviation over all draws are those of other rows. Neighbours start out alike (their
 * cosine is 0.99 one location apart, 0.66 at 8, 0.36 at 32, 0 at 256), so that what is learned of one place holds for
 * those around it; of independent rows each of 1024 must be met on its own. */
void pg_initial_location(float *out, const pg_weight_entry *entry, uint64_t seed, int location);

#endif
