/*
 * A GPU reads and writes memory of the host at full speed only where its pages are locked. So large arrays, such as the
 * weights of a mapped file, go through two locked buffers: while one travels, threads fill the other. What is small and
 * waited for comes back through a locked buffer as well. Locked memory is taken when it is first needed.
 */
#include "kernels/cuda/cuda_copies.h"

#include <string.h>

extern "C" {
#include "base/threads.h"
}

#define STAGE_BYTES ((size_t)32 << 20)
#define LARGE       ((size_t)4 << 20) /* from here on staging pays */
#define LANDING     ((size_t)2 << 20) /* a row of logits, and more */
#define SLICE       ((size_t)1 << 20) /* of a buffer: a task */

/* Without locked memory the driver's own copies do, slowly. */
static char *lock_memory(char **memory, size_t bytes)
{
    void *locked = NULL;
    if (!*memory && cudaHostAlloc(&locked, bytes, cudaHostAllocDefault) == cudaSuccess)
        *memory = static_cast<char *>(locked);
    cudaGetLastError();
    return *memory;
}

static bool open_stage(cuda_stage *stage)
{
    if (!lock_memory(&stage->memory, STAGE_BYTES))
        return false;
    if (!stage->left && cudaEventCreateWithFlags(&stage->left, cudaEventDisableTiming) != cudaSuccess)
        stage->left = NULL;
    cudaGetLastError();
    return stage->left != NULL;
}

struct slices {
    char *to;
    const char *from;
    size_t bytes;
};

static void copy_slice(void *context, int64_t i, int)
{
    const slices *all = static_cast<const slices *>(context);
    size_t at = static_cast<size_t>(i) * SLICE, size = all->bytes - at < SLICE ? all->bytes - at : SLICE;
    memcpy(all->to + at, all->from + at, size);
}

/* Reading a mapped file takes longer than copying what was read. */
static void fill(char *to, const char *from, size_t bytes)
{
    slices all = {to, from, bytes};
    pg_parallel(pg_threads_default(), blocks_for(static_cast<int64_t>(bytes), SLICE), copy_slice, &all);
}

static void send(pg_device *device, void *to, const void *from, size_t bytes)
{
    cuda_check(device, cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, cuda_of(device)->stream), "upload");
}

static void upload_staged(pg_device *device, char *to, const char *from, size_t bytes)
{
    cuda_device *cuda = cuda_of(device);
    for (size_t done = 0, piece; done < bytes && device->status == PG_OK; done += piece) {
        cuda_stage *stage = &cuda->stages[cuda->next_stage++ % STAGES];
        piece = bytes - done < STAGE_BYTES ? bytes - done : STAGE_BYTES;
        cuda_check(device, cudaEventSynchronize(stage->left), "upload");
        fill(stage->memory, from + done, piece);
        send(device, to + done, stage->memory, piece);
        cuda_check(device, cudaEventRecord(stage->left, cuda->stream), "upload");
    }
}

/* Pageable memory has been read when cudaMemcpyAsync returns. */
void cuda_upload(pg_device *device, void *to, const void *from, size_t bytes)
{
    cuda_device *cuda = cuda_of(device);
    cuda_here(device);
    if (device->status != PG_OK || !bytes || cuda_refuses(device, "upload"))
        return;
    if (bytes >= LARGE && open_stage(&cuda->stages[0]) && open_stage(&cuda->stages[1]))
        upload_staged(device, static_cast<char *>(to), static_cast<const char *>(from), bytes);
    else
        send(device, to, from, bytes);
}

void cuda_wait(pg_device *device)
{
    cuda_here(device);
    if (device->status == PG_OK && !cuda_refuses(device, "wait"))
        cuda_check(device, cudaStreamSynchronize(cuda_of(device)->stream), "wait");
}

void cuda_download(pg_device *device, void *to, const void *from, size_t bytes)
{
    cuda_device *cuda = cuda_of(device);
    cuda_here(device);
    if (device->status != PG_OK || !bytes || cuda_refuses(device, "download"))
        return;
    char *landing = bytes <= LANDING ? lock_memory(&cuda->landing, LANDING) : NULL;
    void *first = landing ? landing : to;
    cuda_check(device, cudaMemcpyAsync(first, from, bytes, cudaMemcpyDeviceToHost, cuda->stream), "download");
    cuda_wait(device);
    if (landing && device->status == PG_OK)
        memcpy(to, landing, bytes);
}

void cuda_copies_close(cuda_device *cuda)
{
    for (cuda_stage &stage : cuda->stages) {
        if (stage.left)
            cudaEventDestroy(stage.left);
        if (stage.memory)
            cudaFreeHost(stage.memory);
    }
    if (cuda->landing)
        cudaFreeHost(cuda->landing);
}
