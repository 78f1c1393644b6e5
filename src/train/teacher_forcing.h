/* Teacher forcing: a decoder reads whole rows of tokens, and every scored token's loss is that of its prediction from
 * those before it. */
#ifndef PG_TRAIN_TEACHER_FORCING_H
#define PG_TRAIN_TEACHER_FORCING_H

#include "model/weights.h"
#include "tensor/context.h"

/* One row. The first `prefix` ids see each other both ways (PaliGemma's pictures and prompt; 0: causal throughout); ids
 * from `scored` on (at least 1) are predicted. */
typedef struct pg_token_row {
    const int32_t *ids;
    int64_t count, prefix, scored;
} pg_token_row;

typedef struct pg_token_batch {
    const pg_token_row *rows;
    int64_t row_count;
    const float *pixels; /* [pictures][3][side][side], in the order of the rows' image tokens; NULL: none */
    int64_t pictures;
    double smoothing; /* of labels */
} pg_token_batch;

/* How many tokens are scored. */
int64_t pg_token_batch_scored(const pg_token_batch *batch);

/* The losses of all scored tokens, row by row: [scored, 1]. Rows stand one after another without padding; only the
 * scored tokens have logits. hits[t]: 1 where the prediction was right (NULL: not wanted), where values lie. */
pg_tensor *pg_teacher_forcing(pg_context *g, const pg_weights *weights, const pg_token_batch *batch, float *hits);

#endif
