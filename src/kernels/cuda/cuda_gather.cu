/* Rows by number: embedding tables, rows placed among others and taken out, learned positions, cache rows. */
#include "kernels/cuda/cuda_rows.h"

#define ROW_BLOCK 128

/* ---------------------------------------------------------------- embedding */

template <typename V>
__global__ void embed_kernel(V *out, const void *table, pg_dtype dtype, int64_t width, const int32_t *ids, float scale)
{
    int64_t to = blockIdx.x * width, from = ids[blockIdx.x] * width;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        out[to + i] = scaled(load_unit<V>(table, dtype, from + i), scale);
}

template <typename V>
static void embed(pg_device *device, float *out, const pg_device_matrix *table, const int32_t *ids, int64_t count,
                  float scale)
{
    PG_LAUNCH(device, embed_kernel<V>, dim3(count), dim3(ROW_BLOCK), 0, units<V>(out), table->data, table->dtype,
              units_of<V>(table->width), ids, scale);
}

/* Value (row, input) of a quantised matrix; base/quantized.h has the layout. */
static __device__ inline float quantized_value(const pg_quantized &w, int64_t row, int64_t input)
{
    int64_t group = row / PG_QUANTIZED_ROWS, lane = row % PG_QUANTIZED_ROWS;
    int64_t padded = (w.inputs + PG_QUANTIZED_INPUTS - 1) / PG_QUANTIZED_INPUTS * PG_QUANTIZED_INPUTS;
    int64_t blocks = (w.inputs + w.block - 1) / w.block;
    const uint8_t *scale =
        static_cast<const uint8_t *>(w.scales) + 2 * ((group * blocks + input / w.block) * PG_QUANTIZED_ROWS + lane);
    float unit = float_of_bf16(static_cast<uint16_t>(scale[0] | scale[1] << 8));
    if (w.bits == 8)
        return static_cast<float>(w.values[group * padded * 16 + input / 4 * 64 + lane * 4 + input % 4] - 128) * unit;
    int64_t four = input / 32 * 4 + input % 16 / 4;
    int shift = input % 32 < 16 ? 0 : 4;
    int half = w.values[group * padded * 8 + four * 64 + lane * 4 + input % 4] >> shift & 15;
    int step = w.steps[group * (padded / 32) * 16 + input / 32 * 16 + lane] >> shift & 15;
    return static_cast<float>(half - 8) * (unit * static_cast<float>(step));
}

__global__ void embed_quantized_kernel(float *out, pg_quantized table, int64_t width, const int32_t *ids, float scale)
{
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        out[blockIdx.x * width + i] = quantized_value(table, ids[blockIdx.x], i) * scale;
}

void cuda_embed(pg_device *device, float *out, const pg_device_matrix *table, const int32_t *ids, int64_t count,
                float scale)
{
    if (count == 0)
        return;
    if (table->quantized.bits)
        PG_LAUNCH(device, embed_quantized_kernel, dim3(count), dim3(ROW_BLOCK), 0, out, table->quantized, table->width,
                  ids, scale);
    else
        PG_IN_UNITS(in_fours(table->width, out, table->data), embed, device, out, table, ids, count, scale);
}

/* ---------------------------------------------------------------- rows added where numbers say */

#define ADD_ROWS 4 /* rows that a block reads at a time, WARP units of each */

/* A block makes the sum of all rows that go to the same place: those pairs from its own on, if its own is the first of
 * them. */
template <typename V>
__global__ void add_rows_kernel(V *out, const V *x, int64_t width, const int64_t *pairs, int64_t count, float factor)
{
    __shared__ V room[ADD_ROWS][WARP];
    int64_t first = blockIdx.x, to = pairs[first] >> 32;
    int64_t column = static_cast<int64_t>(blockIdx.y) * WARP + threadIdx.x;
    if (first > 0 && pairs[first - 1] >> 32 == to)
        return;
    V sum = zeros<V>();
    for (int64_t i = first + threadIdx.y; column < width && i < count && pairs[i] >> 32 == to; i += ADD_ROWS)
        sum = sum_of(sum, x[(pairs[i] & 0xffffffff) * width + column]);
    room[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y || column >= width)
        return;
    for (int i = 1; i < ADD_ROWS; i++)
        sum = sum_of(sum, room[i][threadIdx.x]);
    out[to * width + column] = plus_scaled(out[to * width + column], sum, factor);
}

