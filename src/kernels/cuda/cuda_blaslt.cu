/*
 * Products by cuBLASLt, which is loaded when a device is opened: the program neither links nor needs it elsewhere.
 *
 * The library chooses an algorithm for a shape once; it is kept with its descriptions in a table of the device. A place
 * of the table is taken over by whoever comes later. Split sums go through the workspace, so that results are the same
 * from run to run.
 */
#include "kernels/cuda/cuda_blaslt.h"

#include <cublasLt.h>
#include <dlfcn.h>
#include <string.h>

#include "kernels/cuda/cuda_products.h"

extern "C" {
#include "base/memory.h"
}

#define WORKSPACE ((size_t)32 << 20)
#define PLANS     2048

/* ---------------------------------------------------------------- the library */

#define EACH_CALL(X)           \
    X(Create)                  \
    X(Destroy)                 \
    X(Matmul)                  \
    X(MatmulAlgoGetHeuristic)  \
    X(MatmulDescCreate)        \
    X(MatmulDescDestroy)       \
    X(MatmulDescSetAttribute)  \
    X(MatrixLayoutCreate)      \
    X(MatrixLayoutDestroy)     \
    X(MatmulPreferenceCreate)  \
    X(MatmulPreferenceDestroy) \
    X(MatmulPreferenceSetAttribute)

struct blaslt_calls {
#define MEMBER(name) decltype(&cublasLt##name) name;
    EACH_CALL(MEMBER)
#undef MEMBER
};

/* What an algorithm is chosen for. Matrices are those of the library, which counts columns first: its a is our b, its
 * m our columns. Bytes of padding are zero: keys are compared whole. */
struct plan_key {
    int64_t m, n, k, a_stride, b_stride, c_stride;
    int32_t alignment_a, alignment_b, alignment_c; /* of pointers, in bytes */
    uint8_t a_transposed, b_transposed, bf16, with_bias;
};

struct plan {
    plan_key key;
    bool made, found;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t a, b, c;
    cublasLtMatmulAlgo_t algorithm;
};

struct cuda_blaslt {
    void *library;
    blaslt_calls calls;
    cublasLtHandle_t handle;
    void *workspace;
    plan plans[PLANS];
};

#ifdef PG_EMULATED
static bool load_library(cuda_blaslt *lt)
{
#define TAKE(name) lt->calls.name = cublasLt##name;
    EACH_CALL(TAKE)
#undef TAKE
    return true;
}
#else
static const char *const library_names[] = {"libcublasLt.so.13", "/usr/local/cuda/lib64/libcublasLt.so.13",
                                            "libcublasLt.so.12", "/usr/local/cuda/lib64/libcublasLt.so.12"};

