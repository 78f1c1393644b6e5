/* Element types: what files store and what tensors hold. */
#ifndef PG_BASE_DTYPE_H
#define PG_BASE_DTYPE_H

#include "base/status.h"

typedef enum pg_dtype {
    PG_F32,
    PG_F16,
    PG_BF16,
    PG_F64,
    PG_I8,
    PG_U8,
    PG_I32,
    PG_I64,
    PG_BOOL,
    PG_DTYPE_COUNT,
} pg_dtype;

/* Bytes of one element. */
size_t pg_dtype_size(pg_dtype dtype);

/* "F32", "BF16", ... as safetensors spells them. */
const char *pg_dtype_name(pg_dtype dtype);

/* False if there is no such type here. */
bool pg_dtype_parse(pg_dtype *out, const char *name);

/* The upper half of a float, rounded to nearest, ties to even; NaN stays NaN. */
uint16_t pg_bf16_from_float(float value);
float pg_bf16_to_float(uint16_t bits);
uint16_t pg_f16_from_float(float value);
float pg_f16_to_float(uint16_t bits);

/* `count` of them as floats, one by one: for loading and converting, where kernels are out of reach. */
void pg_dtype_widen(float *out, pg_dtype dtype, const void *stored, int64_t count);

/* The other way, to F32, F16 or BF16, rounded to nearest even. */
void pg_dtype_narrow(void *out, pg_dtype dtype, const float *values, int64_t count);

/* One stored value of F32, F16 or BF16, at any address. */
float pg_dtype_load(pg_dtype dtype, const void *stored);

#endif
