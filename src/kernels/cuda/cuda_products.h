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

/* cuda_plain.cu: the same by a plain kernel, for whatever the library declines. */
void plain_multiply(pg_device *device, const product *p);

/* cuda_single.cu: products of at most SINGLE_ROWS rows, in bf16, with up to PG_DEVICE_PRODUCTS weights in one launch.
 * Every row has the same bits in any company. False if weights lie in a way that it cannot read, or each in another. */
#define SINGLE_ROWS 16
bool single_multiply(pg_device *device, const pg_device_product *products, int count, const float *x, int64_t rows);

/* cuda_exact.cu: the same in f32, for at most EXACT_ROWS rows and any weights. */
#define EXACT_ROWS 8
void exact_multiply(pg_device *device, const pg_device_product *products, int count, const float *x, int64_t rows);

/* cuda_widen.cu: `count` values of a floating dtype as floats, or rounded to bf16. */
void widen_values(pg_device *device, void *out, bool to_bf16, const void *values, pg_dtype dtype, int64_t count);

/* x rounded to bf16, and a bias as floats: at once, because a launch costs what small ones take. */
void widen_with_bias(pg_device *device, void *out, const float *x, int64_t count, void *bias_out,
                     const pg_device_matrix *bias);

/* Rows of a quantised matrix as floats, or rounded to bf16; `first` is a multiple of 16, and out aligned to 16 bytes.
 */
void widen_quantized(pg_device *device, void *out, bool to_bf16, const pg_quantized *w, int64_t first, int64_t rows);

/* The block of a quantised matrix is this power of two of inputs. */
static inline int bits_of_block(const pg_quantized *w)
{
    int bits = 5;
    while (static_cast<int64_t>(1) << bits < w->block)
        bits++;
    return bits;
}

#endif
