/* The loops of backward passes in plain C: what they mean, and what the others are compared with. */
#include <math.h>
#include <string.h>

#include "kernels/attention_tile.h"
#include "kernels/reference.h"

#define LANES PG_REFERENCE_LANES

static void pack_columns(void *panel, pg_panel_dtype type, const void *b, pg_dtype dtype, int64_t stride, int64_t lanes,
                         int64_t k)
{
    for (int64_t i = 0; i < k + k % 2; i++)
        for (int64_t lane = 0; lane < LANES; lane++) {
            bool there = lane < lanes && i < k;
            size_t at = (size_t)(i * stride + lane) * pg_dtype_size(dtype);
            float value = there ? pg_dtype_load(dtype, (const char *)b + at) : 0;
            if (type == PG_PANEL_BF16)
                ((uint16_t *)panel)[i / 2 * 2 * LANES + 2 * lane + i % 2] = pg_bf16_from_float(value);
            else if (i < k)
                ((float *)panel)[i * LANES + lane] = value;
        }
}

static void panel_product(float *c, int64_t c_stride, const float *a, int64_t row_stride, int64_t k_stride,
                          int64_t rows, const float *panel, int64_t lanes, int64_t k)
{
    for (int64_t n = 0; n < rows; n++)
        for (int64_t i = 0; i < k; i++)
            for (int64_t lane = 0; lane < lanes; lane++)
                c[n * c_stride + lane] += a[n * row_stride + i * k_stride] * panel[i * LANES + lane];
}

/* y = x f (1 + w), f = 1 / sqrt(mean(x^2) + epsilon): with h = dy (1 + w), dx = f h - x f^3 mean(h x). */
static void rms_norm(float *dx, float *factor, const float *dy, const float *x, const float *weight, int64_t n,
                     float epsilon)
{
    float squares = 0, product = 0;
    for (int64_t i = 0; i < n; i++) {
        squares += x[i] * x[i];
        product += dy[i] * (1 + weight[i]) * x[i];
    }
    float f = 1 / sqrtf(squares / (float)n + epsilon), back = f * f * f * product / (float)n;
    for (int64_t i = 0; i < n; i++)
        dx[i] += f * dy[i] * (1 + weight[i]) - x[i] * back;
    *factor = f;
}

/* y = z w + b, z = (x - mean) f: with h = dy w, dx = f (h - mean(h) - z mean(h z)). */
static void layer_norm(float *dx, float *mean, float *factor, const float *dy, const float *x, const float *weight,
                       int64_t n, float epsilon)
{
    float m = 0, variance = 0, sum = 0, product = 0;
    for (int64_t i = 0; i < n; i++)
        m += x[i] / (float)n;
    for (int64_t i = 0; i < n; i++)
        variance += (x[i] - m) * (x[i] - m) / (float)n;
    float f = 1 / sqrtf(variance + epsilon);
    for (int64_t i = 0; i < n; i++) {
        sum += dy[i] * weight[i] / (float)n;
        product += dy[i] * weight[i] * (x[i] - m) * f / (float)n;
    }
    for (int64_t i = 0; i < n; i++)
        dx[i] += f * (dy[i] * weight[i] - sum - (x[i] - m) * f * product);
    *mean = m;
    *factor = f;
}

/* gelu(x) = x s, s = 1 / (1 + e^(-2u)), u = c (x + a x^3): s + x s (1 - s) 2 u'. */
static float gelu_slope(float x)
{
    const float c = 0.7978845608028654f, a = 0.044715f;
    float s = 1 / (1 + expf(-2 * c * (x + a * x * x * x)));
    return s + x * s * (1 - s) * 2 * c * (1 + 3 * a * x * x);
}

static void gelu(float *dx, const float *dy, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] += dy[i] * gelu_slope(x[i]);
}

static void gelu_times(float *dx, float *dy, const float *dout, const float *x, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float value;
        pg_reference_kernels.gelu(&value, x + i, 1);
        dx[i] += dout[i] * y[i] * gelu_slope(x[i]);
        dy[i] += dout[i] * value;
    }
}

static void add_scaled(float *out, const float *x, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] += x[i] * factor;
}

static void add_product(float *out, const float *x, const float *y, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] += x[i] * y[i] * factor;
}

static void exp_shifted(float *out, const float *x, float shift, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = factor * expf(x[i] - shift);
}

static float dot(const float *x, const float *y, int64_t n)
{
    float sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* The weight that lane l gives to a key, and the derivative of its score. */
static float weigh(float *dscore, const pg_attention_gradient *block, int64_t l, const float *key, const float *value)
{
    const float *query = block->queries + pg_gradient_lane(block, l), *dout = block->dout + pg_gradient_lane(block, l);
    int64_t sum = pg_gradient_sum(block, l);
    float weight = expf(block->scale * dot(query, key, block->size) - block->log_sums[sum]);
    *dscore = weight * (dot(dout, value, block->size) - block->shares[sum]) * block->scale;
    return weight;
}

static void attend_queries(const pg_attention_gradient *block)
{
    for (int64_t l = block->first; l < block->first + block->lanes; l++)
        for (int64_t key = 0; key < pg_gradient_keys_seen(block, l); key++) {
            int64_t j = key;
            const pg_gradient_span *span = pg_gradient_find(block, &j);
            const float *row = span->keys + j * block->key_stride;
            float dscore;
            weigh(&dscore, block, l, row, span->values + j * block->key_stride);
            add_scaled(block->dqueries + pg_gradient_lane(block, l), row, dscore, block->size);
        }
}

static void attend_keys(const pg_attention_gradient *block)
{
    for (int64_t key = block->first; key < block->first + block->lanes; key++) {
        int64_t j = key;
        const pg_gradient_span *span = pg_gradient_find(block, &j);
        int64_t at = j * block->key_stride;
        for (int64_t l = 0; l < block->rows * block->group; l++) {
            if (pg_gradient_keys_seen(block, l) <= key)
                continue;
            float dscore, weight = weigh(&dscore, block, l, span->keys + at, span->values + at);
            add_scaled(span->dkeys + at, block->queries + pg_gradient_lane(block, l), dscore, block->size);
            add_scaled(span->dvalues + at, block->dout + pg_gradient_lane(block, l), weight, block->size);
        }
    }
}

const pg_gradient_kernels pg_reference_gradient = {
    .pack_columns = pack_columns,
    .panel_product = panel_product,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .gelu = gelu,
    .gelu_times = gelu_times,
    .add_scaled = add_scaled,
    .add_product = add_product,
    .exp_shifted = exp_shifted,
    .attend_queries = attend_queries,
    .attend_keys = attend_keys,
};
