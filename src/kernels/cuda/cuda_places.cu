/* Places: values and patches of pictures, rotary positions, spans of rows, columns side by side. */
#include <string.h>

#include "kernels/cuda/cuda_rows.h"

#define ROW_BLOCK 128

/* ---------------------------------------------------------------- pictures */

__global__ void pixel_values_kernel(float *out, const uint8_t *bytes, int64_t pixels, int64_t plane,
                                    const float (*levels)[256])
{
    int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= pixels)
        return;
    float *place = out + i / plane * 3 * plane + i % plane;
    for (int channel = 0; channel < 3; channel++)
        place[channel * plane] = levels[channel][bytes[3 * i + channel]];
}

void cuda_pixel_values(pg_device *device, float *out, const uint8_t *bytes, int64_t pixels, int64_t plane,
                       const float (*levels)[256])
{
    if (pixels)
        PG_LAUNCH(device, pixel_values_kernel, dim3(blocks_for(pixels, BLOCK)), dim3(BLOCK), 0, out, bytes, pixels,
                  plane, levels);
}

__global__ void patches_kernel(float *out, const float *pixels, int channels, int side, int patch)
{
    int across = side / patch, width = channels * patch * patch;
    int picture = blockIdx.x / (across * across), place = blockIdx.x % (across * across);
    int top = place / across * patch, left = place % across * patch;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        int64_t line = static_cast<int64_t>(picture * channels + i / (patch * patch)) * side + top + i / patch % patch;
        out[static_cast<int64_t>(blockIdx.x) * width + i] = pixels[line * side + left + i % patch];
    }
}

void cuda_patches(pg_device *device, float *out, const float *pixels, int64_t rows, int64_t channels, int64_t side,
                  int64_t patch)
{
    if (rows)
        PG_LAUNCH(device, patches_kernel, dim3(rows), dim3(ROW_BLOCK), 0, out, pixels, static_cast<int>(channels),
                  static_cast<int>(side), static_cast<int>(patch));
}

/* ---------------------------------------------------------------- rotary positions */

/* They come from the host with the launch, so many at a time. */
#define FREQUENCIES 256
struct frequency_piece {
    float values[FREQUENCIES];
};

/* Frequencies first .. first + width - 1 of `half`. */
__global__ void rope_angles_kernel(float *out, const int32_t *positions, frequency_piece frequencies, int64_t count,
                                   int64_t half, int64_t first, int64_t width)
{
    int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= count * width)
        return;
    int64_t row = i / width, column = i % width, at = row * 2 * half + first + column;
    float angle = static_cast<float>(positions[row]) * frequencies.values[column];
    out[at] = cosf(angle);
    out[at + half] = sinf(angle);
}

void cuda_rope_angles(pg_device *device, float *out, const int32_t *positions, const float *frequencies, int64_t count,
                      int64_t size)
{
    int64_t half = size / 2;
    for (int64_t first = 0; count && first < half; first += FREQUENCIES) {
        int64_t width = half - first < FREQUENCIES ? half - first : FREQUENCIES;
        frequency_piece piece = {};
        memcpy(piece.values, frequencies + first, static_cast<size_t>(width) * sizeof(float));
        PG_LAUNCH(device, rope_angles_kernel, dim3(blocks_for(count * width, BLOCK)), dim3(BLOCK), 0, out, positions,
                  piece, count, half, first, width);
    }
}

/* Turns (a, b) of every head by its row's angles times `sign`; `half` is half a head. */
template <typename V>
__global__ void rope_kernel(V *out, bool fresh, const V *x, const V *angles, int width, int half, float sign)
{
    const V *cosines = angles + static_cast<int64_t>(blockIdx.x) * 2 * half, *sines = cosines + half;
    int64_t row = static_cast<int64_t>(blockIdx.x) * width;
    for (int i = threadIdx.x; i < width / 2; i += blockDim.x) {
        int column = i % half;
        int64_t at = row + i / half * 2 * half + column;
        V a = x[at], b = x[at + half], cosine = cosines[column], sine = scaled(sines[column], sign);
        put(out + at, plus_scaled(product_of(a, cosine), product_of(b, sine), -1), fresh);
        put(out + at + half, sum_of(product_of(b, cosine), product_of(a, sine)), fresh);
    }
}

template <typename V>
static void turn(pg_device *device, float *out, bool fresh, const float *x, const float *angles, int64_t rows,
                 int64_t width, int64_t size, float sign)
{
    if (rows)
        PG_LAUNCH(device, rope_kernel<V>, dim3(rows), dim3(ROW_BLOCK), 0, units<V>(out), fresh, units<V>(x),
                  units<V>(angles), static_cast<int>(units_of<V>(width)), static_cast<int>(units_of<V>(size / 2)),
                  sign);
}

