/* Steps of optimizers: a block works on a piece of an array, and one launch has the pieces of all arrays. Adafactor
 * and Muon have files of their own. */
#include "kernels/cuda/cuda_update.h"

#include "kernels/cuda/cuda_values.h"

#define BLOCK 256
#define WARPS (BLOCK / WARP)

/* ---------------------------------------------------------------- the norm */

__global__ void square_kernel(double *sums, const pg_update *updates, const pg_update_piece *pieces)
{
    __shared__ double room[WARPS];
    const pg_update_piece piece = pieces[blockIdx.x];
    const float *grad = updates[piece.update].grad + piece.first;
    bool aligned = is_aligned(grad);
    double sum = 0;
    for (int64_t i = threadIdx.x * 4; i < piece.count; i += BLOCK * 4)
        sum += squares_of(load_four(grad, i, piece.count, aligned, 0));
    sum = block_sum(sum, room);
    if (threadIdx.x == 0)
        sums[blockIdx.x] = sum;
}

/* One block: the root of the sum. */
__global__ void length_kernel(double *out, const double *sums, int64_t count)
{
    __shared__ double room[WARP];
    double sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
        sum += sums[i];
    sum = block_sum(sum, room);
    if (threadIdx.x == 0)
        *out = sqrt(sum);
}

static void norm(pg_device *device, const pg_device_plan *plan, double *out)
{
    if (plan->piece_count)
        PG_LAUNCH(device, square_kernel, dim3(plan->piece_count), dim3(BLOCK), 0, plan->sums, plan->updates,
                  plan->pieces);
    PG_LAUNCH(device, length_kernel, dim3(1), dim3(1024), 0, out, plan->sums, plan->piece_count);
}

/* ---------------------------------------------------------------- AdamW */

static __device__ inline void adam_value(float *value, float *m, float *v, float grad, const pg_adam_step &step,
                                         float keep)
{
    float g = grad * step.grad_scale;
    *m += step.new1 * (g - *m);
    *v = step.old2 * *v + step.new2 * g * g;
    *value = keep * *value - step.rate * *m / (step.correction * sqrtf(*v) + step.epsilon);
}

__global__ void adam_kernel(const pg_update *updates, const pg_update_piece *pieces, const pg_adam_step step)
{
    const pg_update_piece piece = pieces[blockIdx.x];
    const pg_update &u = updates[piece.update];
    float *values = u.values + piece.first, *m = u.m + piece.first, *v = u.v + piece.first;
    const float *grad = u.grad + piece.first, keep = u.decay ? step.keep : 1;
    bool aligned = is_aligned(values) && is_aligned(grad) && is_aligned(m) && is_aligned(v);
    for (int64_t i = threadIdx.x * 4; i < piece.count; i += BLOCK * 4) {
        float4 value = load_four(values, i, piece.count, aligned, 0), g = load_four(grad, i, piece.count, aligned, 0);
        float4 first = load_four(m, i, piece.count, aligned, 0), second = load_four(v, i, piece.count, aligned, 0);
        adam_value(&value.x, &first.x, &second.x, g.x, step, keep);
        adam_value(&value.y, &first.y, &second.y, g.y, step, keep);
        adam_value(&value.z, &first.z, &second.z, g.z, step, keep);
        adam_value(&value.w, &first.w, &second.w, g.w, step, keep);
        store_four(values, i, piece.count, aligned, value);
        store_four(m, i, piece.count, aligned, first);
        store_four(v, i, piece.count, aligned, second);
    }
}

static void adam(pg_device *device, const pg_device_plan *plan, const pg_adam_step *step)
{
    if (plan->piece_count)
        PG_LAUNCH(device, adam_kernel, dim3(plan->piece_count), dim3(BLOCK), 0, plan->updates, plan->pieces, *step);
}

/* ---------------------------------------------------------------- 8-bit moments */

static __device__ inline float first_moment(int code)
{
    float root = static_cast<float>(code) / 127;
    return root * fabsf(root);
}

