/*
 * Training of the mask codec (van den Oord et al. 2017): masks are values -1 and 1 to it, and the loss is the mean
 * squared difference between what goes in and what comes out, plus 0.25 times that between what the encoder says and
 * the codes nearest to it. The codes themselves follow as moving averages (codebook.h). Squared differences, because
 * readers of published codecs take x / 2 + 1 / 2 for the share of a pixel that is covered.
 */
#ifndef PG_TRAIN_MASK_TRAINING_H
#define PG_TRAIN_MASK_TRAINING_H

#include "train/codebook.h"
#include "train/objective.h"
#include "train/trainable.h"

/* pg_objective_run for masks. The score's hits are the sum of the masks' intersections over unions, so its accuracy is
 * their mean. With a tape, the codebook notes the batch. */
pg_status pg_mask_objective_run(pg_score *out, pg_context *g, const pg_objective *objective, pg_sample *const *samples,
                                size_t count, uint64_t step);

/* The codec to start from: a file, or (NULL) an untrained one. */
pg_status pg_mask_training_open(pg_mask_codec **out, pg_codebook **codebook, const pg_train_config *config);

/* All weights but the codebook. */
pg_status pg_mask_trainable_new(pg_trainable **out, pg_mask_codec *codec);

/* Gradients in the order of files, in place. */
pg_status pg_mask_publish_gradients(pg_trainable *trainable);

/* FOLDER/mask_codec.npz; a folder that exists is replaced. */
pg_status pg_mask_training_write(const char *folder, const pg_mask_codec *codec);

#endif
