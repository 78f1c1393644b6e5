/* RMSNorm, LayerNorm and rows of length one. A row is a warp's or a whole block's, by its width alone, so that its sums
 * are made in the same order in any company. */
#include "kernels/cuda/cuda_rows.h"

/* The threads of a row have x 0 .. blockDim.x - 1; row numbers go on with y. */
static dim3 row_block(int64_t width)
{
    return width <= WARP_WIDTH ? dim3(WARP, BLOCK / WARP) : dim3(BLOCK);
}

static dim3 row_grid(int64_t rows, int64_t width)
{
    return dim3(width <= WARP_WIDTH ? blocks_for(rows, BLOCK / WARP) : rows);
}

static __device__ inline int64_t row_number()
{
    return static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
}

/* The sum over the threads of a row, for all of them. */
static __device__ inline float row_sum(float value, float *room)
{
    return blockDim.x == WARP ? warp_sum(value) : block_sum(value, room);
}

/* The sum of x y over a row. */
template <typename V> static __device__ inline float row_dot(const V *x, const V *y, int64_t width, float *room)
{
    float sum = 0;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        sum += total_of(product_of(x[i], y[i]));
    return row_sum(sum, room);
}

static __device__ inline bool is_first_of_row()
{
    return threadIdx.x == 0;
}

/* A vector of weights. */
struct stored_vector {
    const void *data;
    pg_dtype dtype;
};

static stored_vector vector_of(const pg_device_matrix *w)
{
    return {w->data, w->dtype};
}

/* ---------------------------------------------------------------- RMSNorm */

template <typename V>
__global__ void rms_norm_kernel(V *out, const V *x, int64_t rows, int64_t width, float values, stored_vector w,
                                float epsilon)
{
    __shared__ float room[WARP];
    int64_t row = row_number();
    if (row >= rows)
        return;
    x += row * width;
    out += row * width;
    float factor = 1 / sqrtf(row_dot(x, x, width, room) / values + epsilon);
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        out[i] = product_of(scaled(x[i], factor), shifted(load_unit<V>(w.data, w.dtype, i), 1));
}

template <typename V>
static void rms_norm(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                     float epsilon)
{
    PG_LAUNCH(device, rms_norm_kernel<V>, row_grid(rows, w->width), row_block(w->width), 0, units<V>(out), units<V>(x),
              rows, units_of<V>(w->width), static_cast<float>(w->width), vector_of(w), epsilon);
}

void cuda_rms_norm(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                   float epsilon)
{
    if (rows)
        PG_IN_UNITS(in_fours(w->width, out, x, w->data), rms_norm, device, out, x, rows, w, epsilon);
}

/* With f the factor and h = dout (1 + w): dx = f (h - x f^2 mean(x h)). Leaves f behind; dx may be NULL. */
template <typename V>
__global__ void rms_norm_back_kernel(V *dx, bool fresh, float *factors, const V *dout, const V *x, int64_t rows,
                                     int64_t width, float values, stored_vector w, float epsilon)
{
    __shared__ float room[WARP];
    int64_t row = row_number();
    if (row >= rows)
        return;
    x += row * width;
    dout += row * width;
    float squares = 0, products = 0;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
        V value = x[i], h = product_of(dout[i], shifted(load_unit<V>(w.data, w.dtype, i), 1));
        squares += total_of(product_of(value, value));
        products += total_of(product_of(value, h));
    }
    float factor = 1 / sqrtf(row_sum(squares, room) / values + epsilon);
    float along = row_sum(products, room) / values * factor * factor;
    if (is_first_of_row())
        factors[row] = factor;
    for (int64_t i = threadIdx.x; dx && i < width; i += blockDim.x) {
        V h = product_of(dout[i], shifted(load_unit<V>(w.data, w.dtype, i), 1));
        put(dx + row * width + i, scaled(plus_scaled(h, x[i], -along), factor), fresh);
    }
}

template <typename V>
static void rms_norm_back(pg_device *device, float *dx, bool fresh, float *factors, const float *dout, const float *x,
                          int64_t rows, const pg_device_matrix *w, float epsilon)
{
    PG_LAUNCH(device, rms_norm_back_kernel<V>, row_grid(rows, w->width), row_block(w->width), 0, units<V>(dx), fresh,
              factors, units<V>(dout), units<V>(x), rows, units_of<V>(w->width), static_cast<float>(w->width),
              vector_of(w), epsilon);
}

/* ---------------------------------------------------------------- LayerNorm */

/* The mean of a row and 1 / sqrt(variance + epsilon). */
struct row_figures {
    float mean, factor;
};

template <typename V>
static __device__ inline row_figures figures_of(const V *x, int64_t width, float values, float epsilon, float *room)
{
    float sum = 0, squares = 0;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        sum += total_of(x[i]);
    float mean = row_sum(sum, room) / values;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
        V apart = shifted(x[i], -mean);
        squares += total_of(product_of(apart, apart));
    }
    return {mean, 1 / sqrtf(row_sum(squares, room) / values + epsilon)};
}

