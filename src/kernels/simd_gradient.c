/* The loops of backward passes over rows; those of attention are in simd_attention_gradient.c. */
#include <math.h>

#include "kernels/simd_gradient.h"

#define ROWS_AHEAD 8

/* Two rows of b side by side, rounded: what a bf16 panel holds for one pair of k. */
static void pack_pair(uint16_t *panel, const float *even, const float *odd)
{
    for (int lane = 0; lane < LANES; lane++) {
        panel[2 * lane] = round_bf16(even[lane]);
        panel[2 * lane + 1] = round_bf16(odd[lane]);
    }
}

/* Whole lanes; dtype is a constant. Rows are too far from each other for the processor to see what comes next. */
INLINE void copy_columns(float *panel, const char *row, pg_dtype dtype, int64_t row_bytes, int64_t k)
{
    for (int64_t i = 0; i < k; i++, row += row_bytes, panel += LANES) {
        __builtin_prefetch(row + ROWS_AHEAD * row_bytes);
#pragma GCC unroll 4
        for (int v = 0; v < PANEL_VECTORS; v++)
            store(panel + v * W, load_stored(row, dtype, v * W));
    }
}

static void pack_floats(float *panel, const char *row, pg_dtype dtype, int64_t row_bytes, int64_t lanes, int64_t k)
{
    if (lanes < LANES) {
        memset(panel, 0, (size_t)(k * LANES) * sizeof *panel);
        for (int64_t i = 0; i < k; i++, row += row_bytes)
            PG_SIMD(widen)(panel + i * LANES, row, dtype, lanes);
    } else if (dtype == PG_F32)
        copy_columns(panel, row, PG_F32, row_bytes, k);
    else if (dtype == PG_BF16)
        copy_columns(panel, row, PG_BF16, row_bytes, k);
    else
        copy_columns(panel, row, PG_F16, row_bytes, k);
}

void PG_SIMD(pack_columns)(void *panel, pg_panel_dtype type, const void *b, pg_dtype dtype, int64_t stride,
                           int64_t lanes, int64_t k)
{
    int64_t row_bytes = stride * (int64_t)pg_dtype_size(dtype);
    const char *row = b;
    if (type == PG_PANEL_F32) {
        pack_floats(panel, row, dtype, row_bytes, lanes, k);
        return;
    }
    float even[LANES] = {0}, odd[LANES] = {0};
    for (int64_t i = 0; i < k; i += 2, row += 2 * row_bytes) {
        PG_SIMD(widen)(even, row, dtype, lanes);
        if (i + 1 < k)
            PG_SIMD(widen)(odd, row + row_bytes, dtype, lanes);
        else
            memset(odd, 0, sizeof odd);
        pack_pair((uint16_t *)panel + i * LANES, even, odd);
    }
}

void PG_SIMD(rms_norm_gradient)(float *dx, float *factor, const float *dy, const float *x, const float *weight,
                                int64_t n, float epsilon)
{
    vf squares = {0}, products = {0};
    int64_t i = 0;
    for (; i + W <= n; i += W) {
        vf a = load(x + i);
        squares += a * a;
        products += load(dy + i) * (1.0f + load(weight + i)) * a;
    }
    float square = sum_lanes(squares), product = sum_lanes(products);
    for (int64_t j = i; j < n; j++) {
        square += x[j] * x[j];
        product += dy[j] * (1.0f + weight[j]) * x[j];
    }
    float f = 1.0f / sqrtf(square / (float)n + epsilon), back = f * f * f * product / (float)n;
    for (i = 0; i + W <= n; i += W)
        store(dx + i, load(dx + i) + load(dy + i) * (1.0f + load(weight + i)) * f - load(x + i) * back);
    for (; i < n; i++)
        dx[i] += dy[i] * (1.0f + weight[i]) * f - x[i] * back;
    *factor = f;
}

static float mean_of(const float *x, int64_t n)
{
    vf sums = {0};
    int64_t i = 0;
    for (; i + W <= n; i += W)
        sums += load(x + i);
    float sum = sum_lanes(sums);
    for (; i < n; i++)
        sum += x[i];
    return sum / (float)n;
}

