/*
 * Products of activations with quantised weights in whole numbers, over all threads.
 *
 * Activations are quantised too, when they are used: each row and block of inputs (the weight's blocks) to signed bytes
 * -127 .. 127 with an f32 scale. Within a block sums are exact; blocks are added in f32 in their order. So a row's
 * result is the same bits whatever the number of rows, and generated tokens, prompts and pictures share one path.
 */
#ifndef PG_KERNELS_INTEGER_H
#define PG_KERNELS_INTEGER_H

#include "kernels/kernels.h"

/* Rows of activations as integer kernels take them, block by block. Each row of the last block has only the inputs that
 * are left. */
struct pg_integer_rows {
    int64_t rows, inputs, block; /* inputs: padded */
    int8_t *values;              /* [blocks][rows][block] */
    float *scales;               /* [blocks][rows]; NaN if a value was not finite */
    int32_t *zeros8;             /* [blocks][rows]: -128 * sum of the block's values */
    int32_t *zeros4;             /* [blocks][rows][block / PG_QUANTIZED_STEP]: -8 * sum of that many values */
};

typedef struct pg_integer_matmul {
    float *out;     /* [rows][outputs] */
    const float *x; /* [rows][inputs] */
    int64_t rows;
    const pg_quantized *weights; /* [outputs][inputs] */
    const float *bias;           /* [outputs], or NULL */
} pg_integer_matmul;

/* Bytes of scratch for pg_matmul_integer. */
size_t pg_integer_scratch(int threads, const pg_integer_matmul *job);

void pg_matmul_integer(const pg_kernels *kernels, int threads, const pg_integer_matmul *job, void *scratch);

#endif
