/* Four values at a time, and squares in double: what losses and steps of optimizers share. */
#ifndef PG_KERNELS_CUDA_VALUES_H
#define PG_KERNELS_CUDA_VALUES_H

#include "kernels/cuda/cuda_common.h"

/* Values i .. i + 3 of `count`, i being one of them; those behind the end are `filler`. */
static __device__ inline float4 load_four(const float *values, int64_t i, int64_t count, bool aligned, float filler)
{
    if (aligned && i + 4 <= count)
        return *reinterpret_cast<const float4 *>(values + i);
    float4 four = {values[i], filler, filler, filler};
    if (i + 1 < count)
        four.y = values[i + 1];
    if (i + 2 < count)
        four.z = values[i + 2];
    if (i + 3 < count)
        four.w = values[i + 3];
    return four;
}

static __device__ inline void store_four(float *values, int64_t i, int64_t count, bool aligned, float4 four)
{
    if (aligned && i + 4 <= count) {
        *reinterpret_cast<float4 *>(values + i) = four;
        return;
    }
    values[i] = four.x;
    if (i + 1 < count)
        values[i + 1] = four.y;
    if (i + 2 < count)
        values[i + 2] = four.z;
    if (i + 3 < count)
        values[i + 3] = four.w;
}

static __device__ inline double square_of(float x)
{
    return static_cast<double>(x) * static_cast<double>(x);
}

static __device__ inline double squares_of(float4 x)
{
    return (square_of(x.x) + square_of(x.y)) + (square_of(x.z) + square_of(x.w));
}

#endif
