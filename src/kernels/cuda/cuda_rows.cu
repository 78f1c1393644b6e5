/* Norms, element by element, rows by number. */
#include "kernels/cuda/cuda_common.h"

extern "C" {
#include "kernels/device_rows.h"
}

#define BLOCK 256

/* ---------------------------------------------------------------- RMSNorm */

__global__ void rms_norm_kernel(float *out, const float *x, int64_t width, const void *w, pg_dtype dtype, float epsilon)
{
    __shared__ float room[WARP];
    const float *row = x + blockIdx.x * width;
    float squares = 0;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        squares += row[i] * row[i];
    float factor = 1 / sqrtf(block_sum(squares, room) / static_cast<float>(width) + epsilon);
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        out[blockIdx.x * width + i] = row[i] * factor * (1 + load_value(w, dtype, i));
}

static void rms_norm(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                     float epsilon)
{
    PG_LAUNCH(device, rms_norm_kernel, dim3(rows), dim3(BLOCK), 0, out, x, w->width, w->data, w->dtype, epsilon);
}

/* With f the factor and y = dout (1 + w): dx = f (y - x f^2 mean(x y)). */
__global__ void rms_norm_back_kernel(float *dx, const float *dout, const float *x, int64_t width, const void *w,
                                     pg_dtype dtype, float epsilon)
{
    __shared__ float room[WARP];
    int64_t at = blockIdx.x * width;
    float squares = 0, products = 0;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
        squares += x[at + i] * x[at + i];
        products += x[at + i] * dout[at + i] * (1 + load_value(w, dtype, i));
    }
    float factor = 1 / sqrtf(block_sum(squares, room) / static_cast<float>(width) + epsilon);
    float along = block_sum(products, room) / static_cast<float>(width) * factor * factor;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        dx[at + i] += factor * (dout[at + i] * (1 + load_value(w, dtype, i)) - x[at + i] * along);
}

static void rms_norm_back(pg_device *device, float *dx, float *dw, const float *dout, const float *x, int64_t rows,
                          const pg_device_matrix *w, float epsilon)
{
    (void)dw;
    if (dx)
        PG_LAUNCH(device, rms_norm_back_kernel, dim3(rows), dim3(BLOCK), 0, dx, dout, x, w->width, w->data, w->dtype,
                  epsilon);
}

extern const pg_device_rows cuda_rows = {rms_norm, rms_norm_back};
