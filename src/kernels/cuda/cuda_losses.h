/* What losses and the choice of tokens share: a row of logits in short. */
#ifndef PG_KERNELS_CUDA_LOSSES_H
#define PG_KERNELS_CUDA_LOSSES_H

#include <limits.h>

#include "kernels/cuda/cuda_values.h"

extern "C" {
#include "kernels/device_losses.h"
}

/* The first of the largest values, NaN left out (-INFINITY at INT_MAX: none is larger than that), and the sum of
 * exp(x - top) over all, which NaN makes NaN. */
typedef struct row_part {
    float top;
    int place;
    double sum;
} row_part;

static __device__ inline bool is_better(float top, int place, float other, int other_place)
{
    return top > other || (top == other && place < other_place);
}

/* What becomes of a sum when its top is another one. */
static __device__ inline double shifted_sum(const row_part &part, float top)
{
    return part.top == top ? part.sum : part.sum * exp(static_cast<double>(part.top - top));
}

static __device__ inline void raise_top(row_part *part, float x, int place)
{
    if (x > part->top) {
        part->top = x;
        part->place = place;
    }
}

/* Values i .. i + 3 into what a thread has; its sum is in double, those of four in float. */
static __device__ inline void add_four(row_part *part, float4 x, int i)
{
    row_part before = *part;
    raise_top(part, x.x, i);
    raise_top(part, x.y, i + 1);
    raise_top(part, x.z, i + 2);
    raise_top(part, x.w, i + 3);
    float top = part->top == -INFINITY ? 0 : part->top;
    float sum = (expf(x.x - top) + expf(x.y - top)) + (expf(x.z - top) + expf(x.w - top));
    part->sum = shifted_sum(before, part->top) + static_cast<double>(sum);
}

/* Values first .. first + count - 1 of a row, seen by a block together; all of its threads know them in the end. */
static __device__ inline row_part part_of_row(const float *row, int64_t first, int64_t count)
{
    __shared__ double room[WARP];
    __shared__ float tops[WARP];
    __shared__ int places[WARP];
    row_part part = {-INFINITY, INT_MAX, 0};
    bool aligned = is_aligned(row + first);
    for (int64_t i = threadIdx.x * 4; i < count; i += blockDim.x * 4)
        add_four(&part, load_four(row + first, i, count, aligned, -INFINITY), static_cast<int>(first + i));
    row_part own = part;
    for (int step = WARP / 2; step > 0; step /= 2) {
        float top = __shfl_xor_sync(0xffffffff, part.top, step);
        int place = __shfl_xor_sync(0xffffffff, part.place, step);
        if (is_better(top, place, part.top, part.place)) {
            part.top = top;
            part.place = place;
        }
    }
    if (threadIdx.x % WARP == 0) {
        tops[threadIdx.x / WARP] = part.top;
        places[threadIdx.x / WARP] = part.place;
    }
    __syncthreads();
    for (unsigned warp = 0; warp < blockDim.x / WARP; warp++)
        if (is_better(tops[warp], places[warp], part.top, part.place)) {
            part.top = tops[warp];
            part.place = places[warp];
        }
    part.sum = block_sum(shifted_sum(own, part.top), room);
    return part;
}

/* A row's log(sum of exp(x)). */
static __device__ inline double log_sum_of(const row_part &part)
{
    return part.top + log(part.sum);
}

static inline dim3 block_for(int64_t width)
{
    return dim3(width < 4096 ? 128 : 512);
}

void cuda_best(pg_device *device, int32_t *ids, float *log_probabilities, const float *logits, int64_t rows,
               int64_t width);

/* cuda_sampling.cu */
void cuda_weigh(pg_device *device, pg_weighed *out, const float *logits, int64_t width, double temperature,
                int64_t best);
void cuda_list(pg_device *device, pg_listed *out, const float *logits, int64_t width, double temperature, float least);

#endif
