/* Muon's momentum and direction (ops/muon.c says what they are for): a block works on a piece of one array. */
#include "kernels/cuda/cuda_update.h"
#include "kernels/cuda/cuda_values.h"

#define BLOCK 256
#define WARPS (BLOCK / WARP)

static __device__ inline float4 mixed(float4 a, float4 b, float keep, float share)
{
    return make_float4(keep * a.x + share * b.x, keep * a.y + share * b.y, keep * a.z + share * b.z,
                       keep * a.w + share * b.w);
}

__global__ void momentum_kernel(float *out, float *m, const float *grad, int64_t count, float keep, float share,
                                double *sums)
{
    __shared__ double room[WARPS];
    int64_t first = static_cast<int64_t>(blockIdx.x) * PG_UPDATE_PIECE;
    int64_t size = min(count - first, static_cast<int64_t>(PG_UPDATE_PIECE));
    bool aligned = is_aligned(out) && is_aligned(m) && is_aligned(grad);
    double sum = 0;
    out += first, m += first, grad += first;
    for (int64_t i = threadIdx.x * 4; i < size; i += BLOCK * 4) {
        float4 g = load_four(grad, i, size, aligned, 0);
        float4 momentum = mixed(load_four(m, i, size, aligned, 0), g, keep, share);
        float4 direction = mixed(momentum, g, keep, share);
        store_four(m, i, size, aligned, momentum);
        store_four(out, i, size, aligned, direction);
        sum += squares_of(direction);
    }
    sum = block_sum(sum, room);
    if (threadIdx.x == 0)
        sums[blockIdx.x] = sum;
}

/* Every block adds up all sums, in the same order. */
__global__ void shorten_kernel(float *out, int64_t count, const double *sums)
{
    __shared__ double room[WARPS];
    __shared__ float factor;
    int64_t first = static_cast<int64_t>(blockIdx.x) * PG_UPDATE_PIECE;
    int64_t size = min(count - first, static_cast<int64_t>(PG_UPDATE_PIECE));
    bool aligned = is_aligned(out);
    double sum = 0;
    for (int64_t i = threadIdx.x; i < gridDim.x; i += BLOCK)
        sum += sums[i];
    sum = block_sum(sum, room);
    if (threadIdx.x == 0)
        factor = static_cast<float>(1 / fmax(sqrt(sum), PG_MUON_SMALLEST));
    __syncthreads();
    out += first;
    for (int64_t i = threadIdx.x * 4; i < size; i += BLOCK * 4) {
        float4 x = load_four(out, i, size, aligned, 0);
        store_four(out, i, size, aligned, mixed(x, x, factor, 0));
    }
}

void cuda_direction(pg_device *device, float *out, float *m, const float *grad, int64_t count, float keep, float share,
                    double *sums)
{
    dim3 pieces(static_cast<unsigned>(pg_update_pieces(count)));
    if (count == 0)
        return;
    PG_LAUNCH(device, momentum_kernel, pieces, dim3(BLOCK), 0, out, m, grad, count, keep, share, sums);
    PG_LAUNCH(device, shorten_kernel, pieces, dim3(BLOCK), 0, out, count, sums);
}