template <typename V>
static void add_rows(pg_device *device, float *out, const float *x, int64_t width, const int64_t *pairs, int64_t count,
                     float factor)
{
    dim3 grid(count, blocks_for(units_of<V>(width), WARP));
    PG_LAUNCH(device, add_rows_kernel<V>, grid, dim3(WARP, ADD_ROWS), 0, units<V>(out), units<V>(x), units_of<V>(width),
              pairs, count, factor);
}

void cuda_add_rows(pg_device *device, float *out, const float *x, int64_t width, const int64_t *pairs, int64_t count,
                   float factor)
{
    if (count)
        PG_IN_UNITS(in_fours(width, out, x), add_rows, device, out, x, width, pairs, count, factor);
}

/* ---------------------------------------------------------------- rows placed among others */

/* Where `row` stands in the ascending list, or -1. */
static __device__ inline int64_t find_row(const int64_t *rows, int64_t count, int64_t row)
{
    int64_t low = 0, high = count;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (rows[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && rows[low] == row ? low : -1;
}

template <typename V>
__global__ void place_rows_kernel(V *out, const V *x, int64_t width, const int64_t *rows, const V *values,
                                  int64_t count)
{
    int64_t place = find_row(rows, count, blockIdx.x), at = blockIdx.x * width;
    const V *from = place < 0 ? x + at : values + place * width;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        out[at + i] = from[i];
}

template <typename V>
static void place_rows(pg_device *device, float *out, const float *x, int64_t all, int64_t width, const int64_t *rows,
                       const float *values, int64_t count)
{
    PG_LAUNCH(device, place_rows_kernel<V>, dim3(all), dim3(ROW_BLOCK), 0, units<V>(out), units<V>(x),
              units_of<V>(width), rows, units<V>(values), count);
}

void cuda_place_rows(pg_device *device, float *out, const float *x, int64_t all, int64_t width, const int64_t *rows,
                     const float *values, int64_t count)
{
    if (all)
        PG_IN_UNITS(in_fours(width, out, x, values), place_rows, device, out, x, all, width, rows, values, count);
}

template <typename V>
__global__ void place_rows_back_kernel(V *dx, bool fresh, const V *dout, int64_t width, const int64_t *rows,
                                       int64_t count)
{
    bool replaced = find_row(rows, count, blockIdx.x) >= 0;
    int64_t at = blockIdx.x * width;
    if (replaced && !fresh)
        return;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        put(dx + at + i, replaced ? zeros<V>() : dout[at + i], fresh);
}

template <typename V>
static void place_rows_back(pg_device *device, float *dx, bool fresh, const float *dout, int64_t all, int64_t width,
                            const int64_t *rows, int64_t count)
{
    PG_LAUNCH(device, place_rows_back_kernel<V>, dim3(all), dim3(ROW_BLOCK), 0, units<V>(dx), fresh, units<V>(dout),
              units_of<V>(width), rows, count);
}

void cuda_place_rows_back(pg_device *device, float *dx, bool fresh, const float *dout, int64_t all, int64_t width,
                          const int64_t *rows, int64_t count)
{
    if (all)
        PG_IN_UNITS(in_fours(width, dx, dout), place_rows_back, device, dx, fresh, dout, all, width, rows, count);
}

template <typename V>
__global__ void take_rows_kernel(V *out, bool fresh, const V *x, int64_t width, const int64_t *rows)
{
    int64_t to = blockIdx.x * width, from = rows[blockIdx.x] * width;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        put(out + to + i, x[from + i], fresh);
}

template <typename V>
static void take_rows(pg_device *device, float *out, bool fresh, const float *x, int64_t width, const int64_t *rows,
                      int64_t count)
{
    PG_LAUNCH(device, take_rows_kernel<V>, dim3(count), dim3(ROW_BLOCK), 0, units<V>(out), fresh, units<V>(x),
              units_of<V>(width), rows);
}

void cuda_take_rows(pg_device *device, float *out, bool fresh, const float *x, int64_t width, const int64_t *rows,
                    int64_t count)
{
    if (count)
        PG_IN_UNITS(in_fours(width, out, x), take_rows, device, out, fresh, x, width, rows, count);
}

/* ---------------------------------------------------------------- learned positions */

template <typename V>
__global__ void add_positions_kernel(V *out, const V *x, int64_t width, const void *table, pg_dtype dtype,
                                     int64_t table_rows)
{
    int64_t at = blockIdx.x * width, from = blockIdx.x % table_rows * width;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        out[at + i] = sum_of(x[at + i], load_unit<V>(table, dtype, from + i));
}

template <typename V>
static void add_positions(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *table)
{
    PG_LAUNCH(device, add_positions_kernel<V>, dim3(rows), dim3(ROW_BLOCK), 0, units<V>(out), units<V>(x),
              units_of<V>(table->width), table->data, table->dtype, table->rows);
}

void cuda_add_positions(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *table)
{
    if (rows)
        PG_IN_UNITS(in_fours(table->width, out, x, table->data), add_positions, device, out, x, rows, table);
}

/* A thread for each unit of the table, which all sequences have in turn. */
template <typename V> __global__ void positions_back_kernel(V *dtable, const V *dout, int64_t count, int64_t size)
{
    int64_t place = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (place >= size)
        return;
    V sum = zeros<V>();
    for (int64_t i = place; i < count; i += size)
        sum = sum_of(sum, dout[i]);
    put(dtable + place, sum, false);
}

template <typename V>
static void positions_back(pg_device *device, float *dtable, const float *dout, int64_t rows, int64_t table_rows,
                           int64_t width)
{
    int64_t size = table_rows * units_of<V>(width);
    PG_LAUNCH(device, positions_back_kernel<V>, dim3(blocks_for(size, BLOCK)), dim3(BLOCK), 0, units<V>(dtable),
              units<V>(dout), rows * units_of<V>(width), size);
}

void cuda_add_positions_back(pg_device *device, float *dtable, const float *dout, int64_t rows, int64_t table_rows,
                             int64_t width)
{
    PG_IN_UNITS(in_fours(width, dtable, dout), positions_back, device, dtable, dout, rows, table_rows, width);
}

/* ---------------------------------------------------------------- cache rows */

/* Each block writes one head (a whole row, of floating types) of one row. */
__global__ void store_floats_kernel(void *cache, pg_dtype dtype, const int64_t *slots, const float *x, int64_t width)
{
    int64_t from = blockIdx.x * width, to = slots[blockIdx.x] * width;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x)
        if (dtype == PG_F32)
            static_cast<float *>(cache)[to + i] = x[from + i];
        else
            static_cast<uint16_t *>(cache)[to + i] = bf16_of_float(x[from + i]);
}

/* A warp narrows a head: `size` bytes and the f32 they are to be multiplied with, at any address. It is a 127th of the
 * largest value, and NaN if a value is not finite. */
__global__ void store_bytes_kernel(int8_t *cache, const int64_t *slots, const float *x, int64_t all, int64_t heads,
                                   int64_t size)
{
    int64_t number = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
    if (number >= all)
        return;
    int8_t *out =
        cache + (slots[number / heads] * heads + number % heads) * (size + static_cast<int64_t>(sizeof(float)));
    const float *in = x + number * size;
    float top = 0, strange = 0;
    for (int64_t i = threadIdx.x; i < size; i += WARP) {
        top = fmaxf(top, fabsf(in[i]));
        strange += in[i] * 0; /* 0, or NaN */
    }
    top = warp_max(top);
    strange = warp_sum(strange);
    bool usable = top >= 7.888609052210118e-31f && strange == 0; /* 2^-100 */
    for (int64_t i = threadIdx.x; i < size; i += WARP)
        out[i] = static_cast<int8_t>(usable ? lrintf(in[i] * (127 / top)) : 0);
    if (threadIdx.x < sizeof(float))
        out[size + threadIdx.x] = static_cast<int8_t>(bits_of_float(usable ? top / 127 : strange) >> 8 * threadIdx.x);
}

void cuda_store_rows(pg_device *device, void *cache, pg_dtype dtype, const int64_t *slots, const float *x, int64_t rows,
                     int64_t heads, int64_t size)
{
    int64_t warps = BLOCK / WARP;
    if (rows == 0)
        return;
    if (dtype == PG_I8)
        PG_LAUNCH(device, store_bytes_kernel, dim3(blocks_for(rows * heads, warps)), dim3(WARP, warps), 0,
                  static_cast<int8_t *>(cache), slots, x, rows * heads, heads, size);
    else
        PG_LAUNCH(device, store_floats_kernel, dim3(rows), dim3(BLOCK), 0, cache, dtype, slots, x, heads * size);
}
