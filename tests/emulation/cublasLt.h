/* cuBLASLt on the host, for tests: the calls that src/kernels/cuda makes. */
#ifndef PG_TESTS_EMULATION_CUBLASLT_H
#define PG_TESTS_EMULATION_CUBLASLT_H

#include "cuda_runtime.h"

typedef enum cublasStatus_t { CUBLAS_STATUS_SUCCESS, CUBLAS_STATUS_NOT_SUPPORTED } cublasStatus_t;
typedef struct emulated_handle *cublasLtHandle_t;

static inline cublasStatus_t cublasLtCreate(cublasLtHandle_t *)
{
    return CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtDestroy(cublasLtHandle_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

#endif
