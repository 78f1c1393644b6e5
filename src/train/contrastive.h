/* Contrastive training of SigLIP's two towers (Zhai et al. 2023): pictures and their texts. */
#ifndef PG_TRAIN_CONTRASTIVE_H
#define PG_TRAIN_CONTRASTIVE_H

#include "model/weights.h"
#include "tensor/context.h"

typedef struct pg_contrastive_batch {
    const float *pixels; /* [count][3][side][side] */
    const int32_t *ids;  /* [count][context], filled up with padding */
    int64_t count;       /* pairs, at least 1 */
} pg_contrastive_batch;

/* The loss of the whole batch: [1, 1]. Every pair of the batch is compared with every other, so the losses of two
 * halves do not add up to it. hits[i] becomes 1 where of all texts picture i's own is the nearest, else 0 (NULL: not
 * wanted), where values lie. */
pg_tensor *pg_contrastive(pg_context *g, const pg_weights *weights, const pg_contrastive_batch *batch, float *hits);

/* The same, and its way back with `weight` as the loss's derivative, for batches that are larger than memory: towers
 * keep the activations of `at_once` pairs only, and run twice (gradient caching: Gao et al. 2021). The result is that
 * of the whole batch but for rounding. *loss lies where values do. g's tape is empty before and after. */
pg_status pg_contrastive_in_parts(float *loss, pg_context *g, const pg_weights *weights,
                                  const pg_contrastive_batch *batch, int64_t at_once, float weight, float *hits);

#endif
