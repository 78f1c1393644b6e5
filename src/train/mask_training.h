/*
 * Training of the mask codec (van den Oord et al. 2017): masks are values -1 and 1 to it, and the loss is the mean
 * squared difference between what goes in and what comes out, plus 0.25 times that between what the encoder says and
 * the codes nearest to it. The codes themselves follow as moving averages (codebook.h). What counts as right is the
 * share of the union of two masks that is in both. Squared differences, because
 * readers of published codecs take x / 2 + 1 / 2 for the share of a pixel that is covered.
 */
#ifndef PG_TRAIN_MASK_TRAINING_H
#define PG_TRAIN_MASK_TRAINING_H

#include "train/codebook.h"
#include "train/objective.h"
#include "train/trainable.h"

/* The codec to start from: a file, or (NULL) an untrained one. */
pg_status pg_mask_training_open(pg_mask_codec **out, pg_codebook **codebook, const pg_train_config *config);

/* All weights but the codebook. */
pg_status pg_mask_trainable_new(pg_trainable **out, pg_mask_codec *codec);

/* Gradients in the order of files, in place. */
pg_status pg_mask_publish_gradients(pg_trainable *trainable);

/* FOLDER/mask_codec.npz; a folder that exists is replaced. */
pg_status pg_mask_training_write(const char *folder, const pg_mask_codec *codec, const pg_train_config *config);

#endif
