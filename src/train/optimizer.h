/*
 * Optimizers over a list of trained tensors: AdamW, AdamW with 8-bit moments, Adafactor, SGD with momentum, Muon;
 * clipping of the whole gradient's length; an average of the weights over time. ops/update.h has the arithmetic.
 *
 * A step:
 *     norm = pg_optimizer_norm(optimizer);       before clipping; not finite where a derivative is NaN or infinite
 *     pg_optimizer_step(optimizer, rate, norm);  only with a finite norm
 *
 * Any number of threads gives the same bits. What an optimizer remembers are named arrays: a run that saves them, loads
 * them and goes on has the bits of one that did not stop.
 */
#ifndef PG_TRAIN_OPTIMIZER_H
#define PG_TRAIN_OPTIMIZER_H

#include "base/device.h"
#include "tensor/safetensors.h"

struct pg_kernels;

/* A matrix (or vector: rows = 1) that is trained: its f32 values and their derivatives, both borrowed, [rows][width],
 * where the optimizer works. */
typedef struct pg_trained {
    const char *name; /* unique */
    int64_t rows, width;
    float *values;
    float *grad;
    bool decay;  /* weight decay is for this one too */
    bool hidden; /* a matrix between layers, such as Muon is for */
} pg_trained;

typedef enum pg_optimizer_kind {
    PG_OPTIMIZER_ADAMW,     /* as torch.optim.AdamW */
    PG_OPTIMIZER_ADAMW8,    /* the same with moments of a byte each, blocks of 256 (after Dettmers et al. 2021) */
    PG_OPTIMIZER_ADAFACTOR, /* as transformers.optimization.Adafactor without beta1; a tensor of more than two
                               dimensions counts as the matrix it is stored as */
    PG_OPTIMIZER_SGD,       /* as torch.optim.SGD: decay is added to the gradient */
    PG_OPTIMIZER_MUON,      /* hidden matrices as torch.optim.Muon with adjust_lr_fn="match_rms_adamw", others as AdamW:
                               rates and decay are AdamW's */
    PG_OPTIMIZER_COUNT,
} pg_optimizer_kind;

typedef struct pg_optimizer_options {
    pg_optimizer_kind kind;
    int threads;
    pg_device *device;            /* where the optimizer works, borrowed; NULL: the host (NULL) */
    double clip;                  /* the gradient's length at most; 0: not clipped (default: 1) */
    double decay;                 /* weight decay (0) */
    double beta1, beta2, epsilon; /* AdamW: 0.9, 0.999, 1e-8 */
    double momentum;              /* SGD: 0, Muon: 0.95 */
    bool bf16;                    /* Muon: how products round their factors (false) */
    double average;               /* average = average * this + weights * (1 - this) after each step; 0: none */
    bool relative_step;           /* Adafactor: rate is multiplied by min(0.01, 1 / sqrt(step)) (false) */
    bool relative_scale;   /* Adafactor: rate is multiplied by max(0.001, root mean square of the values) (true) */
    double step_clip;      /* Adafactor: largest root mean square of a step (1) */
    double decay_exponent; /* Adafactor: squares are averaged with weight step^-this (0.8) */
    uint64_t seed;         /* of AdamW8's rounding (0) */
} pg_optimizer_options;

/* The defaults of a kind. */
void pg_optimizer_options_init(pg_optimizer_options *options, pg_optimizer_kind kind);

/* "adamw", "adamw8", "adafactor", "sgd", "muon"; false if there is no such kind. */
const char *pg_optimizer_name(pg_optimizer_kind kind);
bool pg_optimizer_parse(pg_optimizer_kind *out, const char *name);

/* Bytes that pg_optimizer_new will take for what it remembers: AdamW 8 for each value, AdamW8 2.03, Adafactor those of
 * a row and a column, SGD 4 with momentum, else 0, Muon 4 for those of hidden matrices and 8 for others, and what it
 * computes with, twice the largest; 4 more with an average. */
size_t pg_optimizer_bytes(const pg_optimizer_options *options, const pg_trained *trained, size_t count);

typedef struct pg_optimizer pg_optimizer;

/* `trained` is copied, its names too; averages begin as the values are now. An option that makes no sense is
 * PG_ERROR_ARGUMENT. */
pg_status pg_optimizer_new(pg_optimizer **out, const struct pg_kernels *kernels, const pg_trained *trained,
                           size_t count, const pg_optimizer_options *options);
void pg_optimizer_free(pg_optimizer *optimizer); /* NULL is allowed */

double pg_optimizer_norm(const pg_optimizer *optimizer);

/* Changes the values. Derivatives stay as they are. The factor of clipping is min(1, clip / (norm + 1e-6)). */
void pg_optimizer_step(pg_optimizer *optimizer, double rate, double norm);

/* Steps that were made. */
int64_t pg_optimizer_steps(const pg_optimizer *optimizer);

/* The average of trained tensor i, [rows][width], where the optimizer works; NULL where none is kept. */
const float *pg_optimizer_average(const pg_optimizer *optimizer, size_t i);

/* Everything that is remembered: "optimizer.step" (I64), then "optimizer.m.NAME" and so on. Borrowed. The data changes
 * with every step; of an optimizer on a device it is a copy, which pg_optimizer_fetch makes. */
const pg_array *pg_optimizer_state(const pg_optimizer *optimizer, size_t *count);

/* Copies what is remembered from the device, for pg_optimizer_state; nothing to do on the host. */
pg_status pg_optimizer_fetch(pg_optimizer *optimizer);

/* Takes the state from a file that holds it among other arrays. All of it must be there, with the same shapes; after a
 * failure nothing has changed. */
pg_status pg_optimizer_load(pg_optimizer *optimizer, const pg_safetensors *file, const char *path);

#endif
