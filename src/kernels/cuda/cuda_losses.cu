/* Cross entropy, SigLIP's loss, preferences, and sums of losses. */
#include "kernels/cuda/cuda_losses.h"

#define BLOCK 256

/* ---------------------------------------------------------------- cross entropy: a block for a row */

static __device__ inline double mean_of_row(const float *row, int64_t width, double *room)
{
    bool aligned = is_aligned(row);
    double sum = 0;
    for (int64_t i = threadIdx.x * 4; i < width; i += blockDim.x * 4) {
        float4 x = load_four(row, i, width, aligned, 0);
        sum += (static_cast<double>(x.x) + x.y) + (static_cast<double>(x.z) + x.w);
    }
    return block_sum(sum, room) / static_cast<double>(width);
}

__global__ void cross_entropy_kernel(float *losses, float *log_sums, float *hits, const float *logits,
                                     const int32_t *targets, int64_t width, double smoothing)
{
    __shared__ double room[WARP];
    int64_t r = blockIdx.x;
    const float *row = logits + r * width;
    row_part part = part_of_row(row, 0, width);
    double mean = smoothing > 0 ? mean_of_row(row, width, room) : 0;
    if (threadIdx.x != 0)
        return;
    float target = row[targets[r]];
    double log_sum = log_sum_of(part), loss = log_sum - target;
    if (smoothing > 0)
        loss += smoothing * (target - mean);
    losses[r] = static_cast<float>(loss);
    if (log_sums)
        log_sums[r] = static_cast<float>(log_sum);
    if (hits)
        hits[r] = target == part.top;
}

static void cross_entropy(pg_device *device, float *losses, float *log_sums, float *hits, const float *logits,
                          const int32_t *targets, int64_t rows, int64_t width, double smoothing)
{
    if (rows)
        PG_LAUNCH(device, cross_entropy_kernel, dim3(rows), block_for(width), 0, losses, log_sums, hits, logits,
                  targets, width, smoothing);
}

/* weight * (e^(x - log_sum) - spread), and `rest` less where the target is. */
__global__ void cross_entropy_back_kernel(float *logits, const float *dlosses, const float *log_sums,
                                          const int32_t *targets, int64_t width, float smoothing, float spread)
{
    float *row = logits + blockIdx.x * width;
    float weight = dlosses[blockIdx.x], log_sum = log_sums[blockIdx.x], rest = weight * (1 - smoothing);
    int64_t target = targets[blockIdx.x];
    bool aligned = is_aligned(row);
#pragma unroll 2
    for (int64_t i = threadIdx.x * 4; i < width; i += blockDim.x * 4) {
        float4 x = load_four(row, i, width, aligned, 0);
        x.x = weight * expf(x.x - log_sum) - (target == i ? rest : 0) - weight * spread;
        x.y = weight * expf(x.y - log_sum) - (target == i + 1 ? rest : 0) - weight * spread;
        x.z = weight * expf(x.z - log_sum) - (target == i + 2 ? rest : 0) - weight * spread;
        x.w = weight * expf(x.w - log_sum) - (target == i + 3 ? rest : 0) - weight * spread;
        store_four(row, i, width, aligned, x);
    }
}

static void cross_entropy_back(pg_device *device, float *logits, const float *dlosses, const float *log_sums,
                               const int32_t *targets, int64_t rows, int64_t width, double smoothing)
{
    float spread = static_cast<float>(smoothing / static_cast<double>(width));
    if (rows)
        PG_LAUNCH(device, cross_entropy_back_kernel, dim3(rows), block_for(width), 0, logits, dlosses, log_sums,
                  targets, width, static_cast<float>(smoothing), spread);
}

/* ---------------------------------------------------------------- sums: one block */

__global__ void weighted_sum_kernel(float *out, const float *x, const float *weights, int64_t count)
{
    __shared__ double room[WARP];
    double sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
        sum += static_cast<double>(x[i]) * weights[i];
    sum = block_sum(sum, room);
    if (threadIdx.x == 0)
        *out = static_cast<float>(sum);
}

