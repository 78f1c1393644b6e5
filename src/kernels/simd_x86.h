/* What the compiler's vector extensions do not say, for AVX2 and AVX-512; simd_neon.h has the same for NEON. */
#ifndef PG_KERNELS_SIMD_X86_H
#define PG_KERNELS_SIMD_X86_H

#include <immintrin.h>

#include "kernels/simd.h"

/* W stored halves as floats; __builtin_convertvector would say it, but compilers find three instructions for it. */
INLINE vf widen_bf16(const void *p)
{
    vh h;
    memcpy(&h, p, sizeof h);
#if defined(__AVX512F__)
    return (vf)((vu)_mm512_cvtepu16_epi32((__m256i)h) << 16);
#else
    return (vf)((vu)_mm256_cvtepu16_epi32((__m128i)h) << 16);
#endif
}

INLINE vf widen_f16(const void *p)
{
    vh h;
    memcpy(&h, p, sizeof h);
#if defined(__AVX512F__)
    return (vf)_mm512_cvtph_ps((__m256i)h);
#else
    return (vf)_mm256_cvtph_ps((__m128i)h);
#endif
}

/* W bytes, one in each lane. */
INLINE vi widen_bytes(const uint8_t *p)
{
    __m128i bytes = _mm_setzero_si128();
    memcpy(&bytes, p, W);
#if defined(__AVX512F__)
    return (vi)_mm512_cvtepu8_epi32(bytes);
#else
    return (vi)_mm256_cvtepu8_epi32(bytes);
#endif
}

INLINE vi widen_signed_bytes(const int8_t *p)
{
    __m128i bytes = _mm_setzero_si128();
    memcpy(&bytes, p, W);
#if defined(__AVX512F__)
    return (vi)_mm512_cvtepi8_epi32(bytes);
#else
    return (vi)_mm256_cvtepi8_epi32(bytes);
#endif
}

/* And back; every lane is in -128 .. 127. */
INLINE void narrow_bytes(int8_t *p, vi v)
{
#if defined(__AVX512F__)
    __m128i bytes = _mm512_cvtepi32_epi8((__m512i)v);
#else
    __m128i pairs = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    __m128i bytes = _mm_packs_epi16(pairs, pairs);
#endif
    memcpy(p, &bytes, W);
}

/* a > b ? a : b, and a < b ? a : b: b if either is not a number */
INLINE vf larger(vf a, vf b)
{
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#else
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#endif
}

INLINE vf smaller(vf a, vf b)
{
#if defined(__AVX512F__)
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#else
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#endif
}

/* The nearest whole numbers. */
INLINE vf nearest(vf v)
{
#if defined(__AVX512F__)
    return (vf)_mm512_roundscale_ps((__m512)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    return (vf)_mm256_round_ps((__m256)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#endif
}

#if defined(__AVX512F__)
/* v 2^n */
INLINE vf times_power(vf v, vf n)
{
    return (vf)_mm512_scalef_ps((__m512)v, (__m512)n);
}
#endif

#if defined(__AVX512BF16__)
#define BF16_PRODUCTS

INLINE vb load_halves(const uint16_t *p)
{
    vb v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The first n < HALVES; the rest are zero. */
INLINE vb load_halves_part(const uint16_t *p, int64_t n)
{
    return (vb)_mm512_maskz_loadu_epi16((__mmask32)((1ull << n) - 1), p);
}

/* sum + the two products of each lane */
INLINE vf dot_halves(vf sum, vb a, vb b)
{
    return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}
#endif

#endif
