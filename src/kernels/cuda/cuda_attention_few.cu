/*
 * Attention of few queries over many keys, as in generation: the keys of a segment are cut into pieces of PG_KEY_PIECE,
 * a block reads one piece for up to 8 lanes that share it, and a second kernel joins the pieces in order. Everything is
 * in f32, for reading the keys takes the time; a lane's result depends on its own query and keys only.
 */
#include "kernels/cuda/cuda_tiles.h"
#include "kernels/cuda/cuda_values.h"

#define THREADS 256
#define KEYS    PG_KEY_PIECE

/* What a block works at: lanes first .. first + LANES - 1 and keys key .. key + KEYS - 1 of a segment at a key head. */
struct few_work {
    pg_device_segment segment;
    int piece, head, first, lanes, key;
};

static int pieces_of(const pg_device_attend *call)
{
    return static_cast<int>(pg_device_key_room(call->most_keys) / KEYS);
}

/* Floats of the sums of a piece, which are whole fours. */
static __host__ __device__ inline int64_t sums_of_piece(int64_t size)
{
    return (size + 3) / 4 * 4;
}

/* Where a piece of a lane lies: of every query and head so many pieces, each its sums, their top and their total. */
static __device__ inline float *piece_at(const pg_device_attend &call, int pieces, const pg_device_segment &segment,
                                         int head, int lane, int piece)
{
    unsigned group = static_cast<unsigned>(call.heads / call.kv_heads), l = static_cast<unsigned>(lane);
    int64_t query = (segment.few + l / group) * call.heads + head * group + l % group;
    return call.scratch + (query * pieces + piece) * (sums_of_piece(call.size) + 4);
}

/* ---------------------------------------------------------------- scores */

/* Sums v over TOGETHER neighbouring threads; thread r of them gets the sum of lane r / (TOGETHER / LANES). */
template <int TOGETHER, int LANES> static __device__ inline float sum_lanes(float (&v)[LANES])
{
    int r = threadIdx.x % TOGETHER, step = TOGETHER / 2;
#pragma unroll
    for (int n = LANES / 2; n > 0; n /= 2, step /= 2) {
        bool upper = r & step;
#pragma unroll
        for (int i = 0; i < n; i++) {
            float other = __shfl_xor_sync(0xffffffff, upper ? v[i] : v[i + n], step);
            v[i] = (upper ? v[i + n] : v[i]) + other;
        }
    }
#pragma unroll
    for (; step > 0; step /= 2)
        v[0] += __shfl_xor_sync(0xffffffff, v[0], step);
    return v[0];
}

/* Values at .. at + 7 of the lanes' queries, scaled. */
template <int LANES, bool WHOLE>
static __device__ inline void load_queries(float (&q)[LANES][8], const pg_device_attend &call, const few_work &work,
                                           int at)
{
    lane_rows rows = lanes_of(call, work.segment, work.head, call.q, 4);
    float scale = 1 / sqrtf(static_cast<float>(call.size));
#pragma unroll
    for (int l = 0; l < LANES; l++)
#pragma unroll
        for (int i = 0; i < 8; i += 4) {
            float4 x = make_float4(0, 0, 0, 0);
            if (work.first + l < work.lanes && at + i < call.size)
                x = load4<PG_F32, WHOLE>(row_at(rows, work.first + l), at + i, static_cast<int>(call.size));
            q[l][i] = x.x * scale;
            q[l][i + 1] = x.y * scale;
            q[l][i + 2] = x.z * scale;
            q[l][i + 3] = x.w * scale;
        }
}

static __device__ inline float dot8(const float (&q)[8], float4 x, float4 y)
{
    float sum = fmaf(q[3], x.w, fmaf(q[2], x.z, fmaf(q[1], x.y, q[0] * x.x)));
    return fmaf(q[7], y.w, fmaf(q[6], y.z, fmaf(q[5], y.y, fmaf(q[4], y.x, sum))));
}

/* weights[key][lane] = scores, -infinity where the lane does not see the key; 8 values of a key for each thread. */
template <int SIZE, int LANES, pg_dtype DTYPE, bool WHOLE>
static __device__ inline void score_keys(float (*weights)[LANES], const pg_device_attend &call, const few_work &work)
{
    constexpr int TOGETHER = SIZE / 8, ROWS = THREADS / TOGETHER;
    int r = threadIdx.x % TOGETHER, at = r * 8, size = static_cast<int>(call.size), keys = count_keys(work.segment);
    int lane = r / (TOGETHER / LANES), group = static_cast<int>(call.heads / call.kv_heads);
    int seen = min(keys, keys_seen(work.segment, min(work.first + lane, work.lanes - 1), group));
    key_rows rows = keys_of(call, work.segment, work.head, call.keys, bytes_of(DTYPE));
    float q[LANES][8];
    load_queries<LANES, WHOLE>(q, call, work, at);
#pragma unroll(WHOLE ? 4 : 1)
    for (int i = 0; i < KEYS / ROWS; i++) {
        int j = threadIdx.x / TOGETHER + i * ROWS, key = work.key + j;
        float4 x = make_float4(0, 0, 0, 0), y = x;
        if (key < keys && at < size)
            x = load4<DTYPE, WHOLE>(row_at(rows, key), at, size);
        if (key < keys && at + 4 < size)
            y = load4<DTYPE, WHOLE>(row_at(rows, key), at + 4, size);
        float products[LANES];
#pragma unroll
        for (int l = 0; l < LANES; l++)
            products[l] = dot8(q[l], x, y);
        float score = sum_lanes<TOGETHER, LANES>(products);
        if (r % (TOGETHER / LANES) == 0)
            weights[j][lane] = key < seen ? score : -INFINITY;
    }
}

