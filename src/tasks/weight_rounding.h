/*
 * One matrix in 8 or 4 bits, on its way into a file: rounded some groups of rows at a time, each group by one thread,
 * and written as its arrays stand in the file, values first.
 */
#ifndef PG_TASKS_WEIGHT_ROUNDING_H
#define PG_TASKS_WEIGHT_ROUNDING_H

#include "model/quantizer.h"
#include "tensor/quantized_arrays.h"
#include "tensor/safetensors.h"
#include "tensor/tensor.h"

typedef struct pg_weight_rounding {
    const pg_parameter *from; /* floats, in the host's memory */
    pg_quantized to;          /* bits, rows, inputs and block */
    const pg_quantized_arrays *arrays;
    const pg_feedback *feedback; /* NULL: to the nearest */
    const pg_parameter *nearest; /* with feedback: the same matrix, rounded to the nearest, to be compared with */
    int threads;
} pg_weight_rounding;

/* Errors of products with the activations that the feedback was made from, as parts of these products: root mean
 * squares, from every eighth group where there are many. */
typedef struct pg_rounding_errors {
    double products, nearest;
} pg_rounding_errors;

/* Errors are known with feedback only; else *errors stays as it is. PG_ERROR_FORMAT for a value that is not finite. */
pg_status pg_weight_round(pg_rounding_errors *errors, pg_safetensors_writer *file, const pg_weight_rounding *rounding);

#endif
