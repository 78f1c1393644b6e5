/* Vectors of the widest kind that this file is compiled for, through the compiler's vector extensions: `vf` has W
 * floats. What they cannot say is in simd_x86.h and simd_neon.h. Included by simd_*.c only, which are compiled once per
 * instruction set with PG_ISA naming it. */
#ifndef PG_KERNELS_SIMD_H
#define PG_KERNELS_SIMD_H

#include <string.h>

#include "kernels/kernels.h"
#include "kernels/roofline.h"

#if defined(__AVX512F__)
#define W             16
#define PANEL_VECTORS 4 /* 6 x 4 sums, 4 vectors of the panel and a weight: 29 of 32 registers */
#elif defined(__AVX2__)
#define W             8
#define PANEL_VECTORS 2 /* 6 x 2 sums, 2 vectors and a weight: 15 of 16 */
#else
#define W             4
#define PANEL_VECTORS 4
#endif
#define LANES (W * PANEL_VECTORS)

#define PG_JOIN2(a, b, c) a##b##_##c
#define PG_JOIN(a, b, c)  PG_JOIN2(a, b, c)
#define PG_SIMD(name)     PG_JOIN(pg_, PG_ISA, name)

typedef float vf __attribute__((vector_size(W * 4)));
typedef int32_t vi __attribute__((vector_size(W * 4)));
typedef uint32_t vu __attribute__((vector_size(W * 4)));
typedef uint16_t vh __attribute__((vector_size(W * 2)));
typedef uint16_t vb __attribute__((vector_size(W * 4))); /* pairs of bf16, one in each lane */

#define HALVES     (2 * W)
#define LINE_BYTES 64 /* that come in from memory at a time */

/* Keeps a value in a register, and the compiler from knowing it. */
#if defined(__AVX512F__)
#define OPAQUE(value) __asm__ volatile("" : "+v"(value))
#elif defined(__x86_64__)
#define OPAQUE(value) __asm__ volatile("" : "+x"(value))
#else
#define OPAQUE(value) __asm__ volatile("" : "+w"(value))
#endif

#define INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#include "kernels/simd_x86.h"
#else
#include "kernels/simd_neon.h"
#endif

static inline vf load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}

/* The first n < W floats; the rest are zero. */
static inline vf load_part(const float *p, int64_t n)
{
    vf v = {0};
    memcpy(&v, p, (size_t)n * sizeof(float));
    return v;
}

static inline void store_part(float *p, vf v, int64_t n)
{
    memcpy(p, &v, (size_t)n * sizeof(float));
}

static inline vf splat(float x)
{
    return x - (vf){0};
}

static inline vi splat_int(int32_t x)
{
    return x - (vi){0};
}

static inline vf select_lanes(vi mask, vf yes, vf no)
{
    return (vf)((mask & (vi)yes) | (~mask & (vi)no));
}

static inline vf larger(vf a, vf b)
{
    return select_lanes(a > b, a, b);
}

/* a0 b0 a1 b1 ...: lanes of a and b in turns, over two vectors. */
static inline void interleave(vf *first, vf *second, vf a, vf b)
{
#if defined(__AVX512F__)
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    *first = (vf)_mm512_permutex2var_ps((__m512)a, low, (__m512)b);
    *second = (vf)_mm512_permutex2var_ps((__m512)a, high, (__m512)b);
#elif defined(__AVX2__)
    __m256 low = _mm256_unpacklo_ps((__m256)a, (__m256)b), high = _mm256_unpackhi_ps((__m256)a, (__m256)b);
    *first = (vf)_mm256_permute2f128_ps(low, high, 0x20);
    *second = (vf)_mm256_permute2f128_ps(low, high, 0x31);
#else
    *first = (vf){a[0], b[0], a[1], b[1]};
    *second = (vf){a[2], b[2], a[3], b[3]};
#endif
}

/* W rows become W columns: every round of interleaving moves one bit of a value's row number into its column's. */
static inline void transpose(vf *rows)
{
#pragma GCC unroll 4
    for (int round = 1; round < W; round *= 2) {
        vf next[W];
#pragma GCC unroll 8
        for (int i = 0; i < W / 2; i++)
            interleave(&next[2 * i], &next[2 * i + 1], rows[i], rows[i + W / 2]);
        memcpy(rows, next, sizeof next);
    }
}

