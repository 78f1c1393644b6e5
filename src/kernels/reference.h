/* The table of plain C. */
#ifndef PG_KERNELS_REFERENCE_H
#define PG_KERNELS_REFERENCE_H

#include "kernels/gradient.h"

#define PG_REFERENCE_LANES 4

extern const pg_kernels pg_reference_kernels;
extern const pg_gradient_kernels pg_reference_gradient; /* reference_gradient.c */

/* reference_quantized.c */
void pg_reference_quantize(int8_t *values, float *scale, int32_t *zero8, int32_t *zeros4, const float *x,
                           int64_t count);
void pg_reference_widen_scaled(float *out, const int8_t *in, int64_t count);
void pg_reference_narrow_scaled(int8_t *out, const float *in, int64_t count);
void pg_reference_integer_product(float *sums, const pg_quantized *w, int64_t group, int64_t groups,
                                  const pg_integer_rows *x, uint8_t *scratch);

/* reference_update.c */
extern const struct pg_update_kernels pg_reference_update;

#endif
