/*
 * The loops of backward passes, a table beside pg_kernels' own: products with a left factor that lies either way, and
 * the derivative of every row loop. Unless it says otherwise a function adds to its results, because a value may be
 * used in several places. dy is the derivative of the loss with respect to what the forward loop wrote.
 */
#ifndef PG_KERNELS_GRADIENT_H
#define PG_KERNELS_GRADIENT_H

#include "kernels/kernels.h"

/* Keys and values of one span of a sequence, at one key head, and where their derivatives go. */
typedef struct pg_gradient_span {
    const float *keys, *values;
    float *dkeys, *dvalues;
    int64_t count;
} pg_gradient_span;

/* One block of attention on the way back. Lanes, keys and what they see are those of pg_attention_block; the weights of
 * the softmax are computed again from log_sums. */
typedef struct pg_attention_gradient {
    const float *queries, *dout; /* row r, head h at [r * query_stride + h * size] */
    float *dqueries;             /* the same */
    const float *log_sums;       /* row r, head h at [r * sum_stride + h]: log of the sum of exp(scores) */
    const float *shares;         /* the same: the sum over a head of dout * out */
    int64_t query_stride, sum_stride;
    int64_t rows;         /* query rows of the segment */
    int64_t first, lanes; /* attend_queries: lanes first .. first + lanes - 1; attend_keys: keys of those numbers */
    int64_t group, size;
    const pg_gradient_span *spans;
    int64_t key_stride;
    int64_t past, prefix;
    float scale;
    float *scratch; /* pg_attention_gradient_scratch() floats of this worker */
} pg_attention_gradient;

typedef struct pg_gradient_kernels {
    /* Packs k rows of b, `lanes` columns of each (at most pg_kernels.lanes; lanes that are missing become zero), into a
     * panel; an odd k is made even with zeros in a bf16 panel. */
    void (*pack_columns)(void *panel, pg_panel_dtype type, const void *b, pg_dtype dtype, int64_t stride, int64_t lanes,
                         int64_t k);

    /* c[n][lane] += sum over k of a[n * row_stride + k * k_stride] * panel[k][lane], as panel_product[PG_PANEL_F32]. */
    void (*panel_product)(float *c, int64_t c_stride, const float *a, int64_t row_stride, int64_t k_stride,
                          int64_t rows, const float *panel, int64_t lanes, int64_t k);

    /* One row each. *factor becomes 1 / rms, or 1 / deviation, and *mean the mean: what the weights' derivatives need.
     */
    void (*rms_norm)(float *dx, float *factor, const float *dy, const float *x, const float *weight, int64_t n,
                     float epsilon);
    void (*layer_norm)(float *dx, float *mean, float *factor, const float *dy, const float *x, const float *weight,
                       int64_t n, float epsilon);
    void (*gelu)(float *dx, const float *dy, const float *x, int64_t n);
    /* of gelu(x) * y */
    void (*gelu_times)(float *dx, float *dy, const float *dout, const float *x, const float *y, int64_t n);

    void (*add_scaled)(float *out, const float *x, float factor, int64_t n);                  /* += x * factor */
    void (*add_product)(float *out, const float *x, const float *y, float factor, int64_t n); /* += x * y * factor */
    void (*exp_shifted)(float *out, const float *x, float shift, float factor, int64_t n); /* = factor e^(x - shift) */

    /* The derivatives of a block of queries, and those of a block of keys and their values. */
    void (*attend_queries)(const pg_attention_gradient *block);
    void (*attend_keys)(const pg_attention_gradient *block);
} pg_gradient_kernels;

/* Floats of scratch that a worker needs for heads of this size. */
size_t pg_attention_gradient_scratch(const pg_kernels *kernels, int64_t size);

/* How many keys, from the first on, lane l of the segment sees. */
static inline int64_t pg_gradient_keys_seen(const pg_attention_gradient *block, int64_t l)
{
    int64_t causal = block->past + l / block->group + 1;
    return causal > block->prefix ? causal : block->prefix;
}

static inline int64_t pg_gradient_keys(const pg_attention_gradient *block)
{
    return block->past + block->rows;
}

/* Where query lane l has its row, and its sum. */
static inline int64_t pg_gradient_lane(const pg_attention_gradient *block, int64_t l)
{
    return l / block->group * block->query_stride + l % block->group * block->size;
}

static inline int64_t pg_gradient_sum(const pg_attention_gradient *block, int64_t l)
{
    return l / block->group * block->sum_stride + l % block->group;
}

/* The span that key j is in; *j becomes its number there. */
static inline const pg_gradient_span *pg_gradient_find(const pg_attention_gradient *block, int64_t *j)
{
    const pg_gradient_span *span = block->spans;
    for (; *j >= span->count; span++)
        *j -= span->count;
    return span;
}

#endif
