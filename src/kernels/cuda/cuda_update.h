/* Steps of optimizers that have files of their own. */
#ifndef PG_KERNELS_CUDA_UPDATE_H
#define PG_KERNELS_CUDA_UPDATE_H

#include "kernels/cuda/cuda_common.h"

extern "C" {
#include "kernels/device_update.h"
}

void cuda_adafactor(pg_device *device, const pg_device_plan *plan, const pg_factored_step *step);
void cuda_direction(pg_device *device, float *out, float *m, const float *grad, int64_t count, float keep, float share,
                    double *sums);

#endif
