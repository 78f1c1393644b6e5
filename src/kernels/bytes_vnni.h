/* Products of bytes for simd_quantized.c with VNNI: the weight's bytes as they are, unsigned; the zero point's share,
 * -128 * sum of x, is what the sum starts with. */
#ifndef PG_KERNELS_BYTES_VNNI_H
#define PG_KERNELS_BYTES_VNNI_H

#include "kernels/simd.h"

/* Sums of a tile, its vectors of weights and one of x stay in registers: 24 + 4 + 1 of 32. */
#define TILE_ROWS 6
#if defined(__AVX512F__)
#define TILE_GROUPS 4
#define FEW_ROWS    4
#define FEW_GROUPS  2
#else
#define TILE_GROUPS 1
#define FEW_ROWS    2
#define FEW_GROUPS  1
#endif

#define HIGH_SHIFT 4 /* high halves stay where they are: their sums are 16 times as large */
typedef vi weights8;

INLINE weights8 split8(vi bytes)
{
    return bytes;
}

INLINE vi start8(int32_t zero)
{
    return splat_int(zero);
}

#if defined(__AVX512VNNI__)
INLINE vi multiply8(vi sum, weights8 w, vi x)
{
    return (vi)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)x);
}

INLINE vi add_steps(vi total, vi sum, vi step)
{
    return (vi)_mm512_dpwssd_epi32((__m512i)total, (__m512i)sum, (__m512i)step);
}
#else
INLINE vi multiply8(vi sum, weights8 w, vi x)
{
    return (vi)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)w, (__m256i)x);
}

INLINE vi add_steps(vi total, vi sum, vi step)
{
    return (vi)_mm256_dpwssd_avx_epi32((__m256i)total, (__m256i)sum, (__m256i)step);
}
#endif

INLINE vi start4(int32_t zero)
{
    return splat_int(zero);
}

INLINE vi multiply4(vi sum, vi halves, vi x)
{
    return multiply8(sum, halves, x);
}

INLINE vi expand_step(vi step)
{
    return step; /* the upper 16 bits, which hold the sum's sign, count for nothing */
}

#endif
