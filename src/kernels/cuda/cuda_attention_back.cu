/*
 * Attention on the way back (Dao et al. 2022, algorithm 4): one kernel over blocks of lanes against tiles of keys, one
 * over blocks of keys against tiles of lanes, each of which computes the weights of its tile again from the scores and
 * the log_sums of the way there. So every derivative is summed by one warp in a fixed order; where there are too few
 * blocks of keys for all processors, the lanes of each are cut into parts, whose sums are then added in their order.
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
struct alignas(16) lane_sums {
    float log_sum; /* times log_base */
    float share;
    int seen; /* 0: the segment has no such lane */
};

/* Two buffers of tiles where there is memory enough: the next tile is on its way while one is multiplied. */
template <typename T, int SIZE> constexpr int back_buffers = sizeof(T) == 2 && SIZE <= 128 ? 2 : 1;

/* Shared memory for a block's own rows and for tiles, two of each in a buffer. */
template <typename T, int SIZE> static size_t back_bytes()
{
    return tile_bytes<T, SIZE>(2 * block_rows<T> + 2 * back_buffers<T, SIZE> * tile_shape<T>::BACK);
}

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
    constexpr int BUFFERS = back_buffers<T, SIZE>;
    const pg_device_attend &there = call.forward;
    const pg_device_segment segment = there.segments[blockIdx.x / blocks];
    int group = static_cast<int>(there.heads / there.kv_heads), lanes = segment.count * group, size = (int)there.size;
    int first = blockIdx.x % blocks * ROWS, head = blockIdx.y, own = threadIdx.x / WARP * WARP_ROWS;
    if (first >= lanes)
        return;
    PG_SHARED(T, queries);
    T *douts = queries + ROWS * STRIDE, *buffers = douts + ROWS * STRIDE;
    float *room = reinterpret_cast<float *>(buffers + BUFFERS * 2 * KEYS * STRIDE);
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
    auto load = [&](T *keys, int tile) {
        k.first = v.first = tile;
        load_own<SIZE, KEYS>(keys, k, count - tile, size);
        load_own<SIZE, KEYS>(keys + KEYS * STRIDE, v, count - tile, size);
    };
    if (BUFFERS == 2)
        load(buffers, 0);
    for (int tile = 0; tile < end; tile += KEYS) {
        T *keys = buffers + tile / KEYS % BUFFERS * 2 * KEYS * STRIDE, *values = keys + KEYS * STRIDE;
        if (BUFFERS == 1) {
            __syncthreads();
            load(keys, tile);
        }
        wait_for_copies();
        __syncthreads();
        if (BUFFERS == 2 && tile + KEYS < end)
            load(buffers + (tile / KEYS + 1) % BUFFERS * 2 * KEYS * STRIDE, tile + KEYS);
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

/* What belongs to the lane of a tile's row lies behind its values. */
template <int SIZE, typename T> static __device__ inline lane_sums *sums_behind(T *tile, int row)
{
    static_assert(tile_shape<T>::PAD * sizeof(T) >= sizeof(lane_sums), "room behind a row");
    return reinterpret_cast<lane_sums *>(tile + row * tile_stride<T, SIZE> + SIZE);
}

/* As copy_async, 4 bytes. */
static __device__ inline void copy_float(float *to, const float *from)
{
#ifdef PG_EMULATED
    *to = *from;
#else
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;"
                 :
                 : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(to))), "l"(from)
                 : "memory");
#endif
}

/* What sums_of says, but for the factor of log_sum; wait_for_copies ends it. */
static __device__ inline void copy_sums(lane_sums *to, const pg_device_attend_back &call,
                                        const pg_device_segment &segment, int head, int l)
{
    int group = static_cast<int>(call.forward.heads / call.forward.kv_heads);
    if (l >= segment.count * group) {
        *to = {0, 0, 0};
        return;
    }
    int64_t at = sum_of(call.forward, segment, head, l);
    copy_float(&to->log_sum, call.forward.log_sums + at);
    copy_float(&to->share, call.shares + at);
    to->seen = keys_seen(segment, l, group);
}

