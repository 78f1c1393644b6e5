/* The device itself: memory, copies, its stream. */
#include "kernels/cuda/cuda_device.h"

#include <stdio.h>
#include <string.h>

#include "kernels/cuda/cuda_blaslt.h"
#include "kernels/cuda/cuda_copies.h"
#include "kernels/cuda/cuda_recording.h"

extern "C" {
#include "base/memory.h"
}

static const pg_device_kernels cuda_kernels = {&cuda_products, &cuda_rows, &cuda_attention, &cuda_losses, &cuda_update};

bool cuda_check(pg_device *device, cudaError_t error, const char *what)
{
    if (error != cudaSuccess)
        pg_device_fail(device, error == cudaErrorMemoryAllocation ? PG_ERROR_MEMORY : PG_ERROR_DEVICE, "%s: %s", what,
                       cudaGetErrorString(error));
    return error == cudaSuccess;
}

void cuda_here(pg_device *device)
{
    static thread_local int current = -1;
    if (current != cuda_of(device)->number)
        cuda_check(device, cudaSetDevice(current = cuda_of(device)->number), "use");
}

/* ---------------------------------------------------------------- memory */

static void *cuda_alloc(pg_device *device, size_t bytes)
{
    void *memory = NULL;
    cuda_here(device);
    if (cuda_refuses(device, "memory")) {
        pg_fail(PG_ERROR_UNSUPPORTED, "%s: work is being recorded, no memory can be had", device->name);
        return NULL;
    }
    if (cudaMalloc(&memory, bytes) == cudaSuccess)
        return memory;
    cudaGetLastError(); /* a size that could not be had is no failure of the device */
    size_t left = 0, all = 0;
    cudaMemGetInfo(&left, &all);
    pg_fail(PG_ERROR_MEMORY, "%s: %zu MiB wanted, %zu of %zu MiB are free", device->name, bytes >> 20, left >> 20,
            all >> 20);
    return NULL;
}

/* cudaFree waits for everything that may use the memory. */
static void cuda_release(pg_device *device, void *memory)
{
    cuda_here(device);
    cuda_refuses(device, "free");
    cuda_check(device, cudaFree(memory), "free");
}

void *cuda_workspace(pg_device *device, size_t bytes)
{
    cuda_device *cuda = cuda_of(device);
    if (bytes <= cuda->workspace_bytes)
        return cuda->workspace;
    if (cuda_refuses(device, "scratch memory"))
        return NULL;
    if (cuda->workspace)
        cuda_release(device, cuda->workspace);
    cuda->workspace = cuda_alloc(device, bytes);
    cuda->workspace_bytes = cuda->workspace ? bytes : 0;
    if (!cuda->workspace)
        pg_device_fail(device, PG_ERROR_MEMORY, "%zu MiB of scratch memory cannot be had", bytes >> 20);
    return cuda->workspace;
}

/* ---------------------------------------------------------------- on the device */

static void copy_apart(pg_device *device, char *to, const char *from, size_t bytes)
{
    cuda_here(device);
    if (device->status == PG_OK && bytes)
        cuda_check(device, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda_of(device)->stream), "copy");
}

/* Memory that overlaps goes in pieces as long as the two are apart, from the side that nobody needs any more. */
static void cuda_move(pg_device *device, void *to_memory, const void *from_memory, size_t bytes)
{
    char *to = static_cast<char *>(to_memory);
    const char *from = static_cast<const char *>(from_memory);
    size_t apart = to < from ? (size_t)(from - to) : (size_t)(to - from);
    if (apart == 0)
        return;
    for (size_t done = 0; done < bytes; done += apart) {
        size_t piece = bytes - done < apart ? bytes - done : apart;
        size_t at = to < from ? done : bytes - done - piece;
        copy_apart(device, to + at, from + at, piece);
    }
}

static void cuda_clear(pg_device *device, void *memory, size_t bytes)
{
    cuda_here(device);
    if (device->status == PG_OK && bytes)
        cuda_check(device, cudaMemsetAsync(memory, 0, bytes, cuda_of(device)->stream), "clear");
}

/* ---------------------------------------------------------------- open and close */

static void cuda_close(pg_device *device)
{
    cuda_device *cuda = cuda_of(device);
    cuda_here(device);
    cuda_copies_close(cuda);
    if (cuda->workspace)
        cudaFree(cuda->workspace);
    if (cuda->counters)
        cudaFree(cuda->counters);
    blaslt_close(cuda);
    if (cuda->stream)
        cudaStreamDestroy(cuda->stream);
    pg_free(cuda);
}

static const pg_device_calls cuda_calls = {cuda_alloc,  cuda_release,    cuda_upload, cuda_download,
                                           cuda_move,   cuda_clear,      cuda_wait,   cuda_close,
                                           cuda_record, cuda_end_record, cuda_replay, cuda_forget};

static int describe(char *out, size_t size, const cudaDeviceProp *properties)
{
    return snprintf(out, size, "%.64s, %zu GiB", properties->name, properties->totalGlobalMem >> 30);
}

void pg_cuda_list(char *out, size_t size)
{
    int count = 0;
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess || count == 0)
        snprintf(out, size, " (CUDA: %s)", error == cudaSuccess ? "no GPU" : cudaGetErrorString(error));
    cudaGetLastError();
    for (int i = 0; i < count && size > 0; i++) {
        cudaDeviceProp properties = {};
        char text[128];
        cudaGetDeviceProperties(&properties, i);
        describe(text, sizeof text, &properties);
        size_t length = static_cast<size_t>(snprintf(out, size, ", cuda:%d (%s)", i, text));
        out += length < size ? length : size;
        size -= length < size ? length : size;
    }
}

static pg_status start(cuda_device *cuda, int number)
{
    pg_device *device = &cuda->device;
    cudaDeviceProp properties;
    cudaError_t error = cudaGetDeviceProperties(&properties, number);
    if (error != cudaSuccess)
        return pg_fail(PG_ERROR_UNSUPPORTED, "cuda:%d: %s; `paligemma --version` names the devices that there are",
                       number, cudaGetErrorString(error));
    if (properties.major < 8)
        return pg_fail(PG_ERROR_UNSUPPORTED, "cuda:%d: %s has compute capability %d.%d, expected 8.0 or later", number,
                       properties.name, properties.major, properties.minor);
    cuda->number = number;
    cuda->processors = properties.multiProcessorCount;
    device->calls = &cuda_calls;
    device->kernels = &cuda_kernels;
    snprintf(device->name, sizeof device->name, "cuda:%d", number);
    describe(device->description, sizeof device->description, &properties);
    cuda_here(device);
    if (device->status != PG_OK ||
        !cuda_check(device, cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking), "stream"))
        return pg_device_wait(device);
    const size_t counters = CUDA_COUNTERS * sizeof *cuda->counters;
    if (!cuda_check(device, cudaMalloc(reinterpret_cast<void **>(&cuda->counters), counters), "counters"))
        return pg_device_wait(device);
    cuda_clear(device, cuda->counters, counters);
    return blaslt_open(cuda);
}

pg_status pg_cuda_open(pg_device **out, int number)
{
    cuda_device *cuda = static_cast<cuda_device *>(pg_alloc(1, sizeof *cuda));
    if (!cuda)
        return PG_ERROR_MEMORY;
    pg_status status = start(cuda, number);
    if (status == PG_OK)
        *out = &cuda->device;
    else
        cuda_close(&cuda->device);
    return status;
}
