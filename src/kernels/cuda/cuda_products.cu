#include "kernels/cuda/cuda_common.h"

extern "C" {
#include "kernels/device_products.h"
}

extern const pg_device_products cuda_products = {};
