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

void PG_SIMD(unpack)(float *out, int64_t out_stride, const float *sums, int64_t sums_stride, int64_t rows,
                     int64_t count, const float *bias)
{
    for (int64_t n = 0; n < count; n += W) {
        int64_t width = count - n < W ? count - n : W;
        vf addend = bias ? load_part(bias + n, width) : (vf){0};
        for (int64_t r = 0; r < rows; r += W) {
            int64_t height = rows - r < W ? rows - r : W;
            float *to = out + r * out_stride + n;
            vf block[W];
            load_columns(block, sums + n * sums_stride + r, sums_stride, width, W);
            for (int64_t i = 0; i < height; i++) {
                if (r + W + i < rows)
                    __builtin_prefetch(to + (W + i) * out_stride, 1);
                store_part(to + i * out_stride, bias ? block[i] + addend : block[i], width);
            }
        }
    }
}
