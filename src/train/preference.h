/* Preference alignment (DPO: Rafailov et al. 2023): a decoder learns to prefer the first of two answers to a prompt, no
 * further from a reference model than it must. */
#ifndef PG_TRAIN_PREFERENCE_H
#define PG_TRAIN_PREFERENCE_H

#include "model/weights.h"
#include "tensor/context.h"

typedef struct pg_completion {
    const int32_t *ids; /* <eos> is the last */
    int64_t count;      /* at least 1 */
} pg_completion;

/* A prompt with the image tokens of its pictures, and two answers. */
typedef struct pg_preference {
    const int32_t *prompt;
    int64_t prompt_count; /* at least 1 */
    pg_completion chosen, rejected;
} pg_preference;

typedef struct pg_preference_batch {
    const pg_preference *pairs;
    int64_t pair_count;
    const float *pixels; /* [pictures][3][side][side], in the order of the prompts' image tokens; NULL: none */
    int64_t pictures;
} pg_preference_batch;

/* -log p(answer | prompt) of every answer, summed over its tokens: [2 pairs, 1], each pair's chosen answer first. A
 * prompt and its pictures are computed once for both answers, which do not see each other. */
pg_tensor *pg_completion_losses(pg_context *g, const pg_weights *weights, const pg_preference_batch *batch);

/* The same as numbers, without a tape: what the reference says, reference[2 pairs], where values lie. Either `weights`
 * are another model's, or, with `unadapted`, those that are trained, their low-rank additions left out. */
pg_status pg_reference_losses(float *reference, pg_context *g, const pg_weights *weights,
                              const pg_preference_batch *batch, bool unadapted);

/* The loss of every pair: [pairs, 1] (pg_preference_losses). hits[i]: 1 where the chosen answer is preferred more than
 * by the reference (NULL: not wanted), where values lie. */
pg_tensor *pg_preference_training(pg_context *g, const pg_weights *weights, const pg_preference_batch *batch,
                                  const float *reference, double beta, float *hits);

#endif
