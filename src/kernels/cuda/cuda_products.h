/* What the files of the products share. */
#ifndef PG_KERNELS_CUDA_PRODUCTS_H
#define PG_KERNELS_CUDA_PRODUCTS_H

#include "kernels/cuda/cuda_common.h"

extern "C" {
#include "kernels/device_products.h"
}

/* out = a b, or out += a b: out is [rows][columns] with `out_stride` floats from row to row. a lies as [rows][inner]
 * with `a_stride`, or transposed as [inner][rows]; b as [inner][columns], or transposed as [columns][inner]. Factors
 * are both f32, or both bf16; sums are f32. */
struct product {
    float *out;
    const void *a, *b;
    int64_t rows, columns, inner, out_stride, a_stride;
    bool a_transposed, b_transposed, bf16, added;
    const float *bias; /* [columns], for every row; NULL: none */
};

/* cuda_blaslt.cu. False if the library has no way to do it. */
bool blaslt_multiply(pg_device *device, const product *p);

/* cuda_tiles.cu: the same by a plain kernel, for whatever the library declines. */
void tiles_multiply(pg_device *device, const product *p);

/* cuda_widen.cu: `count` values of a floating dtype as floats, or rounded to bf16. */
void widen_values(pg_device *device, void *out, bool to_bf16, const void *values, pg_dtype dtype, int64_t count);

/* The same for rows of a quantised matrix; `first` is a multiple of 16, and out aligned to 16 bytes. */
void widen_quantized(pg_device *device, void *out, bool to_bf16, const pg_quantized *w, int64_t first, int64_t rows);

#endif
