/*
 * What the files of device_rows.h share. Rows are read as floats, or in fours where their width allows it: the kernels
 * are templates over the unit V, and `width` then counts units.
 */
#ifndef PG_KERNELS_CUDA_ROWS_H
#define PG_KERNELS_CUDA_ROWS_H

#include "kernels/cuda/cuda_common.h"

extern "C" {
#include "kernels/device_rows.h"
}

#define BLOCK      256
#define WARP_WIDTH 1280 /* rows up to this width are a warp's, wider ones a block's */

/* Whether rows of this width can be read in fours; NULL is no hindrance. */
static inline bool in_fours(int64_t width, const void *a, const void *b = NULL, const void *c = NULL,
                            const void *d = NULL, const void *e = NULL)
{
    return width % 4 == 0 && is_aligned(a) && is_aligned(b) && is_aligned(c) && is_aligned(d) && is_aligned(e);
}

/* A function template over V with fours, or with floats. */
#define PG_IN_UNITS(fours, function, ...)  \
    do {                                   \
        if (fours)                         \
            function<float4>(__VA_ARGS__); \
        else                               \
            function<float>(__VA_ARGS__);  \
    } while (0)

template <typename V> static inline V *units(float *x)
{
    return reinterpret_cast<V *>(x);
}

template <typename V> static inline const V *units(const float *x)
{
    return reinterpret_cast<const V *>(x);
}

template <typename V> static inline int64_t units_of(int64_t width)
{
    return width / static_cast<int64_t>(sizeof(V) / sizeof(float));
}

/* Blocks of so many threads, on a grid whose loops go on in strides. */
static inline dim3 grid_for(int64_t items)
{
    int64_t blocks = blocks_for(items, BLOCK);
    return dim3(blocks < 8192 ? (blocks > 0 ? blocks : 1) : 8192);
}

/* ---------------------------------------------------------------- floats and fours */

static __device__ inline float sum_of(float a, float b)
{
    return a + b;
}

static __device__ inline float4 sum_of(float4 a, float4 b)
{
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

static __device__ inline float product_of(float a, float b)
{
    return a * b;
}

static __device__ inline float4 product_of(float4 a, float4 b)
{
    return make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w);
}

/* a + factor b */
static __device__ inline float plus_scaled(float a, float b, float factor)
{
    return a + b * factor;
}

static __device__ inline float4 plus_scaled(float4 a, float4 b, float factor)
{
    return make_float4(a.x + b.x * factor, a.y + b.y * factor, a.z + b.z * factor, a.w + b.w * factor);
}

static __device__ inline float scaled(float a, float factor)
{
    return a * factor;
}

static __device__ inline float4 scaled(float4 a, float factor)
{
    return make_float4(a.x * factor, a.y * factor, a.z * factor, a.w * factor);
}

/* a + shift */
static __device__ inline float shifted(float a, float shift)
{
    return a + shift;
}

static __device__ inline float4 shifted(float4 a, float shift)
{
    return make_float4(a.x + shift, a.y + shift, a.z + shift, a.w + shift);
}

static __device__ inline float total_of(float a)
{
    return a;
}

static __device__ inline float total_of(float4 a)
{
    return (a.x + a.y) + (a.z + a.w);
}

template <typename V> static __device__ inline V zeros();
template <> __device__ inline float zeros<float>()
{
    return 0;
}
template <> __device__ inline float4 zeros<float4>()
{
    return make_float4(0, 0, 0, 0);
}

/* Writes a value, or adds it to what is there. */
template <typename V> static __device__ inline void put(V *to, V value, bool fresh)
{
    *to = fresh ? value : sum_of(*to, value);
}

/* Unit i of stored values of a floating dtype. */
template <typename V> static __device__ inline V load_unit(const void *data, pg_dtype dtype, int64_t i);
template <> __device__ inline float load_unit<float>(const void *data, pg_dtype dtype, int64_t i)
{
    return load_value(data, dtype, i);
}
template <> __device__ inline float4 load_unit<float4>(const void *data, pg_dtype dtype, int64_t i)
{
    if (dtype == PG_F32)
        return static_cast<const float4 *>(data)[i];
    uint2 halves = static_cast<const uint2 *>(data)[i];
    uint16_t h[4] = {static_cast<uint16_t>(halves.x), static_cast<uint16_t>(halves.x >> 16),
                     static_cast<uint16_t>(halves.y), static_cast<uint16_t>(halves.y >> 16)};
    if (dtype == PG_BF16)
        return make_float4(float_of_bf16(h[0]), float_of_bf16(h[1]), float_of_bf16(h[2]), float_of_bf16(h[3]));
    return make_float4(float_of_f16(h[0]), float_of_f16(h[1]), float_of_f16(h[2]), float_of_f16(h[3]));
}

