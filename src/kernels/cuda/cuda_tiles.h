/*
 * Tiles of attention in shared memory and what a warp multiplies with them, for two types of values: float with fused
 * multiply-adds, and bf16 (uint16_t) on tensor cores. Both share out a result of 16 rows in the same way, that of the
 * instruction mma.m16n8k16: with g = lane / 4 and t = lane % 4 a thread has, of every 8 columns, columns 2t and 2t + 1
 * of rows g (elements 0, 1) and g + 8 (elements 2, 3). So the kernels are written once.
 */
#ifndef PG_KERNELS_CUDA_TILES_H
#define PG_KERNELS_CUDA_TILES_H

#include "kernels/cuda/cuda_fragments.h"

extern "C" {
#include "kernels/device_attention.h"
}

/* Warps of a block, each with 16 rows of its own; keys of a tile on the way there, and rows of a tile on the way back;
 * values between rows of a tile beyond their size, so that eight rows lie in different banks. */
template <typename T> struct tile_shape;
template <> struct tile_shape<float> {
    enum { WARPS = 2, KEYS = 16, BACK = 16, PAD = 4 };
};
template <> struct tile_shape<uint16_t> {
    enum { WARPS = 4, KEYS = 64, BACK = 32, PAD = 8 };
};

#define WARP_ROWS 16
#define ROOM      12 /* floats of a row of a warp's room: 8, apart in banks */

template <typename T, int SIZE> constexpr int tile_stride = SIZE + tile_shape<T>::PAD;
template <typename T> constexpr int block_rows = tile_shape<T>::WARPS *WARP_ROWS;

/* Bytes of `rows` rows of tiles, and of the warps' rooms. */
template <typename T, int SIZE> static inline size_t tile_bytes(int rows)
{
    size_t room = sizeof(T) == 4 ? block_rows<T> * ROOM * sizeof(float) : 0;
    return static_cast<size_t>(rows) * tile_stride<T, SIZE> * sizeof(T) + room;
}

static __device__ inline int lane_row()
{
    return threadIdx.x % WARP / 4;
}

static __device__ inline int lane_column()
{
    return threadIdx.x % 4 * 2;
}

template <int N> static __device__ inline void clear(float (&c)[N][4])
{
#pragma unroll
    for (int n = 0; n < N; n++)
        c[n][0] = c[n][1] = c[n][2] = c[n][3] = 0;
}

/* ---------------------------------------------------------------- the tensor cores */

#ifdef PG_EMULATED
static inline uint32_t stored_pair(const uint16_t *at, int apart)
{
    return at[0] | static_cast<uint32_t>(at[apart]) << 16;
}
#else
/* Four matrices of 8 x 8, of which lane i names row i % 8 of matrix i / 8. */
static __device__ inline void load_matrices(uint32_t (&out)[4], const uint16_t *row)
{
    uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(at)
                 : "memory");
}

static __device__ inline void load_transposed(uint32_t (&out)[4], const uint16_t *row)
{
    uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(at)
                 : "memory");
}
#endif

/* The left factor's fragment: 16 rows and 16 columns from `tile` on. */
static __device__ inline void load_left(uint32_t (&a)[4], const uint16_t *tile, int stride)
{
#ifdef PG_EMULATED
    for (int i = 0; i < 4; i++)
        a[i] = stored_pair(tile + (lane_row() + i % 2 * 8) * stride + lane_column() + i / 2 * 8, 1);
#else
    int lane = threadIdx.x % WARP;
    load_matrices(a, tile + lane % 16 * stride + lane / 16 * 8);
#endif
}

/* The right factor's fragments for 16 columns of the result, which are 16 rows of the tile, and 16 steps of the sum,
 * which are its columns: two registers for each 8 columns. */
static __device__ inline void load_right(uint32_t (&b)[4], const uint16_t *tile, int stride)
{
#ifdef PG_EMULATED
    for (int i = 0; i < 4; i++)
        b[i] = stored_pair(tile + (lane_row() + i / 2 * 8) * stride + lane_column() + i % 2 * 8, 1);
#else
    int lane = threadIdx.x % WARP;
    load_matrices(b, tile + (lane / 16 * 8 + lane % 8) * stride + lane / 8 % 2 * 8);
#endif
}