static __device__ inline float second_moment(int code)
{
    float root = static_cast<float>(code) / 255;
    return root * root * (root * root);
}

/* The code below or above `share`, the upper one with the probability that makes the mean right. `bits`: 16 of them. */
static __device__ inline int choose(float share, int code, float low, float high, uint32_t bits)
{
    return code + (static_cast<float>(bits) * 0x1p-16f * (high - low) < share - low);
}

static __device__ inline int8_t encode_first(float m, float scale, uint32_t random)
{
    float share = scale > 0 ? fabsf(m) / scale : 0;
    int code = min(static_cast<int>(sqrtf(share) * 127), 126);
    code = choose(share, code, first_moment(code), first_moment(code + 1), random >> 16);
    return static_cast<int8_t>(m < 0 ? -code : code);
}

/* What is not zero does not become zero: the step would be divided by epsilon. */
static __device__ inline uint8_t encode_second(float v, float scale, uint32_t random)
{
    float share = scale > 0 ? v / scale : 0;
    int code = min(static_cast<int>(sqrtf(sqrtf(share)) * 255), 254);
    code = choose(share, code, second_moment(code), second_moment(code + 1), random & 0xffff);
    return static_cast<uint8_t>(code == 0 && v > 0 ? 1 : code);
}

/* What a lane has of a block of moments: values lane, lane + 32 and so on. */
#define EACH (PG_UPDATE_BLOCK / WARP)
typedef struct lane_moments {
    float first[EACH], second[EACH];
} lane_moments;

static __device__ inline void encode(int8_t *m, uint8_t *v, float *scales, const lane_moments &moments, int64_t count,
                                     uint32_t seed)
{
    float top1 = 0, top2 = 0;
    for (int k = 0; k < EACH; k++) {
        top1 = fmaxf(top1, fabsf(moments.first[k]));
        top2 = fmaxf(top2, moments.second[k]);
    }
    top1 = warp_max(top1);
    top2 = warp_max(top2);
    for (int k = 0; k < EACH; k++) {
        unsigned i = threadIdx.x % WARP + k * WARP;
        if (i >= count)
            break;
        uint32_t random = pg_update_random(seed, i);
        m[i] = encode_first(moments.first[k], top1, random);
        v[i] = encode_second(moments.second[k], top2, random);
    }
    if (threadIdx.x % WARP == 0) {
        scales[0] = top1;
        scales[1] = top2;
    }
}

/* A warp steps through `count` values that share their scales. */
static __device__ inline void adam8_block(const pg_update &u, int64_t at, int64_t count, const pg_adam_step &step,
                                          uint32_t seed)
{
    float *scales = u.scales + at / PG_UPDATE_BLOCK * 2, keep = u.decay ? step.keep : 1;
    float scale1 = scales[0], scale2 = scales[1];
    lane_moments moments = {};
    for (int k = 0; k < EACH; k++) {
        int64_t i = threadIdx.x % WARP + k * WARP;
        if (i >= count)
            break;
        float value = u.values[at + i];
        moments.first[k] = scale1 * first_moment(u.m_codes[at + i]);
        moments.second[k] = scale2 * second_moment(u.v_codes[at + i]);
        adam_value(&value, &moments.first[k], &moments.second[k], u.grad[at + i], step, keep);
        u.values[at + i] = value;
    }
    encode(u.m_codes + at, u.v_codes + at, scales, moments, count, seed);
}

