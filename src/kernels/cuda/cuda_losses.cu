#include "kernels/cuda/cuda_common.h"

extern "C" {
#include "kernels/device_losses.h"
}

extern const pg_device_losses cuda_losses = {};
