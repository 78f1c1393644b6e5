/* Stored numbers as floats, or as bf16 for the products. */
#include "kernels/cuda/cuda_fragments.h"
#include "kernels/cuda/cuda_products.h"

#define BLOCK 256
#define EACH  4

/* Four values at i, which lies at a multiple of four of them. */
static __device__ inline float4 four_values(const void *values, pg_dtype dtype, int64_t i)
{
    if (dtype == PG_F32)
        return *reinterpret_cast<const float4 *>(static_cast<const float *>(values) + i);
    uint2 two = *reinterpret_cast<const uint2 *>(static_cast<const uint16_t *>(values) + i);
    uint16_t h[4] = {static_cast<uint16_t>(two.x), static_cast<uint16_t>(two.x >> 16), static_cast<uint16_t>(two.y),
                     static_cast<uint16_t>(two.y >> 16)};
    return dtype == PG_BF16
               ? make_float4(float_of_bf16(h[0]), float_of_bf16(h[1]), float_of_bf16(h[2]), float_of_bf16(h[3]))
               : make_float4(float_of_f16(h[0]), float_of_f16(h[1]), float_of_f16(h[2]), float_of_f16(h[3]));
}

static __device__ inline void store_four(float *out, float4 v)
{
    *reinterpret_cast<float4 *>(out) = v;
}

static __device__ inline void store_four(uint16_t *out, float4 v)
{
    *reinterpret_cast<uint2 *>(out) = {pack_bf16(v.x, v.y), pack_bf16(v.z, v.w)};
}

static __device__ inline void store_one(float *out, float v)
{
    *out = v;
}

static __device__ inline void store_one(uint16_t *out, float v)
{
    *out = bf16_of_float(v);
}

/* What a thread of a block writes: four values, or the last ones. */
template <typename T> struct widening {
    T *out;
    const void *values;
    pg_dtype dtype;
    int64_t count;
    bool aligned;
};

template <typename T> static __device__ inline void widen_four(const widening<T> &w, int64_t block)
{
    int64_t i = (block * BLOCK + threadIdx.x) * EACH;
    if (w.aligned && i + EACH <= w.count)
        store_four(w.out + i, four_values(w.values, w.dtype, i));
    else
        for (int64_t end = min(i + EACH, w.count); i < end; i++)
            store_one(w.out + i, load_value(w.values, w.dtype, i));
}

template <typename T> __global__ void widen_kernel(widening<T> w)
{
    widen_four(w, blockIdx.x);
}

/* The first `blocks` blocks take x, the others the bias. */
__global__ void widen_both_kernel(widening<uint16_t> x, widening<float> bias, int64_t blocks)
{
    if (blockIdx.x < blocks)
        widen_four(x, blockIdx.x);
    else
        widen_four(bias, blockIdx.x - blocks);
}

template <typename T> static widening<T> widening_of(void *out, const void *values, pg_dtype dtype, int64_t count)
{
    bool aligned = is_aligned(values, EACH * (dtype == PG_F32 ? 4 : 2)) && is_aligned(out, EACH * sizeof(T));
    return {static_cast<T *>(out), values, dtype, count, aligned};
}

static int64_t blocks_of(int64_t count)
{
    return blocks_for(count, static_cast<int64_t>(BLOCK) * EACH);
}

template <typename T> static void launch(pg_device *device, widening<T> w)
{
    PG_LAUNCH(device, widen_kernel<T>, dim3(blocks_of(w.count)), dim3(BLOCK), 0, w);
}

void widen_values(pg_device *device, void *out, bool to_bf16, const void *values, pg_dtype dtype, int64_t count)
{
    if (to_bf16)
        launch(device, widening_of<uint16_t>(out, values, dtype, count));
    else
        launch(device, widening_of<float>(out, values, dtype, count));
}

