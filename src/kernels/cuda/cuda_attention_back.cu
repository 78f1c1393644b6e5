/*
 * Attention on the way back (Dao et al. 2022, algorithm 4): one kernel over blocks of lanes against tiles of keys, one
 * over blocks of keys against tiles of lanes, each of which computes the weights of its tile again from the scores and
 * the log_sums of the way there. So every derivative is summed by one warp in a fixed order.
 *
 *   weight = e^(score - log_sum), dscore = weight (dout . value - share), share = dout . out
 *   dquery = scale sum_keys dscore key, dkey = scale sum_queries dscore query, dvalue = sum_queries weight dout
 */
#include "kernels/cuda/cuda_tiles.h"

/* ---------------------------------------------------------------- shares */

/* One warp for each row and head. */
__global__ void share_kernel(float *shares, const float *out, const float *dout, int64_t count, int64_t size)
{
    int64_t head = blockIdx.x * static_cast<int64_t>(blockDim.x / WARP) + threadIdx.x / WARP;
    if (head >= count)
        return;
    float sum = 0;
    for (int64_t i = threadIdx.x % WARP; i < size; i += WARP)
        sum = fmaf(out[head * size + i], dout[head * size + i], sum);
    sum = warp_sum(sum);
    if (threadIdx.x % WARP == 0)
        shares[head] = sum;
}

/* ---------------------------------------------------------------- queries */

/* What a lane has from the way there. */
struct lane_sums {
    float log_sum; /* times log_base */
    float share;
    int seen; /* 0: the segment has no such lane */
};

static __device__ inline lane_sums sums_of(const pg_device_attend_back &call, const pg_device_segment &segment,
                                           int head, int l, float base)
{
    int group = static_cast<int>(call.forward.heads / call.forward.kv_heads);
    if (l >= segment.count * group)
        return {0, 0, 0};
    int64_t at = sum_of(call.forward, segment, head, l);
    return {call.forward.log_sums[at] * base, call.shares[at], keys_seen(segment, l, group)};
}

/* o [16 rows][SIZE] times a factor, added to row `first` .. of `rows`, of which `count` are there. */
template <int SIZE, typename R>
static __device__ inline void add_rows(const R &rows, int first, int count, int size, const float (&o)[SIZE / 8][4],
                                       float factor)
{
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = first + lane_row() + 8 * h;
        if (row >= count)
            continue;
        char *to = const_cast<char *>(row_at(rows, row));
#pragma unroll
        for (int i = 0; i < SIZE / 8; i++) {
            int at = 8 * i + lane_column();
            if (at >= size)
                continue;
            float *sum = reinterpret_cast<float *>(to) + at, left = o[i][2 * h], right = o[i][2 * h + 1];
            if (size % 2 == 0) {
                float2 before = *reinterpret_cast<float2 *>(sum);
                *reinterpret_cast<float2 *>(sum) =
                    make_float2(fmaf(left, factor, before.x), fmaf(right, factor, before.y));
                continue;
            }
            sum[0] = fmaf(left, factor, sum[0]);
            if (at + 1 < size)
                sum[1] = fmaf(right, factor, sum[1]);
        }
    }
}

template <typename T, int SIZE>
__global__ void __launch_bounds__(tile_shape<T>::WARPS *WARP)
    queries_back_kernel(pg_device_attend_back call, int blocks)
{
    constexpr int KEYS = tile_shape<T>::BACK, ROWS = block_rows<T>, STRIDE = tile_stride<T, SIZE>;
    const pg_device_attend &there = call.forward;
    const pg_device_segment segment = there.segments[blockIdx.x / blocks];
    int group = static_cast<int>(there.heads / there.kv_heads), lanes = segment.count * group, size = (int)there.size;
    int first = blockIdx.x % blocks * ROWS, head = blockIdx.y, own = threadIdx.x / WARP * WARP_ROWS;
    if (first >= lanes)
        return;
    PG_SHARED(T, queries);
    T *douts = queries + ROWS * STRIDE, *keys = douts + ROWS * STRIDE, *values = keys + KEYS * STRIDE;
    float *room = reinterpret_cast<float *>(values + KEYS * STRIDE);
    lane_rows q = lanes_of(there, segment, head, there.q, sizeof(T));
    lane_rows d = lanes_of(there, segment, head, call.dout, sizeof(T));
    q.first = d.first = first;
    load_own<SIZE, ROWS>(queries, q, lanes - first, size);
    load_own<SIZE, ROWS>(douts, d, lanes - first, size);
    float o[SIZE / 8][4], scale = 1 / sqrtf(static_cast<float>(size)), base = log_base(queries);
    clear(o);
    const lane_sums sums[2] = {sums_of(call, segment, head, first + own + lane_row(), base),
                               sums_of(call, segment, head, first + own + lane_row() + 8, base)};
    int end = keys_seen(segment, min(first + ROWS, lanes) - 1, group), count = count_keys(segment);
    key_rows k = keys_of(there, segment, head, there.keys, sizeof(T));
    key_rows v = keys_of(there, segment, head, there.values, sizeof(T));
    for (int tile = 0; tile < end; tile += KEYS) {
        k.first = v.first = tile;
        __syncthreads();
        load_own<SIZE, KEYS>(keys, k, count - tile, size);
        load_own<SIZE, KEYS>(values, v, count - tile, size);
        wait_for_copies();
        __syncthreads();
        float s[KEYS / 8][4], ds[KEYS / 8][4];
        multiply_rows<SIZE>(s, queries + own * STRIDE, keys);
        multiply_rows<SIZE>(ds, douts + own * STRIDE, values);
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                const lane_sums &lane = sums[e / 2];
                bool seen = tile + 8 * n + lane_column() + e % 2 < lane.seen;
                float weight = seen ? exponential(fmaf(s[n][e], scale * base, -lane.log_sum), queries) : 0;
                ds[n][e] = weight * (ds[n][e] - lane.share);
            }
        mix_rows<SIZE>(o, ds, keys, room);
    }
    q = lanes_of(there, segment, head, call.dq, 4);
    q.first = first;
    add_rows<SIZE>(q, own, lanes - first, size, o, scale);
}

