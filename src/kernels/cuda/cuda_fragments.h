/* Pairs of bf16 in a word, and the tensor cores' product of a warp's fragments of them. */
#ifndef PG_KERNELS_CUDA_FRAGMENTS_H
#define PG_KERNELS_CUDA_FRAGMENTS_H

#include "kernels/cuda/cuda_common.h"

/* Two floats to nearest bf16, the first in the lower half. */
static __device__ inline uint32_t pack_bf16(float low, float high)
{
#ifdef PG_EMULATED
    return bf16_of_float(low) | static_cast<uint32_t>(bf16_of_float(high)) << 16;
#else
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#endif
}

/* The numbers of a pair. */
static __device__ inline float low_of_pair(uint32_t pair)
{
    return float_of_bits(pair << 16);
}

static __device__ inline float high_of_pair(uint32_t pair)
{
    return float_of_bits(pair & 0xffff0000);
}

/* a b + c, rounded once. */
static __device__ inline uint32_t multiply_add_pair(uint32_t a, uint32_t b, uint32_t c)
{
#ifdef PG_EMULATED
    return pack_bf16(fmaf(low_of_pair(a), low_of_pair(b), low_of_pair(c)),
                     fmaf(high_of_pair(a), high_of_pair(b), high_of_pair(c)));
#else
    uint32_t result;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(c));
    return result;
#endif
}

/*
 * c [16][8] += a [16][16] b [16][8] by a warp: mma.m16n8k16. With g = lane / 4 and t = lane % 4,
 *   a: rows g, g + 8, g, g + 8; inner values 2t, 2t, 2t + 8, 2t + 8 and the one behind each;
 *   b: inner values 2t and 2t + 8, and the one behind each; column g;
 *   c: columns 2t and 2t + 1 of row g, then of row g + 8.
 * A column of c has the same bits whatever the others hold.
 */
#ifdef PG_EMULATED
/* The fragments of a warp, gathered: what one lane multiplies needs those of eight others. */
static inline void multiply_fragments(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    uint32_t own[6] = {a[0], a[1], a[2], a[3], b0, b1};
    unsigned lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4;
    memcpy(emulate_warp_room(sizeof own, lane), own, sizeof own);
    __syncwarp();
    for (unsigned k = 0; k < 16; k++) {
        const uint32_t *left = static_cast<uint32_t *>(emulate_warp_room(sizeof own, g * 4 + k % 8 / 2));
        for (unsigned e = 0; e < 4; e++) {
            unsigned column = 2 * t + e % 2;
            const uint32_t *right = static_cast<uint32_t *>(emulate_warp_room(sizeof own, column * 4 + k % 8 / 2));
            uint32_t x = left[e / 2 + k / 8 * 2], y = right[4 + k / 8];
            c[e] += k % 2 ? high_of_pair(x) * high_of_pair(y) : low_of_pair(x) * low_of_pair(y);
        }
    }
    __syncwarp();
}
#else
static __device__ inline void multiply_fragments(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

#endif
