/* Norms, activations and the other loops over one row. */
#include <math.h>

#include "kernels/simd.h"
#include "kernels/simd_rows.h"

static float sum_of(const float *x, int64_t n)
{
    vf sum = {0};
    int64_t i = 0;
    for (; i + W <= n; i += W)
        sum += load(x + i);
    if (i < n)
        sum += load_part(x + i, n - i);
    return sum_lanes(sum);
}

/* Sum of (x - centre)^2. */
static float squares_around(const float *x, float centre, int64_t n)
{
    vf sum = {0};
    int64_t i = 0;
    for (; i + W <= n; i += W) {
        vf d = load(x + i) - centre;
        sum += d * d;
    }
    float rest = 0;
    for (; i < n; i++)
        rest += (x[i] - centre) * (x[i] - centre);
    return sum_lanes(sum) + rest;
}

void PG_SIMD(rms_norm)(float *out, const float *x, const float *weight, int64_t n, float epsilon)
{
    float factor = 1.0f / sqrtf(squares_around(x, 0, n) / (float)n + epsilon);
    int64_t i = 0;
    for (; i + W <= n; i += W)
        store(out + i, load(x + i) * factor * (1.0f + load(weight + i)));
    for (; i < n; i++)
        out[i] = x[i] * factor * (1.0f + weight[i]);
}

void PG_SIMD(layer_norm)(float *out, const float *x, const float *weight, const float *bias, int64_t n, float epsilon)
{
    float mean = sum_of(x, n) / (float)n;
    float factor = 1.0f / sqrtf(squares_around(x, mean, n) / (float)n + epsilon);
    int64_t i = 0;
    for (; i + W <= n; i += W)
        store(out + i, (load(x + i) - mean) * factor * load(weight + i) + load(bias + i));
    for (; i < n; i++)
        out[i] = (x[i] - mean) * factor * weight[i] + bias[i];
}

/* Loops whose remainder goes through the same vector code, so that a value does not depend on its place in the row. */
#define ELEMENTWISE(expression)                                          \
    do {                                                                 \
        int64_t i = 0;                                                   \
        for (; i + W <= n; i += W) {                                     \
            vf a = load(x + i), b = load(y + i);                         \
            (void)b;                                                     \
            store(out + i, expression);                                  \
        }                                                                \
        if (i < n) {                                                     \
            vf a = load_part(x + i, n - i), b = load_part(y + i, n - i); \
            (void)b;                                                     \
            store_part(out + i, expression, n - i);                      \
        }                                                                \
    } while (0)

void PG_SIMD(gelu)(float *out, const float *x, int64_t n)
{
    const float *y = x;
    ELEMENTWISE(gelu_lanes(a));
}

void PG_SIMD(gelu_times)(float *out, const float *x, const float *y, int64_t n)
{
    ELEMENTWISE(gelu_lanes(a) * b);
}

void PG_SIMD(add)(float *out, const float *x, const float *y, int64_t n)
{
    ELEMENTWISE(a + b);
}

void PG_SIMD(scale)(float *out, const float *x, float factor, int64_t n)
{
    const float *y = x;
    ELEMENTWISE(a * factor);
}

void PG_SIMD(rotate)(float *out, const float *x, const float *cosine, const float *sine, int64_t n)
{
    int64_t half = n / 2, i = 0;
    for (; i + W <= half; i += W) {
        vf a = load(x + i), b = load(x + half + i), c = load(cosine + i), s = load(sine + i);
        store(out + i, a * c - b * s);
        store(out + half + i, b * c + a * s);
    }
    for (; i < half; i++) {
        float a = x[i], b = x[half + i];
        out[i] = a * cosine[i] - b * sine[i];
        out[half + i] = b * cosine[i] + a * sine[i];
    }
}

static float largest_of(const float *x, int64_t n)
{
    float top = x[0];
    int64_t i = 0;
    if (n >= W) {
        vf best = load(x);
        for (i = W; i + W <= n; i += W)
            best = larger(load(x + i), best);
        top = largest_lane(best);
    }
    for (; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

double PG_SIMD(log_sum_exp)(const float *x, int64_t n, float *top)
{
    *top = largest_of(x, n);
    double sum = 0;
    for (int64_t i = 0; i < n; i += 4096) { /* partial sums in f32, their sum in f64: 256,000 terms */
        vf part = {0};
        int64_t end = i + 4096 < n ? i + 4096 : n, j = i;
        for (; j + W <= end; j += W)
            part += exp_lanes(load(x + j) - *top);
        sum += sum_lanes(part);
        for (; j < end; j++)
            sum += exp_lanes(splat(x[j] - *top))[0];
    }
    return *top + log(sum);
}
