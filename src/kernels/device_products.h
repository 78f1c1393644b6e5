/* Products with weights on a device. bf16: factors are rounded to bf16 first (pg_context.compute), sums are in f32
 * either way. Quantised weights are widened, whatever pg_context.integers says. */
#ifndef PG_KERNELS_DEVICE_PRODUCTS_H
#define PG_KERNELS_DEVICE_PRODUCTS_H

#include "kernels/device_kernels.h"

/* out = x w^T + bias: [rows of x][w->rows]; bias may be NULL. */
typedef struct pg_device_product {
    float *out;
    const pg_device_matrix *w, *bias;
} pg_device_product;

#define PG_DEVICE_PRODUCTS 3 /* at most, of one x at a time */

typedef struct pg_device_products {
    /* `count` products of the same x. The first `single` rows are generated tokens: each of them has the same bits
     * whatever else is in the matrix, of x and of w, and whatever products come along. */
    void (*multiply)(pg_device *device, const pg_device_product *products, int count, const float *x, int64_t rows,
                     int64_t single, bool bf16);

    /* out += x w^T, by what many rows are multiplied with, however few there are. */
    void (*multiply_added)(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                           bool bf16);

    /* dx += dout w: [rows][w->width]; fresh: dx is written, not added to. dw += dout^T x: like w. Either may be NULL,
     * and with dw x too. */
    void (*multiply_back)(pg_device *device, float *dx, bool fresh, float *dw, const float *dout, const float *x,
                          int64_t rows, const pg_device_matrix *w, bool bf16);

    /* out[c] += the sum of column c of x [rows][width] */
    void (*add_columns)(pg_device *device, float *out, const float *x, int64_t rows, int64_t width);

    /* out = `count` values of a floating dtype as floats */
    void (*widen)(pg_device *device, float *out, const void *values, pg_dtype dtype, int64_t count);

    /* Place i of `to` = place numbers[i] of `from`, for places of so many bytes. */
    void (*gather)(pg_device *device, void *to, const void *from, const int64_t *numbers, int64_t count, int64_t bytes);

    /* out[r][i] = x[r][columns[i]]; out has `out_width` floats a row, x has `width`. */
    void (*pick)(pg_device *device, float *out, int64_t out_width, const float *x, int64_t rows, int64_t width,
                 const int64_t *columns, int64_t count);
} pg_device_products;

#endif
