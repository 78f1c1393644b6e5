/* The loops of a training step. They move more bytes than they compute, so what counts is one pass over each array.
 * Remainders go through the same vector code, so that a value does not depend on its place. */
#include "kernels/simd.h"
#include "kernels/update_loops.h"

#define HALF (W / 2)
typedef float vf_half __attribute__((vector_size(W * 2)));
typedef double vd __attribute__((vector_size(W * 4)));
typedef int8_t v_signed __attribute__((vector_size(W)));
typedef uint8_t v_bytes __attribute__((vector_size(W)));

static inline vf sqrt_lanes(vf x)
{
#if defined(__AVX512F__)
    return (vf)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX2__)
    return (vf)_mm256_sqrt_ps((__m256)x);
#else
    for (int i = 0; i < W; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
#endif
}

static inline vf absolute(vf x)
{
    return (vf)((vi)x & 0x7fffffff);
}

/* ---------------------------------------------------------------- sums of squares */

static inline vd widen_half(vf x, int half)
{
    vf_half part;
    memcpy(&part, (const char *)&x + half * (int)sizeof part, sizeof part);
    return __builtin_convertvector(part, vd);
}

static inline void add_vector(vd sums[2], vf x)
{
    for (int half = 0; half < 2; half++) {
        vd wide = widen_half(x, half);
        sums[half] += wide * wide;
    }
}

static double squares(const float *x, const float *factor, int64_t n)
{
    vd sums[2] = {{0}, {0}};
    int64_t i = 0;
    for (; i + W <= n; i += W)
        add_vector(sums, factor ? load(x + i) * load(factor + i) : load(x + i));
    if (i < n) {
        vf rest = load_part(x + i, n - i);
        add_vector(sums, factor ? rest * load_part(factor + i, n - i) : rest);
    }
    sums[0] += sums[1];
    double sum = 0;
    for (int lane = 0; lane < HALF; lane++)
        sum += sums[0][lane];
    return sum;
}

static void add_squares(double *sums, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + W <= n; i += W)
        for (int half = 0; half < 2; half++) {
            vd wide = widen_half(load(x + i), half), sum;
            memcpy(&sum, sums + i + half * HALF, sizeof sum);
            sum += wide * wide;
            memcpy(sums + i + half * HALF, &sum, sizeof sum);
        }
    for (; i < n; i++)
        sums[i] += (double)x[i] * x[i];
}

/* ---------------------------------------------------------------- steps */

static inline __attribute__((always_inline)) void adam_lanes(vf *value, vf *m, vf *v, vf grad, const pg_adam_step *step)
{
    vf g = grad * step->grad_scale;
    *m += step->new1 * (g - *m);
    *v = step->old2 * *v + step->new2 * g * g;
    *value = step->keep * *value - step->rate * *m / (step->correction * sqrt_lanes(*v) + step->epsilon);
}

static void adam(float *values, float *m, float *v, const float *grad, int64_t n, const pg_adam_step *step)
{
    const pg_adam_step s = *step;
    int64_t i = 0;
    for (; i + W <= n; i += W) {
        vf value = load(values + i), first = load(m + i), second = load(v + i);
        adam_lanes(&value, &first, &second, load(grad + i), &s);
        store(values + i, value);
        store(m + i, first);
        store(v + i, second);
    }
    if (i < n) {
        int64_t rest = n - i;
        vf value = load_part(values + i, rest), first = load_part(m + i, rest), second = load_part(v + i, rest);
        adam_lanes(&value, &first, &second, load_part(grad + i, rest), &s);
        store_part(values + i, value, rest);
        store_part(m + i, first, rest);
        store_part(v + i, second, rest);
    }
}

static inline __attribute__((always_inline)) vf sgd_lanes(vf value, vf *velocity, vf grad, const pg_sgd_step *step)
{
    *velocity = grad * step->grad_scale + step->decay * value + step->momentum * *velocity;
    return value - step->rate * *velocity;
}

static void sgd(float *values, float *velocity, const float *grad, int64_t n, const pg_sgd_step *step)
{
    const pg_sgd_step s = *step;
    int64_t i = 0;
    for (; i + W <= n; i += W) {
        vf d = velocity ? load(velocity + i) : (vf){0};
        store(values + i, sgd_lanes(load(values + i), &d, load(grad + i), &s));
        if (velocity)
            store(velocity + i, d);
    }
    if (i < n) {
        vf d = velocity ? load_part(velocity + i, n - i) : (vf){0};
        store_part(values + i, sgd_lanes(load_part(values + i, n - i), &d, load_part(grad + i, n - i), &s), n - i);
        if (velocity)
            store_part(velocity + i, d, n - i);
    }
}

static void factored(float *values, const float *grad, const float *factor, int64_t n, float keep, float rate)
{
    int64_t i = 0;
    for (; i + W <= n; i += W)
        store(values + i, keep * load(values + i) - rate * (load(factor + i) * load(grad + i)));
    if (i < n) {
        vf moved = load_part(factor + i, n - i) * load_part(grad + i, n - i);
        store_part(values + i, keep * load_part(values + i, n - i) - rate * moved, n - i);
    }
}