/* The same where the sum goes over the tile's rows and the result's columns are its columns. */
static __device__ inline void load_right_down(uint32_t (&b)[4], const uint16_t *tile, int stride)
{
#ifdef PG_EMULATED
    for (int i = 0; i < 4; i++)
        b[i] = stored_pair(tile + (lane_column() + i % 2 * 8) * stride + lane_row() + i / 2 * 8, stride);
#else
    int lane = threadIdx.x % WARP;
    load_transposed(b, tile + lane % 16 * stride + lane / 16 * 8);
#endif
}

/* ---------------------------------------------------------------- products */

/* c [16][8 N] = a b^T: 16 rows and 8 N rows of SIZE values. */
template <int SIZE, int N>
static __device__ inline void multiply_rows(float (&c)[N][4], const uint16_t *a, const uint16_t *b)
{
    constexpr int STRIDE = tile_stride<uint16_t, SIZE>;
    clear(c);
#pragma unroll 4
    for (int k = 0; k < SIZE; k += 16) {
        uint32_t left[4], right[4];
        load_left(left, a + k, STRIDE);
#pragma unroll
        for (int n = 0; n < N; n += 2) {
            load_right(right, b + 8 * n * STRIDE + k, STRIDE);
            multiply_fragments(c[n], left, right[0], right[1]);
            multiply_fragments(c[n + 1], left, right[2], right[3]);
        }
    }
}

static __device__ inline void add_products(float &sum, float4 x, float4 y)
{
    sum = fmaf(x.w, y.w, fmaf(x.z, y.z, fmaf(x.y, y.y, fmaf(x.x, y.x, sum))));
}

template <int SIZE, int N> static __device__ inline void multiply_rows(float (&c)[N][4], const float *a, const float *b)
{
    constexpr int STRIDE = tile_stride<float, SIZE>;
    const float *left = a + lane_row() * STRIDE, *right = b + lane_column() * STRIDE;
    clear(c);
#pragma unroll 2
    for (int k = 0; k < SIZE; k += 4) {
        float4 x = *reinterpret_cast<const float4 *>(left + k);
        float4 y = *reinterpret_cast<const float4 *>(left + 8 * STRIDE + k);
#pragma unroll
        for (int n = 0; n < N; n++) {
            float4 u = *reinterpret_cast<const float4 *>(right + 8 * n * STRIDE + k);
            float4 v = *reinterpret_cast<const float4 *>(right + (8 * n + 1) * STRIDE + k);
            add_products(c[n][0], x, u);
            add_products(c[n][1], x, v);
            add_products(c[n][2], y, u);
            add_products(c[n][3], y, v);
        }
    }
}

/* o [16][SIZE] += w x: 16 x 8 N weights, which are rounded, and 8 N rows. */
template <int SIZE, int N>
static __device__ inline void mix_rows(float (&o)[SIZE / 8][4], const float (&w)[N][4], const uint16_t *x, float *)
{
    constexpr int STRIDE = tile_stride<uint16_t, SIZE>;
#pragma unroll
    for (int n = 0; n < N; n += 2) {
        uint32_t left[4] = {pack_bf16(w[n][0], w[n][1]), pack_bf16(w[n][2], w[n][3]),
                            pack_bf16(w[n + 1][0], w[n + 1][1]), pack_bf16(w[n + 1][2], w[n + 1][3])};
#pragma unroll
        for (int i = 0; i < SIZE / 8; i += 2) {
            uint32_t right[4];
            load_right_down(right, x + 8 * n * STRIDE + 8 * i, STRIDE);
            multiply_fragments(o[i], left, right[0], right[1]);
            multiply_fragments(o[i + 1], left, right[2], right[3]);
        }
    }
}

/* Row g of the weights is needed by all who have a part of it: they lie in the warp's room meanwhile. */
template <int SIZE, int N>
static __device__ inline void mix_rows(float (&o)[SIZE / 8][4], const float (&w)[N][4], const float *x, float *room)
{
    constexpr int STRIDE = tile_stride<float, SIZE>;
    float *row = room + (threadIdx.x / WARP * WARP_ROWS + lane_row()) * ROOM;
#pragma unroll
    for (int n = 0; n < N; n++) {
        __syncwarp();
        *reinterpret_cast<float2 *>(row + lane_column()) = make_float2(w[n][0], w[n][1]);
        *reinterpret_cast<float2 *>(row + 8 * ROOM + lane_column()) = make_float2(w[n][2], w[n][3]);
        __syncwarp();
#pragma unroll 2
        for (int k = 0; k < 8; k++) {
            float upper = row[k], lower = row[8 * ROOM + k];
#pragma unroll
            for (int i = 0; i < SIZE / 8; i++) {
                const float *at = x + (8 * n + k) * STRIDE + 8 * i + lane_column();
                float2 v = *reinterpret_cast<const float2 *>(at);
                o[i][0] = fmaf(upper, v.x, o[i][0]);
                o[i][1] = fmaf(upper, v.y, o[i][1]);
                o[i][2] = fmaf(lower, v.x, o[i][2]);
                o[i][3] = fmaf(lower, v.y, o[i][3]);
            }
        }
    }
}

