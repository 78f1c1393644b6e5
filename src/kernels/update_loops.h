/*
 * The loops of a training step: what an optimizer does to `n` values that lie one after another. Every value is treated
 * alike wherever it lies, so arrays may be cut anywhere (adam8: at multiples of PG_UPDATE_BLOCK).
 */
#ifndef PG_KERNELS_UPDATE_LOOPS_H
#define PG_KERNELS_UPDATE_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

#define PG_UPDATE_BLOCK 256 /* values that share the scales of their 8-bit moments */

#define PG_UPDATE_PIECE 32768 /* values that are worked on together; a multiple of PG_UPDATE_BLOCK */

#define PG_FACTORED_SMALLEST 1e-30 /* Adafactor adds it to squares */
#define PG_MUON_SMALLEST     1e-7  /* Muon divides by lengths of at least this */

/* One array [rows][width], its derivatives, and what an optimizer remembers of it: only what the step at hand names
 * must be there. */
typedef struct pg_update {
    float *values;
    const float *grad;
    int64_t rows, width;
    bool decay;      /* weight decay is for this array too */
    float *m, *v;    /* moments; SGD's velocity and Muon's momentum are m */
    int8_t *m_codes; /* the same in 8 bits, with pg_update_scales() scales */
    uint8_t *v_codes;
    float *scales;
    float *row_squares;    /* [rows], Adafactor */
    float *column_squares; /* [width] */
    float *average;        /* of the values over time */
} pg_update;

/* `count` values of an array from `first` on, a multiple of PG_UPDATE_BLOCK. */
typedef struct pg_update_piece {
    int64_t update; /* which array */
    int64_t first, count;
} pg_update_piece;

/* How many pieces so many values have. */
static inline int64_t pg_update_pieces(int64_t values)
{
    return (values + PG_UPDATE_PIECE - 1) / PG_UPDATE_PIECE;
}

/* AdamW (Loshchilov and Hutter 2019): g = grad * grad_scale; m += new1 (g - m); v = old2 v + new2 g g;
 * value = keep * value - rate * m / (correction * sqrt(v) + epsilon). */
typedef struct pg_adam_step {
    float grad_scale;
    float new1, old2, new2; /* 1 - beta1, beta2, 1 - beta2 */
    float keep;             /* 1 - learning rate * decay */
    float rate;             /* learning rate / (1 - beta1^t) */
    float correction;       /* 1 / sqrt(1 - beta2^t) */
    float epsilon;
} pg_adam_step;

/* d = grad * grad_scale + decay * value; velocity = momentum * velocity + d; value -= rate * velocity. */
typedef struct pg_sgd_step {
    float grad_scale, decay, momentum, rate;
} pg_sgd_step;

typedef struct pg_update_kernels {
    /* Sum of (x * factor)^2 in double; factor NULL: ones. */
    double (*squares)(const float *x, const float *factor, int64_t n);
    void (*add_squares)(double *sums, const float *x, int64_t n); /* sums[i] += x[i]^2 */
    void (*adam)(float *values, float *m, float *v, const float *grad, int64_t n, const pg_adam_step *step);

    /* One block, n <= PG_UPDATE_BLOCK, whose moments are kept in a byte each: m = scales[0] * sign * (code / 127)^2,
     * v = scales[1] * (code / 255)^4. Codes are rounded up or down at random, so that their mean is right; the random
     * numbers are a function of `seed` and the place in the block. */
    void (*adam8)(float *values, int8_t *m, uint8_t *v, float *scales, const float *grad, int64_t n,
                  const pg_adam_step *step, uint32_t seed);

    /* velocity NULL: plain descent, momentum says nothing. */
    void (*sgd)(float *values, float *velocity, const float *grad, int64_t n, const pg_sgd_step *step);

    /* value = keep * value - rate * factor[i] * grad[i] */
    void (*factored)(float *values, const float *grad, const float *factor, int64_t n, float keep, float rate);

    void (*blend)(float *average, const float *x, int64_t n, float share); /* average += share * (x - average) */
} pg_update_kernels;

/* The random number of place i in a block: its upper half decides about m, its lower half about v. */
PG_RANDOM uint32_t pg_update_random(uint32_t seed, uint32_t i)
{
    uint32_t x = seed + i * 0x9e3779b9u;
    x = (x ^ x >> 16) * 0x85ebca6bu; /* the finaliser of MurmurHash3 */
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return x ^ x >> 16;
}

#endif
