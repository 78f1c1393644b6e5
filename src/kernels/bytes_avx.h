/* Products of bytes for simd_quantized.c with AVX2 and AVX-512BW, which multiply unsigned with signed bytes and add two
 * products in 16 bits: |weight| and x with the weight's sign, so that two of them fit. */
#ifndef PG_KERNELS_BYTES_AVX_H
#define PG_KERNELS_BYTES_AVX_H

#include "kernels/simd.h"

#if defined(__AVX512F__)
#define TILE_ROWS   5
#define TILE_GROUPS 4
#define FEW_ROWS    4
#define FEW_GROUPS  2
#else
#define TILE_ROWS   4
#define TILE_GROUPS 1
#define FEW_ROWS    2
#define FEW_GROUPS  1
#endif

#define HIGH_SHIFT 0
#if defined(__AVX512F__)
#define MULTIPLY_BYTES(a, b) (vi) _mm512_maddubs_epi16((__m512i)(a), (__m512i)(b))
#define MULTIPLY_PAIRS(a, b) (vi) _mm512_madd_epi16((__m512i)(a), (__m512i)(b))
#define ADD_PAIRS(a, b)      (vi) _mm512_add_epi16((__m512i)(a), (__m512i)(b))
typedef struct weights8 {
    vi size;
    __mmask64 negative;
} weights8;

INLINE weights8 split8(vi bytes)
{
    __m512i w = (__m512i)(bytes ^ splat_int((int32_t)0x80808080));
    return (weights8){(vi)_mm512_abs_epi8(w), _mm512_movepi8_mask(w)};
}

INLINE vi signed_as(vi x, weights8 w)
{
    return (vi)_mm512_mask_sub_epi8((__m512i)x, w.negative, _mm512_setzero_si512(), (__m512i)x);
}
#else
#define MULTIPLY_BYTES(a, b) (vi) _mm256_maddubs_epi16((__m256i)(a), (__m256i)(b))
#define MULTIPLY_PAIRS(a, b) (vi) _mm256_madd_epi16((__m256i)(a), (__m256i)(b))
#define ADD_PAIRS(a, b)      (vi) _mm256_add_epi16((__m256i)(a), (__m256i)(b))
typedef struct weights8 {
    vi size, value;
} weights8;

INLINE weights8 split8(vi bytes)
{
    vi w = bytes ^ splat_int((int32_t)0x80808080);
    return (weights8){(vi)_mm256_abs_epi8((__m256i)w), w};
}

INLINE vi signed_as(vi x, weights8 w)
{
    return (vi)_mm256_sign_epi8((__m256i)x, (__m256i)w.value);
}
#endif

INLINE vi start8(int32_t zero)
{
    (void)zero;
    return (vi){0};
}

INLINE vi multiply8(vi sum, weights8 w, vi x)
{
    return sum + MULTIPLY_PAIRS(MULTIPLY_BYTES(w.size, signed_as(x, w)), splat_int(0x00010001));
}

/* Four products of up to 15 * 127 and a zero of up to 8 * 16 * 127 fit into 16 bits, so 4-bit sums are pairs of them
 * until their step is known. */
INLINE vi start4(int32_t zero)
{
    return splat_int(zero & 0xffff);
}

INLINE vi multiply4(vi sum, vi halves, vi x)
{
    return ADD_PAIRS(sum, MULTIPLY_BYTES(halves, x));
}

INLINE vi expand_step(vi step)
{
    return step | step << 16;
}

INLINE vi add_steps(vi total, vi sum, vi step)
{
    return total + MULTIPLY_PAIRS(sum, step);
}

#endif
