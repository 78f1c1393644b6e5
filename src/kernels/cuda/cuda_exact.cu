/*
 * A few rows of x times a weight that is read once, in f32. A warp has an output of one of the weights; a lane takes
 * four inputs of every 128, and the sums of lanes are added in a fixed order, so that a row has the same bits in any
 * company.
 */
#include "kernels/cuda/cuda_products.h"

#define WARPS 8
#define STEP  (4 * WARP) /* inputs of a warp at a time */

/* Inputs i .. i + 3 of a row; those behind the last are 0. */
static __device__ inline float4 four_or_less(const float *row, int64_t i, int64_t inputs, bool aligned)
{
    if (aligned && i + 3 < inputs)
        return __ldg(reinterpret_cast<const float4 *>(row + i));
    return make_float4(i < inputs ? row[i] : 0, i + 1 < inputs ? row[i + 1] : 0, i + 2 < inputs ? row[i + 2] : 0,
                       i + 3 < inputs ? row[i + 3] : 0);
}

/* As pg_quantized_widen has them. */
static __device__ inline float4 four_quantized(const pg_quantized &w, int64_t row, int64_t i)
{
    int64_t group = row / 16, r = row % 16, tile = i / 32, tiles = (w.inputs + 31) / 32;
    int64_t blocks = (w.inputs + w.block - 1) / w.block, half = i % 32 / 16;
    const uint32_t *fours = reinterpret_cast<const uint32_t *>(w.values + (group * tiles + tile) * 64 * w.bits);
    float unit = float_of_bf16(static_cast<const uint16_t *>(w.scales)[(group * blocks + i / w.block) * 16 + r]);
    uint32_t four = fours[(w.bits == 8 ? i % 32 / 4 : i % 16 / 4) * 16 + r];
    float v[4];
    if (w.bits == 4) {
        unit *= static_cast<float>(w.steps[(group * tiles + tile) * 16 + r] >> (half * 4) & 15);
        four >>= half * 4;
    }
    const int mask = w.bits == 8 ? 255 : 15, zero = w.bits == 8 ? 128 : 8;
    for (int k = 0; k < 4; k++)
        v[k] = static_cast<float>(static_cast<int>(four >> (8 * k) & mask) - zero) * unit;
    return make_float4(v[0], v[1], v[2], v[3]);
}

static __device__ inline float4 four_weights(const pg_device_matrix &w, int64_t row, int64_t i, bool aligned)
{
    if (w.quantized.bits)
        return four_quantized(w.quantized, row, i);
    if (w.dtype == PG_F32)
        return four_or_less(static_cast<const float *>(w.data) + row * w.width, i, w.width, aligned);
    const uint16_t *values = static_cast<const uint16_t *>(w.data) + row * w.width;
    uint2 four = {};
    if (aligned && i + 3 < w.width)
        four = __ldcs(reinterpret_cast<const uint2 *>(values + i));
    else
        four = {(i < w.width ? values[i] : 0u) | (i + 1 < w.width ? values[i + 1] : 0u) << 16,
                (i + 2 < w.width ? values[i + 2] : 0u) | (i + 3 < w.width ? values[i + 3] : 0u) << 16};
    uint16_t h[4] = {static_cast<uint16_t>(four.x), static_cast<uint16_t>(four.x >> 16), static_cast<uint16_t>(four.y),
                     static_cast<uint16_t>(four.y >> 16)};
    return w.dtype == PG_BF16
               ? make_float4(float_of_bf16(h[0]), float_of_bf16(h[1]), float_of_bf16(h[2]), float_of_bf16(h[3]))
               : make_float4(float_of_f16(h[0]), float_of_f16(h[1]), float_of_f16(h[2]), float_of_f16(h[3]));
}

static __device__ inline float add_products(float4 x, float4 w, float sum)
{
    return fmaf(x.w, w.w, fmaf(x.z, w.z, fmaf(x.y, w.y, fmaf(x.x, w.x, sum))));
}

/* A weight and its product; block `first` is the first that works at it. */
struct exact_product {
    float *out;
    pg_device_matrix w, bias;
    int64_t first;
    bool w_aligned;
};

struct exact_products {
    exact_product of[PG_DEVICE_PRODUCTS];
    int count;
};

template <int ROWS>
__global__ void exact_kernel(const __grid_constant__ exact_products all, const float *x, int64_t rows, bool x_aligned)
{
    int which = 0;
    while (which + 1 < all.count && blockIdx.x >= all.of[which + 1].first)
        which++;
    const exact_product &product = all.of[which];
    const pg_device_matrix &w = product.w, &bias = product.bias;
    int64_t output = (blockIdx.x - product.first) * WARPS + threadIdx.x / WARP, inputs = w.width;
    if (output >= w.rows)
        return;
    float sums[ROWS] = {};
#pragma unroll 4
    for (int64_t i = threadIdx.x % WARP * 4; i < inputs; i += STEP) {
        float4 weights = four_weights(w, output, i, product.w_aligned);
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            if (r < rows)
                sums[r] = add_products(four_or_less(x + r * inputs, i, inputs, x_aligned), weights, sums[r]);
    }
    float b = bias.data ? load_value(bias.data, bias.dtype, output) : 0;
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        float sum = warp_sum(sums[r]);
        if (r < rows && threadIdx.x % WARP == 0)
            product.out[r * w.rows + output] = sum + b;
    }
}

void exact_multiply(pg_device *device, const pg_device_product *products, int count, const float *x, int64_t rows)
{
    exact_products all = {};
    int64_t blocks = 0, width = products->w->width;
    all.count = count;
    for (int i = 0; i < count; i++) {
        const pg_device_matrix *w = products[i].w;
        bool w_aligned = width % 4 == 0 && is_aligned(w->data);
        pg_device_matrix none = {};
        all.of[i] = {products[i].out, *w, products[i].bias ? *products[i].bias : none, blocks, w_aligned};
        blocks += blocks_for(w->rows, WARPS);
    }
    bool x_aligned = width % 4 == 0 && is_aligned(x);
    auto kernel = rows == 1 ? exact_kernel<1> : rows == 2 ? exact_kernel<2> : exact_kernel<EXACT_ROWS>;
    PG_LAUNCH(device, kernel, dim3(blocks), dim3(WARPS * WARP), 0, all, x, rows, x_aligned);
}
