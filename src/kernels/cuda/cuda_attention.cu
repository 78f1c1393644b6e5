#include "kernels/cuda/cuda_common.h"

extern "C" {
#include "kernels/device_attention.h"
}

extern const pg_device_attention cuda_attention = {};
