/*
 * The loops. One table of functions per instruction set, all with the same meaning: reference.c says it in plain C,
 * simd_*.c is compiled once for each vector instruction set. No kernel allocates, fails, or starts threads. Weights
 * may lie at any address; other pointers have their element's alignment.
 *
 * A result depends only on its own row of the input, the weights and the table in use, never on how many rows there
 * are: that is what makes a request's answer the same alone and in company.
 */
#ifndef PG_KERNELS_H
#define PG_KERNELS_H

#include <string.h>

#include "base/quantized.h"

/* Rows of activations are packed in panels of pg_kernels.lanes rows, k by k: panel[k][lane] (f32), or panel[k /
 * 2][lane][k % 2] (bf16). Rows that a panel lacks are zero. */
typedef enum pg_panel_dtype { PG_PANEL_F32, PG_PANEL_BF16, PG_PANEL_COUNT } pg_panel_dtype;

#define PG_ATTENTION_PANELS 12 /* of pg_kernels.lanes lanes each, in a block of attention, of any instruction set */

/* One block of attention: `lanes` lanes (query rows times the query heads that share a key head) over the keys they may
 * see. Lane l is query row l / group, query head l % group. Key j of the sequence is row j of the spans laid end to
 * end. */
typedef struct pg_key_span {
    const void *keys, *values; /* first row of the span, at this key head */
    int64_t count;
} pg_key_span;

typedef struct pg_attention_block {
    const float *queries; /* row r, head h at queries[r * query_stride + h * size] */
    float *out;           /* laid out as queries */
    float *log_sums;      /* row r, head h at [r * sum_stride + h]: log of the sum of exp(scores); NULL: not wanted */
    int64_t sum_stride;
    int64_t query_stride;
    int64_t first, lanes; /* lanes first .. first + lanes - 1 of the segment, of pg_kernels.attention_panels at most */
    int64_t group, size;  /* query heads per key head; floats per head */
    const pg_key_span *spans;
    int64_t key_stride; /* elements from one key (or value) row to the next; of I8, bytes */
    pg_dtype dtype;     /* of keys and values: F32, BF16 or I8 (see `widen`) */
    int64_t past;       /* keys before those of query row 0 */
    int64_t prefix;     /* keys that every row sees; beyond, row r sees keys up to past + r */
    float scale;
    pg_panel_dtype panel; /* how queries and keys are rounded for their products */
    float *scratch;       /* pg_attention_scratch() floats of this worker */
} pg_attention_block;

/* What a panel product reads from memory meanwhile, for the next one: as many rows, as they lie in their file. */
typedef struct pg_ahead {
    const char *rows;
    int64_t stride, element; /* bytes from row to row, and of an element */
} pg_ahead;

/* Rows of activations for products in whole numbers: kernels/integer.h. */
typedef struct pg_integer_rows pg_integer_rows;
#define PG_INTEGER_GROUPS  4 /* groups of rows of the weight that one call multiplies, at most */
#define PG_INTEGER_OUTPUTS (PG_INTEGER_GROUPS * PG_QUANTIZED_ROWS)
#define PG_INTEGER_SCRATCH (PG_INTEGER_OUTPUTS * 256) /* bytes: a block of as many rows, 8 bits each */

struct pg_roofline_kernels;
struct pg_gradient_kernels;
struct pg_update_kernels;