/* ---------------------------------------------------------------- keys and values */

/* The first lane that sees key j. */
static __device__ inline int first_lane(const pg_device_segment &segment, int j, int group)
{
    return j < segment.prefix ? 0 : max(j - segment.past, 0) * group;
}

/* Columns are lanes here: scores become weights, and dscores their derivatives, of the keys in rows g and g + 8. */
template <int N, typename T>
static __device__ inline void weigh_lanes(float (&s)[N][4], float (&ds)[N][4], const pg_device_attend_back &call,
                                          const pg_device_segment &segment, int head, int lane, int key, const T *type)
{
    float base = log_base(type), scale = base / sqrtf(static_cast<float>(call.forward.size));
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
            lane_sums sums = sums_of(call, segment, head, lane + 8 * n + lane_column() + e, base);
#pragma unroll
            for (int h = 0; h < 2; h++) {
                float &score = s[n][e + 2 * h], &derivative = ds[n][e + 2 * h];
                score = key + 8 * h < sums.seen ? exponential(fmaf(score, scale, -sums.log_sum), type) : 0;
                derivative = score * (derivative - sums.share);
            }
        }
}

/* Adds sums [16 rows][SIZE] to an array as the keys. */
template <int SIZE>
static __device__ inline void add_keys(const pg_device_attend_back &call, const pg_device_segment &segment, int head,
                                       float *to, int first, const float (&o)[SIZE / 8][4], float factor)
{
    if (to)
        add_rows<SIZE>(keys_of(call.forward, segment, head, to, 4), first, count_keys(segment),
                       static_cast<int>(call.forward.size), o, factor);
}

/* DKEYS and DVALUES say whose derivatives are made. */
template <typename T, int SIZE, bool DKEYS, bool DVALUES>
static __device__ inline void go_back(const pg_device_attend_back &call, int blocks, int turn)
{
    constexpr int LANES = tile_shape<T>::BACK, ROWS = block_rows<T>, STRIDE = tile_stride<T, SIZE>;
    const pg_device_attend &there = call.forward;
    const pg_device_segment segment = there.segments[blockIdx.x / blocks];
    int group = static_cast<int>(there.heads / there.kv_heads), lanes = segment.count * group, size = (int)there.size;
    int first = blockIdx.x % blocks * ROWS, head = blockIdx.y, own = threadIdx.x / WARP * WARP_ROWS;
    int count = count_keys(segment);
    if (first >= count || segment.turn != turn)
        return;
    PG_SHARED(T, keys);
    T *values = keys + ROWS * STRIDE, *queries = values + ROWS * STRIDE, *douts = queries + LANES * STRIDE;
    float *room = reinterpret_cast<float *>(douts + LANES * STRIDE);
    key_rows k = keys_of(there, segment, head, there.keys, sizeof(T));
    key_rows v = keys_of(there, segment, head, there.values, sizeof(T));
    k.first = v.first = first;
    load_own<SIZE, ROWS>(keys, k, count - first, size);
    if (DKEYS)
        load_own<SIZE, ROWS>(values, v, count - first, size);
    float dkey[DKEYS ? SIZE / 8 : 1][4], dvalue[DVALUES ? SIZE / 8 : 1][4];
    clear(dkey);
    clear(dvalue);
    lane_rows q = lanes_of(there, segment, head, there.q, sizeof(T));
    lane_rows d = lanes_of(there, segment, head, call.dout, sizeof(T));
    for (int tile = first_lane(segment, first, group) / LANES * LANES; tile < lanes; tile += LANES) {
        q.first = d.first = tile;
        __syncthreads();
        load_own<SIZE, LANES>(queries, q, lanes - tile, size);
        load_own<SIZE, LANES>(douts, d, lanes - tile, size);
        wait_for_copies();
        __syncthreads();
        float s[LANES / 8][4], ds[LANES / 8][4];
        multiply_rows<SIZE>(s, keys + own * STRIDE, queries);
        if constexpr (DKEYS)
            multiply_rows<SIZE>(ds, values + own * STRIDE, douts);
        else
            clear(ds);
        weigh_lanes(s, ds, call, segment, head, tile, first + own + lane_row(), keys);
        if constexpr (DKEYS)
            mix_rows<SIZE>(dkey, ds, queries, room);
        if constexpr (DVALUES)
            mix_rows<SIZE>(dvalue, s, douts, room);
    }
    own += first;
    if constexpr (DKEYS)
        add_keys<SIZE>(call, segment, head, call.dk, own, dkey, 1 / sqrtf(static_cast<float>(size)));
    if constexpr (DVALUES)
        add_keys<SIZE>(call, segment, head, call.dv, own, dvalue, 1);
}

