/*
 * Rounding matrices to 8 and 4 bits (base/quantized.h), 16 rows at a time.
 *
 *   8 bits: a block's scale is its largest |value| / 127.
 *   4 bits: scale and steps are searched for: those with the least squared error, so that large values may be cut off
 *           for the sake of the many.
 *
 * Values are rounded to the nearest, or with feedback (model/feedback.h): each takes the errors of the inputs before it
 * into account, so that not the weights but their products with typical activations change least (GPTQ, Frantar et al.
 * 2022, in the form of Chee et al. 2023, LDLQ: the two are the same). Scales and steps are those of rounding to the
 * nearest: weighing the errors of the search by the moments of the inputs gained nothing.
 */
#ifndef PG_MODEL_QUANTIZER_H
#define PG_MODEL_QUANTIZER_H

#include "base/quantized.h"

/* Where the parts of some groups go. */
typedef struct pg_quantized_parts {
    uint8_t *values, *steps;
    uint16_t *scales;
} pg_quantized_parts;

/* How errors are made good within each `window` inputs. Inputs are rounded in the order that `order` gives; row i of
 * factors[k], [window][window], says how much of the error of each earlier one is to be taken from the input that is
 * the ith in window k. */
typedef struct pg_feedback {
    int64_t inputs, window;
    int64_t *order; /* [inputs]: place in the order -> input; a window's inputs stay within it */
    float **factors;
    float *pivots; /* [inputs], by place in the order: the cost of an error that nothing after it makes good */
} pg_feedback;

/* Bytes of scratch for pg_quantize_group. */
size_t pg_quantize_scratch(const pg_quantized *to);

/* Rounds the 16 rows of one group, [16][inputs]; `to` says bits, inputs and block. Rows that there are not are zeros.
 * feedback may be NULL. False if a value is not finite. */
bool pg_quantize_group(const pg_quantized_parts *out, const pg_quantized *to, const float *rows,
                       const pg_feedback *feedback, void *scratch);

/* The sum of the squares of the products of 16 rows, [16][inputs], with the activations that the feedback was made
 * from; the same scratch. */
double pg_feedback_square(const pg_feedback *feedback, const float *rows, void *scratch);

#endif