/* Columns are lanes here: scores become weights, and dscores their derivatives, of the keys in rows g and g + 8. Scale
 * is that of scores, times log_base. */
template <int SIZE, int N, typename T>
static __device__ inline void weigh_lanes(float (&s)[N][4], float (&ds)[N][4], T *queries, int key, float scale)
{
    float base = log_base(queries);
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
            const lane_sums sums = *sums_behind<SIZE>(queries, 8 * n + lane_column() + e);
            float log_sum = sums.log_sum * base;
#pragma unroll
            for (int h = 0; h < 2; h++) {
                float &score = s[n][e + 2 * h], &derivative = ds[n][e + 2 * h];
                score = key + 8 * h < sums.seen ? exponential(fmaf(score, scale, -log_sum), queries) : 0;
                derivative = score * (derivative - sums.share);
            }
        }
}

/* Sums of parts of the lanes: of dk and of dv [count][key_rows][kv_heads][size, whole fours]. With one part there are
 * none: it is added to dk and dv at once. */
struct lane_parts {
    float *sums;
    int count;
};

static __host__ __device__ inline int64_t part_width(const pg_device_attend &call)
{
    return (call.size + 3) / 4 * 4 * call.kv_heads;
}

/* Rows as the keys of the sums of a part. */
static __device__ inline key_rows part_of(const pg_device_attend &call, const pg_device_segment &segment, int head,
                                          const lane_parts &parts, bool of_values, int part)
{
    key_rows rows = keys_of(call, segment, head, parts.sums, 0);
    int64_t width = part_width(call), first = ((of_values ? parts.count : 0) + part) * call.key_rows * width;
    rows.data += (first + head * (width / call.kv_heads)) * static_cast<int64_t>(sizeof(float));
    rows.stride = width * static_cast<int64_t>(sizeof(float));
    return rows;
}

/* Writes o [16 rows][SIZE] times a factor to row `first` .. of `rows`, of which `count` are there, each of whole fours:
 * what is beyond a head's size is zero. */
template <int SIZE>
static __device__ inline void write_part(const key_rows &rows, int first, int count, int size,
                                         const float (&o)[SIZE / 8][4], float factor)
{
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = first + lane_row() + 8 * h;
        if (row >= count)
            continue;
        float *to = reinterpret_cast<float *>(const_cast<char *>(row_at(rows, row)));
#pragma unroll
        for (int i = 0; i < SIZE / 8; i++) {
            int at = 8 * i + lane_column();
            if (at < size)
                *reinterpret_cast<float2 *>(to + at) = make_float2(o[i][2 * h] * factor, o[i][2 * h + 1] * factor);
        }
    }
}

/* Sums [16 rows][SIZE] of this block's part of the lanes are dk's or dv's. */
template <int SIZE>
static __device__ inline void put_keys(const pg_device_attend_back &call, const pg_device_segment &segment, int head,
                                       const lane_parts &parts, bool of_values, int first,
                                       const float (&o)[SIZE / 8][4], float factor)
{
    float *to = of_values ? call.dv : call.dk;
    int count = count_keys(segment), size = static_cast<int>(call.forward.size), part = blockIdx.z % parts.count;
    if (to && parts.count > 1)
        write_part<SIZE>(part_of(call.forward, segment, head, parts, of_values, part), first, count, size, o, factor);
    else if (to)
        add_rows<SIZE>(keys_of(call.forward, segment, head, to, 4), first, count, size, o, factor);
}