typedef struct pg_kernels {
    const char *name;
    const struct pg_roofline_kernels *roofline; /* see roofline.h */
    const struct pg_gradient_kernels *gradient; /* see gradient.h */
    const struct pg_update_kernels *update;     /* see update_loops.h */
    int64_t lanes, lane_group;                  /* rows of a panel, and as many that products take together */
    int64_t outputs;                            /* rows of the weight that products of panels take at a time */
    int64_t attention_panels;                   /* in a block of attention, at most */
    bool bf16_products;                         /* panel_product[PG_PANEL_BF16] uses bf16 instructions */
    bool bf16_attention;                        /* with PG_PANEL_BF16, attend rounds weights and values, too */

    /* Any floating dtype (F32, F16, BF16) to f32 and back (rounding to nearest even). I8 is one head of a cached row:
     * `count` bytes -127 .. 127, then the f32 that they are to be multiplied with, at any address; it is a 127th of the
     * largest value, and NaN if a value was not finite. */
    void (*widen)(float *out, const void *in, pg_dtype dtype, int64_t count);
    void (*narrow)(void *out, pg_dtype dtype, const float *in, int64_t count);

    /* Packs k values of up to `lanes` rows of x into a panel; an odd k is made even with zeros in a bf16 panel. */
    void (*pack)(void *panel, pg_panel_dtype type, const float *x, int64_t stride, int64_t rows, int64_t k);

    /* out[r][n] = sums[n][r] + bias[n], for r < rows and n < count; bias may be NULL. Rows of sums are readable up to a
     * multiple of 16 beyond `rows`. */
    void (*unpack)(float *out, int64_t out_stride, const float *sums, int64_t sums_stride, int64_t rows, int64_t count,
                   const float *bias);

    /* c[n][lane] += sum over k of w[n][k] * panel[k][lane], for n < rows and the first `lanes` lanes (others may be
     * computed too); k >= 1, even for bf16. ahead may be NULL. */
    void (*panel_product[PG_PANEL_COUNT])(float *c, int64_t c_stride, const void *w, int64_t w_stride, int64_t rows,
                                          const void *panel, int64_t lanes, int64_t k, const pg_ahead *ahead);

    /* out[r * out_stride + n] = sum over k of x[r][k] * w[n][k], for n < w_rows and r < x_rows; w as it lies in its
     * file. */
    void (*dot_rows)(float *out, int64_t out_stride, const void *w, pg_dtype dtype, int64_t w_stride, int64_t w_rows,
                     const float *x, int64_t x_stride, int64_t x_rows, int64_t k);

    /* The same with both factors in bf16; NULL without bf16 instructions. */
    void (*dot_rows_bf16)(float *out, int64_t out_stride, const void *w, int64_t w_stride, int64_t w_rows,
                          const uint16_t *x, int64_t x_stride, int64_t x_rows, int64_t k);

    /* One block of a row for products in whole numbers: `count` values, a multiple of 32. */
    void (*quantize)(int8_t *values, float *scale, int32_t *zero8, int32_t *zeros4, const float *x, int64_t count);

    /* sums[r * PG_INTEGER_OUTPUTS + n] += product of row r of x and row 16 * group + n of w, for n < 16 * groups. */
    void (*integer_product)(float *sums, const pg_quantized *w, int64_t group, int64_t groups, const pg_integer_rows *x,
                            uint8_t *scratch);

    void (*attend)(const pg_attention_block *block);

    /* One row each. weight and bias have n values. */
    void (*rms_norm)(float *out, const float *x, const float *weight, int64_t n, float epsilon); /* x / rms * (1 + w) */
    void (*layer_norm)(float *out, const float *x, const float *weight, const float *bias, int64_t n, float epsilon);
    void (*gelu)(float *out, const float *x, int64_t n);                       /* the tanh form */
    void (*gelu_times)(float *out, const float *x, const float *y, int64_t n); /* gelu(x) * y */
    void (*add)(float *out, const float *x, const float *y, int64_t n);
    void (*scale)(float *out, const float *x, float factor, int64_t n);
    /* Rotates halves: (x[i], x[i + n/2]) by the angle whose cosine and sine are given, i < n/2. */
    void (*rotate)(float *out, const float *x, const float *cosine, const float *sine, int64_t n);
    /* log(sum of exp(x)), and the largest x in *top. */
    double (*log_sum_exp)(const float *x, int64_t n, float *top);
} pg_kernels;

/* Value `i` of stored halves: files promise no alignment. */
static inline uint16_t stored_half(const void *halves, int64_t i)
{
    uint16_t half;
    memcpy(&half, (const char *)halves + 2 * i, sizeof half);
    return half;
}

/* Floats of scratch that `attend` needs per worker for heads of this size. */
size_t pg_attention_scratch(const pg_kernels *kernels, int64_t size);

/* The best table that this CPU has, or the best up to the one that the environment variable PG_ISA names. */
const pg_kernels *pg_kernels_best(void);

/* PG_ERROR_ARGUMENT if PG_ISA is set and names no table of any CPU: then it would limit nothing. */
pg_status pg_kernels_check_limit(void);

/* Every table that this CPU can run, the reference first; NULL past the end. */
const pg_kernels *pg_kernels_at(int index);

#endif
