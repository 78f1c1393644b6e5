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

template <typename T>
__global__ void widen_kernel(T *out, const void *values, pg_dtype dtype, int64_t count, bool aligned)
{
    int64_t i = (static_cast<int64_t>(blockIdx.x) * BLOCK + threadIdx.x) * EACH;
    if (aligned && i + EACH <= count)
        store_four(out + i, four_values(values, dtype, i));
    else
        for (int64_t end = min(i + EACH, count); i < end; i++)
            store_one(out + i, load_value(values, dtype, i));
}

static bool is_aligned(const void *pointer, size_t bytes)
{
    return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

void widen_values(pg_device *device, void *out, bool to_bf16, const void *values, pg_dtype dtype, int64_t count)
{
    bool aligned = is_aligned(values, EACH * (dtype == PG_F32 ? 4 : 2)) && is_aligned(out, EACH * (to_bf16 ? 2 : 4));
    dim3 grid(blocks_for(count, static_cast<int64_t>(BLOCK) * EACH));
    if (to_bf16)
        PG_LAUNCH(device, widen_kernel<uint16_t>, grid, dim3(BLOCK), 0, static_cast<uint16_t *>(out), values, dtype,
                  count, aligned);
    else
        PG_LAUNCH(device, widen_kernel<float>, grid, dim3(BLOCK), 0, static_cast<float *>(out), values, dtype, count,
                  aligned);
}

/* ---------------------------------------------------------------- quantised */

/* Inputs 16 * step .. of a row as floats; those behind the last one are zeros or padding. */
static __device__ inline void sixteen_values(float v[PG_QUANTIZED_STEP], const pg_quantized *w, int64_t row,
                                             int64_t step)
{
    int64_t group = row / 16, input = step * 16, blocks = (w->inputs + w->block - 1) / w->block;
    int64_t padded = (w->inputs + 31) / 32 * 32;
    bool four_bits = w->bits == 4, high = four_bits && step % 2;
    const uint8_t *values = w->values + group * padded * 2 * w->bits + (four_bits ? step / 2 : step) * 256;
    const uint16_t *scales = static_cast<const uint16_t *>(w->scales);
    float unit = float_of_bf16(scales[(group * blocks + input / w->block) * 16 + row % 16]);
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

/* A thread takes a step of a row; neighbours are the rows of a group, which lie side by side. */
template <typename T>
__global__ void widen_quantized_kernel(T *out, pg_quantized w, int64_t first, int64_t rows, int64_t steps)
{
    int64_t id = static_cast<int64_t>(blockIdx.x) * BLOCK + threadIdx.x, step = id / 16 % steps;
    int64_t row = id / (16 * steps) * 16 + id % 16, input = step * PG_QUANTIZED_STEP;
    if (row >= rows)
        return;
    float v[PG_QUANTIZED_STEP];
    sixteen_values(v, &w, first + row, step);
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
    int64_t steps = blocks_for(w->inputs, PG_QUANTIZED_STEP), groups = blocks_for(rows, PG_QUANTIZED_ROWS);
    dim3 grid(blocks_for(groups * PG_QUANTIZED_ROWS * steps, BLOCK));
    if (to_bf16)
        PG_LAUNCH(device, widen_quantized_kernel<uint16_t>, grid, dim3(BLOCK), 0, static_cast<uint16_t *>(out), *w,
                  first, rows, steps);
    else
        PG_LAUNCH(device, widen_quantized_kernel<float>, grid, dim3(BLOCK), 0, static_cast<float *>(out), *w, first,
                  rows, steps);
}