/* DKEYS and DVALUES say whose derivatives are made; the values themselves are needed for those of keys only. */
template <typename T, int SIZE, bool DKEYS, bool DVALUES>
static __device__ inline void go_back(const pg_device_attend_back &call, const lane_parts &parts, int blocks, int turn)
{
    constexpr int LANES = tile_shape<T>::BACK, ROWS = block_rows<T>, STRIDE = tile_stride<T, SIZE>;
    constexpr int BUFFERS = DKEYS ? back_buffers<T, SIZE> : 2;
    const pg_device_attend &there = call.forward;
    const pg_device_segment segment = there.segments[blockIdx.x / blocks];
    int group = static_cast<int>(there.heads / there.kv_heads), lanes = segment.count * group, size = (int)there.size;
    int first = blockIdx.x % blocks * ROWS, head = blockIdx.y, own = threadIdx.x / WARP * WARP_ROWS;
    int count = count_keys(segment), part = blockIdx.z % parts.count;
    if (first >= count || segment.turn != turn)
        return;
    PG_SHARED(T, keys);
    T *values = keys + ROWS * STRIDE, *buffers = DKEYS ? values + ROWS * STRIDE : values;
    float *room = reinterpret_cast<float *>(buffers + BUFFERS * 2 * LANES * STRIDE);
    key_rows k = keys_of(there, segment, head, there.keys, sizeof(T));
    key_rows v = keys_of(there, segment, head, there.values, sizeof(T));
    k.first = v.first = first;
    load_own<SIZE, ROWS>(keys, k, count - first, size);
    if (DKEYS)
        load_own<SIZE, ROWS>(values, v, count - first, size);
    float dkey[DKEYS ? SIZE / 8 : 1][4], dvalue[DVALUES ? SIZE / 8 : 1][4], base = log_base(keys);
    clear(dkey);
    clear(dvalue);
    lane_rows q = lanes_of(there, segment, head, there.q, sizeof(T));
    lane_rows d = lanes_of(there, segment, head, call.dout, sizeof(T));
    auto load = [&](T *queries, int tile) {
        q.first = d.first = tile * LANES;
        load_own<SIZE, LANES>(queries, q, lanes - tile * LANES, size);
        load_own<SIZE, LANES>(queries + LANES * STRIDE, d, lanes - tile * LANES, size);
        if (threadIdx.x < LANES)
            copy_sums(sums_behind<SIZE>(queries, threadIdx.x), call, there.segments[blockIdx.x / blocks], head,
                      tile * LANES + static_cast<int>(threadIdx.x));
    };
    /* All parts have as many tiles, but for one. */
    int start = first_lane(segment, first, group) / LANES, tiles = (lanes + LANES - 1) / LANES - start;
    int end = start + tiles * (part + 1) / parts.count;
    start += tiles * part / parts.count;
    for (int tile = start; tile < end + BUFFERS - 1; tile++) {
        int at = tile - (BUFFERS - 1); /* the tile that is multiplied, while the next is on its way */
        T *queries = buffers + at % BUFFERS * 2 * LANES * STRIDE, *douts = queries + LANES * STRIDE;
        wait_for_copies();
        __syncthreads();
        if (tile < end)
            load(buffers + tile % BUFFERS * 2 * LANES * STRIDE, tile);
        if (BUFFERS == 1) {
            wait_for_copies();
            __syncthreads();
        }
        if (at < start)
            continue;
        float s[LANES / 8][4], ds[LANES / 8][4];
        multiply_rows<SIZE>(s, keys + own * STRIDE, queries);
        if constexpr (DKEYS)
            multiply_rows<SIZE>(ds, values + own * STRIDE, douts);
        else
            clear(ds);
        weigh_lanes<SIZE>(s, ds, queries, first + own + lane_row(), base / sqrtf(static_cast<float>(size)));
        if constexpr (DKEYS)
            mix_rows<SIZE>(dkey, ds, queries, room);
        if constexpr (DVALUES)
            mix_rows<SIZE>(dvalue, s, douts, room);
    }
    own += first;
    const pg_device_segment &again = there.segments[blockIdx.x / blocks]; /* its spans need no registers meanwhile */
    if constexpr (DKEYS)
        put_keys<SIZE>(call, again, head, parts, false, own, dkey, 1 / sqrtf(static_cast<float>(size)));
    if constexpr (DVALUES)
        put_keys<SIZE>(call, again, head, parts, true, own, dvalue, 1);
}