/* Adds the lanes in a fixed tree. */
static inline float sum_lanes(vf v)
{
    float x[W];
    memcpy(x, &v, sizeof x);
    for (int n = W / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            x[i] += x[i + n];
    return x[0];
}

/* The same of W vectors, at their places in the result; they are overwritten. */
static inline vf sum_lanes_of_each(vf *vectors)
{
    transpose(vectors);
#pragma GCC unroll 4
    for (int n = W / 2; n > 0; n /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < n; i++)
            vectors[i] += vectors[i + n];
    return vectors[0];
}

static inline float largest_lane(vf v)
{
    float top = v[0];
    for (int i = 1; i < W; i++)
        top = v[i] > top ? v[i] : top;
    return top;
}

/* e^x: 2^n times a polynomial of degree 6 for the rest, |x - n ln 2| <= ln 2 / 2 (relative error 2e-7). 0 below -87.3,
 * so that a masked score of minus infinity weighs exactly nothing; infinite above 88.7. */
static inline vf exp_lanes(vf x)
{
    vf low = splat(-87.3f), high = splat(88.7f);
    vf y = select_lanes(x < low, low, select_lanes(x > high, high, x));
    vf scaled = y * 1.44269504f;
    vi n = __builtin_convertvector(scaled + select_lanes(scaled < 0, splat(-0.5f), splat(0.5f)), vi);
    vf whole = __builtin_convertvector(n, vf);
    vf r = y - whole * 0.693359375f - whole * -2.12194440e-4f; /* ln 2 in two parts: the first product is exact */
    vf p = 1.0f / 720 + (vf){0};
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    vf half_power = (vf)((n / 2 + 127) << 23),
       rest_power = (vf)((n - n / 2 + 127) << 23); /* 2^128 has no single float */
    vf result = p * half_power * rest_power;
    result = select_lanes(x < low, (vf){0}, result);
    return select_lanes(x > high, splat(__builtin_inff()), result);
}

/* gelu, tanh form: x / 2 (1 + tanh u) = x / (1 + e^(-2u)), u = sqrt(2 / pi) (x + 0.044715 x^3) */
static inline vf gelu_lanes(vf x)
{
    vf u = 0.7978845608028654f * (x + 0.044715f * x * x * x);
    return x / (1.0f + exp_lanes(-2.0f * u));
}

/* To bf16, in the upper half of every lane; the lower half is what was rounded off. */
static inline vu round_lanes(vf v)
{
    vu bits = (vu)v;
    return bits + 0x7fff + (bits >> 16 & 1);
}

/* One lane for two values of k, as a panel in bf16 holds them. */
static inline vf pair_bf16(vf even, vf odd)
{
    return (vf)(round_lanes(even) >> 16 | (round_lanes(odd) & 0xffff0000));
}

static inline uint16_t round_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* W values of a stored row, which may lie at any address; `dtype` is a constant after inlining. */
static inline __attribute__((always_inline)) vf load_stored(const void *p, pg_dtype dtype, int64_t at)
{
    if (dtype == PG_BF16)
        return widen_bf16((const char *)p + 2 * at);
    if (dtype == PG_F16)
        return widen_f16((const char *)p + 2 * at);
    vf v;
    memcpy(&v, (const char *)p + 4 * at, sizeof v);
    return v;
}

static inline __attribute__((always_inline)) vf load_stored_part(const void *p, pg_dtype dtype, int64_t at, int64_t n)
{
    char part[W * 4] = {0};
    size_t element = dtype == PG_F32 ? 4 : 2;
    memcpy(part, (const char *)p + (size_t)at * element, (size_t)n * element);
    return load_stored(part, dtype, 0);
}

/* What the files of one instruction set share. */
extern const pg_kernels PG_SIMD(kernels);
extern const pg_roofline_kernels PG_SIMD(roofline);
extern const struct pg_update_kernels PG_SIMD(update);
void PG_SIMD(panel_product_f32)(float *c, int64_t c_stride, const void *w, int64_t w_stride, int64_t rows,
                                const void *panel, int64_t lanes, int64_t k);
void PG_SIMD(panel_product_bf16)(float *c, int64_t c_stride, const void *w, int64_t w_stride, int64_t rows,
                                 const void *panel, int64_t lanes, int64_t k);
void PG_SIMD(pack)(void *panel, pg_panel_dtype type, const float *x, int64_t stride, int64_t rows, int64_t k);
void PG_SIMD(unpack)(float *out, int64_t out_stride, const float *sums, int64_t sums_stride, int64_t rows,
                     int64_t count, const float *bias);
void PG_SIMD(dot_rows)(float *out, int64_t out_stride, const void *w, pg_dtype dtype, int64_t w_stride, int64_t w_rows,
                       const float *x, int64_t x_stride, int64_t x_rows, int64_t k);
void PG_SIMD(dot_rows_bf16)(float *out, int64_t out_stride, const void *w, int64_t w_stride, int64_t w_rows,
                            const uint16_t *x, int64_t x_stride, int64_t x_rows, int64_t k);
void PG_SIMD(widen)(float *out, const void *in, pg_dtype dtype, int64_t count);
void PG_SIMD(narrow)(void *out, pg_dtype dtype, const float *in, int64_t count);
void PG_SIMD(quantize)(int8_t *values, float *scale, int32_t *zero8, int32_t *zeros4, const float *x, int64_t count);
void PG_SIMD(integer_product)(float *sums, const pg_quantized *w, int64_t group, int64_t groups,
                              const pg_integer_rows *x, uint8_t *scratch);
void PG_SIMD(widen_scaled)(float *out, const int8_t *in, int64_t count);
void PG_SIMD(narrow_scaled)(int8_t *out, const float *in, int64_t count);
void PG_SIMD(attend)(const pg_attention_block *block);

/* The inner product of a panel with general strides of w; shared by products and attention. */
void PG_SIMD(panel_product_strided)(float *c, int64_t c_stride, const float *w, int64_t row_stride, int64_t k_stride,
                                    int64_t rows, const float *panel, int64_t lanes, int64_t k);

#endif