static void weighted_sum(pg_device *device, float *out, const float *x, const float *weights, int64_t count)
{
    PG_LAUNCH(device, weighted_sum_kernel, dim3(1), dim3(1024), 0, out, x, weights, count);
}

__global__ void weighted_sum_back_kernel(float *dx, const float *dout, const float *weights, int64_t count)
{
    int64_t i = static_cast<int64_t>(blockIdx.x) * BLOCK + threadIdx.x;
    if (i < count)
        dx[i] += weights[i] * *dout;
}

static void weighted_sum_back(pg_device *device, float *dx, const float *dout, const float *weights, int64_t count)
{
    if (count)
        PG_LAUNCH(device, weighted_sum_back_kernel, dim3(blocks_for(count, BLOCK)), dim3(BLOCK), 0, dx, dout, weights,
                  count);
}

__global__ void sum_kernel(float *out, const double *x, int64_t count, double divisor, bool add)
{
    __shared__ double room[WARP];
    double sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
        sum += x[i];
    float result = static_cast<float>(block_sum(sum, room) / divisor);
    if (threadIdx.x == 0)
        *out = add ? *out + result : result;
}

static void sum(pg_device *device, float *out, const double *x, int64_t count, double divisor, bool add)
{
    PG_LAUNCH(device, sum_kernel, dim3(1), dim3(1024), 0, out, x, count, divisor, add);
}

/* ---------------------------------------------------------------- SigLIP's loss: a block for a picture */

/* log(1 + e^x) */
static __device__ inline double softplus(double x)
{
    return fmax(x, 0.0) + log1p(exp(-fabs(x)));
}

/* A single value of any floating dtype. */
typedef struct stored_value {
    const void *data;
    pg_dtype dtype;
} stored_value;

static __device__ inline double value_of(stored_value x)
{
    return static_cast<double>(load_value(x.data, x.dtype, 0));
}

__global__ void contrastive_kernel(double *sums, const float *cosines, int64_t width, int64_t first, stored_value scale,
                                   stored_value bias)
{
    __shared__ double room[WARP];
    const float *row = cosines + blockIdx.x * width;
    double factor = exp(value_of(scale)), shift = value_of(bias), sum = 0;
    for (int64_t i = threadIdx.x; i < width; i += BLOCK) {
        double z = factor * static_cast<double>(row[i]) + shift;
        sum += softplus(blockIdx.x == first + i ? -z : z);
    }
    sum = block_sum(sum, room);
    if (threadIdx.x == 0)
        sums[blockIdx.x] += sum;
}

static void contrastive(pg_device *device, double *sums, const float *cosines, int64_t rows, int64_t width,
                        int64_t first, const pg_device_matrix *scale, const pg_device_matrix *bias)
{
    stored_value s = {scale->data, scale->dtype}, b = {bias->data, bias->dtype};
    if (rows)
        PG_LAUNCH(device, contrastive_kernel, dim3(rows), dim3(BLOCK), 0, sums, cosines, width, first, s, b);
}

/* With z = factor cosine + shift, -log sigmoid(m z) has the derivative -m / (1 + e^(m z)). */
__global__ void contrastive_back_kernel(float *cosines, double *dscales, double *dbiases, const float *dout,
                                        int64_t width, int64_t first, stored_value scale, stored_value bias)
{
    __shared__ double room[WARP];
    float *row = cosines + blockIdx.x * width;
    double factor = exp(value_of(scale)), shift = value_of(bias), dscale = 0, dbias = 0;
    double weight = static_cast<double>(*dout) / gridDim.x;
    for (int64_t i = threadIdx.x; i < width; i += BLOCK) {
        double m = blockIdx.x == first + i ? 1 : -1, scaled = factor * static_cast<double>(row[i]);
        double dz = -m / (1 + exp(m * (scaled + shift))) * weight;
        dscale += dz * scaled;
        dbias += dz;
        row[i] = static_cast<float>(dz * factor);
    }
    dscale = block_sum(dscale, room);
    dbias = block_sum(dbias, room);
    if (threadIdx.x == 0) {
        dscales[blockIdx.x] += dscale;
        dbiases[blockIdx.x] += dbias;
    }
}

