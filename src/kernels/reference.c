/* Every kernel in plain C: what the others are compared with, and what runs where there is nothing else. */
#include <math.h>
#include <string.h>

#include "kernels/attention_tile.h"
#include "kernels/reference.h"
#include "kernels/roofline.h"

#define LANES PG_REFERENCE_LANES

static void widen(float *out, const void *in, pg_dtype dtype, int64_t count)
{
    if (dtype == PG_F32)
        memcpy(out, in, (size_t)count * sizeof *out);
    else if (dtype == PG_I8)
        pg_reference_widen_scaled(out, in, count);
    else
        for (int64_t i = 0; i < count; i++)
            out[i] = dtype == PG_BF16 ? pg_bf16_to_float(stored_half(in, i)) : pg_f16_to_float(stored_half(in, i));
}

static void narrow(void *out, pg_dtype dtype, const float *in, int64_t count)
{
    uint16_t *half = out;
    if (dtype == PG_F32)
        memcpy(out, in, (size_t)count * sizeof *in);
    else if (dtype == PG_I8)
        pg_reference_narrow_scaled(out, in, count);
    else
        for (int64_t i = 0; i < count; i++)
            half[i] = dtype == PG_BF16 ? pg_bf16_from_float(in[i]) : pg_f16_from_float(in[i]);
}

static void pack(void *panel, pg_panel_dtype type, const float *x, int64_t stride, int64_t rows, int64_t k)
{
    for (int64_t i = 0; i < k; i++)
        for (int64_t lane = 0; lane < LANES; lane++) {
            float value = lane < rows ? x[lane * stride + i] : 0;
            if (type == PG_PANEL_F32)
                ((float *)panel)[i * LANES + lane] = value;
            else
                ((uint16_t *)panel)[i / 2 * 2 * LANES + 2 * lane + i % 2] = pg_bf16_from_float(value);
            if (type == PG_PANEL_BF16 && i + 1 == k && k % 2)
                ((uint16_t *)panel)[i * LANES + 2 * lane + 1] = 0;
        }
}

static void unpack(float *out, int64_t out_stride, const float *sums, int64_t sums_stride, int64_t rows, int64_t count,
                   const float *bias)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t n = 0; n < count; n++)
            out[r * out_stride + n] = sums[n * sums_stride + r] + (bias ? bias[n] : 0);
}

static void panel_product_f32(float *c, int64_t c_stride, const void *weights, int64_t w_stride, int64_t rows,
                              const void *packed, int64_t lanes, int64_t k, const pg_ahead *ahead)
{
    (void)ahead;
    const float *w = weights, *panel = packed;
    for (int64_t n = 0; n < rows; n++)
        for (int64_t i = 0; i < k; i++)
            for (int64_t lane = 0; lane < lanes; lane++)
                c[n * c_stride + lane] += w[n * w_stride + i] * panel[i * LANES + lane];
}

static void panel_product_bf16(float *c, int64_t c_stride, const void *weights, int64_t w_stride, int64_t rows,
                               const void *packed, int64_t lanes, int64_t k, const pg_ahead *ahead)
{
    (void)ahead;
    const uint16_t *w = weights, *panel = packed;
    for (int64_t n = 0; n < rows; n++)
        for (int64_t i = 0; i < k; i++)
            for (int64_t lane = 0; lane < lanes; lane++)
                c[n * c_stride + lane] += pg_bf16_to_float(w[n * w_stride + i]) *
                                          pg_bf16_to_float(panel[i / 2 * 2 * LANES + 2 * lane + i % 2]);
}

static void dot_rows(float *out, int64_t out_stride, const void *w, pg_dtype dtype, int64_t w_stride, int64_t w_rows,
                     const float *x, int64_t x_stride, int64_t x_rows, int64_t k)
{
    for (int64_t r = 0; r < x_rows; r++)
        for (int64_t n = 0; n < w_rows; n++) {
            float sum = 0;
            for (int64_t i = 0; i < k; i++)
                sum += pg_dtype_load(dtype, (const char *)w + (n * w_stride + i) * (int64_t)pg_dtype_size(dtype)) *
                       x[r * x_stride + i];
            out[r * out_stride + n] = sum;
        }
}

static float rounded(float value, pg_panel_dtype panel)
{
    return panel == PG_PANEL_BF16 ? pg_bf16_to_float(pg_bf16_from_float(value)) : value;
}

