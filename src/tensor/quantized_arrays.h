/* A quantised matrix in a file: the arrays "X" (values), "X_scale" and, of 4 bits, "X_step"; base/quantized.h has their
 * layout. */
#ifndef PG_TENSOR_QUANTIZED_ARRAYS_H
#define PG_TENSOR_QUANTIZED_ARRAYS_H

#include "base/quantized.h"
#include "tensor/array.h"

#define PG_QUANTIZED_ARRAYS 3
#define PG_QUANTIZED_NAME   192

typedef struct pg_quantized_arrays {
    int count; /* 2 or 3 */
    pg_array arrays[PG_QUANTIZED_ARRAYS];
    char names[PG_QUANTIZED_ARRAYS][PG_QUANTIZED_NAME];
} pg_quantized_arrays;

/* Names, dtypes, shapes and sizes of the arrays of `w` under the name X, and its data. The arrays' names point into
 * *out. */
void pg_quantized_arrays_init(pg_quantized_arrays *out, const pg_quantized *w, const char *name);

#endif