/* ---------------------------------------------------------------- a piece */

/* Scores become weights, a warp for each lane. A lane that sees none of the keys has no weights and no top. */
template <int LANES>
static __device__ inline void weigh_keys(float (*weights)[LANES], const pg_device_attend &call, const few_work &work,
                                         int pieces)
{
    int lane = threadIdx.x / WARP, j = threadIdx.x % WARP;
    if (lane >= LANES)
        return;
    float a = weights[j][lane], b = weights[j + WARP][lane], top = warp_max(fmaxf(a, b));
    a = top == -INFINITY ? 0 : expf(a - top);
    b = top == -INFINITY ? 0 : expf(b - top);
    weights[j][lane] = a;
    weights[j + WARP][lane] = b;
    float total = warp_sum(a + b);
    if (j == 0 && work.first + lane < work.lanes) {
        float *piece = piece_at(call, pieces, work.segment, work.head, work.first + lane, work.piece);
        piece[sums_of_piece(call.size)] = top;
        piece[sums_of_piece(call.size) + 1] = total;
    }
}

static __device__ inline void add_scaled(float4 &sum, float4 x, float weight)
{
    sum.x = fmaf(weight, x.x, sum.x);
    sum.y = fmaf(weight, x.y, sum.y);
    sum.z = fmaf(weight, x.z, sum.z);
    sum.w = fmaf(weight, x.w, sum.w);
}

/* The weighted sum of the values: each thread has 4 of a value, each row of threads every so many keys. */
template <int SIZE, int LANES, pg_dtype DTYPE, bool WHOLE>
static __device__ inline void mix_values(float4 *sums, float (*weights)[LANES], const pg_device_attend &call,
                                         const few_work &work, int pieces)
{
    constexpr int TOGETHER = SIZE / 4, ROWS = THREADS / TOGETHER;
    int column = threadIdx.x % TOGETHER, first = threadIdx.x / TOGETHER, size = static_cast<int>(call.size);
    key_rows rows = keys_of(call, work.segment, work.head, call.values, bytes_of(DTYPE));
    int count = column * 4 < size ? min(KEYS, count_keys(work.segment) - work.key) : 0;
    float4 sum[LANES];
#pragma unroll
    for (int l = 0; l < LANES; l++)
        sum[l] = make_float4(0, 0, 0, 0);
#pragma unroll(WHOLE ? 8 : 1)
    for (int j = first; j < count; j += ROWS) {
        float4 x = load4<DTYPE, WHOLE>(row_at(rows, work.key + j), column * 4, size);
#pragma unroll
        for (int l = 0; l < LANES; l++)
            add_scaled(sum[l], x, weights[j][l]);
    }
#pragma unroll
    for (int l = 0; l < LANES; l++)
        sums[(l * ROWS + first) * TOGETHER + column] = sum[l];
    __syncthreads();
    for (int i = threadIdx.x; i < LANES * TOGETHER; i += THREADS) {
        int l = i / TOGETHER, at = i % TOGETHER;
        if (work.first + l >= work.lanes || at * 4 >= size)
            continue;
        float4 all = sums[l * ROWS * TOGETHER + at];
        for (int r = 1; r < ROWS; r++)
            add_scaled(all, sums[(l * ROWS + r) * TOGETHER + at], 1);
        float *to = piece_at(call, pieces, work.segment, work.head, work.first + l, work.piece);
        *reinterpret_cast<float4 *>(to + at * 4) = all;
    }
}

template <int SIZE, int LANES, pg_dtype DTYPE, bool WHOLE>
__global__ void __launch_bounds__(THREADS) few_kernel(pg_device_attend call, int pieces)
{
    __shared__ float weights[KEYS][LANES];
    __shared__ float4 sums[LANES * THREADS];
    few_work work;
    work.piece = blockIdx.x % pieces;
    work.segment = call.segments[blockIdx.x / pieces];
    work.head = blockIdx.y;
    work.first = blockIdx.z * LANES;
    work.lanes = work.segment.count * static_cast<int>(call.heads / call.kv_heads);
    work.key = work.piece * KEYS;
    if (work.first >= work.lanes || work.key >= count_keys(work.segment) || work.segment.few < 0)
        return;
    score_keys<SIZE, LANES, DTYPE, WHOLE>(weights, call, work);
    __syncthreads();
    weigh_keys<LANES>(weights, call, work, pieces);
    __syncthreads();
    mix_values<SIZE, LANES, DTYPE, WHOLE>(sums, weights, call, work, pieces);
}