/* ---------------------------------------------------------------- exponentials */

#define LOG2_E 1.4426950408889634f

/* 2^x as the GPU has it: near enough for weights that are rounded to bf16. */
static __device__ inline float power_of_two(float x)
{
#ifdef PG_EMULATED
    return exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

/* b^x: b is e for float and 2 for bf16. log_base is the logarithm of e to that base. */
static __device__ inline float exponential(float x, const float *)
{
    return expf(x);
}

static __device__ inline float exponential(float x, const uint16_t *)
{
    return power_of_two(x);
}

static __device__ inline constexpr float log_base(const float *)
{
    return 1;
}

static __device__ inline constexpr float log_base(const uint16_t *)
{
    return LOG2_E;
}

/* ---------------------------------------------------------------- loading */

/* True if the rows of heads of so many values, which lie one behind the other, all begin where four values go in one
 * piece. */
static __host__ __device__ inline bool is_whole(int64_t size)
{
    return size % 4 == 0;
}

/* The same as load4 for a row at any address; what is beyond `size` is zero. */
template <pg_dtype DTYPE> static __device__ inline float4 gather4(const char *row, int at, int size)
{
    float v[4] = {0, 0, 0, 0}, scale = 1;
    if (DTYPE == PG_I8)
        memcpy(&scale, row + size, sizeof scale);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        if (at + i >= size)
            continue;
        if (DTYPE == PG_F32)
            v[i] = reinterpret_cast<const float *>(row)[at + i];
        else if (DTYPE == PG_BF16)
            v[i] = float_of_bits(static_cast<uint32_t>(reinterpret_cast<const uint16_t *>(row)[at + i]) << 16);
        else
            v[i] = static_cast<float>(reinterpret_cast<const int8_t *>(row)[at + i]) * scale;
    }
    return make_float4(v[0], v[1], v[2], v[3]);
}

/* Values at .. at + 3 of a head's row; `size` of them there are, and behind those of I8 is their scale. WHOLE says that
 * is_whole(size). */
template <pg_dtype DTYPE, bool WHOLE> static __device__ inline float4 load4(const char *row, int at, int size)
{
    if (!WHOLE)
        return gather4<DTYPE>(row, at, size);
    if (DTYPE == PG_F32)
        return *reinterpret_cast<const float4 *>(row + at * 4);
    if (DTYPE == PG_BF16) {
        uint2 v = *reinterpret_cast<const uint2 *>(row + at * 2);
        return make_float4(float_of_bits(v.x << 16), float_of_bits(v.x & 0xffff0000), float_of_bits(v.y << 16),
                           float_of_bits(v.y & 0xffff0000));
    }
    int v = *reinterpret_cast<const int *>(row + at);
    float scale = *reinterpret_cast<const float *>(row + size);
    return make_float4(static_cast<float>(static_cast<int8_t>(v)) * scale,
                       static_cast<float>(static_cast<int8_t>(v >> 8)) * scale,
                       static_cast<float>(static_cast<int8_t>(v >> 16)) * scale, static_cast<float>(v >> 24) * scale);
}

static __device__ inline void put4(float *to, float4 v)
{
    *reinterpret_cast<float4 *>(to) = v;
}

static __device__ inline void put4(uint16_t *to, float4 v)
{
    *reinterpret_cast<uint2 *>(to) = {pack_bf16(v.x, v.y), pack_bf16(v.z, v.w)};
}

/* Keys (or values) of a segment at one key head, from key `first` on. */
struct key_rows {
    const char *data;
    int64_t stride; /* bytes */
    int spans[2][2];
    int first;
};

