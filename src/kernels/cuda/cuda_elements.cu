/* Element by element. */
#include "kernels/cuda/cuda_rows.h"

extern "C" {
#include "base/random.h"
}

/* gelu(x) = x s in the tanh form: s = 1 / (1 + e^(-2u)), u = c (x + a x^3). */
#define GELU_C 0.7978845608028654f
#define GELU_A 0.044715f

static __device__ inline float gelu_share(float x)
{
    return 1 / (1 + expf(-2 * GELU_C * (x + GELU_A * x * x * x)));
}

/* s + x s (1 - s) 2 u' */
static __device__ inline float gelu_slope(float x)
{
    float s = gelu_share(x);
    return s + x * s * (1 - s) * 2 * GELU_C * (1 + 3 * GELU_A * x * x);
}

/* ---------------------------------------------------------------- functions of one or two values */

enum element { GELU, GELU_BACK, RELU, RELU_BACK, GELU_TIMES, ADD_SCALED, SCALE };

/* On a way back, y is the derivative that comes in. */
template <element what> static __device__ inline float element_of(float x, float y, float factor)
{
    switch (what) {
    case GELU: return x * gelu_share(x);
    case GELU_BACK: return y * gelu_slope(x);
    case RELU: return x > 0 ? x : 0;
    case RELU_BACK: return x > 0 ? y : 0;
    case GELU_TIMES: return x * gelu_share(x) * y;
    case ADD_SCALED: return x + y * factor;
    default: return x * factor;
    }
}

/* The first `fours` of them in fours, the others one by one; y may be NULL. */
template <element what>
__global__ void each_kernel(float *out, bool fresh, const float *x, const float *y, float factor, int64_t fours,
                            int64_t count)
{
    int64_t start = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    for (int64_t i = start; i < fours; i += stride) {
        float4 a = reinterpret_cast<const float4 *>(x)[i];
        float4 b = y ? reinterpret_cast<const float4 *>(y)[i] : a;
        put(reinterpret_cast<float4 *>(out) + i,
            make_float4(element_of<what>(a.x, b.x, factor), element_of<what>(a.y, b.y, factor),
                        element_of<what>(a.z, b.z, factor), element_of<what>(a.w, b.w, factor)),
            fresh);
    }
    for (int64_t i = 4 * fours + start; i < count; i += stride)
        put(out + i, element_of<what>(x[i], y ? y[i] : 0, factor), fresh);
}

template <element what>
static void each(pg_device *device, float *out, bool fresh, const float *x, const float *y, float factor, int64_t count)
{
    int64_t fours = in_fours(0, out, x, y) ? count / 4 : 0;
    PG_LAUNCH(device, each_kernel<what>, grid_for(fours ? fours : count), dim3(BLOCK), 0, out, fresh, x, y, factor,
              fours, count);
}

void cuda_gelu(pg_device *device, float *out, const float *x, int64_t count)
{
    each<GELU>(device, out, true, x, NULL, 1, count);
}

void cuda_gelu_back(pg_device *device, float *dx, bool fresh, const float *dout, const float *x, int64_t count)
{
    each<GELU_BACK>(device, dx, fresh, x, dout, 1, count);
}

void cuda_relu(pg_device *device, float *out, const float *x, int64_t count)
{
    each<RELU>(device, out, true, x, NULL, 1, count);
}

void cuda_relu_back(pg_device *device, float *dx, bool fresh, const float *dout, const float *x, int64_t count)
{
    each<RELU_BACK>(device, dx, fresh, x, dout, 1, count);
}

void cuda_gelu_times(pg_device *device, float *out, const float *x, const float *y, int64_t count)
{
    each<GELU_TIMES>(device, out, true, x, y, 1, count);
}

void cuda_add_scaled(pg_device *device, float *out, const float *x, const float *y, float factor, int64_t count)
{
    each<ADD_SCALED>(device, out, true, x, y, factor, count);
}

void cuda_pass_back(pg_device *device, float *dx, bool fresh, const float *dout, float factor, int64_t count)
{
    each<SCALE>(device, dx, fresh, dout, NULL, factor, count);
}

/* ---------------------------------------------------------------- both derivatives of gelu(x) y */

static __device__ inline float4 gelu_shares(float4 x)
{
    return make_float4(gelu_share(x.x), gelu_share(x.y), gelu_share(x.z), gelu_share(x.w));
}

static __device__ inline float gelu_shares(float x)
{
    return gelu_share(x);
}

static __device__ inline float4 gelu_slopes(float4 x)
{
    return make_float4(gelu_slope(x.x), gelu_slope(x.y), gelu_slope(x.z), gelu_slope(x.w));
}

static __device__ inline float gelu_slopes(float x)
{
    return gelu_slope(x);
}

/* dx before dy: they may be the same. */
template <typename V>
__global__ void gelu_times_back_kernel(V *dx, bool fresh_dx, V *dy, bool fresh_dy, const V *dout, const V *x,
                                       const V *y, int64_t count)
{
    int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
        V a = x[i], b = y[i], d = dout[i];
        if (dx)
            put(dx + i, product_of(product_of(d, b), gelu_slopes(a)), fresh_dx);
        if (dy)
            put(dy + i, product_of(d, product_of(a, gelu_shares(a))), fresh_dy);
    }
}

template <typename V>
static void gelu_times_back(pg_device *device, float *dx, bool fresh_dx, float *dy, bool fresh_dy, const float *dout,
                            const float *x, const float *y, int64_t count)
{
    PG_LAUNCH(device, gelu_times_back_kernel<V>, grid_for(units_of<V>(count)), dim3(BLOCK), 0, units<V>(dx), fresh_dx,
              units<V>(dy), fresh_dy, units<V>(dout), units<V>(x), units<V>(y), units_of<V>(count));
}

void cuda_gelu_times_back(pg_device *device, float *dx, bool fresh_dx, float *dy, bool fresh_dy, const float *dout,
                          const float *x, const float *y, int64_t count)
{
    PG_IN_UNITS(in_fours(count, dx, dy, dout, x, y), gelu_times_back, device, dx, fresh_dx, dy, fresh_dy, dout, x, y,
                count);
}

/* ---------------------------------------------------------------- dropout */

__global__ void dropout_kernel(float *out, bool fresh, const float *x, float factor, uint64_t least, uint64_t seed,
                               uint64_t stream, int64_t count)
{
    int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
        bool kept = pg_random_bits(seed, stream, static_cast<uint64_t>(i)) >> 11 >= least;
        put(out + i, kept ? x[i] * factor : 0.0f, fresh);
    }
}

void cuda_dropout(pg_device *device, float *out, bool fresh, const float *x, float factor, uint64_t least,
                  uint64_t seed, uint64_t stream, int64_t count)
{
    PG_LAUNCH(device, dropout_kernel, grid_for(count), dim3(BLOCK), 0, out, fresh, x, factor, least, seed, stream,
              count);
}