static void contrastive_back(pg_device *device, float *cosines, double *dscales, double *dbiases, const float *dout,
                             int64_t rows, int64_t width, int64_t first, const pg_device_matrix *scale,
                             const pg_device_matrix *bias)
{
    stored_value s = {scale->data, scale->dtype}, b = {bias->data, bias->dtype};
    if (rows)
        PG_LAUNCH(device, contrastive_back_kernel, dim3(rows), dim3(BLOCK), 0, cosines, dscales, dbiases, dout, width,
                  first, s, b);
}

__global__ void diagonal_kernel(float *hits, const float *x, int64_t width)
{
    __shared__ float room[WARP];
    const float *row = x + blockIdx.x * width;
    float larger = 0;
    for (int64_t i = threadIdx.x; i < width; i += BLOCK)
        larger += row[i] > row[blockIdx.x];
    larger = block_sum(larger, room);
    if (threadIdx.x == 0)
        hits[blockIdx.x] = larger == 0;
}

static void diagonal(pg_device *device, float *hits, const float *x, int64_t rows, int64_t width)
{
    if (rows)
        PG_LAUNCH(device, diagonal_kernel, dim3(rows), dim3(BLOCK), 0, hits, x, width);
}

/* ---------------------------------------------------------------- preferences: a thread for a pair */

static __device__ inline double margin_of(const float *x, const float *reference, double beta)
{
    return beta * ((static_cast<double>(reference[0]) - x[0]) - (static_cast<double>(reference[1]) - x[1]));
}

__global__ void preference_kernel(float *losses, float *hits, const float *x, const float *reference, int64_t pairs,
                                  double beta)
{
    int64_t i = static_cast<int64_t>(blockIdx.x) * BLOCK + threadIdx.x;
    if (i >= pairs)
        return;
    double margin = margin_of(x + 2 * i, reference + 2 * i, beta);
    losses[i] = static_cast<float>(softplus(-margin));
    if (hits)
        hits[i] = margin > 0;
}

static void preference(pg_device *device, float *losses, float *hits, const float *x, const float *reference,
                       int64_t pairs, double beta)
{
    if (pairs)
        PG_LAUNCH(device, preference_kernel, dim3(blocks_for(pairs, BLOCK)), dim3(BLOCK), 0, losses, hits, x, reference,
                  pairs, beta);
}

/* -log sigmoid(margin) has the derivative -1 / (1 + e^margin), and a margin falls with the chosen answer's loss. */
__global__ void preference_back_kernel(float *dx, const float *dlosses, const float *x, const float *reference,
                                       int64_t pairs, double beta)
{
    int64_t i = static_cast<int64_t>(blockIdx.x) * BLOCK + threadIdx.x;
    if (i >= pairs)
        return;
    double margin = margin_of(x + 2 * i, reference + 2 * i, beta);
    float share = static_cast<float>(beta / (1 + exp(margin))) * dlosses[i];
    dx[2 * i] += share;
    dx[2 * i + 1] -= share;
}

static void preference_back(pg_device *device, float *dx, const float *dlosses, const float *x, const float *reference,
                            int64_t pairs, double beta)
{
    if (pairs)
        PG_LAUNCH(device, preference_back_kernel, dim3(blocks_for(pairs, BLOCK)), dim3(BLOCK), 0, dx, dlosses, x,
                  reference, pairs, beta);
}

extern const pg_device_losses cuda_losses = {
    cross_entropy, cross_entropy_back, weighted_sum, weighted_sum_back, contrastive, contrastive_back, sum,
    preference,    preference_back,    diagonal,     cuda_best,         cuda_weigh,  cuda_list,
};
