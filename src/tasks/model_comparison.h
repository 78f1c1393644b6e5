/* Two models of the same shapes, compared: their weights, and what they make of a picture and a prompt. */
#ifndef PG_TASKS_MODEL_COMPARISON_H
#define PG_TASKS_MODEL_COMPARISON_H

#include "generate/model.h"

/* Every weight of `made` is that of `from`, low-rank addition included, rounded to its dtype; the first that is not is
 * PG_ERROR_FORMAT. `made` has floats only. *same: no dtype changed either. on_progress: NULL, or called with the
 * weights compared. */
pg_status pg_model_compare_weights(bool *same, const pg_weights *made, const pg_weights *from, int threads,
                                   bool (*on_progress)(void *user, size_t done, size_t total), void *user);

/* The largest difference of logits (embeddings), and the largest of them; both models have a tokenizer. Values that are
 * not finite are PG_ERROR_FORMAT. */
pg_status pg_model_compare_outputs(double *difference, double *largest, const pg_model *made, const pg_model *from,
                                   int threads);

#endif