/* ---------------------------------------------------------------- the calls */

/* cuda_norms.cu */
void cuda_rms_norm(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                   float epsilon);
void cuda_rms_norm_back(pg_device *device, float *dx, bool fresh, float *dw, const float *dout, const float *x,
                        int64_t rows, const pg_device_matrix *w, float epsilon, float *scratch);
void cuda_layer_norm(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                     const pg_device_matrix *bias, float epsilon);
void cuda_layer_norm_back(pg_device *device, float *dx, bool fresh, float *dw, float *dbias, const float *dout,
                          const float *x, int64_t rows, const pg_device_matrix *w, float epsilon, float *scratch);
void cuda_unit_rows(pg_device *device, float *out, const float *x, int64_t rows, int64_t width);
void cuda_unit_rows_back(pg_device *device, float *dx, bool fresh, const float *dout, const float *x, const float *out,
                         int64_t rows, int64_t width);

/* cuda_elements.cu */
void cuda_gelu(pg_device *device, float *out, const float *x, int64_t count);
void cuda_gelu_back(pg_device *device, float *dx, bool fresh, const float *dout, const float *x, int64_t count);
void cuda_relu(pg_device *device, float *out, const float *x, int64_t count);
void cuda_relu_back(pg_device *device, float *dx, bool fresh, const float *dout, const float *x, int64_t count);
void cuda_gelu_times(pg_device *device, float *out, const float *x, const float *y, int64_t count);
void cuda_gelu_times_back(pg_device *device, float *dx, bool fresh_dx, float *dy, bool fresh_dy, const float *dout,
                          const float *x, const float *y, int64_t count);
void cuda_add_scaled(pg_device *device, float *out, const float *x, const float *y, float factor, int64_t count);
void cuda_pass_back(pg_device *device, float *dx, bool fresh, const float *dout, float factor, int64_t count);
void cuda_dropout(pg_device *device, float *out, bool fresh, const float *x, float factor, uint64_t least,
                  uint64_t seed, uint64_t stream, int64_t count);

/* cuda_gather.cu */
void cuda_embed(pg_device *device, float *out, const pg_device_matrix *table, const int32_t *ids, int64_t count,
                float scale);
void cuda_add_rows(pg_device *device, float *out, const float *x, int64_t width, const int64_t *pairs, int64_t count,
                   float factor);
void cuda_place_rows(pg_device *device, float *out, const float *x, int64_t all, int64_t width, const int64_t *rows,
                     const float *values, int64_t count);
void cuda_place_rows_back(pg_device *device, float *dx, bool fresh, const float *dout, int64_t all, int64_t width,
                          const int64_t *rows, int64_t count);
void cuda_take_rows(pg_device *device, float *out, bool fresh, const float *x, int64_t width, const int64_t *rows,
                    int64_t count);
void cuda_add_positions(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *table);
void cuda_add_positions_back(pg_device *device, float *dtable, const float *dout, int64_t rows, int64_t table_rows,
                             int64_t width);
void cuda_store_rows(pg_device *device, void *cache, pg_dtype dtype, const int64_t *slots, const float *x, int64_t rows,
                     int64_t heads, int64_t size);

/* cuda_places.cu */
void cuda_pixel_values(pg_device *device, float *out, const uint8_t *bytes, int64_t pixels, int64_t plane,
                       const float (*levels)[256]);
void cuda_patches(pg_device *device, float *out, const float *pixels, int64_t rows, int64_t channels, int64_t side,
                  int64_t patch);
void cuda_rope_angles(pg_device *device, float *out, const int32_t *positions, const float *frequencies, int64_t count,
                      int64_t size);
void cuda_rope(pg_device *device, float *out, const float *x, const float *angles, int64_t rows, int64_t width,
               int64_t size);
void cuda_rope_back(pg_device *device, float *dx, bool fresh, const float *dout, const float *angles, int64_t rows,
                    int64_t width, int64_t size);
void cuda_pool_rows(pg_device *device, float *out, const float *x, int64_t width, const int64_t (*spans)[2],
                    int64_t count, bool mean);
void cuda_pool_rows_back(pg_device *device, float *dx, bool fresh, const float *dout, int64_t rows, int64_t width,
                         const int64_t (*spans)[2], int64_t count, bool mean);
void cuda_copy_columns(pg_device *device, float *to, int64_t to_width, bool fresh, const float *from,
                       int64_t from_width, int64_t rows, int64_t width);

#endif