__global__ void adam8_kernel(const pg_update *updates, const pg_update_piece *pieces, const pg_adam_step step,
                             uint64_t seed, int64_t number)
{
    const pg_update_piece piece = pieces[blockIdx.x];
    const pg_update u = updates[piece.update];
    uint64_t stream = pg_random_bits(seed, static_cast<uint64_t>(piece.update), static_cast<uint64_t>(number));
    int64_t each = WARPS * PG_UPDATE_BLOCK;
    for (int64_t done = threadIdx.x / WARP * PG_UPDATE_BLOCK; done < piece.count; done += each) {
        int64_t at = piece.first + done, count = min(piece.count - done, static_cast<int64_t>(PG_UPDATE_BLOCK));
        uint64_t block = static_cast<uint64_t>(at / PG_UPDATE_BLOCK);
        adam8_block(u, at, count, step, static_cast<uint32_t>(pg_random_bits(stream, 0, block)));
    }
}

static void adam8(pg_device *device, const pg_device_plan *plan, const pg_adam_step *step, uint64_t seed,
                  int64_t number)
{
    if (plan->piece_count)
        PG_LAUNCH(device, adam8_kernel, dim3(plan->piece_count), dim3(BLOCK), 0, plan->updates, plan->pieces, *step,
                  seed, number);
}

/* ---------------------------------------------------------------- SGD, averages */

static __device__ inline void sgd_value(float *value, float *velocity, float grad, const pg_sgd_step &step, float decay)
{
    *velocity = grad * step.grad_scale + decay * *value + step.momentum * *velocity;
    *value -= step.rate * *velocity;
}

__global__ void sgd_kernel(const pg_update *updates, const pg_update_piece *pieces, const pg_sgd_step step)
{
    const pg_update_piece piece = pieces[blockIdx.x];
    const pg_update &u = updates[piece.update];
    float *values = u.values + piece.first, *m = u.m ? u.m + piece.first : NULL;
    const float *grad = u.grad + piece.first, decay = u.decay ? step.decay : 0;
    bool aligned = is_aligned(values) && is_aligned(grad) && is_aligned(m);
    for (int64_t i = threadIdx.x * 4; i < piece.count; i += BLOCK * 4) {
        float4 value = load_four(values, i, piece.count, aligned, 0), g = load_four(grad, i, piece.count, aligned, 0);
        float4 velocity = m ? load_four(m, i, piece.count, aligned, 0) : make_float4(0, 0, 0, 0);
        sgd_value(&value.x, &velocity.x, g.x, step, decay);
        sgd_value(&value.y, &velocity.y, g.y, step, decay);
        sgd_value(&value.z, &velocity.z, g.z, step, decay);
        sgd_value(&value.w, &velocity.w, g.w, step, decay);
        store_four(values, i, piece.count, aligned, value);
        if (m)
            store_four(m, i, piece.count, aligned, velocity);
    }
}

static void sgd(pg_device *device, const pg_device_plan *plan, const pg_sgd_step *step)
{
    if (plan->piece_count)
        PG_LAUNCH(device, sgd_kernel, dim3(plan->piece_count), dim3(BLOCK), 0, plan->updates, plan->pieces, *step);
}

__global__ void blend_kernel(const pg_update *updates, const pg_update_piece *pieces, float share)
{
    const pg_update_piece piece = pieces[blockIdx.x];
    const float *values = updates[piece.update].values + piece.first;
    float *average = updates[piece.update].average + piece.first;
    bool aligned = is_aligned(values) && is_aligned(average);
    for (int64_t i = threadIdx.x * 4; i < piece.count; i += BLOCK * 4) {
        float4 x = load_four(values, i, piece.count, aligned, 0), old = load_four(average, i, piece.count, aligned, 0);
        old.x += share * (x.x - old.x);
        old.y += share * (x.y - old.y);
        old.z += share * (x.z - old.z);
        old.w += share * (x.w - old.w);
        store_four(average, i, piece.count, aligned, old);
    }
}

static void blend(pg_device *device, const pg_device_plan *plan, float share)
{
    if (plan->piece_count)
        PG_LAUNCH(device, blend_kernel, dim3(plan->piece_count), dim3(BLOCK), 0, plan->updates, plan->pieces, share);
}

extern const pg_device_update cuda_update = {norm, adam, adam8, sgd, cuda_adafactor, cuda_direction, blend};