static bool load_library(cuda_blaslt *lt)
{
    for (size_t i = 0; i < sizeof library_names / sizeof *library_names && !lt->library; i++)
        lt->library = dlopen(library_names[i], RTLD_NOW | RTLD_LOCAL);
    bool complete = lt->library != NULL;
#define FIND(name)                                                                                         \
    if (complete) {                                                                                        \
        lt->calls.name = reinterpret_cast<decltype(lt->calls.name)>(dlsym(lt->library, "cublasLt" #name)); \
        complete = lt->calls.name != NULL;                                                                 \
    }
    EACH_CALL(FIND)
#undef FIND
    return complete;
}
#endif

pg_status blaslt_open(cuda_device *cuda)
{
    cuda_blaslt *lt = cuda->products = static_cast<cuda_blaslt *>(pg_alloc(1, sizeof *lt));
    if (!lt)
        return PG_ERROR_MEMORY;
    if (!load_library(lt))
        return pg_fail(PG_ERROR_UNSUPPORTED,
                       "%s: libcublasLt.so.13 (or .12) cannot be loaded: install cuBLAS of CUDA 12 or 13, or name its "
                       "folder in LD_LIBRARY_PATH",
                       cuda->device.name);
    if (lt->calls.Create(&lt->handle) != CUBLAS_STATUS_SUCCESS)
        return pg_fail(PG_ERROR_DEVICE, "%s: cuBLASLt does not start", cuda->device.name);
    return cuda_check(&cuda->device, cudaMalloc(&lt->workspace, WORKSPACE), "workspace")
               ? PG_OK
               : pg_device_wait(&cuda->device);
}

static void forget(cuda_blaslt *lt, plan *p)
{
    if (p->operation)
        lt->calls.MatmulDescDestroy(p->operation);
    for (cublasLtMatrixLayout_t layout : {p->a, p->b, p->c})
        if (layout)
            lt->calls.MatrixLayoutDestroy(layout);
    *p = {};
}

void blaslt_close(cuda_device *cuda)
{
    cuda_blaslt *lt = cuda->products;
    if (!lt)
        return;
    for (plan &p : lt->plans)
        forget(lt, &p);
    if (lt->workspace)
        cudaFree(lt->workspace);
    if (lt->handle)
        lt->calls.Destroy(lt->handle);
#ifndef PG_EMULATED
    if (lt->library)
        dlclose(lt->library);
#endif
    pg_free(lt);
    cuda->products = NULL;
}

/* ---------------------------------------------------------------- plans */

static int32_t alignment_of(const void *pointer)
{
    uintptr_t address = reinterpret_cast<uintptr_t>(pointer) | 256;
    return static_cast<int32_t>(address & (~address + 1));
}

static plan_key key_of(const product *p, bool with_bias)
{
    plan_key key;
    memset(&key, 0, sizeof key);
    key.m = p->columns;
    key.n = p->rows;
    key.k = p->inner;
    key.a_stride = p->b_transposed ? p->inner : p->columns;
    key.b_stride = p->a_stride;
    key.c_stride = p->out_stride;
    key.alignment_a = alignment_of(p->b);
    key.alignment_b = alignment_of(p->a);
    key.alignment_c = alignment_of(p->out);
    key.a_transposed = p->b_transposed;
    key.b_transposed = p->a_transposed;
    key.bf16 = p->bf16;
    key.with_bias = with_bias;
    return key;
}

static plan *place_of(cuda_blaslt *lt, const plan_key *key)
{
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    const unsigned char *bytes = reinterpret_cast<const unsigned char *>(key);
    for (size_t i = 0; i < sizeof *key; i++)
        hash = (hash ^ bytes[i]) * 1099511628211U;
    return &lt->plans[(hash ^ hash >> 32) % PLANS];
}

static bool describe(cuda_blaslt *lt, plan *p)
{
    const plan_key *key = &p->key;
    const blaslt_calls *calls = &lt->calls;
    cudaDataType_t type = key->bf16 ? CUDA_R_16BF : CUDA_R_32F;
    cublasOperation_t a = key->a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasOperation_t b = key->b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasLtEpilogue_t epilogue = key->with_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
    int64_t m = key->m, n = key->n, k = key->k;
    if (calls->MatmulDescCreate(&p->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F) != CUBLAS_STATUS_SUCCESS)
        return false;
    calls->MatmulDescSetAttribute(p->operation, CUBLASLT_MATMUL_DESC_TRANSA, &a, sizeof a);
    calls->MatmulDescSetAttribute(p->operation, CUBLASLT_MATMUL_DESC_TRANSB, &b, sizeof b);
    calls->MatmulDescSetAttribute(p->operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    return calls->MatrixLayoutCreate(&p->a, type, key->a_transposed ? k : m, key->a_transposed ? m : k,
                                     key->a_stride) == CUBLAS_STATUS_SUCCESS &&
           calls->MatrixLayoutCreate(&p->b, type, key->b_transposed ? n : k, key->b_transposed ? k : n,
                                     key->b_stride) == CUBLAS_STATUS_SUCCESS &&
           calls->MatrixLayoutCreate(&p->c, CUDA_R_32F, m, n, key->c_stride) == CUBLAS_STATUS_SUCCESS;
}

/* The library's first choice. */
static bool choose(cuda_blaslt *lt, plan *p)
{
    const blaslt_calls *calls = &lt->calls;
    cublasLtMatmulPreference_t wishes;
    if (calls->MatmulPreferenceCreate(&wishes) != CUBLAS_STATUS_SUCCESS)
        return false;
    const uint64_t workspace = WORKSPACE;
    const uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    const uint32_t a = p->key.alignment_a, b = p->key.alignment_b, c = p->key.alignment_c;
    calls->MatmulPreferenceSetAttribute(wishes, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace);
    calls->MatmulPreferenceSetAttribute(wishes, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions,
                                        sizeof reductions);
    calls->MatmulPreferenceSetAttribute(wishes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &a, sizeof a);
    calls->MatmulPreferenceSetAttribute(wishes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &b, sizeof b);
    calls->MatmulPreferenceSetAttribute(wishes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &c, sizeof c);
    calls->MatmulPreferenceSetAttribute(wishes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &c, sizeof c);
    cublasLtMatmulHeuristicResult_t best = {};
    int count = 0;
    cublasStatus_t status =
        calls->MatmulAlgoGetHeuristic(lt->handle, p->operation, p->a, p->b, p->c, p->c, wishes, 1, &best, &count);
    calls->MatmulPreferenceDestroy(wishes);
    p->algorithm = best.algo;
    return status == CUBLAS_STATUS_SUCCESS && count == 1 && best.state == CUBLAS_STATUS_SUCCESS;
}

static plan *plan_for(cuda_blaslt *lt, const product *p, bool with_bias)
{
    plan_key key = key_of(p, with_bias);
    plan *place = place_of(lt, &key);
    if (!place->made || memcmp(&place->key, &key, sizeof key) != 0) {
        forget(lt, place);
        place->key = key;
        place->made = true;
        place->found = describe(lt, place) && choose(lt, place);
    }
    return place;
}

bool blaslt_multiply(pg_device *device, const product *p)
{
    cuda_blaslt *lt = cuda_of(device)->products;
    plan *plan = plan_for(lt, p, p->bias != NULL);
    if (!plan->found)
        return false;
    if (device->status != PG_OK)
        return true;
    if (p->bias)
        lt->calls.MatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->bias, sizeof p->bias);
    const float alpha = 1, beta = p->added ? 1 : 0;
    cublasStatus_t status =
        lt->calls.Matmul(lt->handle, plan->operation, &alpha, p->b, plan->a, p->a, plan->b, &beta, p->out, plan->c,
                         p->out, plan->c, &plan->algorithm, lt->workspace, WORKSPACE, cuda_of(device)->stream);
    if (status != CUBLAS_STATUS_SUCCESS)
        pg_device_fail(device, PG_ERROR_DEVICE, "cuBLASLt: product of %lld x %lld x %lld: status %d",
                       static_cast<long long>(p->rows), static_cast<long long>(p->inner),
                       static_cast<long long>(p->columns), static_cast<int>(status));
    return true;
}
