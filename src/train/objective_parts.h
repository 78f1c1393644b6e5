/* Inside the objectives: what each does with the rows that are in memory at a time. */
#ifndef PG_TRAIN_OBJECTIVE_PARTS_H
#define PG_TRAIN_OBJECTIVE_PARTS_H

#include "train/objective.h"

/* What the whole batch has: for weights. */
typedef struct pg_batch_totals {
    double scored;
    size_t rows;
} pg_batch_totals;

#define PG_PART_BITS 20 /* pg_tape.step is the batch's number, then so many bits with the part's */

/* What the parts of a batch find, where values lie: a device is asked for all of it at once, when it has been told
 * everything that there is to do. */
typedef struct pg_part_results {
    float *losses, *hits;
    size_t loss_count, hit_count;
} pg_part_results;

/* Adds loss and hits of some rows to `out`, and their derivatives to the gradients if g records. */
typedef pg_status pg_objective_part(pg_part_results *out, pg_context *g, const pg_objective *objective,
                                    pg_sample *const *samples, size_t count, const pg_batch_totals *totals);
pg_objective_part pg_learn_tokens, pg_learn_pictures, pg_learn_preferences, pg_learn_classes, pg_learn_masks;

/* The first scored token of a row: behind the prefix, and never the first of all, which nothing comes before. */
int64_t pg_sample_first_scored(const pg_sample *sample);

/* The scored tokens of a row. */
int64_t pg_sample_scored(const pg_sample *sample);

/* The pictures of all samples as the vision tower takes them, where values lie, in g's arena; *pictures of them. */
const float *pg_sample_pixels(pg_context *g, const pg_model *model, pg_sample *const *samples, size_t count,
                              int64_t *pictures);

/* Room for `count` hits, one for each thing that is scored. */
float *pg_part_hits(pg_part_results *out, size_t count);

/* Ends a part: adds the sum of losses [n, 1], each times its weight, and goes back. */
pg_status pg_end_part(pg_part_results *out, pg_context *g, pg_tensor *losses, const float *weights);

/* [count] weights of 1 / all: the mean of the losses of a batch of `all`. NULL without memory. */
float *pg_mean_weights(pg_context *g, size_t count, size_t all);

#endif