void cuda_rope(pg_device *device, float *out, const float *x, const float *angles, int64_t rows, int64_t width,
               int64_t size)
{
    PG_IN_UNITS(in_fours(size / 2, out, x, angles), turn, device, out, true, x, angles, rows, width, size, 1);
}

void cuda_rope_back(pg_device *device, float *dx, bool fresh, const float *dout, const float *angles, int64_t rows,
                    int64_t width, int64_t size)
{
    PG_IN_UNITS(in_fours(size / 2, dx, dout, angles), turn, device, dx, fresh, dout, angles, rows, width, size, -1);
}

/* ---------------------------------------------------------------- pooling */

#define POOL_ROWS 8 /* rows that a block reads at a time, WARP units of each */

template <typename V>
__global__ void pool_rows_kernel(V *out, const V *x, int64_t width, const int64_t (*spans)[2], bool mean)
{
    __shared__ V room[POOL_ROWS][WARP];
    int64_t first = spans[blockIdx.x][0], count = spans[blockIdx.x][1];
    int64_t column = static_cast<int64_t>(blockIdx.y) * WARP + threadIdx.x;
    V sum = zeros<V>();
    for (int64_t r = first + threadIdx.y; column < width && r < first + count; r += POOL_ROWS)
        sum = sum_of(sum, x[r * width + column]);
    room[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y || column >= width)
        return;
    for (int i = 1; i < POOL_ROWS; i++)
        sum = sum_of(sum, room[i][threadIdx.x]);
    out[blockIdx.x * width + column] = scaled(sum, mean ? 1 / static_cast<float>(count) : 1);
}

template <typename V>
static void pool_rows(pg_device *device, float *out, const float *x, int64_t width, const int64_t (*spans)[2],
                      int64_t count, bool mean)
{
    dim3 grid(count, blocks_for(units_of<V>(width), WARP));
    PG_LAUNCH(device, pool_rows_kernel<V>, grid, dim3(WARP, POOL_ROWS), 0, units<V>(out), units<V>(x),
              units_of<V>(width), spans, mean);
}

void cuda_pool_rows(pg_device *device, float *out, const float *x, int64_t width, const int64_t (*spans)[2],
                    int64_t count, bool mean)
{
    if (count)
        PG_IN_UNITS(in_fours(width, out, x), pool_rows, device, out, x, width, spans, count, mean);
}

/* Each block gathers what all spans say of its row: they may overlap. */
template <typename V>
__global__ void pool_back_kernel(V *dx, bool fresh, const V *dout, int64_t width, const int64_t (*spans)[2],
                                 int64_t count, bool mean)
{
    int64_t row = blockIdx.x;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
        V sum = zeros<V>();
        for (int64_t s = 0; s < count; s++)
            if (row >= spans[s][0] && row - spans[s][0] < spans[s][1])
                sum = plus_scaled(sum, dout[s * width + i], mean ? 1 / static_cast<float>(spans[s][1]) : 1);
        put(dx + row * width + i, sum, fresh);
    }
}

template <typename V>
static void pool_back(pg_device *device, float *dx, bool fresh, const float *dout, int64_t rows, int64_t width,
                      const int64_t (*spans)[2], int64_t count, bool mean)
{
    PG_LAUNCH(device, pool_back_kernel<V>, dim3(rows), dim3(ROW_BLOCK), 0, units<V>(dx), fresh, units<V>(dout),
              units_of<V>(width), spans, count, mean);
}

void cuda_pool_rows_back(pg_device *device, float *dx, bool fresh, const float *dout, int64_t rows, int64_t width,
                         const int64_t (*spans)[2], int64_t count, bool mean)
{
    if (rows)
        PG_IN_UNITS(in_fours(width, dx, dout), pool_back, device, dx, fresh, dout, rows, width, spans, count, mean);
}

/* ---------------------------------------------------------------- columns */

template <typename V>
__global__ void copy_columns_kernel(V *to, int64_t to_width, bool fresh, const V *from, int64_t from_width,
                                    int64_t width)
{
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        put(to + blockIdx.x * to_width + i, from[blockIdx.x * from_width + i], fresh);
}

template <typename V>
static void copy_columns(pg_device *device, float *to, int64_t to_width, bool fresh, const float *from,
                         int64_t from_width, int64_t rows, int64_t width)
{
    PG_LAUNCH(device, copy_columns_kernel<V>, dim3(rows), dim3(ROW_BLOCK), 0, units<V>(to), units_of<V>(to_width),
              fresh, units<V>(from), units_of<V>(from_width), units_of<V>(width));
}

void cuda_copy_columns(pg_device *device, float *to, int64_t to_width, bool fresh, const float *from,
                       int64_t from_width, int64_t rows, int64_t width)
{
    bool fours = in_fours(width, to, from) && to_width % 4 == 0 && from_width % 4 == 0;
    if (rows)
        PG_IN_UNITS(fours, copy_columns, device, to, to_width, fresh, from, from_width, rows, width);
}
