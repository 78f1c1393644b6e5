/* CUDA: NVIDIA's GPUs. This header is for C and C++; cuda_common.h is for the kernels. */
#ifndef PG_KERNELS_CUDA_DEVICE_H
#define PG_KERNELS_CUDA_DEVICE_H

#ifdef __cplusplus
extern "C" {
#endif

#include "base/device.h"

/* Opens the GPU of this number. */
pg_status pg_cuda_open(pg_device **out, int number);

/* Writes ", cuda:0 (NAME, N GiB)" for every GPU, or why there is none. */
void pg_cuda_list(char *out, size_t size);

#ifdef __cplusplus
}
#endif

#endif
