/* Row by row, and element by element, on a device. */
#ifndef PG_KERNELS_DEVICE_ROWS_H
#define PG_KERNELS_DEVICE_ROWS_H

#include "kernels/device_kernels.h"

typedef struct pg_device_rows {
    /* x / sqrt(mean(x^2) + epsilon) * (1 + w) */
    void (*rms_norm)(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                     float epsilon);
    /* dx and dw may be NULL */
    void (*rms_norm_back)(pg_device *device, float *dx, float *dw, const float *dout, const float *x, int64_t rows,
                          const pg_device_matrix *w, float epsilon);
} pg_device_rows;

#endif
