/*
 * Rounding matrices to 8 and 4 bits (base/quantized.h), 16 rows at a time.
 *
 *   8 bits: a block's scale is its largest |value| / 127.
 *   4 bits: scale and steps are searched for: those with the least squared error, so that large values may be cut off
 *           for the sake of the many.
 *
 * Values are rounded to the nearest, or with feedback: each takes the errors of the inputs before it into account, so
 * that not the weights but their products with typical activations change least (GPTQ, Frantar et al. 2022, in the form
 * of Chee et al. 2023, LDLQ: the two are the same).
 */
#ifndef PG_MODEL_QUANTIZER_H
#define PG_MODEL_QUANTIZER_H

#include "base/quantized.h"

/* Where the parts of some groups go. */
typedef struct pg_quantized_parts {
    uint8_t *values, *steps;
    uint16_t *scales;
} pg_quantized_parts;

/* How errors are made good within each `window` inputs: row i of factors[k], [window][window], says how much of the
 * error of each earlier input of window k is to be taken from its input i. */
typedef struct pg_feedback {
    int64_t window;
    float **factors;
} pg_feedback;

/* Bytes of scratch for pg_quantize_group. */
size_t pg_quantize_scratch(const pg_quantized *to);

/* Rounds the 16 rows of one group, [16][inputs]; `to` says bits, inputs and block. Rows that there are not are zeros.
 * feedback may be NULL. False if a value is not finite. */
bool pg_quantize_group(const pg_quantized_parts *out, const pg_quantized *to, const float *rows,
                       const pg_feedback *feedback, void *scratch);

#endif
