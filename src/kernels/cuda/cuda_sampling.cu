/* What a draw among a row's logits needs to know of them: how their weights lie, and those above a bound. */
#include "kernels/cuda/cuda_losses.h"

#define BLOCK 128

static __device__ inline float scaled_logit(float logit, double temperature)
{
    return static_cast<float>(static_cast<double>(logit) / temperature);
}

/* A block for each piece. */
__global__ void weigh_kernel(pg_weighed *out, const float *logits, int64_t width, double temperature, int64_t best)
{
    __shared__ double room[WARP];
    __shared__ float tops[WARP];
    const float largest = scaled_logit(logits[best], temperature);
    const int64_t first = static_cast<int64_t>(blockIdx.x) * PG_WEIGHED_LOGITS;
    const int64_t end = min(first + PG_WEIGHED_LOGITS, width);
    double sum = 0;
    float top = -INFINITY;
    for (int64_t i = first + threadIdx.x; i < end; i += BLOCK)
        if (logits[i] > -INFINITY) {
            top = fmaxf(top, logits[i]);
            sum += exp(static_cast<double>(scaled_logit(logits[i], temperature)) - static_cast<double>(largest));
        }
    top = warp_max(top);
    if (threadIdx.x % WARP == 0)
        tops[threadIdx.x / WARP] = top;
    sum = block_sum(sum, room);
    if (threadIdx.x)
        return;
    for (int warp = 1; warp < BLOCK / WARP; warp++)
        top = fmaxf(top, tops[warp]);
    out[blockIdx.x] = {sum, top};
}

void cuda_weigh(pg_device *device, pg_weighed *out, const float *logits, int64_t width, double temperature,
                int64_t best)
{
    PG_LAUNCH(device, weigh_kernel, dim3(blocks_for(width, PG_WEIGHED_LOGITS)), dim3(BLOCK), 0, out, logits, width,
              temperature, best);
}

__global__ void list_kernel(pg_listed *out, const float *logits, int64_t width, double temperature, float least)
{
    int64_t i = static_cast<int64_t>(blockIdx.x) * BLOCK + threadIdx.x;
    if (i >= width || !(scaled_logit(logits[i], temperature) >= least))
        return;
    int place = atomicAdd(&out->count, 1);
    if (place >= PG_LISTED_MOST)
        return;
    out->ids[place] = static_cast<int32_t>(i);
    out->logits[place] = logits[i];
}

void cuda_list(pg_device *device, pg_listed *out, const float *logits, int64_t width, double temperature, float least)
{
    PG_LAUNCH(device, list_kernel, dim3(blocks_for(width, BLOCK)), dim3(BLOCK), 0, out, logits, width, temperature,
              least);
}