static __device__ inline const char *row_at(const key_rows &rows, int j)
{
    j += rows.first;
    int row = j < rows.spans[0][1] ? rows.spans[0][0] + j : rows.spans[1][0] + j - rows.spans[0][1];
    return rows.data + row * rows.stride;
}

/* Lanes of a segment at one key head, from lane `first` on: lane l is query l / group, head l % group. */
struct lane_rows {
    const char *data;
    int64_t stride; /* bytes from one query to the next */
    int group, head_bytes;
    int first;
};

static __device__ inline const char *row_at(const lane_rows &rows, int l)
{
    unsigned lane = static_cast<unsigned>(rows.first + l), group = static_cast<unsigned>(rows.group);
    return rows.data + lane / group * rows.stride + lane % group * rows.head_bytes;
}

template <typename T, int SIZE, int COUNT, pg_dtype DTYPE, bool WHOLE, typename R>
static __device__ inline void fill_pieces(T *tile, const R &rows, int count, int size)
{
    constexpr int THREADS = tile_shape<T>::WARPS * WARP, PIECES = SIZE / 4;
#pragma unroll(WHOLE ? 4 : 1)
    for (int i = 0; i < COUNT * PIECES / THREADS; i++) {
        int piece = threadIdx.x + i * THREADS, row = piece / PIECES, at = piece % PIECES * 4;
        float4 v = make_float4(0, 0, 0, 0);
        if (row < count && at < size)
            v = load4<DTYPE, WHOLE>(row_at(rows, row), at, size);
        put4(tile + row * tile_stride<T, SIZE> + at, v);
    }
}

/* COUNT rows of a tile, of which `count` are there: the rest, and values beyond `size`, are zero. */
template <typename T, int SIZE, int COUNT, pg_dtype DTYPE, typename R>
static __device__ inline void fill_tile(T *tile, const R &rows, int count, int size)
{
    if (is_whole(size))
        fill_pieces<T, SIZE, COUNT, DTYPE, true>(tile, rows, count, size);
    else
        fill_pieces<T, SIZE, COUNT, DTYPE, false>(tile, rows, count, size);
}

/* 16 bytes to shared memory, without registers and while the thread goes on. */
static __device__ inline void copy_async(void *to, const void *from)
{
#ifdef PG_EMULATED
    memcpy(to, from, 16);
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
                 :
                 : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(to))), "l"(from)
                 : "memory");
#endif
}

/* Waits for this thread's copies. */
static __device__ inline void wait_for_copies()
{
#ifndef PG_EMULATED
    asm volatile("cp.async.wait_all;" : : : "memory");
#endif
}

/* The same as fill_tile for rows of bf16 that begin at multiples of 16 bytes; wait_for_copies ends it. */
template <int SIZE, int COUNT, typename R>
static __device__ inline void copy_tile(uint16_t *tile, const R &rows, int count, int size)
{
    constexpr int THREADS = tile_shape<uint16_t>::WARPS * WARP, PIECES = SIZE / 8;
#pragma unroll 4
    for (int piece = threadIdx.x; piece < COUNT * PIECES; piece += THREADS) {
        int row = piece / PIECES, at = piece % PIECES * 8;
        uint16_t *to = tile + row * tile_stride<uint16_t, SIZE> + at;
        if (row < count && at < size)
            copy_async(to, row_at(rows, row) + at * 2);
        else
            *reinterpret_cast<uint4 *>(to) = {0, 0, 0, 0};
    }
}

template <int SIZE, int COUNT, typename R>
static __device__ inline void load_bf16(uint16_t *tile, const R &rows, int count, int size)
{
    if (size % 8 == 0)
        copy_tile<SIZE, COUNT>(tile, rows, count, size);
    else
        fill_tile<uint16_t, SIZE, COUNT, PG_BF16>(tile, rows, count, size);
}

template <int SIZE, int COUNT, typename R>
static __device__ inline void load_bf16(float *tile, const R &rows, int count, int size)
{
    fill_tile<float, SIZE, COUNT, PG_BF16>(tile, rows, count, size);
}

/* Rows of the tile's own type. */
template <int SIZE, int COUNT, typename R>
static __device__ inline void load_own(uint16_t *tile, const R &rows, int count, int size)
{
    load_bf16<SIZE, COUNT>(tile, rows, count, size);
}

template <int SIZE, int COUNT, typename R>
static __device__ inline void load_own(float *tile, const R &rows, int count, int size)
{
    fill_tile<float, SIZE, COUNT, PG_F32>(tile, rows, count, size);
}

