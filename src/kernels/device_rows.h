/*
 * Row by row, element by element, rows by number, positions and pooling, on a device. Matrices are [rows][width]
 * without gaps, of f32.
 *
 * A row of a result depends only on its own row of what goes in. Sums over rows (of a weight's derivative, of rows that
 * come up several times) are made in an order that only the numbers of rows and columns decide: the same bits each
 * time. `fresh`: the result of a way back is written, not added to what is there. Lists of numbers lie on the device
 * too.
 */
#ifndef PG_KERNELS_DEVICE_ROWS_H
#define PG_KERNELS_DEVICE_ROWS_H

#include "kernels/device_kernels.h"

#define PG_DEVICE_PIECES 128 /* of the rows, at most, whose sums norms make apart on their way back */

/* Floats of scratch that the way back of a norm needs. */
static inline int64_t pg_device_norm_scratch(int64_t rows, int64_t width)
{
    return 2 * rows + 2 * PG_DEVICE_PIECES * width;
}

typedef struct pg_device_rows {
    /* x / sqrt(mean(x^2) + epsilon) * (1 + w) */
    void (*rms_norm)(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                     float epsilon);
    /* dx and dw may be NULL; dw is added to. */
    void (*rms_norm_back)(pg_device *device, float *dx, bool fresh, float *dw, const float *dout, const float *x,
                          int64_t rows, const pg_device_matrix *w, float epsilon, float *scratch);

    /* (x - mean) / sqrt(variance + epsilon) * w + bias */
    void (*layer_norm)(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                       const pg_device_matrix *bias, float epsilon);
    /* dx, dw and dbias may be NULL; dw and dbias are added to. */
    void (*layer_norm_back)(pg_device *device, float *dx, bool fresh, float *dw, float *dbias, const float *dout,
                            const float *x, int64_t rows, const pg_device_matrix *w, float epsilon, float *scratch);

    /* Rows divided by their length, and dx = (dout - out (out . dout)) / |x|. */
    void (*unit_rows)(pg_device *device, float *out, const float *x, int64_t rows, int64_t width);
    void (*unit_rows_back)(pg_device *device, float *dx, bool fresh, const float *dout, const float *x,
                           const float *out, int64_t rows, int64_t width);

    /* Element by element, `count` of them. out may be one of the inputs. */
    void (*gelu)(pg_device *device, float *out, const float *x, int64_t count);
    void (*gelu_back)(pg_device *device, float *dx, bool fresh, const float *dout, const float *x, int64_t count);
    void (*relu)(pg_device *device, float *out, const float *x, int64_t count);
    void (*relu_back)(pg_device *device, float *dx, bool fresh, const float *dout, const float *x, int64_t count);
    void (*gelu_times)(pg_device *device, float *out, const float *x, const float *y, int64_t count); /* gelu(x) y */
    /* dx and dy may be NULL, or the same: dx comes first. */
    void (*gelu_times_back)(pg_device *device, float *dx, bool fresh_dx, float *dy, bool fresh_dy, const float *dout,
                            const float *x, const float *y, int64_t count);
    void (*add_scaled)(pg_device *device, float *out, const float *x, const float *y, float factor,
                       int64_t count); /* x + factor y */
    void (*pass_back)(pg_device *device, float *dx, bool fresh, const float *dout, float factor,
                      int64_t count); /* factor dout */
    /* Element i times factor if pg_random_bits(seed, stream, i) >> 11 >= least, else 0; of x, or, on the way back, of
     * dout. */
    void (*dropout)(pg_device *device, float *out, bool fresh, const float *x, float factor, uint64_t least,
                    uint64_t seed, uint64_t stream, int64_t count);

    /* Row t is row ids[t] of the table times scale: [count][table->width]. */
    void (*embed)(pg_device *device, float *out, const pg_device_matrix *table, const int32_t *ids, int64_t count,
                  float scale);
    /* out[to] += factor x[from] for every pair to << 32 | from; pairs are in ascending order. */
    void (*add_rows)(pg_device *device, float *out, const float *x, int64_t width, const int64_t *pairs, int64_t count,
                     float factor);
    /* x [all rows], with row rows[i] replaced by row i of `values`; rows are in ascending order. */
    void (*place_rows)(pg_device *device, float *out, const float *x, int64_t all, int64_t width, const int64_t *rows,
                       const float *values, int64_t count);
    /* dx has what dout has in the other rows. */
    void (*place_rows_back)(pg_device *device, float *dx, bool fresh, const float *dout, int64_t all, int64_t width,
                            const int64_t *rows, int64_t count);
    /* Row i of out is row rows[i] of x. */
    void (*take_rows)(pg_device *device, float *out, bool fresh, const float *x, int64_t width, const int64_t *rows,
                      int64_t count);
    /* x plus row t % table->rows of the table in row t; dtable is added to. */
    void (*add_positions)(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *table);
    void (*add_positions_back)(pg_device *device, float *dtable, const float *dout, int64_t rows, int64_t table_rows,
                               int64_t width);
    /* Row t of x, `heads` heads of `size` values, narrowed into row slots[t] of a cache of this dtype (pg_cache). */
    void (*store_rows)(pg_device *device, void *cache, pg_dtype dtype, const int64_t *slots, const float *x,
                       int64_t rows, int64_t heads, int64_t size);

    /* Pictures of bytes [pixels / plane][plane][3] as values [pixels / plane][3][plane]: value = levels[channel][byte].
     */
    void (*pixel_values)(pg_device *device, float *out, const uint8_t *bytes, int64_t pixels, int64_t plane,
                         const float (*levels)[256]);

    /* Pictures [][channels][side][side] as patches [rows][channels * patch * patch]. */
    void (*patches)(pg_device *device, float *out, const float *pixels, int64_t rows, int64_t channels, int64_t side,
                    int64_t patch);

    /* Cosines, then sines, of position times frequencies[i], i < size / 2: [count][size]. The frequencies are in the
     * host's memory. */
    void (*rope_angles)(pg_device *device, float *out, const int32_t *positions, const float *frequencies,
                        int64_t count, int64_t size);
    /* Every head of x turned by its row's angles, [rows][size], or on the way back dout turned back. */
    void (*rope)(pg_device *device, float *out, const float *x, const float *angles, int64_t rows, int64_t width,
                 int64_t size);
    void (*rope_back)(pg_device *device, float *dx, bool fresh, const float *dout, const float *angles, int64_t rows,
                      int64_t width, int64_t size);

    /* Row s is the sum or the mean of the rows that spans[s], {first, count}, names. */
    void (*pool_rows)(pg_device *device, float *out, const float *x, int64_t width, const int64_t (*spans)[2],
                      int64_t count, bool mean);
    void (*pool_rows_back)(pg_device *device, float *dx, bool fresh, const float *dout, int64_t rows, int64_t width,
                           const int64_t (*spans)[2], int64_t count, bool mean);

    /* `width` columns of rows that are to_width and from_width wide. */
    void (*copy_columns)(pg_device *device, float *to, int64_t to_width, bool fresh, const float *from,
                         int64_t from_width, int64_t rows, int64_t width);
} pg_device_rows;

#endif
