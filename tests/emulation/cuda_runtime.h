/*
 * CUDA on the host, for tests: the part of the language and of its runtime that src/kernels/cuda uses. Every thread of
 * a block is a fiber; blocks run one after another. Memory of the "device" may be touched by kernels and copies only:
 * anybody else who does ends the program, and so does a barrier that not all threads reach. A stream that is captured
 * keeps kernels with copies of their arguments, and copies within the device; it declines what a GPU declines then.
 */
#ifndef PG_TESTS_EMULATION_CUDA_RUNTIME_H
#define PG_TESTS_EMULATION_CUDA_RUNTIME_H

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <vector>

#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__      static /* blocks take turns */
#define __align__(n)    alignas(n)
#define __launch_bounds__(...)
#define __restrict__
#define __grid_constant__

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    dim3(int64_t x = 1, int64_t y = 1, int64_t z = 1)
        : x(static_cast<unsigned>(x)), y(static_cast<unsigned>(y)), z(static_cast<unsigned>(z))
    {
    }
};

struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
static inline float4 make_float4(float x, float y, float z, float w)
{
    return {x, y, z, w};
}
static inline float2 make_float2(float x, float y)
{
    return {x, y};
}

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

/* ---------------------------------------------------------------- threads */

typedef struct emulated_stream *cudaStream_t;

/* Does the work, or keeps it if the stream is captured. */
void emulate_do(cudaStream_t stream, const std::function<void()> &work);

/* Runs the kernel for every thread of every block. */
void emulate_launch(dim3 grid, dim3 block, size_t shared, const std::function<void()> &kernel);

/* A launch in a stream: its arguments are what they are now, whenever it is done. */
template <typename... P, typename... A>
static inline void emulate_kernel(cudaStream_t stream, dim3 grid, dim3 block, size_t shared, void (*kernel)(P...),
                                  A &&...given)
{
    std::tuple<P...> arguments(std::forward<A>(given)...);
    emulate_do(stream, [=] { emulate_launch(grid, block, shared, [&] { std::apply(kernel, arguments); }); });
}

void *emulate_shared();

void emulate_block_barrier();
void emulate_warp_barrier();

/* `bytes` of room that the threads of this warp have together, one piece for each lane. */
void *emulate_warp_room(size_t bytes, unsigned lane);

static inline void __syncthreads()
{
    emulate_block_barrier();
}

static inline void __syncwarp(unsigned = 0xffffffff)
{
    emulate_warp_barrier();
}

static inline unsigned emulate_thread()
{
    return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
}

/* The value that lane `from` of this thread's warp gives. */
template <typename T> static inline T emulate_exchange(T value, unsigned from)
{
    memcpy(emulate_warp_room(sizeof value, emulate_thread() % 32), &value, sizeof value);
    emulate_warp_barrier();
    T result;
    memcpy(&result, emulate_warp_room(sizeof value, from), sizeof result);
    emulate_warp_barrier();
    return result;
}

template <typename T> static inline T __shfl_sync(unsigned, T value, int from, int width = 32)
{
    unsigned lane = emulate_thread() % 32;
    return emulate_exchange(value, lane / width * width + from % width);
}

template <typename T> static inline T __shfl_xor_sync(unsigned, T value, int mask, int = 32)
{
    return emulate_exchange(value, (emulate_thread() % 32) ^ mask);
}

template <typename T> static inline T __shfl_down_sync(unsigned, T value, unsigned step, int = 32)
{
    unsigned lane = emulate_thread() % 32;
    return emulate_exchange(value, lane + step < 32 ? lane + step : lane);
}

template <typename T> static inline T __shfl_up_sync(unsigned, T value, unsigned step, int = 32)
{
    unsigned lane = emulate_thread() % 32;
    return emulate_exchange(value, lane >= step ? lane - step : lane);
}

template <typename T> static inline T atomicAdd(T *to, T value)
{
    T before = *to;
    *to += value;
    return before;
}

template <typename T> static inline T __ldg(const T *p)
{
    return *p;
}

/* Loads that say how long what they read may stay in a cache. */
template <typename T> static inline T __ldcs(const T *p)
{
    return *p;
}

template <typename T> static inline T __ldcg(const T *p)
{
    return *p;
}

static inline void __threadfence()
{
}

using std::isnan;
using std::max;
using std::min;

#define __expf expf
#define __logf logf

static inline float rsqrtf(float x)
{
    return 1 / sqrtf(x);
}

/* ---------------------------------------------------------------- the runtime */

typedef enum cudaError {
    cudaSuccess,
    cudaErrorMemoryAllocation,
    cudaErrorInvalidValue,
    cudaErrorStreamCaptureUnsupported
} cudaError_t;
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaStreamNonBlocking = 1 };

struct cudaDeviceProp {
    char name[256];
    int major, minor, multiProcessorCount;
    size_t totalGlobalMem;
};

cudaError_t cudaMalloc(void **out, size_t bytes);
cudaError_t cudaFree(void *memory);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaGetDeviceCount(int *out);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int number);
cudaError_t cudaMemGetInfo(size_t *left, size_t *all);
const char *cudaGetErrorString(cudaError_t error);

static inline cudaError_t cudaSetDevice(int)
{
    return cudaSuccess;
}
static inline cudaError_t cudaGetLastError()
{
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);

enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal };
typedef struct emulated_graph *cudaGraph_t, *cudaGraphExec_t;
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);

/* Events are always over: everything is done at once. */
typedef struct emulated_event *cudaEvent_t;
enum { cudaHostAllocDefault = 0, cudaEventDisableTiming = 2 };
cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventDestroy(cudaEvent_t event);

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
template <typename F> static inline cudaError_t cudaFuncSetAttribute(F, cudaFuncAttribute, int)
{
    return cudaSuccess;
}

/* While it lives, the host may touch the device's memory. */
struct emulate_access {
    emulate_access();
    ~emulate_access();
    emulate_access(const emulate_access &) = delete;
};

#endif
