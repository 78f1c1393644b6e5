/* The loops of backward passes of one instruction set. */
#ifndef PG_KERNELS_SIMD_GRADIENT_H
#define PG_KERNELS_SIMD_GRADIENT_H

#include "kernels/gradient.h"
#include "kernels/simd.h"

extern const pg_gradient_kernels PG_SIMD(gradient);

void PG_SIMD(pack_columns)(void *panel, pg_panel_dtype type, const void *b, pg_dtype dtype, int64_t stride,
                           int64_t lanes, int64_t k);
void PG_SIMD(rms_norm_gradient)(float *dx, float *factor, const float *dy, const float *x, const float *weight,
                                int64_t n, float epsilon);
void PG_SIMD(layer_norm_gradient)(float *dx, float *mean, float *factor, const float *dy, const float *x,
                                  const float *weight, int64_t n, float epsilon);
void PG_SIMD(gelu_gradient)(float *dx, const float *dy, const float *x, int64_t n);
void PG_SIMD(gelu_times_gradient)(float *dx, float *dy, const float *dout, const float *x, const float *y, int64_t n);
void PG_SIMD(add_scaled)(float *out, const float *x, float factor, int64_t n);
void PG_SIMD(add_product)(float *out, const float *x, const float *y, float factor, int64_t n);
void PG_SIMD(exp_shifted)(float *out, const float *x, float shift, float factor, int64_t n);
void PG_SIMD(attend_queries_gradient)(const pg_attention_gradient *block);
void PG_SIMD(attend_keys_gradient)(const pg_attention_gradient *block);

#endif
