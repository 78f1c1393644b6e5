/* The row kernels of one instruction set: what simd_rows.c defines and simd_table.c lists. */
#ifndef PG_KERNELS_SIMD_ROWS_H
#define PG_KERNELS_SIMD_ROWS_H

#include "kernels/simd.h"

void PG_SIMD(rms_norm)(float *out, const float *x, const float *weight, int64_t n, float epsilon);
void PG_SIMD(layer_norm)(float *out, const float *x, const float *weight, const float *bias, int64_t n, float epsilon);
void PG_SIMD(gelu)(float *out, const float *x, int64_t n);
void PG_SIMD(gelu_times)(float *out, const float *x, const float *y, int64_t n);
void PG_SIMD(add)(float *out, const float *x, const float *y, int64_t n);
void PG_SIMD(scale)(float *out, const float *x, float factor, int64_t n);
void PG_SIMD(rotate)(float *out, const float *x, const float *cosine, const float *sine, int64_t n);
double PG_SIMD(log_sum_exp)(const float *x, int64_t n, float *top);

#endif
