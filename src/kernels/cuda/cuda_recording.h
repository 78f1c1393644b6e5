/* Recorded work: pg_device_calls has the contracts (base/device.h). */
#ifndef PG_KERNELS_CUDA_RECORDING_H
#define PG_KERNELS_CUDA_RECORDING_H

#include "kernels/cuda/cuda_common.h"

bool cuda_record(pg_device *device);
pg_recording *cuda_end_record(pg_device *device);
bool cuda_replay(pg_device *device, const pg_recording *recording);
void cuda_forget(pg_device *device, pg_recording *recording);

#endif
