/* cuBLASLt on the host, for tests: the calls that src/kernels/cuda makes, computed plainly. As the library does, it
 * declines matrices of bf16 that are not aligned to 4 bytes, so that whoever asks has another way. */
#ifndef PG_TESTS_EMULATION_CUBLASLT_H
#define PG_TESTS_EMULATION_CUBLASLT_H

#include "cuda_runtime.h"

typedef enum cublasStatus_t { CUBLAS_STATUS_SUCCESS, CUBLAS_STATUS_NOT_SUPPORTED } cublasStatus_t;
typedef enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T } cublasOperation_t;
typedef enum cublasComputeType_t { CUBLAS_COMPUTE_32F } cublasComputeType_t;
typedef enum cudaDataType_t { CUDA_R_32F, CUDA_R_16BF } cudaDataType_t;
typedef cudaDataType_t cudaDataType;
typedef enum cublasLtEpilogue_t { CUBLASLT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_BIAS } cublasLtEpilogue_t;

typedef enum cublasLtMatmulDescAttributes_t {
    CUBLASLT_MATMUL_DESC_TRANSA,
    CUBLASLT_MATMUL_DESC_TRANSB,
    CUBLASLT_MATMUL_DESC_EPILOGUE,
    CUBLASLT_MATMUL_DESC_BIAS_POINTER
} cublasLtMatmulDescAttributes_t;

typedef enum cublasLtMatmulPreferenceAttributes_t {
    CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
    CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES
} cublasLtMatmulPreferenceAttributes_t;

#define CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE 2

typedef struct emulated_handle *cublasLtHandle_t;

typedef struct emulated_operation {
    cublasOperation_t a, b;
    cublasLtEpilogue_t epilogue;
    const float *bias;
} * cublasLtMatmulDesc_t;

/* Columns lie `stride` values apart. */
typedef struct emulated_layout {
    cudaDataType type;
    uint64_t rows, columns;
    int64_t stride;
} * cublasLtMatrixLayout_t;

typedef struct emulated_preference {
    uint32_t alignment_a, alignment_b;
} * cublasLtMatmulPreference_t;

typedef struct cublasLtMatmulAlgo_t {
    uint64_t data[8];
} cublasLtMatmulAlgo_t;

typedef struct cublasLtMatmulHeuristicResult_t {
    cublasLtMatmulAlgo_t algo;
    size_t workspaceSize;
    cublasStatus_t state;
} cublasLtMatmulHeuristicResult_t;

static inline cublasStatus_t cublasLtCreate(cublasLtHandle_t *)
{
    return CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtDestroy(cublasLtHandle_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- descriptions */

static inline cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t, cudaDataType)
{
    *out = new emulated_operation();
    return CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation)
{
    delete operation;
    return CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                                            cublasLtMatmulDescAttributes_t which, const void *value,
                                                            size_t bytes)
{
    void *places[] = {&operation->a, &operation->b, &operation->epilogue, &operation->bias};
    memcpy(places[which], value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType type, uint64_t rows,
                                                        uint64_t columns, int64_t stride)
{
    *out = new emulated_layout{type, rows, columns, stride};
    return stride < static_cast<int64_t>(rows) ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out)
{
    *out = new emulated_preference();
    return CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference)
{
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                                  cublasLtMatmulPreferenceAttributes_t which,
                                                                  const void *value, size_t bytes)
{
    if (which == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES)
        memcpy(&preference->alignment_a, value, bytes);
    if (which == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES)
        memcpy(&preference->alignment_b, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- products */

static inline bool emulated_declines(cublasLtMatrixLayout_t layout, uint32_t alignment)
{
    return layout->type == CUDA_R_16BF && (alignment % 4 != 0 || layout->stride % 2 != 0);
}

static inline cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t,
                                                            cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                            cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                                            cublasLtMatmulPreference_t wishes, int,
                                                            cublasLtMatmulHeuristicResult_t *out, int *count)
{
    *out = {};
    *count = !emulated_declines(a, wishes->alignment_a) && !emulated_declines(b, wishes->alignment_b);
    return *count ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

static inline float emulated_value(const void *values, cublasLtMatrixLayout_t layout, bool transposed, int64_t row,
                                   int64_t column)
{
    int64_t at = transposed ? column + row * layout->stride : row + column * layout->stride;
    if (layout->type == CUDA_R_32F)
        return static_cast<const float *>(values)[at];
    uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t *>(values)[at]) << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* What a product was asked for with. */
struct emulated_product {
    emulated_operation operation;
    emulated_layout a_layout, b_layout, c_layout;
    const void *a, *b, *c;
    float *d, alpha, beta;
};

static inline void emulated_multiply(emulated_product p)
{
    emulate_access access;
    bool a_transposed = p.operation.a == CUBLAS_OP_T, b_transposed = p.operation.b == CUBLAS_OP_T;
    int64_t inner = static_cast<int64_t>(a_transposed ? p.a_layout.rows : p.a_layout.columns);
    for (int64_t n = 0; n < static_cast<int64_t>(p.c_layout.columns); n++)
        for (int64_t m = 0; m < static_cast<int64_t>(p.c_layout.rows); m++) {
            float sum = 0;
            for (int64_t k = 0; k < inner; k++)
                sum += emulated_value(p.a, &p.a_layout, a_transposed, m, k) *
                       emulated_value(p.b, &p.b_layout, b_transposed, k, n);
            int64_t at = m + n * p.c_layout.stride;
            sum *= p.alpha;
            if (p.beta != 0)
                sum += p.beta * static_cast<const float *>(p.c)[at];
            if (p.operation.epilogue == CUBLASLT_EPILOGUE_BIAS)
                sum += p.operation.bias[m];
            p.d[at] = sum;
        }
}

static inline cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void *alpha,
                                            const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                                            cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                                            cublasLtMatrixLayout_t c_layout, void *d, cublasLtMatrixLayout_t,
                                            const cublasLtMatmulAlgo_t *, void *, size_t, cudaStream_t stream)
{
    emulated_product p = {*operation, *a_layout, *b_layout, *c_layout, a, b, c, static_cast<float *>(d), 0, 0};
    memcpy(&p.alpha, alpha, sizeof p.alpha);
    memcpy(&p.beta, beta, sizeof p.beta);
    emulate_do(stream, [=] { emulated_multiply(p); });
    return CUBLAS_STATUS_SUCCESS;
}

#endif
