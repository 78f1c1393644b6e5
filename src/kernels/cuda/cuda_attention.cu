/*
 * Attention tile by tile of keys, with a running softmax (Milakov and Gimelshein 2018; Dao et al. 2022): a block has
 * some lanes (query rows times the query heads that share a key head), each of its warps 16 of them, and goes through
 * all keys that one of them sees. What a lane gets depends on its own query and keys only.
 */
#include "kernels/cuda/cuda_tiles.h"
#include "kernels/cuda/cuda_values.h"

/* A lane's softmax so far: the largest score, without its scale, and the sum. `total` is this thread's part of the sum,
 * whose columns four threads share. */
struct running_row {
    float top, total;
    int seen;
};

/* Hides the keys of a tile that the lane of half h does not see. */
template <int N> static __device__ inline void mask_row(float (&s)[N][4], int h, int seen)
{
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int e = 0; e < 2; e++)
            s[n][2 * h + e] = 8 * n + lane_column() + e < seen ? s[n][2 * h + e] : -INFINITY;
}

/* Scores of keys first .. become weights; what was summed so far is rescaled. `scale` is that of scores, times
 * log_base. Every lane sees key 0, so that the top is finite behind the first tile. */
template <typename T, int SIZE, int N>
static __device__ inline void update_rows(float (&o)[SIZE / 8][4], float (&s)[N][4], running_row (&rows)[2], int first,
                                          float scale)
{
    const T *type = nullptr;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float top = rows[h].top;
        if (first + 8 * N > rows[h].seen)
            mask_row(s, h, rows[h].seen - first);
#pragma unroll
        for (int n = 0; n < N; n++)
            top = fmaxf(top, fmaxf(s[n][2 * h], s[n][2 * h + 1]));
        top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 1));
        top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 2));
        float sum = 0, shift = top * scale, factor = exponential(fmaf(rows[h].top, scale, -shift), type);
#pragma unroll
        for (int n = 0; n < N; n++)
#pragma unroll
            for (int e = 2 * h; e < 2 * h + 2; e++)
                sum += s[n][e] = exponential(fmaf(s[n][e], scale, -shift), type);
        rows[h].total = rows[h].total * factor + sum;
        rows[h].top = top;
#pragma unroll
        for (int i = 0; i < SIZE / 8; i++) {
            o[i][2 * h] *= factor;
            o[i][2 * h + 1] *= factor;
        }
    }
}

/* The two lanes of this thread, out of `lanes`. */
template <int SIZE>
static __device__ inline void write_rows(const pg_device_attend &call, const pg_device_segment &segment, int head,
                                         int first, int lanes, const float (&o)[SIZE / 8][4], running_row (&rows)[2],
                                         float scale)
{
    lane_rows to = lanes_of(call, segment, head, call.out, 4);
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float total = rows[h].total + __shfl_xor_sync(0xffffffff, rows[h].total, 1);
        total += __shfl_xor_sync(0xffffffff, total, 2);
        int l = first + lane_row() + 8 * h;
        if (l >= lanes)
            continue;
        float *row = reinterpret_cast<float *>(const_cast<char *>(row_at(to, l))), factor = 1 / total;
#pragma unroll
        for (int i = 0; i < SIZE / 8; i++) {
            int at = 8 * i + lane_column();
            float left = o[i][2 * h] * factor, right = o[i][2 * h + 1] * factor;
            if (at < call.size && call.size % 2 == 0)
                *reinterpret_cast<float2 *>(row + at) = make_float2(left, right);
            else if (at < call.size) {
                row[at] = left;
                if (at + 1 < call.size)
                    row[at + 1] = right;
            }
        }
        if (call.log_sums && threadIdx.x % 4 == 0)
            call.log_sums[sum_of(call, segment, head, l)] = rows[h].top * scale + logf(total);
    }
}