template <typename V>
__global__ void layer_norm_kernel(V *out, const V *x, int64_t rows, int64_t width, float values, stored_vector w,
                                  stored_vector bias, float epsilon)
{
    __shared__ float room[WARP];
    int64_t row = row_number();
    if (row >= rows)
        return;
    x += row * width;
    out += row * width;
    row_figures figures = figures_of(x, width, values, epsilon, room);
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
        V z = scaled(shifted(x[i], -figures.mean), figures.factor);
        out[i] = sum_of(product_of(z, load_unit<V>(w.data, w.dtype, i)), load_unit<V>(bias.data, bias.dtype, i));
    }
}

template <typename V>
static void layer_norm(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                       const pg_device_matrix *bias, float epsilon)
{
    PG_LAUNCH(device, layer_norm_kernel<V>, row_grid(rows, w->width), row_block(w->width), 0, units<V>(out),
              units<V>(x), rows, units_of<V>(w->width), static_cast<float>(w->width), vector_of(w), vector_of(bias),
              epsilon);
}

void cuda_layer_norm(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                     const pg_device_matrix *bias, float epsilon)
{
    if (rows)
        PG_IN_UNITS(in_fours(w->width, out, x, w->data, bias->data), layer_norm, device, out, x, rows, w, bias,
                    epsilon);
}

/* With z = (x - mean) f and h = dout w: dx = f (h - mean(h) - z mean(h z)). Leaves f and the mean behind. */
template <typename V>
__global__ void layer_norm_back_kernel(V *dx, bool fresh, float *factors, float *means, const V *dout, const V *x,
                                       int64_t rows, int64_t width, float values, stored_vector w, float epsilon)
{
    __shared__ float room[WARP];
    int64_t row = row_number();
    if (row >= rows)
        return;
    x += row * width;
    dout += row * width;
    row_figures figures = figures_of(x, width, values, epsilon, room);
    float sum = 0, products = 0;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
        V h = product_of(dout[i], load_unit<V>(w.data, w.dtype, i));
        sum += total_of(h);
        products += total_of(product_of(h, shifted(x[i], -figures.mean)));
    }
    float mean = row_sum(sum, room) / values;
    float along = row_sum(products, room) / values * figures.factor * figures.factor;
    if (is_first_of_row()) {
        factors[row] = figures.factor;
        means[row] = figures.mean;
    }
    for (int64_t i = threadIdx.x; dx && i < width; i += blockDim.x) {
        V h = shifted(product_of(dout[i], load_unit<V>(w.data, w.dtype, i)), -mean);
        h = plus_scaled(h, shifted(x[i], -figures.mean), -along);
        put(dx + row * width + i, scaled(h, figures.factor), fresh);
    }
}

template <typename V>
static void layer_norm_back(pg_device *device, float *dx, bool fresh, float *factors, float *means, const float *dout,
                            const float *x, int64_t rows, const pg_device_matrix *w, float epsilon)
{
    PG_LAUNCH(device, layer_norm_back_kernel<V>, row_grid(rows, w->width), row_block(w->width), 0, units<V>(dx), fresh,
              factors, means, units<V>(dout), units<V>(x), rows, units_of<V>(w->width), static_cast<float>(w->width),
              vector_of(w), epsilon);
}

/* ---------------------------------------------------------------- their weights: sums over rows */

#define SUM_ROWS 8 /* rows that a block reads at a time, 32 columns of each */

/* Sums over `count` rows of dout (x - mean) factor, then of dout: [pieces][2][width]; means NULL: zero. */
__global__ void norm_sums_kernel(float *sums, const float *dout, const float *x, const float *factors,
                                 const float *means, int64_t rows, int64_t width, int64_t count)
{
    __shared__ float room[2][SUM_ROWS][WARP];
    int64_t column = static_cast<int64_t>(blockIdx.x) * WARP + threadIdx.x, first = blockIdx.y * count;
    int64_t end = first + count < rows ? first + count : rows;
    float products = 0, plain = 0;
    if (column < width)
#pragma unroll 4
        for (int64_t r = first + threadIdx.y; r < end; r += SUM_ROWS) {
            float d = dout[r * width + column], apart = x[r * width + column] - (means ? means[r] : 0);
            products += d * (apart * factors[r]);
            plain += d;
        }
    room[0][threadIdx.y][threadIdx.x] = products;
    room[1][threadIdx.y][threadIdx.x] = plain;
    __syncthreads();
    if (threadIdx.y >= 2 || column >= width)
        return;
    float sum = 0;
    for (int i = 0; i < SUM_ROWS; i++)
        sum += room[threadIdx.y][i][threadIdx.x];
    sums[(blockIdx.y * 2 + threadIdx.y) * width + column] = sum;
}

