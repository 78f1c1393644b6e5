/* The library of matrix products, found when a device is opened. */
#ifndef PG_KERNELS_CUDA_BLASLT_H
#define PG_KERNELS_CUDA_BLASLT_H

#include "kernels/cuda/cuda_common.h"

/* PG_ERROR_UNSUPPORTED if the library is not there. */
pg_status blaslt_open(cuda_device *cuda);
void blaslt_close(cuda_device *cuda);

#endif