/* At least two blocks at a time: left alone, the compiler spills registers so that there are four. */
template <typename T, int SIZE>
__global__ void __launch_bounds__(tile_shape<T>::WARPS *WARP, 2) attend_kernel(pg_device_attend call, int blocks)
{
    constexpr int KEYS = tile_shape<T>::KEYS, ROWS = block_rows<T>, STRIDE = tile_stride<T, SIZE>;
    const pg_device_segment segment = call.segments[blockIdx.x / blocks];
    int group = static_cast<int>(call.heads / call.kv_heads), lanes = segment.count * group, size = (int)call.size;
    int first = blockIdx.x % blocks * ROWS, head = blockIdx.y, own = first + threadIdx.x / WARP * WARP_ROWS;
    if (first >= lanes || (segment.few >= 0 && !call.log_sums))
        return;
    PG_SHARED(T, queries);
    T *keys = queries + ROWS * STRIDE, *values = keys + KEYS * STRIDE;
    float *room = reinterpret_cast<float *>(values + KEYS * STRIDE);
    lane_rows q = lanes_of(call, segment, head, call.q, 4);
    q.first = first;
    fill_tile<T, SIZE, ROWS, PG_F32>(queries, q, lanes - first, size);
    float o[SIZE / 8][4];
    clear(o);
    running_row rows[2];
    for (int h = 0; h < 2; h++)
        rows[h] = {-INFINITY, 0, keys_seen(segment, min(own + lane_row() + 8 * h, lanes - 1), group)};
    int end = keys_seen(segment, min(first + ROWS, lanes) - 1, group), count = count_keys(segment);
    key_rows k = keys_of(call, segment, head, call.keys, bytes_of(call.dtype));
    key_rows v = keys_of(call, segment, head, call.values, bytes_of(call.dtype));
    float scale = 1 / sqrtf(static_cast<float>(size));
    for (int tile = 0; tile < end; tile += KEYS) {
        k.first = v.first = tile;
        __syncthreads();
        load_keys<T, SIZE, KEYS>(keys, k, call.dtype, count - tile, size);
        load_keys<T, SIZE, KEYS>(values, v, call.dtype, count - tile, size);
        wait_for_copies();
        __syncthreads();
        float s[KEYS / 8][4];
        multiply_rows<SIZE>(s, queries + (own - first) * STRIDE, keys);
        update_rows<T, SIZE>(o, s, rows, tile, scale * log_base(queries));
        mix_rows<SIZE>(o, s, values, room);
    }
    write_rows<SIZE>(call, segment, head, own, lanes, o, rows, scale);
}

template <typename T, int SIZE> static void launch(pg_device *device, const pg_device_attend &call, int64_t longest)
{
    auto kernel = attend_kernel<T, SIZE>;
    size_t bytes = tile_bytes<T, SIZE>(block_rows<T> + 2 * tile_shape<T>::KEYS);
    int64_t blocks = blocks_for(longest * (call.heads / call.kv_heads), block_rows<T>);
    allow_shared(device, kernel, bytes);
    PG_LAUNCH(device, kernel, dim3(call.segment_count * blocks, call.kv_heads), dim3(tile_shape<T>::WARPS * WARP),
              bytes, call, static_cast<int>(blocks));
}

/* ---------------------------------------------------------------- rounding */

__global__ void round_kernel(const __grid_constant__ rounded_arrays arrays)
{
    const rounded_array &array = arrays.array[blockIdx.y];
    int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x * 4;
    for (int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 4; i < array.count; i += step)
        put4(array.to + i, load_four(array.from, i, array.count, true, 0));
}

void cuda_round(pg_device *device, const rounded_arrays &arrays, int count)
{
    const int threads = 256;
    int64_t most = 0;
    for (int i = 0; i < count; i++)
        most = max(most, arrays.array[i].count);
    int64_t blocks = min(blocks_for(most, threads * 4), static_cast<int64_t>(cuda_of(device)->processors) * 8);
    PG_LAUNCH(device, round_kernel, dim3(blocks, count), dim3(threads), 0, arrays);
}

/* True if keys and values are rounded once before they are loaded, which each block of queries does: not those of a
 * cache, of which most rows may be others'. */
static bool rounds_first(const pg_device_attend *call)
{
    return call->bf16 && call->dtype == PG_F32 && call->key_rows <= 2 * call->rows;
}

/* ---------------------------------------------------------------- the call */

static size_t scratch_bytes(const pg_device_attend *call)
{
    size_t rounded = rounds_first(call) ? static_cast<size_t>(room_for(call->key_rows * call->key_width)) * 4 : 0;
    return max(rounded, cuda_attend_few_scratch(call));
}

static void attend_many(pg_device *device, pg_device_attend call, int64_t longest)
{
    if (rounds_first(&call)) {
        int64_t count = call.key_rows * call.key_width;
        uint16_t *keys = reinterpret_cast<uint16_t *>(call.scratch), *values = keys + room_for(count);
        cuda_round(device,
                   {{{static_cast<const float *>(call.keys), keys, count},
                     {static_cast<const float *>(call.values), values, count}}},
                   2);
        call.keys = keys;
        call.values = values;
        call.dtype = PG_BF16;
    }
    if (call.bf16)
        PG_FOR_SIZE(launch, uint16_t, call.size, device, call, longest);
    else
        PG_FOR_SIZE(launch, float, call.size, device, call, longest);
}

static void attend(pg_device *device, const pg_device_attend *call)
{
    int64_t longest = call->longest_many;
    if (call->log_sums)
        longest = max(longest, call->longest_few);
    else if (call->longest_few)
        cuda_attend_few(device, call);
    if (longest)
        attend_many(device, *call, longest);
}

extern const pg_device_attention cuda_attention = {scratch_bytes, attend, cuda_attend_back_scratch, cuda_attend_back};