static void blend(float *average, const float *x, int64_t n, float share)
{
    int64_t i = 0;
    for (; i + W <= n; i += W)
        store(average + i, load(average + i) + share * (load(x + i) - load(average + i)));
    if (i < n) {
        vf old = load_part(average + i, n - i);
        store_part(average + i, old + share * (load_part(x + i, n - i) - old), n - i);
    }
}

/* ---------------------------------------------------------------- 8-bit moments */

#define ROOT1 (1.0f / 127)
#define ROOT2 (1.0f / 255)

static inline vf square(vf x)
{
    return x * x;
}

static inline vu random_lanes(uint32_t seed, uint32_t first)
{
    vu x;
    for (uint32_t i = 0; i < W; i++)
        x[i] = i;
    x = seed + (x + first) * 0x9e3779b9u;
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return x ^ x >> 16;
}

/* 1 where the upper code is chosen, else 0. */
static inline vi choose(vf share, vf low, vf high, vu bits)
{
    vf random = __builtin_convertvector((vi)bits, vf) * 0x1p-16f;
    return -(random * (high - low) < share - low);
}

static inline vi at_most(vi code, int limit)
{
    vi above = code > limit;
    return (above & limit) | (~above & code);
}

static inline vi encode_first(vf m, float scale, vu random)
{
    vf share = absolute(m) / scale;
    vi code = at_most(__builtin_convertvector(sqrt_lanes(share) * 127.0f, vi), 126);
    vf root = __builtin_convertvector(code, vf);
    code += choose(share, square(root * ROOT1), square((root + 1.0f) * ROOT1), random >> 16);
    vi negative = m < 0;
    return (code ^ negative) - negative;
}

static inline vi encode_second(vf v, float scale, vu random)
{
    vf share = v / scale;
    vi code = at_most(__builtin_convertvector(sqrt_lanes(sqrt_lanes(share)) * 255.0f, vi), 254);
    vf root = __builtin_convertvector(code, vf);
    vf low = square(square(root * ROOT2)), high = square(square((root + 1.0f) * ROOT2));
    code += choose(share, low, high, random & 0xffff);
    return code - ((code == 0) & (v > 0));
}

/* A block of moments as floats, filled up with zeros to whole vectors. */
typedef struct moments {
    float first[PG_UPDATE_BLOCK], second[PG_UPDATE_BLOCK];
} moments;

/* `count` codes of a vector; W is told as a constant, which makes the copies single moves. */
static inline __attribute__((always_inline)) void decode_lanes(moments *out, int64_t i, const int8_t *m,
                                                               const uint8_t *v, const float *scales, size_t count)
{
    v_signed first = {0};
    v_bytes second = {0};
    memcpy(&first, m + i, count);
    memcpy(&second, v + i, count);
    vf root1 = __builtin_convertvector(first, vf) * ROOT1, root2 = __builtin_convertvector(second, vf) * ROOT2;
    store(out->first + i, scales[0] * (root1 * absolute(root1)));
    store(out->second + i, scales[1] * square(square(root2)));
}

static inline void decode(moments *out, const int8_t *m, const uint8_t *v, const float *scales, int64_t n)
{
    int64_t i = 0;
    for (; i + W <= n; i += W)
        decode_lanes(out, i, m, v, scales, W);
    if (i < n)
        decode_lanes(out, i, m, v, scales, (size_t)(n - i));
}

static inline __attribute__((always_inline)) void encode_lanes(int8_t *m, uint8_t *v, const float *scales,
                                                               const moments *in, int64_t i, uint32_t seed,
                                                               size_t count)
{
    vu random = random_lanes(seed, (uint32_t)i);
    v_signed first = __builtin_convertvector(encode_first(load(in->first + i), scales[0], random), v_signed);
    v_bytes second = __builtin_convertvector(encode_second(load(in->second + i), scales[1], random), v_bytes);
    memcpy(m + i, &first, count);
    memcpy(v + i, &second, count);
}

static inline void encode(int8_t *m, uint8_t *v, const float *scales, const moments *in, int64_t n, uint32_t seed)
{
    const float safe[2] = {scales[0] > 0 ? scales[0] : 1, scales[1] > 0 ? scales[1] : 1};
    int64_t i = 0;
    for (; i + W <= n; i += W)
        encode_lanes(m, v, safe, in, i, seed, W);
    if (i < n)
        encode_lanes(m, v, safe, in, i, seed, (size_t)(n - i));
}

static void adam8(float *values, int8_t *m, uint8_t *v, float *scales, const float *grad, int64_t n,
                  const pg_adam_step *step, uint32_t seed)
{
    moments block;
    vf top1 = {0}, top2 = {0};
    decode(&block, m, v, scales, n);
    adam(values, block.first, block.second, grad, n, step);
    for (int64_t i = 0; i < n; i += W) {
        top1 = larger(absolute(load(block.first + i)), top1);
        top2 = larger(load(block.second + i), top2);
    }
    scales[0] = largest_lane(top1);
    scales[1] = largest_lane(top2);
    encode(m, v, scales, &block, n, seed);
}

const pg_update_kernels PG_SIMD(update) = {
    .squares = squares,
    .add_squares = add_squares,
    .adam = adam,
    .adam8 = adam8,
    .sgd = sgd,
    .factored = factored,
    .blend = blend,
};
