/* What the compiler's vector extensions do not say, for NEON; simd_x86.h has the same for AVX2 and AVX-512. */
#ifndef PG_KERNELS_SIMD_NEON_H
#define PG_KERNELS_SIMD_NEON_H

#include <arm_neon.h>

#include "kernels/simd.h"

INLINE vf widen_bf16(const void *p)
{
    return (vf)vshlq_n_u32(vmovl_u16(vreinterpret_u16_u8(vld1_u8(p))), 16);
}

INLINE vf widen_f16(const void *p)
{
    return (vf)vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

/* W bytes, one in each lane. */
INLINE vi widen_bytes(const uint8_t *p)
{
    uint32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    return (vi)vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(bytes))));
}

INLINE vi widen_signed_bytes(const int8_t *p)
{
    uint32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    return (vi)vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(bytes))));
}

/* And back; every lane is in -128 .. 127. */
INLINE void narrow_bytes(int8_t *p, vi v)
{
    int16x4_t pairs = vmovn_s32((int32x4_t)v);
    int8x8_t bytes = vmovn_s16(vcombine_s16(pairs, pairs));
    memcpy(p, &bytes, W);
}

/* a > b ? a : b, and a < b ? a : b: b if either is not a number */
INLINE vf larger(vf a, vf b)
{
    return (vf)vbslq_f32(vcgtq_f32((float32x4_t)a, (float32x4_t)b), (float32x4_t)a, (float32x4_t)b);
}

INLINE vf smaller(vf a, vf b)
{
    return (vf)vbslq_f32(vcltq_f32((float32x4_t)a, (float32x4_t)b), (float32x4_t)a, (float32x4_t)b);
}

/* The nearest whole numbers. */
INLINE vf nearest(vf v)
{
    return (vf)vrndnq_f32((float32x4_t)v);
}

#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#define BF16_PRODUCTS

INLINE vb load_halves(const uint16_t *p)
{
    return (vb)vld1q_u16(p);
}

/* The first n < HALVES; the rest are zero. */
INLINE vb load_halves_part(const uint16_t *p, int64_t n)
{
    vb v = {0};
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
}

/* sum + the two products of each lane */
INLINE vf dot_halves(vf sum, vb a, vb b)
{
    return (vf)vbfdotq_f32((float32x4_t)sum, vreinterpretq_bf16_u16((uint16x8_t)a),
                           vreinterpretq_bf16_u16((uint16x8_t)b));
}
#endif

#endif
