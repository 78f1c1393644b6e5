/*
 * Products of activations with a weight matrix as files store it, out = x w^T + bias, over all threads.
 *
 * Two orders of summation: panels (many rows; k in order, one sum per result) and dots (few rows; lanes along k). Which
 * one a row gets is its request's affair (a prompt's rows go through panels, a generated token's through dots), never a
 * matter of how many rows there are.
 */
#ifndef PG_KERNELS_MATMUL_H
#define PG_KERNELS_MATMUL_H

#include "kernels/kernels.h"

typedef struct pg_matmul {
    float *out;     /* [rows][outputs] */
    const float *x; /* [rows][inputs] */
    int64_t rows, outputs, inputs;
    const void *weights;  /* [outputs][inputs] */
    pg_dtype dtype;       /* F32, F16 or BF16 */
    const float *bias;    /* [outputs], or NULL */
    pg_panel_dtype panel; /* how factors are rounded */
} pg_matmul;

/* Bytes of scratch for pg_matmul_panels. */
size_t pg_matmul_scratch(const pg_kernels *kernels, int threads, const pg_matmul *job);
void pg_matmul_panels(const pg_kernels *kernels, int threads, const pg_matmul *job, void *scratch);

/* The same for pg_matmul_dots. It rounds to bf16 only where that is faster: bf16 weights, and instructions for them. */
size_t pg_matmul_dots_scratch(const pg_kernels *kernels, const pg_matmul *job);
void pg_matmul_dots(const pg_kernels *kernels, int threads, const pg_matmul *job, void *scratch);

#endif
