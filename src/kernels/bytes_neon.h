/* Products of bytes for simd_quantized.c with NEON: both factors are signed. */
#ifndef PG_KERNELS_BYTES_NEON_H
#define PG_KERNELS_BYTES_NEON_H

#include "kernels/simd.h"

#if defined(__ARM_FEATURE_DOTPROD)
#define TILE_ROWS 6 /* 24 sums, 4 vectors of weights and one of x: 29 of 32 registers */
#else
#define TILE_ROWS 5 /* and two for products */
#endif
#define TILE_GROUPS 1
#define FEW_ROWS    4
#define FEW_GROUPS  1
#define HIGH_SHIFT  0
typedef vi weights8;

INLINE weights8 split8(vi bytes)
{
    return bytes ^ splat_int((int32_t)0x80808080);
}

INLINE vi start8(int32_t zero)
{
    (void)zero;
    return (vi){0};
}

INLINE vi multiply8(vi sum, weights8 w, vi x)
{
    int8x16_t a = vreinterpretq_s8_s32((int32x4_t)w), b = vreinterpretq_s8_s32((int32x4_t)x);
#if defined(__ARM_FEATURE_DOTPROD)
    return (vi)vdotq_s32((int32x4_t)sum, a, b);
#else /* sums of two products, at most 2 * 128 * 127, fit into 16 bits */
    int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return (vi)vpadalq_s16((int32x4_t)sum, vpaddq_s16(low, high));
#endif
}

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
    return step;
}

INLINE vi add_steps(vi total, vi sum, vi step)
{
    return total + sum * step;
}

#endif
