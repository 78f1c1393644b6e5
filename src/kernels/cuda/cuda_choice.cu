/* The best token of a row of logits. Rows are few and long (257,216 logits), so several blocks share one. */
#include "kernels/cuda/cuda_losses.h"

#define BLOCK 256

/* Part `blockIdx.x % parts` of a row: `each` values, a multiple of four. */
__global__ void part_kernel(row_part *out, const float *logits, int64_t width, int64_t parts, int64_t each)
{
    int64_t r = blockIdx.x / parts, first = blockIdx.x % parts * each;
    row_part part = part_of_row(logits + r * width, first, min(width - first, each));
    if (threadIdx.x == 0)
        out[blockIdx.x] = part;
}

/* The whole row, for one thread; there are few parts. */
static __device__ inline row_part whole_of(const row_part *parts, int64_t count)
{
    row_part whole = parts[0];
    for (int64_t i = 1; i < count; i++)
        if (is_better(parts[i].top, parts[i].place, whole.top, whole.place)) {
            whole.top = parts[i].top;
            whole.place = parts[i].place;
        }
    whole.sum = 0;
    for (int64_t i = 0; i < count; i++)
        whole.sum += shifted_sum(parts[i], whole.top);
    return whole;
}

/* As on the host, what comes first is the best unless something is larger, which nothing is than NaN. */
__global__ void best_kernel(int32_t *ids, float *log_probabilities, const row_part *parts, int64_t count,
                            const float *logits, int64_t rows, int64_t width)
{
    int64_t r = static_cast<int64_t>(blockIdx.x) * WARP + threadIdx.x;
    if (r >= rows)
        return;
    row_part whole = whole_of(parts + r * count, count);
    bool is_first = whole.place == INT_MAX || isnan(logits[r * width]);
    ids[r] = is_first ? 0 : whole.place;
    if (log_probabilities)
        log_probabilities[r] = static_cast<float>(-log(whole.sum));
}

/* Parts of all rows, as many as keep the processors busy; NULL on failure. */
static const row_part *parts_of(pg_device *device, int64_t *count, const float *logits, int64_t rows, int64_t width)
{
    int64_t wanted = blocks_for(4 * cuda_of(device)->processors, rows), most = blocks_for(width, 2048);
    int64_t each = blocks_for(width, wanted < most ? wanted : most);
    each = blocks_for(each, 4) * 4;
    *count = blocks_for(width, each);
    row_part *parts =
        static_cast<row_part *>(cuda_workspace(device, static_cast<size_t>(rows * *count) * sizeof *parts));
    if (parts)
        PG_LAUNCH(device, part_kernel, dim3(rows * *count), dim3(BLOCK), 0, parts, logits, width, *count, each);
    return parts;
}

void cuda_best(pg_device *device, int32_t *ids, float *log_probabilities, const float *logits, int64_t rows,
               int64_t width)
{
    int64_t count;
    const row_part *parts = rows ? parts_of(device, &count, logits, rows, width) : NULL;
    if (parts)
        PG_LAUNCH(device, best_kernel, dim3(blocks_for(rows, WARP)), dim3(WARP), 0, ids, log_probabilities, parts,
                  count, logits, rows, width);
}