/* Long heads have too many values for both derivatives at once: then half of the blocks have each. */
static inline __host__ __device__ constexpr bool is_apart(int64_t size)
{
    return size > 128;
}

/* SigLIP's heads need few enough registers for three blocks at a time when the compiler is told, which spills none;
 * with other sizes it would. */
template <typename T, int SIZE>
__global__ void __launch_bounds__(tile_shape<T>::WARPS *WARP, sizeof(T) == 2 && SIZE == 80 ? 3 : 1)
    keys_back_kernel(pg_device_attend_back call, lane_parts parts, int blocks, int turn)
{
    if constexpr (!is_apart(SIZE))
        go_back<T, SIZE, true, true>(call, parts, blocks, turn);
    else if (static_cast<int>(blockIdx.z) < parts.count && call.dk)
        go_back<T, SIZE, true, false>(call, parts, blocks, turn);
    else if (static_cast<int>(blockIdx.z) >= parts.count && call.dv)
        go_back<T, SIZE, false, true>(call, parts, blocks, turn);
}

#define ADDED_KEYS 4 /* of a block of add_parts_kernel */

/* Adds the sums of all parts to dk or dv. */
__global__ void add_parts_kernel(pg_device_attend_back call, lane_parts parts, int blocks, int turn)
{
    const pg_device_attend &there = call.forward;
    const pg_device_segment segment = there.segments[blockIdx.x / blocks];
    int first = blockIdx.x % blocks * ADDED_KEYS, head = blockIdx.y, size = static_cast<int>(there.size);
    int count = min(count_keys(segment) - first, ADDED_KEYS);
    float *to = blockIdx.z ? call.dv : call.dk;
    if (!to || segment.turn != turn)
        return;
    key_rows sums = keys_of(there, segment, head, to, 4), part = part_of(there, segment, head, parts, blockIdx.z, 0);
    int64_t step = there.key_rows * part_width(there);
    for (int i = threadIdx.x; i < count * size; i += blockDim.x) {
        const float *from = reinterpret_cast<const float *>(row_at(part, first + i / size)) + i % size;
        float *at = reinterpret_cast<float *>(const_cast<char *>(row_at(sums, first + i / size))) + i % size;
        float before = *at, sum = from[0];
#pragma unroll 4
        for (int p = 1; p < parts.count; p++)
            sum += from[p * step];
        *at = before + sum;
    }
}

/* ---------------------------------------------------------------- launches */

#define MOST_PARTS 8
#define LEAST_ROWS 128 /* lanes of a part */

static int64_t rows_of_block(const pg_device_attend &call)
{
    return call.bf16 ? block_rows<uint16_t> : block_rows<float>;
}

/* Into how many parts lanes are cut: the rounds in which two blocks at a time on each processor go through them are as
 * short as can be, where more parts must be worth their sums. */
static int count_parts(pg_device *device, const pg_device_attend_back &call)
{
    const pg_device_attend &there = call.forward;
    int64_t at_once = 2 * cuda_of(device)->processors, lanes = call.longest * (there.heads / there.kv_heads);
    int64_t blocks = there.segment_count * blocks_for(there.most_keys, rows_of_block(there)) * there.kv_heads;
    int64_t most = min(lanes / LEAST_ROWS, static_cast<int64_t>(MOST_PARTS)), best = 1;
    if (is_apart(there.size))
        blocks *= 2;
    if (call.turns > 1) /* of which only some are at work */
        blocks = blocks_for(blocks, call.turns);
    auto cost = [&](int64_t parts) {
        return static_cast<double>(blocks_for(blocks * parts, at_once) * (16 + parts)) / static_cast<double>(parts);
    };
    if (!call.dk && !call.dv)
        return 1;
    for (int64_t parts = 2; parts <= most; parts++)
        if (cost(parts) < cost(best))
            best = parts;
    return static_cast<int>(best);
}

