/*
 * A codebook that follows what is encoded (van den Oord et al. 2017, appendix A.1; Razavi et al. 2019): every code is
 * the moving average of the vectors that it was nearest to. A code that is hardly used begins again as a vector of the
 * batch (Dhariwal et al. 2020, section 3.1), so that none is lost for good.
 */
#ifndef PG_TRAIN_CODEBOOK_H
#define PG_TRAIN_CODEBOOK_H

#include "tensor/array.h"
#include "tensor/tensor.h"

#define PG_CODEBOOK_ARRAYS 3

typedef struct pg_codebook {
    int64_t codes, width;
    float *table;             /* [codes][width], borrowed */
    float *counts, *sums;     /* moving averages: [codes], [codes][width] */
    float *fresh;             /* of the batch: vectors that dead codes may begin again as, one for each */
    double *seen, *seen_sums; /* of the batch: [codes], [codes][width] */
    int64_t rows;             /* of the batch, that were noted */
    bool *used;               /* [codes]: since pg_codebook_watch */
} pg_codebook;

/* `trained`: the table is worth keeping; else every code begins as a vector of the first batch. */
pg_status pg_codebook_new(pg_codebook **out, const pg_parameter *table, bool trained);
void pg_codebook_free(pg_codebook *codebook); /* NULL is allowed */

/* Notes a part of a batch of `total` vectors: x [rows][width], and their codes. Which vectors may revive codes follows
 * from seed and step. */
void pg_codebook_note(pg_codebook *codebook, const pg_tensor *x, const int32_t *codes, int64_t total, uint64_t seed,
                      uint64_t step);

/* Ends a batch: moves the table by what was noted. How many codes began again. */
int64_t pg_codebook_step(pg_codebook *codebook);

/* Marks codes as used from here on, and how many are. */
void pg_codebook_watch(pg_codebook *codebook);
void pg_codebook_see(pg_codebook *codebook, const int32_t *codes, int64_t count);
int64_t pg_codebook_used(const pg_codebook *codebook);

/* What a run must keep: the table and its averages. */
void pg_codebook_state(pg_array out[PG_CODEBOOK_ARRAYS], const pg_codebook *codebook);

#endif
