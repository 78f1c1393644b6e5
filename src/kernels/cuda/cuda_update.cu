#include "kernels/cuda/cuda_common.h"

extern "C" {
#include "kernels/device_update.h"
}

extern const pg_device_update cuda_update = {};
