/* The loops of a training step in plain C. */
#include <math.h>

#include "kernels/reference.h"
#include "kernels/update_loops.h"

static double squares(const float *x, const float *factor, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double value = factor ? x[i] * factor[i] : x[i];
        sum += value * value;
    }
    return sum;
}

static void add_squares(double *sums, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sums[i] += (double)x[i] * x[i];
}

static void adam(float *values, float *m, float *v, const float *grad, int64_t n, const pg_adam_step *step)
{
    for (int64_t i = 0; i < n; i++) {
        float g = grad[i] * step->grad_scale;
        m[i] += step->new1 * (g - m[i]);
        v[i] = step->old2 * v[i] + step->new2 * g * g;
        values[i] = step->keep * values[i] - step->rate * m[i] / (step->correction * sqrtf(v[i]) + step->epsilon);
    }
}

static float first_moment(int code)
{
    float root = (float)code / 127;
    return root * fabsf(root);
}

static float second_moment(int code)
{
    float root = (float)code / 255;
    return root * root * (root * root);
}

/* The code below or above `share` (0..1), the upper one with the probability that makes the mean right. `bits`: 16
 * random ones. */
static int choose(float share, int code, float low, float high, uint32_t bits)
{
    return code + ((float)bits * 0x1p-16f * (high - low) < share - low);
}

static int8_t encode_first(float m, float scale, uint32_t random)
{
    float share = scale > 0 ? fabsf(m) / scale : 0;
    int code = (int)(sqrtf(share) * 127);
    code = code > 126 ? 126 : code;
    code = choose(share, code, first_moment(code), first_moment(code + 1), random >> 16);
    return (int8_t)(m < 0 ? -code : code);
}

/* What is not zero does not become zero: the step would be divided by epsilon. */
static uint8_t encode_second(float v, float scale, uint32_t random)
{
    float share = scale > 0 ? v / scale : 0;
    int code = (int)(sqrtf(sqrtf(share)) * 255);
    code = code > 254 ? 254 : code;
    code = choose(share, code, second_moment(code), second_moment(code + 1), random & 0xffff);
    return (uint8_t)(code == 0 && v > 0 ? 1 : code);
}

static void adam8(float *values, int8_t *m, uint8_t *v, float *scales, const float *grad, int64_t n,
                  const pg_adam_step *step, uint32_t seed)
{
    float first[PG_UPDATE_BLOCK], second[PG_UPDATE_BLOCK], top1 = 0, top2 = 0;
    for (int64_t i = 0; i < n; i++) {
        first[i] = scales[0] * first_moment(m[i]);
        second[i] = scales[1] * second_moment(v[i]);
    }
    adam(values, first, second, grad, n, step);
    for (int64_t i = 0; i < n; i++) {
        top1 = fabsf(first[i]) > top1 ? fabsf(first[i]) : top1;
        top2 = second[i] > top2 ? second[i] : top2;
    }
    for (int64_t i = 0; i < n; i++) {
        uint32_t random = pg_update_random(seed, (uint32_t)i);
        m[i] = encode_first(first[i], top1, random);
        v[i] = encode_second(second[i], top2, random);
    }
    scales[0] = top1;
    scales[1] = top2;
}

static void sgd(float *values, float *velocity, const float *grad, int64_t n, const pg_sgd_step *step)
{
    for (int64_t i = 0; i < n; i++) {
        float d = grad[i] * step->grad_scale + step->decay * values[i];
        if (velocity)
            d = velocity[i] = step->momentum * velocity[i] + d;
        values[i] -= step->rate * d;
    }
}

static void factored(float *values, const float *grad, const float *factor, int64_t n, float keep, float rate)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = keep * values[i] - rate * (factor[i] * grad[i]);
}

static void blend(float *average, const float *x, int64_t n, float share)
{
    for (int64_t i = 0; i < n; i++)
        average[i] += share * (x[i] - average[i]);
}

const pg_update_kernels pg_reference_update = {
    .squares = squares,
    .add_squares = add_squares,
    .adam = adam,
    .adam8 = adam8,
    .sgd = sgd,
    .factored = factored,
    .blend = blend,
};