void PG_SIMD(layer_norm_gradient)(float *dx, float *mean, float *factor, const float *dy, const float *x,
                                  const float *weight, int64_t n, float epsilon)
{
    float m = mean_of(x, n);
    vf squares = {0}, sums = {0}, products = {0};
    int64_t i = 0;
    for (; i + W <= n; i += W) {
        vf off = load(x + i) - m, h = load(dy + i) * load(weight + i);
        squares += off * off;
        sums += h;
        products += h * off;
    }
    float square = sum_lanes(squares), sum = sum_lanes(sums), product = sum_lanes(products);
    for (int64_t j = i; j < n; j++) {
        square += (x[j] - m) * (x[j] - m);
        sum += dy[j] * weight[j];
        product += dy[j] * weight[j] * (x[j] - m);
    }
    float f = 1.0f / sqrtf(square / (float)n + epsilon), back = f * f * f * product / (float)n;
    float shift = f * sum / (float)n;
    for (i = 0; i + W <= n; i += W)
        store(dx + i, load(dx + i) + load(dy + i) * load(weight + i) * f - shift - (load(x + i) - m) * back);
    for (; i < n; i++)
        dx[i] += dy[i] * weight[i] * f - shift - (x[i] - m) * back;
    *mean = m;
    *factor = f;
}

/* gelu(x) = x s, s = 1 / (1 + e^(-2u)), u = c (x + a x^3); its slope is s + x s (1 - s) 2 u'. */
static inline vf gelu_share(vf x)
{
    return 1.0f / (1.0f + exp_lanes(-2.0f * 0.7978845608028654f * (x + 0.044715f * x * x * x)));
}

static inline vf gelu_slope(vf x, vf s)
{
    return s + x * s * (1.0f - s) * (2.0f * 0.7978845608028654f) * (1.0f + 3 * 0.044715f * x * x);
}

/* Loops whose remainder goes through the same vector code, `body` reading and writing through at() and put(). */
#define EACH_VECTOR(body)               \
    do {                                \
        int64_t i = 0;                  \
        for (; i + W <= n; i += W) {    \
            body(load, store)           \
        }                               \
        if (i < n) {                    \
            body(load_rest, store_rest) \
        }                               \
    } while (0)
#define load_rest(p)     load_part(p, n - i)
#define store_rest(p, v) store_part(p, v, n - i)

#define GELU(at, put) \
    vf a = at(x + i); \
    put(dx + i, at(dx + i) + at(dy + i) * gelu_slope(a, gelu_share(a)));

#define GELU_TIMES(at, put)                                     \
    vf a = at(x + i), s = gelu_share(a), d = at(dout + i);      \
    put(dx + i, at(dx + i) + d * at(y + i) * gelu_slope(a, s)); \
    put(dy + i, at(dy + i) + d * a * s);

#define ADD_SCALED(at, put)  put(out + i, at(out + i) + at(x + i) * factor);
#define ADD_PRODUCT(at, put) put(out + i, at(out + i) + at(x + i) * at(y + i) * factor);
#define EXP_SHIFTED(at, put) put(out + i, exp_lanes(at(x + i) - shift) * factor);

void PG_SIMD(gelu_gradient)(float *dx, const float *dy, const float *x, int64_t n)
{
    EACH_VECTOR(GELU);
}

void PG_SIMD(gelu_times_gradient)(float *dx, float *dy, const float *dout, const float *x, const float *y, int64_t n)
{
    EACH_VECTOR(GELU_TIMES);
}

void PG_SIMD(add_scaled)(float *out, const float *x, float factor, int64_t n)
{
    EACH_VECTOR(ADD_SCALED);
}

void PG_SIMD(add_product)(float *out, const float *x, const float *y, float factor, int64_t n)
{
    EACH_VECTOR(ADD_PRODUCT);
}

void PG_SIMD(exp_shifted)(float *out, const float *x, float shift, float factor, int64_t n)
{
    EACH_VECTOR(EXP_SHIFTED);
}

const pg_gradient_kernels PG_SIMD(gradient) = {
    .pack_columns = PG_SIMD(pack_columns),
    .panel_product = PG_SIMD(panel_product_strided),
    .rms_norm = PG_SIMD(rms_norm_gradient),
    .layer_norm = PG_SIMD(layer_norm_gradient),
    .gelu = PG_SIMD(gelu_gradient),
    .gelu_times = PG_SIMD(gelu_times_gradient),
    .add_scaled = PG_SIMD(add_scaled),
    .add_product = PG_SIMD(add_product),
    .exp_shifted = PG_SIMD(exp_shifted),
    .attend_queries = PG_SIMD(attend_queries_gradient),
    .attend_keys = PG_SIMD(attend_keys_gradient),
};