void widen_with_bias(pg_device *device, void *out, const float *x, int64_t count, void *bias_out,
                     const pg_device_matrix *bias)
{
    int64_t blocks = blocks_of(count);
    PG_LAUNCH(device, widen_both_kernel, dim3(blocks + blocks_of(bias->width)), dim3(BLOCK), 0,
              widening_of<uint16_t>(out, x, PG_F32, count),
              widening_of<float>(bias_out, bias->data, bias->dtype, bias->width), blocks);
}

/* ---------------------------------------------------------------- quantised */

/* Inputs 16 * step .. of a row as floats; those behind the last one are zeros or padding. */
static __device__ inline void sixteen_values(float v[PG_QUANTIZED_STEP], const pg_quantized *w, int block_bits,
                                             int64_t row, int64_t step)
{
    int64_t group = row / 16, input = step * 16, blocks = (w->inputs + w->block - 1) >> block_bits;
    int64_t padded = (w->inputs + 31) / 32 * 32;
    bool four_bits = w->bits == 4, high = four_bits && step % 2;
    const uint8_t *values = w->values + group * padded * 2 * w->bits + (four_bits ? step / 2 : step) * 256;
    const uint16_t *scales = static_cast<const uint16_t *>(w->scales);
    float unit = float_of_bf16(scales[(group * blocks + (input >> block_bits)) * 16 + row % 16]);
    if (four_bits) {
        int two = w->steps[(group * (padded / 32) + step / 2) * 16 + row % 16];
        unit *= static_cast<float>(high ? two >> 4 : two & 15);
    }
    for (int f = 0; f < 4; f++) {
        uint32_t four = reinterpret_cast<const uint32_t *>(values)[f * 16 + row % 16] >> (high ? 4 : 0);
        for (int i = 0; i < 4; i++) {
            int whole = static_cast<int>(four >> (8 * i) & (four_bits ? 15 : 255)) - (four_bits ? 8 : 128);
            v[4 * f + i] = static_cast<float>(whole) * unit;
        }
    }
}

#define STEPS (BLOCK / PG_QUANTIZED_ROWS) /* of a block */

/* A block takes steps of a group's rows, which lie side by side; a thread one step of a row. */
template <typename T>
__global__ void widen_quantized_kernel(T *out, pg_quantized w, int block_bits, int64_t first, int64_t rows)
{
    int64_t row = static_cast<int64_t>(blockIdx.x) * PG_QUANTIZED_ROWS + threadIdx.x % PG_QUANTIZED_ROWS;
    int64_t step = blockIdx.y * STEPS + threadIdx.x / PG_QUANTIZED_ROWS, input = step * PG_QUANTIZED_STEP;
    if (row >= rows || input >= w.inputs)
        return;
    float v[PG_QUANTIZED_STEP];
    sixteen_values(v, &w, block_bits, first + row, step);
    out += row * w.inputs + input;
    if (w.inputs % PG_QUANTIZED_STEP == 0) {
#pragma unroll
        for (int i = 0; i < PG_QUANTIZED_STEP; i += 4)
            store_four(out + i, make_float4(v[i], v[i + 1], v[i + 2], v[i + 3]));
        return;
    }
#pragma unroll
    for (int i = 0; i < PG_QUANTIZED_STEP; i++)
        if (input + i < w.inputs)
            store_one(out + i, v[i]);
}

void widen_quantized(pg_device *device, void *out, bool to_bf16, const pg_quantized *w, int64_t first, int64_t rows)
{
    int64_t steps = blocks_for(w->inputs, PG_QUANTIZED_STEP);
    dim3 grid(blocks_for(rows, PG_QUANTIZED_ROWS), blocks_for(steps, STEPS));
    int bits = bits_of_block(w);
    if (to_bf16)
        PG_LAUNCH(device, widen_quantized_kernel<uint16_t>, grid, dim3(BLOCK), 0, static_cast<uint16_t *>(out), *w,
                  bits, first, rows);
    else
        PG_LAUNCH(device, widen_quantized_kernel<float>, grid, dim3(BLOCK), 0, static_cast<float *>(out), *w, bits,
                  first, rows);
}