template <typename T, int SIZE>
static void launch_keys(pg_device *device, const pg_device_attend_back &call, const lane_parts &parts)
{
    auto kernel = keys_back_kernel<T, SIZE>;
    const int threads = 256;
    const pg_device_attend &there = call.forward;
    size_t bytes = back_bytes<T, SIZE>();
    int blocks = static_cast<int>(blocks_for(there.most_keys, block_rows<T>));
    int added = static_cast<int>(blocks_for(there.most_keys, ADDED_KEYS));
    dim3 grid(there.segment_count * blocks, there.kv_heads, (is_apart(SIZE) ? 2 : 1) * parts.count);
    allow_shared(device, kernel, bytes);
    for (int turn = 0; turn < call.turns; turn++) {
        PG_LAUNCH(device, kernel, grid, dim3(tile_shape<T>::WARPS * WARP), bytes, call, parts, blocks, turn);
        if (parts.count > 1)
            PG_LAUNCH(device, add_parts_kernel, dim3(there.segment_count * added, there.kv_heads, 2), dim3(threads), 0,
                      call, parts, added, turn);
    }
}

template <typename T, int SIZE>
static void launch_back(pg_device *device, const pg_device_attend_back &call, const lane_parts &parts)
{
    const pg_device_attend &there = call.forward;
    auto kernel = queries_back_kernel<T, SIZE>;
    size_t bytes = back_bytes<T, SIZE>();
    int blocks = static_cast<int>(blocks_for(call.longest * (there.heads / there.kv_heads), block_rows<T>));
    allow_shared(device, kernel, bytes);
    if (call.dq)
        PG_LAUNCH(device, kernel, dim3(there.segment_count * blocks, there.kv_heads), dim3(tile_shape<T>::WARPS * WARP),
                  bytes, call, blocks);
    if (call.dk || call.dv)
        launch_keys<T, SIZE>(device, call, parts);
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

static size_t rounded_bytes(const pg_device_attend_back *call)
{
    const pg_device_attend &there = call->forward;
    int64_t values = room_for(there.rows * there.heads * there.size) + room_for(there.key_rows * there.key_width);
    return there.bf16 ? static_cast<size_t>(values) * 2 * sizeof(uint16_t) : 0;
}

/* The parts' sums lie behind what is rounded. */
static size_t place_of_parts(const pg_device_attend_back *call)
{
    return (rounded_bytes(call) + 15) / 16 * 16;
}

size_t cuda_attend_back_scratch(pg_device *device, const pg_device_attend_back *call)
{
    int64_t parts = count_parts(device, *call);
    int64_t sums = parts > 1 ? 2 * parts * call->forward.key_rows * part_width(call->forward) : 0;
    return place_of_parts(call) + static_cast<size_t>(sums) * sizeof(float);
}

void cuda_attend_back(pg_device *device, const pg_device_attend_back *call)
{
    const pg_device_attend &there = call->forward;
    const int warps = 4;
    int64_t heads = there.rows * there.heads;
    const lane_parts parts = {there.scratch + place_of_parts(call) / sizeof(float), count_parts(device, *call)};
    if (!there.segment_count)
        return;
    PG_LAUNCH(device, share_kernel, dim3(blocks_for(heads, warps)), dim3(warps * WARP), 0, call->shares, there.out,
              call->dout, heads, there.size);
    if (there.bf16)
        PG_FOR_SIZE(launch_back, uint16_t, there.size, device, rounded(device, *call), parts);
    else
        PG_FOR_SIZE(launch_back, float, there.size, device, *call, parts);
}