/* Adds the pieces' sums, in their order, to dw and dbias; either may be NULL. */
__global__ void add_sums_kernel(float *dw, float *dbias, const float *sums, int64_t pieces, int64_t width)
{
    int64_t column = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (column >= width)
        return;
    float products = 0, plain = 0;
    for (int64_t piece = 0; piece < pieces; piece++) {
        products += sums[piece * 2 * width + column];
        plain += sums[(piece * 2 + 1) * width + column];
    }
    if (dw)
        dw[column] += products;
    if (dbias)
        dbias[column] += plain;
}

static void add_weight_sums(pg_device *device, float *dw, float *dbias, const float *dout, const float *x,
                            const float *factors, const float *means, int64_t rows, int64_t width, float *sums)
{
    int64_t pieces = blocks_for(rows, 64);
    pieces = pieces < PG_DEVICE_PIECES ? pieces : PG_DEVICE_PIECES;
    PG_LAUNCH(device, norm_sums_kernel, dim3(blocks_for(width, WARP), pieces), dim3(WARP, SUM_ROWS), 0, sums, dout, x,
              factors, means, rows, width, blocks_for(rows, pieces));
    PG_LAUNCH(device, add_sums_kernel, dim3(blocks_for(width, WARP)), dim3(WARP), 0, dw, dbias, sums, pieces, width);
}

void cuda_rms_norm_back(pg_device *device, float *dx, bool fresh, float *dw, const float *dout, const float *x,
                        int64_t rows, const pg_device_matrix *w, float epsilon, float *scratch)
{
    if (rows == 0)
        return;
    PG_IN_UNITS(in_fours(w->width, dx, dout, x, w->data), rms_norm_back, device, dx, fresh, scratch, dout, x, rows, w,
                epsilon);
    if (dw)
        add_weight_sums(device, dw, NULL, dout, x, scratch, NULL, rows, w->width, scratch + 2 * rows);
}

void cuda_layer_norm_back(pg_device *device, float *dx, bool fresh, float *dw, float *dbias, const float *dout,
                          const float *x, int64_t rows, const pg_device_matrix *w, float epsilon, float *scratch)
{
    float *means = scratch + rows;
    if (rows == 0)
        return;
    PG_IN_UNITS(in_fours(w->width, dx, dout, x, w->data), layer_norm_back, device, dx, fresh, scratch, means, dout, x,
                rows, w, epsilon);
    if (dw || dbias)
        add_weight_sums(device, dw, dbias, dout, x, scratch, means, rows, w->width, scratch + 2 * rows);
}

/* ---------------------------------------------------------------- rows of length one */

template <typename V> __global__ void unit_rows_kernel(V *out, const V *x, int64_t rows, int64_t width)
{
    __shared__ float room[WARP];
    int64_t row = row_number();
    if (row >= rows)
        return;
    x += row * width;
    float factor = 1 / sqrtf(row_dot(x, x, width, room));
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        out[row * width + i] = scaled(x[i], factor);
}

template <typename V> static void unit_rows(pg_device *device, float *out, const float *x, int64_t rows, int64_t width)
{
    PG_LAUNCH(device, unit_rows_kernel<V>, row_grid(rows, width), row_block(width), 0, units<V>(out), units<V>(x), rows,
              units_of<V>(width));
}

void cuda_unit_rows(pg_device *device, float *out, const float *x, int64_t rows, int64_t width)
{
    if (rows)
        PG_IN_UNITS(in_fours(width, out, x), unit_rows, device, out, x, rows, width);
}

template <typename V>
__global__ void unit_rows_back_kernel(V *dx, bool fresh, const V *dout, const V *x, const V *out, int64_t rows,
                                      int64_t width)
{
    __shared__ float room[WARP];
    int64_t row = row_number(), at = row * width;
    if (row >= rows)
        return;
    float factor = 1 / sqrtf(row_dot(x + at, x + at, width, room));
    float along = row_dot(out + at, dout + at, width, room);
    for (int64_t i = at + threadIdx.x; i < at + width; i += blockDim.x)
        put(dx + i, scaled(plus_scaled(dout[i], out[i], -along), factor), fresh);
}

template <typename V>
static void unit_rows_back(pg_device *device, float *dx, bool fresh, const float *dout, const float *x,
                           const float *out, int64_t rows, int64_t width)
{
    PG_LAUNCH(device, unit_rows_back_kernel<V>, row_grid(rows, width), row_block(width), 0, units<V>(dx), fresh,
              units<V>(dout), units<V>(x), units<V>(out), rows, units_of<V>(width));
}

void cuda_unit_rows_back(pg_device *device, float *dx, bool fresh, const float *dout, const float *x, const float *out,
                         int64_t rows, int64_t width)
{
    if (rows)
        PG_IN_UNITS(in_fours(width, dx, dout, x, out), unit_rows_back, device, dx, fresh, dout, x, out, rows, width);
}
