/*
 * Quantised matrices as files store them and kernels read them.
 *
 * Rows go in groups of 16, inputs in fours: a group is [inputs / 4][16 rows][4 inputs], so that one vector holds the
 * same four inputs of several rows, and a group is one stream. Both are padded with zeros: rows to 16, inputs to 32.
 *
 *   8 bits: values [groups][inputs / 4][16][4], a byte b of which stands for b - 128; scales [groups][blocks][16],
 * bf16, one for each row and block of inputs (the last block may be shorter): value = (b - 128) * scale. 4 bits: values
 * [groups][inputs / 32][4][16][4]: the low half of a byte belongs to the first 16 of 32 inputs, the high half to the
 * last 16; steps [groups][inputs / 32][16]: the same halves of a byte are multipliers 0 .. 15 for 16 inputs each; value
 * = (half - 8) * step * scale.
 *
 * step * (half - 8) fits into a signed byte, so 4 bits are 8 bits whose values have been spelt more briefly: whatever
 * the integer kernels compute from one they compute from the other.
 */
#ifndef PG_BASE_QUANTIZED_H
#define PG_BASE_QUANTIZED_H

#include "base/dtype.h"

#define PG_QUANTIZED_ROWS   16 /* of a group */
#define PG_QUANTIZED_INPUTS 32 /* inputs are padded to a multiple of this */
#define PG_QUANTIZED_STEP   16 /* inputs that share a step */

/* A matrix [rows][inputs]; all it points to may lie at any address. */
typedef struct pg_quantized {
    int bits; /* 8 or 4; 0: the weight is not quantised */
    int64_t rows, inputs, block;
    const uint8_t *values;
    const void *scales;   /* bf16 */
    const uint8_t *steps; /* 4 bits */
} pg_quantized;

/* True for the sizes of blocks that there are: 32, 64, 128, 256. */
bool pg_quantized_block_exists(int64_t block);

static inline int64_t pg_quantized_groups(int64_t rows)
{
    return (rows + PG_QUANTIZED_ROWS - 1) / PG_QUANTIZED_ROWS;
}

static inline int64_t pg_quantized_padded(int64_t inputs)
{
    return (inputs + PG_QUANTIZED_INPUTS - 1) / PG_QUANTIZED_INPUTS * PG_QUANTIZED_INPUTS;
}

static inline int64_t pg_quantized_blocks(int64_t inputs, int64_t block)
{
    return (inputs + block - 1) / block;
}

/* Bytes of one group of values, and of one group of steps. */
static inline int64_t pg_quantized_group_bytes(const pg_quantized *w)
{
    return pg_quantized_padded(w->inputs) * PG_QUANTIZED_ROWS * w->bits / 8;
}

static inline int64_t pg_quantized_step_bytes(const pg_quantized *w)
{
    return w->bits == 4 ? pg_quantized_padded(w->inputs) / PG_QUANTIZED_INPUTS * PG_QUANTIZED_ROWS : 0;
}

/* Bytes of the whole matrix. */
int64_t pg_quantized_bytes(const pg_quantized *w);

/* Where (row, input) has its value, its step and its scale: indexes of a byte, a byte and a bf16. */
int64_t pg_quantized_place(const pg_quantized *w, int64_t row, int64_t input);
int64_t pg_quantized_step_place(const pg_quantized *w, int64_t row, int64_t input);
int64_t pg_quantized_scale_place(const pg_quantized *w, int64_t row, int64_t input);

/* The value of (row, input) as a whole number, -128 .. 127, and the scale that it is to be multiplied with. */
int pg_quantized_whole(const pg_quantized *w, int64_t row, int64_t input);
float pg_quantized_scale(const pg_quantized *w, int64_t row, int64_t input);

/* Values (row, first .. first + count - 1) as floats. */
void pg_quantized_widen(float *out, const pg_quantized *w, int64_t row, int64_t first, int64_t count);

#endif
