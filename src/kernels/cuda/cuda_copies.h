/* Copies between the host's memory and a GPU's. */
#ifndef PG_KERNELS_CUDA_COPIES_H
#define PG_KERNELS_CUDA_COPIES_H

#include "kernels/cuda/cuda_common.h"

void cuda_upload(pg_device *device, void *to, const void *from, size_t bytes);
void cuda_download(pg_device *device, void *to, const void *from, size_t bytes);
void cuda_wait(pg_device *device);

/* Frees what copies have needed. */
void cuda_copies_close(cuda_device *cuda);

#endif