/* Long heads have too many values for both derivatives at once: then half of the blocks have each. */
template <typename T, int SIZE> constexpr bool apart = SIZE > 128;

template <typename T, int SIZE>
__global__ void __launch_bounds__(tile_shape<T>::WARPS *WARP)
    keys_back_kernel(pg_device_attend_back call, int blocks, int turn)
{
    if constexpr (!apart<T, SIZE>)
        go_back<T, SIZE, true, true>(call, blocks, turn);
    else if (blockIdx.z == 0 && call.dk)
        go_back<T, SIZE, true, false>(call, blocks, turn);
    else if (blockIdx.z == 1 && call.dv)
        go_back<T, SIZE, false, true>(call, blocks, turn);
}

/* ---------------------------------------------------------------- launches */

template <typename T, int SIZE> static void launch_keys(pg_device *device, const pg_device_attend_back &call)
{
    auto kernel = keys_back_kernel<T, SIZE>;
    size_t bytes = tile_bytes<T, SIZE>(2 * block_rows<T> + 2 * tile_shape<T>::BACK);
    int blocks = static_cast<int>(blocks_for(call.forward.most_keys, block_rows<T>));
    dim3 grid(call.forward.segment_count * blocks, call.forward.kv_heads, apart<T, SIZE> ? 2 : 1);
    allow_shared(device, kernel, bytes);
    for (int turn = 0; turn < call.turns; turn++)
        PG_LAUNCH(device, kernel, grid, dim3(tile_shape<T>::WARPS * WARP), bytes, call, blocks, turn);
}

template <typename T, int SIZE> static void launch_back(pg_device *device, const pg_device_attend_back &call)
{
    const pg_device_attend &there = call.forward;
    auto kernel = queries_back_kernel<T, SIZE>;
    size_t bytes = tile_bytes<T, SIZE>(2 * block_rows<T> + 2 * tile_shape<T>::BACK);
    int blocks = static_cast<int>(blocks_for(call.longest * (there.heads / there.kv_heads), block_rows<T>));
    allow_shared(device, kernel, bytes);
    if (call.dq)
        PG_LAUNCH(device, kernel, dim3(there.segment_count * blocks, there.kv_heads), dim3(tile_shape<T>::WARPS * WARP),
                  bytes, call, blocks);
    if (call.dk || call.dv)
        launch_keys<T, SIZE>(device, call);
}

/* In bf16 all factors are rounded once, before many blocks load them. */
static pg_device_attend_back rounded(pg_device *device, pg_device_attend_back call)
{
    pg_device_attend &there = call.forward;
    int64_t queries = there.rows * there.heads * there.size, keys = there.key_rows * there.key_width;
    uint16_t *q = reinterpret_cast<uint16_t *>(there.scratch), *dout = q + room_for(queries);
    uint16_t *k = dout + room_for(queries), *v = k + room_for(keys);
    cuda_round(device,
               {{{there.q, q, queries},
                 {call.dout, dout, queries},
                 {static_cast<const float *>(there.keys), k, keys},
                 {static_cast<const float *>(there.values), v, keys}}},
               4);
    there.q = reinterpret_cast<const float *>(q); /* the kernels for bf16 know what they are */
    call.dout = reinterpret_cast<const float *>(dout);
    there.keys = k;
    there.values = v;
    return call;
}

size_t cuda_attend_back_scratch(const pg_device_attend_back *call)
{
    const pg_device_attend &there = call->forward;
    int64_t values = room_for(there.rows * there.heads * there.size) + room_for(there.key_rows * there.key_width);
    return there.bf16 ? static_cast<size_t>(values) * 2 * sizeof(uint16_t) : 0;
}

void cuda_attend_back(pg_device *device, const pg_device_attend_back *call)
{
    const pg_device_attend &there = call->forward;
    const int warps = 4;
    int64_t heads = there.rows * there.heads;
    if (!there.segment_count)
        return;
    PG_LAUNCH(device, share_kernel, dim3(blocks_for(heads, warps)), dim3(warps * WARP), 0, call->shares, there.out,
              call->dout, heads, there.size);
    if (there.bf16)
        PG_FOR_SIZE(launch_back, uint16_t, there.size, device, rounded(device, *call));
    else
        PG_FOR_SIZE(launch_back, float, there.size, device, *call);
}
