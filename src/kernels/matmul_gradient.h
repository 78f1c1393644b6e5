/*
 * The products of a linear layer's way back, over all threads, each added to its result:
 *
 *   dx [rows, inputs]    += dout [rows, outputs] w [outputs, inputs]
 *   dw [outputs, inputs] += dout^T x
 *
 * Both are out += a b; a is read across (transposed) in the second, and b on the way there (out = x w^T + bias) where
 * rows are so many that it is faster (matmul.c). A result is summed over the inner dimension in order, whatever the
 * number of threads.
 */
#ifndef PG_KERNELS_MATMUL_GRADIENT_H
#define PG_KERNELS_MATMUL_GRADIENT_H

#include "kernels/kernels.h"

typedef struct pg_matmul_gradient {
    float *out;                    /* [rows][columns] */
    const float *a;                /* [rows][inner], or [inner][rows] */
    bool a_transposed;             /* the latter */
    const void *b;                 /* [inner][columns], or [columns][inner] */
    bool b_transposed;             /* the latter */
    pg_dtype dtype;                /* of b: F32, F16 or BF16 */
    const pg_quantized *quantized; /* this instead of b; NULL: b */
    bool fresh;                    /* out holds nothing yet: it is set, not added to */
    const float *bias;             /* [columns], added at the end; NULL: none */
    int64_t rows, inner, columns;
    pg_panel_dtype panel; /* how factors are rounded */
} pg_matmul_gradient;

/* Bytes of scratch. */
size_t pg_matmul_gradient_scratch(const pg_kernels *kernels, int threads, const pg_matmul_gradient *job);
void pg_matmul_gradient_run(const pg_kernels *kernels, int threads, const pg_matmul_gradient *job, void *scratch);

#endif
