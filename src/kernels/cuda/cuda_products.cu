/*
 * Linear layers and their way back. Many rows go through cuBLASLt, generated tokens through kernels that read the
 * weight once (cuda_single.cu). Factors that are not stored as the product needs them are converted into the workspace:
 * x as a whole, a weight a slab of rows at a time.
 */
#include "kernels/cuda/cuda_products.h"

#define BLOCK    256
#define FEW_ROWS 8 /* no more than these go the way of generated tokens even if they are not */

/* Values of a weight that exist converted at a time; few in the emulation, whose tests must see several slabs. */
#ifdef PG_EMULATED
#define SLAB_VALUES ((int64_t)1 << 10)
#else
#define SLAB_VALUES ((int64_t)1 << 26)
#endif

/* ---------------------------------------------------------------- factors */

static size_t rounded(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static size_t value_size(bool bf16)
{
    return bf16 ? 2 : 4;
}

/* True if the product can read the weight where it lies. */
static bool is_ready(const pg_device_matrix *w, bool bf16)
{
    return !w->quantized.bits && w->dtype == (bf16 ? PG_BF16 : PG_F32);
}

/* Rows of a weight that are converted at a time: whole groups of quantised ones. */
static int64_t slab_rows(const pg_device_matrix *w, bool bf16)
{
    int64_t most = (SLAB_VALUES / w->width + PG_QUANTIZED_ROWS) / PG_QUANTIZED_ROWS * PG_QUANTIZED_ROWS;
    return is_ready(w, bf16) || w->rows < most ? w->rows : most;
}

static size_t slab_bytes(const pg_device_matrix *w, bool bf16)
{
    return is_ready(w, bf16) ? 0 : rounded(static_cast<size_t>(slab_rows(w, bf16) * w->width) * value_size(bf16));
}

/* Rows first .. first + count - 1 of the weight, in `room` unless they are there already. */
static const void *slab_of(pg_device *device, const pg_device_matrix *w, int64_t first, int64_t count, bool bf16,
                           void *room)
{
    size_t at = static_cast<size_t>(first * w->width);
    if (w->quantized.bits) {
        widen_quantized(device, room, bf16, &w->quantized, first, count);
        return room;
    }
    const char *rows = static_cast<const char *>(w->data) + at * value_size(w->dtype != PG_F32);
    if (is_ready(w, bf16))
        return rows;
    widen_values(device, room, bf16, rows, w->dtype, count * w->width);
    return room;
}

static size_t activation_bytes(int64_t count, bool bf16)
{
    return bf16 ? rounded(static_cast<size_t>(count) * 2) : 0;
}

static const void *activations(pg_device *device, const float *x, int64_t count, bool bf16, void *room)
{
    if (!bf16)
        return x;
    widen_values(device, room, true, x, PG_F32, count);
    return room;
}

/* ---------------------------------------------------------------- the bias */

static bool is_ready_bias(const pg_device_matrix *bias)
{
    return bias->dtype == PG_F32 && is_aligned(bias->data);
}

static size_t bias_bytes(const pg_device_matrix *bias)
{
    return bias && !is_ready_bias(bias) ? rounded(static_cast<size_t>(bias->width) * 4) : 0;
}

/* x and the bias as the product needs them. */
struct inputs {
    const void *x;
    const float *bias;
};

static inputs inputs_of(pg_device *device, const float *x, int64_t count, const pg_device_matrix *bias, bool bf16,
                        void *x_room, void *bias_room)
{
    if (!bias || is_ready_bias(bias))
        return {activations(device, x, count, bf16, x_room), bias ? static_cast<const float *>(bias->data) : NULL};
    if (bf16)
        widen_with_bias(device, x_room, x, count, bias_room, bias);
    else
        widen_values(device, bias_room, false, bias->data, bias->dtype, bias->width);
    return {bf16 ? x_room : x, static_cast<const float *>(bias_room)};
}

__global__ void add_bias_kernel(float *out, const float *bias, int64_t rows, int64_t columns, int64_t stride)
{
    int64_t i = static_cast<int64_t>(blockIdx.x) * BLOCK + threadIdx.x;
    if (i < rows * columns)
        out[i / columns * stride + i % columns] += bias[i % columns];
}

/* ---------------------------------------------------------------- products */

/* By the library; without its own way to add a bias; or plainly. */
static void run(pg_device *device, product p)
{
    const float *bias = p.bias;
    if (blaslt_multiply(device, &p))
        return;
    p.bias = NULL;
    if (!bias || !blaslt_multiply(device, &p))
        plain_multiply(device, &p);
    if (bias)
        PG_LAUNCH(device, add_bias_kernel, dim3(blocks_for(p.rows * p.columns, BLOCK)), dim3(BLOCK), 0, p.out, bias,
                  p.rows, p.columns, p.out_stride);
}

/* added: to what is in out, then without a bias. */
static void multiply_rows(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                          const pg_device_matrix *bias, bool bf16, bool added)
{
    size_t x_bytes = activation_bytes(rows * w->width, bf16), w_bytes = slab_bytes(w, bf16);
    char *room = static_cast<char *>(cuda_workspace(device, x_bytes + w_bytes + bias_bytes(bias)));
    if (device->status != PG_OK)
        return;
    inputs in = inputs_of(device, x, rows * w->width, bias, bf16, room, room + x_bytes + w_bytes);
    product p = {};
    p.a = in.x;
    p.rows = rows;
    p.inner = p.a_stride = w->width;
    p.out_stride = w->rows;
    p.b_transposed = true;
    p.bf16 = bf16;
    p.added = added;
    int64_t slab = slab_rows(w, bf16);
    for (int64_t first = 0; first < w->rows; first += slab) {
        p.columns = w->rows - first < slab ? w->rows - first : slab;
        p.b = slab_of(device, w, first, p.columns, bf16, room + x_bytes);
        p.out = out + first;
        p.bias = in.bias ? in.bias + first : NULL;
        run(device, p);
    }
}

/* At most SINGLE_ROWS rows in bf16: all weights in one launch, or one by one, or, where a weight cannot be read so, row
 * by row. */
static void multiply_single(pg_device *device, const pg_device_product *products, int count, const float *x,
                            int64_t rows)
{
    if (count > 1 && single_multiply(device, products, count, x, rows))
        return;
    for (const pg_device_product *p = products; p < products + count; p++)
        if (!single_multiply(device, p, 1, x, rows))
            for (int64_t r = 0; r < rows; r++)
                multiply_rows(device, p->out + r * p->w->rows, x + r * p->w->width, 1, p->w, p->bias, true, false);
}

/* By kernels that read weights once for several rows. */
static void multiply_few(pg_device *device, const pg_device_product *products, int count, const float *x, int64_t rows,
                         bool bf16)
{
    int64_t most = bf16 ? SINGLE_ROWS : EXACT_ROWS;
    for (int64_t first = 0, some; first < rows; first += some) {
        pg_device_product part[PG_DEVICE_PRODUCTS];
        const float *from = x + first * products->w->width;
        some = rows - first < most ? rows - first : most;
        for (int i = 0; i < count; i++)
            part[i] = {products[i].out + first * products[i].w->rows, products[i].w, products[i].bias};
        if (bf16)
            multiply_single(device, part, count, from, some);
        else
            exact_multiply(device, part, count, from, some);
    }
}

static void multiply(pg_device *device, const pg_device_product *products, int count, const float *x, int64_t rows,
                     int64_t single, bool bf16)
{
    int64_t few = rows <= FEW_ROWS ? rows : single;
    multiply_few(device, products, count, x, few, bf16);
    for (const pg_device_product *p = products; rows > few && p < products + count; p++)
        multiply_rows(device, p->out + few * p->w->rows, x + few * p->w->width, rows - few, p->w, p->bias, bf16, false);
}

static void multiply_added(pg_device *device, float *out, const float *x, int64_t rows, const pg_device_matrix *w,
                           bool bf16)
{
    if (rows)
        multiply_rows(device, out, x, rows, w, NULL, bf16, true);
}

/* ---------------------------------------------------------------- the way back */

/* dout is [rows][w->rows] as the product needs it. */
static void input_back(pg_device *device, float *dx, bool fresh, const void *dout, int64_t rows,
                       const pg_device_matrix *w, bool bf16, void *room)
{
    product p = {};
    p.out = dx;
    p.rows = rows;
    p.columns = p.out_stride = w->width;
    p.a_stride = w->rows;
    p.bf16 = bf16;
    int64_t slab = slab_rows(w, bf16);
    for (int64_t first = 0; first < w->rows; first += slab) {
        p.inner = w->rows - first < slab ? w->rows - first : slab;
        p.a = static_cast<const char *>(dout) + static_cast<size_t>(first) * value_size(bf16);
        p.b = slab_of(device, w, first, p.inner, bf16, room);
        p.added = !fresh || first > 0;
        run(device, p);
    }
}

static void weight_back(pg_device *device, float *dw, const void *dout, const void *x, int64_t rows, int64_t outputs,
                        int64_t inputs, bool bf16)
{
    product p = {};
    p.out = dw;
    p.a = dout;
    p.b = x;
    p.rows = p.a_stride = outputs;
    p.columns = p.out_stride = inputs;
    p.inner = rows;
    p.a_transposed = true;
    p.bf16 = bf16;
    p.added = true;
    run(device, p);
}

static void multiply_back(pg_device *device, float *dx, bool fresh, float *dw, const float *dout, const float *x,
                          int64_t rows, const pg_device_matrix *w, bool bf16)
{
    if (rows == 0)
        return;
    size_t dout_bytes = activation_bytes(rows * w->rows, bf16), w_bytes = dx ? slab_bytes(w, bf16) : 0;
    size_t x_bytes = dw ? activation_bytes(rows * w->width, bf16) : 0;
    char *room = static_cast<char *>(cuda_workspace(device, dout_bytes + w_bytes + x_bytes));
    if (device->status != PG_OK)
        return;
    const void *factor = activations(device, dout, rows * w->rows, bf16, room);
    if (dx)
        input_back(device, dx, fresh, factor, rows, w, bf16, room + dout_bytes);
    if (dw)
        weight_back(device, dw, factor, activations(device, x, rows * w->width, bf16, room + dout_bytes + w_bytes),
                    rows, w->rows, w->width, bf16);
}

/* ---------------------------------------------------------------- columns */

#define COLUMN_BLOCK 128
#define COLUMN_PARTS 64 /* of the rows, whose sums are added in order */

/* Row blockIdx.y of out: the sums of `each` rows of x. */
__global__ void add_columns_kernel(float *out, const float *x, int64_t rows, int64_t width, int64_t each, bool added)
{
    int64_t c = static_cast<int64_t>(blockIdx.x) * COLUMN_BLOCK + threadIdx.x;
    int64_t first = blockIdx.y * each, end = min(first + each, rows);
    if (c >= width)
        return;
    float sum = added ? out[blockIdx.y * width + c] : 0;
#pragma unroll 8
    for (int64_t r = first; r < end; r++)
        sum += x[r * width + c];
    out[blockIdx.y * width + c] = sum;
}

static void add_columns(pg_device *device, float *out, const float *x, int64_t rows, int64_t width)
{
    if (rows == 0)
        return;
    int64_t across = blocks_for(width, COLUMN_BLOCK), each = blocks_for(rows, COLUMN_PARTS);
    each = each < 16 ? 16 : each;
    int64_t parts = blocks_for(rows, each);
    if (parts > 1) {
        float *sums = static_cast<float *>(cuda_workspace(device, static_cast<size_t>(parts * width) * sizeof *sums));
        PG_LAUNCH(device, add_columns_kernel, dim3(across, parts), dim3(COLUMN_BLOCK), 0, sums, x, rows, width, each,
                  false);
        x = sums;
        rows = each = parts;
    }
    PG_LAUNCH(device, add_columns_kernel, dim3(across), dim3(COLUMN_BLOCK), 0, out, x, rows, width, each, true);
}

static void widen(pg_device *device, float *out, const void *values, pg_dtype dtype, int64_t count)
{
    widen_values(device, out, false, values, dtype, count);
}

/* ---------------------------------------------------------------- some outputs */

template <typename T> __global__ void gather_kernel(T *to, const T *from, const int64_t *numbers, int64_t each)
{
    const T *place = from + numbers[blockIdx.x] * each;
    for (int64_t i = threadIdx.x; i < each; i += BLOCK)
        to[blockIdx.x * each + i] = place[i];
}

template <typename T>
static void gather_as(pg_device *device, void *to, const void *from, const int64_t *numbers, int64_t count,
                      int64_t bytes)
{
    PG_LAUNCH(device, gather_kernel<T>, dim3(count), dim3(BLOCK), 0, static_cast<T *>(to), static_cast<const T *>(from),
              numbers, bytes / static_cast<int64_t>(sizeof(T)));
}

static void gather(pg_device *device, void *to, const void *from, const int64_t *numbers, int64_t count, int64_t bytes)
{
    if (count == 0)
        return;
    uintptr_t all = reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from) | static_cast<uintptr_t>(bytes);
    if (all % 16 == 0)
        gather_as<uint4>(device, to, from, numbers, count, bytes);
    else if (all % 4 == 0)
        gather_as<uint32_t>(device, to, from, numbers, count, bytes);
    else
        gather_as<uint8_t>(device, to, from, numbers, count, bytes);
}

__global__ void pick_kernel(float *out, int64_t out_width, const float *x, int64_t width, const int64_t *columns,
                            int64_t count)
{
    for (int64_t i = threadIdx.x; i < count; i += BLOCK)
        out[blockIdx.x * out_width + i] = x[blockIdx.x * width + columns[i]];
}

static void pick(pg_device *device, float *out, int64_t out_width, const float *x, int64_t rows, int64_t width,
                 const int64_t *columns, int64_t count)
{
    if (rows)
        PG_LAUNCH(device, pick_kernel, dim3(rows), dim3(BLOCK), 0, out, out_width, x, width, columns, count);
}

extern const pg_device_products cuda_products = {multiply, multiply_added, multiply_back, add_columns,
                                                 widen,    gather,         pick};