/* ---------------------------------------------------------------- all pieces */

/* The top of all pieces, for every thread of the block. */
template <int SIZE> static __device__ inline float top_of_pieces(const float *tops, int pieces, int stride)
{
    __shared__ float room[SIZE / WARP];
    float top = -INFINITY;
    for (int i = threadIdx.x; i < pieces; i += SIZE)
        top = fmaxf(top, tops[i * stride]);
    top = warp_max(top);
    if (threadIdx.x % WARP == 0)
        room[threadIdx.x / WARP] = top;
    __syncthreads();
    for (int i = 0; i < SIZE / WARP; i++)
        top = fmaxf(top, room[i]);
    return top;
}

/* One lane of a segment: its pieces, each with the part of the whole that its top says. Each thread has 4 values of
 * every fourth piece. */
template <int SIZE> __global__ void __launch_bounds__(SIZE) join_kernel(pg_device_attend call, int pieces)
{
    constexpr int TOGETHER = SIZE / 4;
    __shared__ float4 sums[SIZE];
    __shared__ float totals[4];
    const pg_device_segment segment = call.segments[blockIdx.x];
    int lane = blockIdx.z, head = blockIdx.y, group = static_cast<int>(call.heads / call.kv_heads);
    if (lane >= segment.count * group || segment.few < 0)
        return;
    int count = (count_keys(segment) + KEYS - 1) / KEYS, size = static_cast<int>(call.size);
    int sums_room = static_cast<int>(sums_of_piece(size)), stride = sums_room + 4;
    const float *piece = piece_at(call, pieces, segment, head, lane, 0), *tops = piece + sums_room;
    float top = top_of_pieces<SIZE>(tops, count, stride), total = 0;
    int part = threadIdx.x / TOGETHER, at = threadIdx.x % TOGETHER * 4, column = at < size ? at : 0;
    float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 8
    for (int i = part; i < count; i += 4) {
        float factor = expf(tops[i * stride] - top);
        total = fmaf(factor, tops[i * stride + 1], total);
        add_scaled(sum, *reinterpret_cast<const float4 *>(piece + i * stride + column), factor);
    }
    sums[threadIdx.x] = sum;
    totals[part] = total; /* the same of all threads of the part */
    __syncthreads();
    if (part || at >= size)
        return;
    for (int i = 1; i < 4; i++) {
        add_scaled(sum, sums[threadIdx.x + i * TOGETHER], 1);
        total += totals[i];
    }
    char *row = const_cast<char *>(row_at(lanes_of(call, segment, head, call.out, 4), lane));
    store_four(reinterpret_cast<float *>(row), at, size, is_whole(size),
               make_float4(sum.x / total, sum.y / total, sum.z / total, sum.w / total));
}

/* ---------------------------------------------------------------- launches */

template <int SIZE, int LANES, pg_dtype DTYPE, bool WHOLE = true>
static void launch_few(pg_device *device, const pg_device_attend &call)
{
    auto kernel = few_kernel<SIZE, LANES, DTYPE, WHOLE>;
    auto join = join_kernel<SIZE>;
    int pieces = pieces_of(&call);
    int64_t lanes = call.longest_few * (call.heads / call.kv_heads);
    PG_LAUNCH(device, kernel, dim3(call.segment_count * pieces, call.kv_heads, blocks_for(lanes, LANES)), dim3(THREADS),
              0, call, pieces);
    PG_LAUNCH(device, join, dim3(call.segment_count, call.kv_heads, lanes), dim3(SIZE), 0, call, pieces);
}

template <int LANES, pg_dtype DTYPE> static void launch_size(pg_device *device, const pg_device_attend &call)
{
    if (call.size <= 64)
        launch_few<64, LANES, DTYPE>(device, call);
    else if (call.size <= 128)
        launch_few<128, LANES, DTYPE>(device, call);
    else
        launch_few<256, LANES, DTYPE>(device, call);
}

template <pg_dtype DTYPE> static void launch_lanes(pg_device *device, const pg_device_attend &call)
{
    if (!is_whole(call.size)) /* rare: one kernel is enough */
        launch_few<256, 8, DTYPE, false>(device, call);
    else if (call.heads == call.kv_heads && call.longest_few == 1)
        launch_size<1, DTYPE>(device, call);
    else
        launch_size<8, DTYPE>(device, call);
}

size_t cuda_attend_few_scratch(const pg_device_attend *call)
{
    if (call->log_sums)
        return 0;
    return static_cast<size_t>(call->few_rows * call->heads * pieces_of(call) * (sums_of_piece(call->size) + 4)) *
           sizeof(float);
}

void cuda_attend_few(pg_device *device, const pg_device_attend *call)
{
    if (call->dtype == PG_F32)
        launch_lanes<PG_F32>(device, *call);
    else if (call->dtype == PG_BF16)
        launch_lanes<PG_BF16>(device, *call);
    else
        launch_lanes<PG_I8>(device, *call);
}
