/*
 * What CUDA's kernels share: the device, launches, sums over warps and blocks, stored numbers.
 *
 * Kernels are launched with PG_LAUNCH, and dynamic shared memory is declared with PG_SHARED, so that the same source
 * also runs on the host, a block at a time (tests/emulation). Everything goes into one stream.
 */
#ifndef PG_KERNELS_CUDA_COMMON_H
#define PG_KERNELS_CUDA_COMMON_H

#include <cuda_runtime.h>
#include <stdint.h>

extern "C" {
#include "kernels/device_kernels.h"
}

/* A locked buffer of the host's memory, and when its contents have left it (cuda_copies.cu). */
struct cuda_stage {
    char *memory;
    cudaEvent_t left;
};
#define STAGES 2

struct cuda_device {
    pg_device device; /* first: a pg_device is one of these */
    int number;
    int processors; /* streaming multiprocessors */
    cudaStream_t stream;
    bool records;                 /* the stream is captured (cuda_recording.cu) */
    struct cuda_blaslt *products; /* cuda_blaslt.h */
    void *workspace;              /* scratch memory of the operation at hand; see cuda_workspace */
    size_t workspace_bytes;
    cuda_stage stages[STAGES];
    unsigned next_stage;
    char *landing;      /* for downloads, locked */
    unsigned *counters; /* [CUDA_COUNTERS], for blocks that meet: all are 0 between kernels */
};

#define CUDA_COUNTERS ((int64_t)1 << 16)

static inline cuda_device *cuda_of(pg_device *device)
{
    return reinterpret_cast<cuda_device *>(device);
}

/* Notes a failed call. True if it was well. */
bool cuda_check(pg_device *device, cudaError_t error, const char *what);

/* Makes the device this thread's current one: a stream's kernels and events are refused elsewhere. */
void cuda_here(pg_device *device);

/* True while the device records, which it fails with: what is about to happen cannot be recorded. */
bool cuda_refuses(pg_device *device, const char *what);

/* `bytes` of the device's memory that the next operations may use until they ask for others; NULL on failure. */
void *cuda_workspace(pg_device *device, size_t bytes);

#ifdef PG_EMULATED
#define PG_LAUNCH(device, kernel, grid, block, shared, ...)                                    \
    do {                                                                                       \
        if ((device)->status == PG_OK)                                                         \
            emulate_kernel(cuda_of(device)->stream, grid, block, shared, kernel, __VA_ARGS__); \
    } while (0)
#define PG_SHARED(type, name) type *name = static_cast<type *>(emulate_shared())
#else
#define PG_LAUNCH(device, kernel, grid, block, shared, ...)                        \
    do {                                                                           \
        if ((device)->status == PG_OK) {                                           \
            cuda_here(device);                                                     \
            kernel<<<grid, block, shared, cuda_of(device)->stream>>>(__VA_ARGS__); \
            cuda_check(device, cudaGetLastError(), #kernel);                       \
        }                                                                          \
    } while (0)
#define PG_SHARED(type, name)                                      \
    extern __shared__ __align__(16) unsigned char shared_memory[]; \
    type *name = reinterpret_cast<type *>(shared_memory)
#endif

#define WARP 32

static inline int64_t blocks_for(int64_t items, int64_t each)
{
    return (items + each - 1) / each;
}

/* True where `bytes` at a time can be loaded from there on; 16 are four floats. */
static __host__ __device__ inline bool is_aligned(const void *memory, size_t bytes = 16)
{
    return reinterpret_cast<uintptr_t>(memory) % bytes == 0;
}

/* ---------------------------------------------------------------- numbers */

static __device__ inline float float_of_bits(uint32_t bits)
{
#ifdef PG_EMULATED
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
#else
    return __uint_as_float(bits);
#endif
}

static __device__ inline uint32_t bits_of_float(float value)
{
#ifdef PG_EMULATED
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
#else
    return __float_as_uint(value);
#endif
}

static __device__ inline float float_of_bf16(uint16_t bits)
{
    return float_of_bits(static_cast<uint32_t>(bits) << 16);
}

/* To nearest, ties to even; NaN stays NaN. */
static __device__ inline uint16_t bf16_of_float(float value)
{
    uint32_t bits = bits_of_float(value);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return static_cast<uint16_t>(bits >> 16 | 0x40);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static __device__ inline float float_of_f16(uint16_t bits)
{
    uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, rest = bits & 0x7fff;
    if (rest >= 0x7c00) /* infinite, NaN */
        return float_of_bits(sign | 0x7f800000 | rest << 13);
    if (rest >= 0x400)
        return float_of_bits(sign | ((rest << 13) + 0x38000000));
    float small = static_cast<float>(rest) * 5.9604644775390625e-8f; /* 2^-24 */
    return sign ? -small : small;
}

/* Value i of a vector of a floating dtype. */
static __device__ inline float load_value(const void *data, pg_dtype dtype, int64_t i)
{
    if (dtype == PG_F32)
        return static_cast<const float *>(data)[i];
    uint16_t half = static_cast<const uint16_t *>(data)[i];
    return dtype == PG_BF16 ? float_of_bf16(half) : float_of_f16(half);
}

/* ---------------------------------------------------------------- sums */

/* Of floats, or of doubles. */
template <typename T> static __device__ inline T warp_sum(T value)
{
    for (int step = WARP / 2; step > 0; step /= 2)
        value += __shfl_xor_sync(0xffffffff, value, step);
    return value;
}

static __device__ inline float warp_max(float value)
{
    for (int step = WARP / 2; step > 0; step /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xffffffff, value, step));
    return value;
}

/* The sum over a block of whole warps, for all of its threads; `room` is shared, one value for each warp. Every thread
 * of the block must call it. */
template <typename T> static __device__ inline T block_sum(T value, T *room)
{
    value = warp_sum(value);
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        room[threadIdx.x / WARP] = value;
    __syncthreads();
    T sum = 0;
    for (unsigned warp = 0; warp < blockDim.x / WARP; warp++)
        sum += room[warp];
    return sum;
}

/* ---------------------------------------------------------------- the tables */

extern const struct pg_device_products cuda_products;
extern const struct pg_device_rows cuda_rows;
extern const struct pg_device_attention cuda_attention;
extern const struct pg_device_losses cuda_losses;
extern const struct pg_device_update cuda_update;

#endif
