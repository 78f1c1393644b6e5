/*
 * Work that is asked for at once: CUDA captures a stream as a graph. Launches of small kernels take longer than they
 * run, and those of a graph do not go through the host one by one.
 *
 * Only this thread is held to what a capture allows; other sessions go on meanwhile.
 */
#include "kernels/cuda/cuda_recording.h"

extern "C" {
#include "base/memory.h"
}

struct pg_recording {
    cudaGraphExec_t graph;
    const void *workspace; /* which it works with */
};

bool cuda_refuses(pg_device *device, const char *what)
{
    if (cuda_of(device)->records)
        pg_device_fail(device, PG_ERROR_UNSUPPORTED, "%s: this cannot be recorded", what);
    return cuda_of(device)->records;
}

bool cuda_record(pg_device *device)
{
    cuda_device *cuda = cuda_of(device);
    cuda_here(device);
    if (cuda->records)
        return false;
    cuda->records = cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess;
    cudaGetLastError();
    return cuda->records;
}

static pg_recording *keep(const cuda_device *cuda, cudaGraph_t graph)
{
    pg_recording *recording = static_cast<pg_recording *>(pg_alloc(1, sizeof *recording));
    if (!recording)
        return NULL;
    recording->workspace = cuda->workspace;
    if (cudaGraphInstantiate(&recording->graph, graph, 0) == cudaSuccess)
        return recording;
    pg_free(recording);
    return NULL;
}

/* The device was well when it began, and nothing of what failed since then has been done. */
pg_recording *cuda_end_record(pg_device *device)
{
    cuda_device *cuda = cuda_of(device);
    cudaGraph_t graph = NULL;
    cudaError_t error = cudaStreamEndCapture(cuda->stream, &graph);
    pg_recording *recording = error == cudaSuccess && device->status == PG_OK ? keep(cuda, graph) : NULL;
    if (graph)
        cudaGraphDestroy(graph);
    cudaGetLastError();
    cuda->records = false;
    device->status = PG_OK;
    return recording;
}

bool cuda_replay(pg_device *device, const pg_recording *recording)
{
    cuda_device *cuda = cuda_of(device);
    cuda_here(device);
    if (recording->workspace != cuda->workspace)
        return false;
    if (device->status == PG_OK)
        cuda_check(device, cudaGraphLaunch(recording->graph, cuda->stream), "replay");
    return true;
}

void cuda_forget(pg_device *device, pg_recording *recording)
{
    cuda_here(device);
    cuda_check(device, cudaGraphExecDestroy(recording->graph), "forget");
    pg_free(recording);
}
