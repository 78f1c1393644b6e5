/* Objectives: what a batch of rows costs, and the derivatives of that. */
#ifndef PG_TRAIN_OBJECTIVE_H
#define PG_TRAIN_OBJECTIVE_H

#include "generate/model.h"
#include "tensor/tape.h"
#include "model/classifier.h"
#include "train/settings.h"

typedef struct pg_objective {
    pg_objective_kind kind;
    const pg_model *model;
    const pg_model *other; /* dpo: the reference (NULL: `model` without its adapter); classifier: the model that reads
                              (NULL: `model` itself) */
    const pg_mask_codec *codec;   /* maskcodec, which has no `model`; */
    struct pg_codebook *codebook; /* what its codes follow */
    const pg_classifier *head;    /* classifier */
    bool pictures, texts;         /* classifier: what its rows have; */
    bool patches;                 /* a label for each patch of a picture */
    double smoothing, beta;
    int reduction;     /* PG_REDUCE_TOKENS, PG_REDUCE_EXAMPLES */
    size_t micro_rows; /* rows that are in memory at a time; 0: all */
    /* Called while a device computes a batch of which derivatives are wanted, before it is waited for; NULL: nobody. */
    void (*meanwhile)(void *user);
    void *user;
} pg_objective;

/* Sums over a batch. */
typedef struct pg_score {
    double loss;   /* that is minimised */
    double hits;   /* scored tokens (pictures, pairs, rows) that were right */
    double scored; /* of so many */
    uint64_t rows, tokens, pictures;
} pg_score;

/* Checks that the model and every kind of rows fit the objective. */
pg_status pg_objective_check(const pg_objective *objective, pg_row_kind rows);

/* The loss of a batch. With a tape in g, its derivatives are added to the gradients of trained parameters;
 * micro-batches give the derivatives of the whole batch, to rounding. `step` numbers the batch, for dropout. */
pg_status pg_objective_run(pg_score *out, pg_context *g, const pg_objective *objective, pg_sample *const *samples,
                           size_t count, uint64_t step);

#endif
