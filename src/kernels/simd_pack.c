/* Between rows and panels: rows of x become lanes, and lanes of sums become rows of the result, W x W at a time. */
#include "kernels/simd.h"

#define AHEAD (8 * W) /* rows are too far from each other for the processor to see what comes next */

/* block[j]: value j of W rows of x; rows and values that are not there are zero. */
static inline __attribute__((always_inline)) void load_columns(vf *block, const float *x, int64_t stride, int64_t rows,
                                                               int64_t values)
{
    for (int r = 0; r < W; r++) {
        if (r < rows)
            __builtin_prefetch(x + r * stride + AHEAD);
        block[r] = r >= rows ? (vf){0} : values >= W ? load(x + r * stride) : load_part(x + r * stride, values);
    }
    transpose(block);
}

/* W lanes of a panel. */
static void pack_lanes(float *panel, pg_panel_dtype type, const float *x, int64_t stride, int64_t rows, int64_t k)
{
    for (int64_t i = 0; i < k; i += W) {
        int64_t values = k - i < W ? k - i : W;
        vf block[W];
        if (rows >= W && values == W)
            load_columns(block, x + i, stride, W, W);
        else
            load_columns(block, x + i, stride, rows, values);
        if (type == PG_PANEL_F32)
            for (int64_t j = 0; j < values; j++)
                store(panel + (i + j) * LANES, block[j]);
        else
            for (int64_t j = 0; j < values; j += 2)
                store(panel + (i + j) / 2 * LANES, pair_bf16(block[j], block[j + 1]));
    }
}

void PG_SIMD(pack)(void *panel, pg_panel_dtype type, const float *x, int64_t stride, int64_t rows, int64_t k)
{
    for (int64_t lane = 0; lane < LANES; lane += W)
        pack_lanes((float *)panel + lane, type, lane < rows ? x + lane * stride : x, stride, rows - lane, k);
}

/* W lanes of `width` sums become as many rows of the result. */
INLINE void unpack_lanes(float *out, int64_t out_stride, const float *sums, int64_t sums_stride, int64_t rows,
                         int64_t width, vf bias, bool ask)
{
    vf block[W];
    load_columns(block, sums, sums_stride, width, W);
    for (int64_t i = 0; i < rows; i++, out += out_stride) {
        if (ask)
            __builtin_prefetch(out + W * out_stride, 1);
        if (width == W)
            store(out, block[i] + bias);
        else
            store_part(out, block[i] + bias, width);
    }
}

void PG_SIMD(unpack)(float *out, int64_t out_stride, const float *sums, int64_t sums_stride, int64_t rows,
                     int64_t count, const float *bias)
{
    for (int64_t r = 0; r < rows; r += W, out += W * out_stride, sums += W) {
        int64_t height = rows - r < W ? rows - r : W, n = 0;
        bool ask = r + 2 * W <= rows;
        for (; n + W <= count; n += W)
            unpack_lanes(out + n, out_stride, sums + n * sums_stride, sums_stride, height, W,
                         bias ? load(bias + n) : (vf){0}, ask);
        if (n < count)
            unpack_lanes(out + n, out_stride, sums + n * sums_stride, sums_stride, height, count - n,
                         bias ? load_part(bias + n, count - n) : (vf){0}, ask);
    }
}