/* One lane over all the keys it sees: scores, their softmax, the weighted sum of the values. */
static void attend_lane(const pg_attention_block *block, int64_t l)
{
    int64_t at = l / block->group * block->query_stride + l % block->group * block->size, stride;
    int64_t seen = pg_keys_seen(block, l), size = block->size;
    float *row = block->scratch, *out = block->out + at, top = -INFINITY, total = 0;
    memset(out, 0, (size_t)size * sizeof *out);
    for (int64_t j = 0; j < seen; j++) {
        const float *key = pg_tile_rows(block, PG_TILE_KEYS, j, 1, true, row, widen, &stride);
        float score = 0;
        for (int64_t i = 0; i < size; i++)
            score += rounded(block->queries[at + i] * block->scale, block->panel) * rounded(key[i], block->panel);
        float higher = score > top ? score : top, rescale = expf(top - higher), weight = expf(score - higher);
        const float *value = pg_tile_rows(block, PG_TILE_VALUES, j, 1, true, row, widen, &stride);
        for (int64_t i = 0; i < size; i++)
            out[i] = out[i] * rescale + weight * value[i];
        total = total * rescale + weight;
        top = higher;
    }
    for (int64_t i = 0; i < size; i++)
        out[i] /= total;
    if (block->log_sums)
        block->log_sums[l / block->group * block->sum_stride + l % block->group] = top + logf(total);
}

static void attend(const pg_attention_block *block)
{
    for (int64_t lane = 0; lane < block->lanes; lane++)
        attend_lane(block, block->first + lane);
}

static void rms_norm(float *out, const float *x, const float *weight, int64_t n, float epsilon)
{
    float squares = 0;
    for (int64_t i = 0; i < n; i++)
        squares += x[i] * x[i];
    float rms = sqrtf(squares / (float)n + epsilon);
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i] / rms * (1 + weight[i]);
}

static void layer_norm(float *out, const float *x, const float *weight, const float *bias, int64_t n, float epsilon)
{
    float mean = 0, variance = 0;
    for (int64_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (float)n;
    for (int64_t i = 0; i < n; i++)
        variance += (x[i] - mean) * (x[i] - mean);
    float deviation = sqrtf(variance / (float)n + epsilon);
    for (int64_t i = 0; i < n; i++)
        out[i] = (x[i] - mean) / deviation * weight[i] + bias[i];
}

static void gelu(float *out, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = 0.5f * x[i] * (1 + tanhf(0.7978845608028654f * (x[i] + 0.044715f * x[i] * x[i] * x[i])));
}

static void gelu_times(float *out, const float *x, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float a;
        gelu(&a, x + i, 1);
        out[i] = a * y[i];
    }
}

static void add(float *out, const float *x, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i] + y[i];
}

static void scale(float *out, const float *x, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i] * factor;
}

static void rotate(float *out, const float *x, const float *cosine, const float *sine, int64_t n)
{
    for (int64_t i = 0; i < n / 2; i++) {
        float a = x[i], b = x[n / 2 + i];
        out[i] = a * cosine[i] - b * sine[i];
        out[n / 2 + i] = b * cosine[i] + a * sine[i];
    }
}

static double log_sum_exp(const float *x, int64_t n, float *top)
{
    *top = x[0];
    for (int64_t i = 1; i < n; i++)
        *top = x[i] > *top ? x[i] : *top;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)x[i] - *top);
    return *top + log(sum);
}

/* ---------------------------------------------------------------- roofline.h */

static void chains(int64_t rounds)
{
    volatile float kept;
    float sum[8] = {0}, x = 0.5f, y = 0.25f;
    for (int64_t i = 0; i < rounds; i++)
        for (int c = 0; c < 8; c++)
            sum[c] = sum[c] * x + y;
    for (int c = 0; c < 8; c++)
        kept = sum[c];
    (void)kept;
}

static uint64_t read_bytes(const char *bytes, int64_t size, int streams, int64_t ahead)
{
    int64_t run = size / streams;
    uint64_t sum = 0, value;
    for (int64_t at = 0; at < run; at += (int64_t)sizeof value)
        for (int s = 0; s < streams; s++) {
            memcpy(&value, bytes + s * run + at, sizeof value);
            sum += value;
        }
    (void)ahead;
    return sum;
}

static const pg_roofline_kernels roofline = {
    .chains = {chains, chains, chains},
    .operations = {16, 16, 16},
    .read = read_bytes,
};

const pg_kernels pg_reference_kernels = {
    .name = "ref",
    .roofline = &roofline,
    .gradient = &pg_reference_gradient,
    .update = &pg_reference_update,
    .lanes = LANES,
    .attention_panels = PG_ATTENTION_PANELS,
    .lane_group = LANES,
    .outputs = 48,
    .widen = widen,
    .narrow = narrow,
    .pack = pack,
    .unpack = unpack,
    .panel_product = {panel_product_f32, panel_product_bf16},
    .dot_rows = dot_rows,
    .quantize = pg_reference_quantize,
    .integer_product = pg_reference_integer_product,
    .attend = attend,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .gelu = gelu,
    .gelu_times = gelu_times,
    .add = add,
    .scale = scale,
    .rotate = rotate,
    .log_sum_exp = log_sum_exp,
};