template <typename T, int SIZE, int COUNT>
static __device__ inline void load_keys(T *tile, const key_rows &rows, pg_dtype dtype, int count, int size)
{
    if (dtype == PG_F32)
        fill_tile<T, SIZE, COUNT, PG_F32>(tile, rows, count, size);
    else if (dtype == PG_BF16)
        load_bf16<SIZE, COUNT>(tile, rows, count, size);
    else
        fill_tile<T, SIZE, COUNT, PG_I8>(tile, rows, count, size);
}

/* ---------------------------------------------------------------- segments */

static __device__ inline int count_keys(const pg_device_segment &segment)
{
    return segment.past + segment.count;
}

/* How many keys, from the first on, lane l of the segment sees. */
static __device__ inline int keys_seen(const pg_device_segment &segment, int l, int group)
{
    int causal = segment.past + static_cast<int>(static_cast<unsigned>(l) / static_cast<unsigned>(group)) + 1;
    return max(causal, segment.prefix);
}

/* `data` has rows as the keys, of elements of so many bytes. */
static __device__ inline key_rows keys_of(const pg_device_attend &call, const pg_device_segment &segment, int head,
                                          const void *data, int bytes)
{
    key_rows rows = {static_cast<const char *>(data) + head * (call.key_width / call.kv_heads) * bytes,
                     call.key_width * bytes,
                     {{segment.spans[0][0], segment.spans[0][1]}, {segment.spans[1][0], segment.spans[1][1]}},
                     0};
    return rows;
}

static __device__ inline int bytes_of(pg_dtype dtype)
{
    return dtype == PG_F32 ? 4 : dtype == PG_BF16 ? 2 : 1;
}

/* `data` is laid out as q. */
static __device__ inline lane_rows lanes_of(const pg_device_attend &call, const pg_device_segment &segment, int head,
                                            const void *data, int bytes)
{
    int group = static_cast<int>(call.heads / call.kv_heads);
    int64_t width = call.heads * call.size, at = segment.first * width + head * group * call.size;
    return {static_cast<const char *>(data) + at * bytes, width * bytes, group, static_cast<int>(call.size) * bytes, 0};
}

/* Where lane l has its number in an array [rows][heads]. */
static __device__ inline int64_t sum_of(const pg_device_attend &call, const pg_device_segment &segment, int head, int l)
{
    unsigned group = static_cast<unsigned>(call.heads / call.kv_heads), lane = static_cast<unsigned>(l);
    return (segment.first + lane / group) * call.heads + head * group + lane % group;
}

/* Calls launch<T, SIZE>(device, call) for the smallest SIZE that has room for a head. */
#define PG_FOR_SIZE(launch, T, size, ...) \
    do {                                  \
        if ((size) <= 64)                 \
            launch<T, 64>(__VA_ARGS__);   \
        else if ((size) <= 80)            \
            launch<T, 80>(__VA_ARGS__);   \
        else if ((size) <= 128)           \
            launch<T, 128>(__VA_ARGS__);  \
        else                              \
            launch<T, 256>(__VA_ARGS__);  \
    } while (0)

/* Lets a kernel have more shared memory than 48 KB. */
template <typename K> static inline void allow_shared(pg_device *device, K kernel, size_t bytes)
{
    if (bytes > 48 << 10)
        cuda_check(device,
                   cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
                   "attention");
}

/* Arrays that are rounded to bf16 in one go, as many values of each as its count; `to` has room_for(count). */
struct rounded_array {
    const float *from;
    uint16_t *to;
    int64_t count;
};

/* Values up to where another array may begin, at a multiple of 16 bytes. */
static inline int64_t room_for(int64_t count)
{
    return (count + 7) / 8 * 8;
}

struct rounded_arrays {
    rounded_array array[4];
};
void cuda_round(pg_device *device, const rounded_arrays &arrays, int count);

/* Few queries over many keys, and the way back: cuda_attention_few.cu, cuda_attention_back.cu. */
size_t cuda_attend_few_scratch(const pg_device_attend *call);
void cuda_attend_few(pg_device *device, const pg_device_attend *call);
size_t cuda_attend_back_scratch(pg_device *device, const pg_device_attend_back *call);
void cuda_attend_back(pg_device *device, const pg_device_attend_back *call);

#endif
