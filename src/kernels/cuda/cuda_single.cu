/*
 * A few rows of x times a weight that is read once, with factors in bf16: what generated tokens go through.
 *
 * 16 outputs are a group, 32 inputs a tile. The tensor cores take a tile of a group, of which a lane loads 16 bytes a
 * row, or 8 bytes of two quantised rows, as they lie in memory: which inputs meet which places of the product is ours
 * to choose, as long as x is laid out the same way. So eight rows of x cost what one costs, and a row has the same bits
 * in any company. x waits in shared memory, rounded to bf16; the warps of a block share the tiles of a group, and
 * blockIdx.y says which part of the inputs is the block's. Parts are added in order by the block that comes last.
 * Several weights of one x share a launch: each has blocks of its own, as many as its groups ask for.
 *
 * Quantised values are whole numbers that bf16 holds exactly; their scales multiply the sums of tiles.
 */
#include "kernels/cuda/cuda_fragments.h"
#include "kernels/cuda/cuda_products.h"

#define WARPS 8
#define BLOCK (WARPS * WARP)
#define GROUP 16
#define TILE  32
#define PART  2048 /* inputs of a part: what order sums have depends on the inputs alone, not on rows or outputs */
#define PAD   32   /* behind a row of x, so that rows lie in different banks */

/* How a weight lies: ANY is floating at whatever address and width. */
enum kind { BF16, F16, F32, ANY, EIGHT_BITS, FOUR_BITS };

struct job {
    float *out, *partial; /* [rows][outputs]; [parts][rows][outputs] */
    const float *x;
    int rows; /* of x */
    int64_t outputs, inputs, groups;
    pg_device_matrix w, bias; /* bias.data is NULL: none */
    int tile_bits;            /* a block of a quantised weight is this power of two of tiles */
    bool x_aligned;
    unsigned *counters; /* [groups] */
};

/* Products of one launch: those of job i are made by blocks ends[i - 1] .. ends[i] - 1. */
struct jobs {
    job of[PG_DEVICE_PRODUCTS];
    unsigned ends[PG_DEVICE_PRODUCTS];
    int count;
};

/* ---------------------------------------------------------------- weights */

/* What a lane loads of a tile: with g = lane / 4 and t = lane % 4, inputs 8t .. of rows 2g and 2g + 1 of the group, or
 * of quantised ones 4t .. of both halves of the tile. */
template <kind K> struct raw;
template <> struct raw<BF16> {
    uint4 row[2];
};
template <> struct raw<F16> {
    uint4 row[2];
};
template <> struct raw<ANY> {
    uint4 row[2];
};
template <> struct raw<F32> {
    float4 row[2][2];
};
template <> struct raw<EIGHT_BITS> {
    uint2 four[2]; /* of a half of the tile, a word for each row */
    uint32_t scales;
};
template <> struct raw<FOUR_BITS> {
    uint2 four;
    uint32_t scales;
    uint16_t steps;
};

/* Tiles that are loaded before the first is used. */
template <kind K> static constexpr int tiles_at_once = K == ANY ? 1 : K == F32 ? 2 : K == FOUR_BITS ? 8 : 4;

/* Blocks that a processor holds at a time. */
template <kind K, int EIGHTS> static constexpr int blocks_at_once = EIGHTS > 1 ? 2 : K == FOUR_BITS ? 3 : 4;

template <typename T> static __device__ inline T load_once(const T *p)
{
    return __ldcs(p);
}

/* g and t of a lane. */
static __device__ inline int lane_row()
{
    return threadIdx.x % WARP / 4;
}

static __device__ inline int lane_place()
{
    return threadIdx.x % 4;
}

static __device__ inline int64_t input_of(int64_t tile)
{
    return tile * TILE + lane_place() * 8;
}

/* Row i of the lane's two; rows behind the last one are the last one again, and nobody reads what they give. */
static __device__ inline int64_t row_of(const job &j, int64_t group, int i)
{
    return min(group * GROUP + lane_row() * 2 + i, j.outputs - 1);
}

template <kind K> static __device__ inline void load(raw<K> &r, const job &j, int64_t group, int64_t tile);

template <> __device__ inline void load<BF16>(raw<BF16> &r, const job &j, int64_t group, int64_t tile)
{
    int64_t input = input_of(tile);
    for (int i = 0; i < 2; i++)
        r.row[i] = input < j.inputs
                       ? load_once(reinterpret_cast<const uint4 *>(static_cast<const uint16_t *>(j.w.data) +
                                                                   row_of(j, group, i) * j.inputs + input))
                       : uint4{};
}

template <> __device__ inline void load<F16>(raw<F16> &r, const job &j, int64_t group, int64_t tile)
{
    raw<BF16> bits;
    load<BF16>(bits, j, group, tile);
    r.row[0] = bits.row[0];
    r.row[1] = bits.row[1];
}

template <> __device__ inline void load<F32>(raw<F32> &r, const job &j, int64_t group, int64_t tile)
{
    int64_t input = input_of(tile);
    for (int i = 0; i < 2; i++) {
        const float *row = static_cast<const float *>(j.w.data) + row_of(j, group, i) * j.inputs + input;
        for (int half = 0; half < 2; half++)
            r.row[i][half] =
                input < j.inputs ? __ldg(reinterpret_cast<const float4 *>(row) + half) : make_float4(0, 0, 0, 0);
    }
}

template <> __device__ inline void load<ANY>(raw<ANY> &r, const job &j, int64_t group, int64_t tile)
{
    int64_t input = input_of(tile);
    for (int i = 0; i < 2; i++) {
        float v[8];
        for (int k = 0; k < 8; k++)
            v[k] =
                input + k < j.inputs ? load_value(j.w.data, j.w.dtype, row_of(j, group, i) * j.inputs + input + k) : 0;
        r.row[i] = {pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7])};
    }
}

/* The bf16 scales of the lane's two rows. */
static __device__ inline uint32_t load_scales(const job &j, int64_t group, int64_t tile)
{
    const pg_quantized &q = j.w.quantized;
    int64_t blocks = (j.inputs + q.block - 1) >> (j.tile_bits + 5);
    const uint16_t *scales = static_cast<const uint16_t *>(q.scales) + (group * blocks + (tile >> j.tile_bits)) * GROUP;
    return __ldg(reinterpret_cast<const uint32_t *>(scales) + lane_row());
}

static __device__ inline int64_t tiles_of(const job &j)
{
    return (j.inputs + TILE - 1) / TILE;
}

template <> __device__ inline void load<EIGHT_BITS>(raw<EIGHT_BITS> &r, const job &j, int64_t group, int64_t tile)
{
    const uint8_t *values = j.w.quantized.values + (group * tiles_of(j) + tile) * (TILE * GROUP);
    int g = lane_row(), t = lane_place();
    for (int half = 0; half < 2; half++)
        r.four[half] = load_once(reinterpret_cast<const uint2 *>(values) + (half * 4 + t) * 8 + g);
    r.scales = load_scales(j, group, tile);
}

template <> __device__ inline void load<FOUR_BITS>(raw<FOUR_BITS> &r, const job &j, int64_t group, int64_t tile)
{
    int64_t at = group * tiles_of(j) + tile;
    int g = lane_row(), t = lane_place();
    r.four = load_once(reinterpret_cast<const uint2 *>(j.w.quantized.values + at * (TILE * GROUP / 2)) + t * 8 + g);
    r.steps = __ldg(reinterpret_cast<const uint16_t *>(j.w.quantized.steps + at * GROUP) + g);
    r.scales = load_scales(j, group, tile);
}

/* ---------------------------------------------------------------- factors */

/* The lane's part of the two products of a tile. */
struct factors {
    uint32_t first[4], second[4];
};

static __device__ inline factors factors_of(uint4 row0, uint4 row1)
{
    return {{row0.x, row1.x, row0.y, row1.y}, {row0.z, row1.z, row0.w, row1.w}};
}

static __device__ inline factors factors_of(const raw<BF16> &r)
{
    return factors_of(r.row[0], r.row[1]);
}

static __device__ inline factors factors_of(const raw<ANY> &r)
{
    return factors_of(r.row[0], r.row[1]);
}

static __device__ inline uint32_t rounded_pair(uint32_t halves)
{
    return pack_bf16(float_of_f16(static_cast<uint16_t>(halves)), float_of_f16(static_cast<uint16_t>(halves >> 16)));
}

static __device__ inline uint4 rounded_row(uint4 halves)
{
    return {rounded_pair(halves.x), rounded_pair(halves.y), rounded_pair(halves.z), rounded_pair(halves.w)};
}

static __device__ inline factors factors_of(const raw<F16> &r)
{
    return factors_of(rounded_row(r.row[0]), rounded_row(r.row[1]));
}

static __device__ inline uint4 rounded_row(const float4 row[2])
{
    return {pack_bf16(row[0].x, row[0].y), pack_bf16(row[0].z, row[0].w), pack_bf16(row[1].x, row[1].y),
            pack_bf16(row[1].z, row[1].w)};
}

static __device__ inline factors factors_of(const raw<F32> &r)
{
    return factors_of(rounded_row(r.row[0]), rounded_row(r.row[1]));
}

#define ONES    0x3f803f80 /* 1 as bf16, twice */
#define AND_128 0x43004300 /* 128, to which seven bits may be added as they are */

/* Bytes 0 and 2 of a word, each less 128. The upper bit of a byte turns -256 into -128. */
static __device__ inline uint32_t wholes_of_bytes(uint32_t word)
{
    return multiply_add_pair((word & 0x007f007f) | AND_128, ONES, (word & 0x00800080) ^ 0xc380c380);
}

static __device__ inline factors factors_of(const raw<EIGHT_BITS> &r)
{
    return {{wholes_of_bytes(r.four[0].x), wholes_of_bytes(r.four[0].y), wholes_of_bytes(r.four[0].x >> 8),
             wholes_of_bytes(r.four[0].y >> 8)},
            {wholes_of_bytes(r.four[1].x), wholes_of_bytes(r.four[1].y), wholes_of_bytes(r.four[1].x >> 8),
             wholes_of_bytes(r.four[1].y >> 8)}};
}

/* A step 0 .. 15 twice, and -136 times that: (128 + n) step - 136 step = (n - 8) step, exactly. */
struct steps {
    uint32_t factor, addend;
};

static __device__ inline steps steps_of(uint32_t step)
{
    uint32_t factor = multiply_add_pair(step * 0x00010001 | AND_128, ONES, 0xc300c300);
    return {factor, multiply_add_pair(factor, 0xc308c308, 0)};
}

/* Bits 0 .. 3 of the halves of a word. */
static __device__ inline uint32_t wholes_of_halves(uint32_t word, steps s)
{
    return multiply_add_pair((word & 0x000f000f) | AND_128, s.factor, s.addend);
}

static __device__ inline factors factors_of(const raw<FOUR_BITS> &r)
{
    steps low0 = steps_of(r.steps & 15), high0 = steps_of(r.steps >> 4 & 15);
    steps low1 = steps_of(r.steps >> 8 & 15), high1 = steps_of(r.steps >> 12 & 15);
    return {{wholes_of_halves(r.four.x, low0), wholes_of_halves(r.four.y, low1), wholes_of_halves(r.four.x >> 8, low0),
             wholes_of_halves(r.four.y >> 8, low1)},
            {wholes_of_halves(r.four.x >> 4, high0), wholes_of_halves(r.four.y >> 4, high1),
             wholes_of_halves(r.four.x >> 12, high0), wholes_of_halves(r.four.y >> 12, high1)}};
}

/* ---------------------------------------------------------------- x */

template <kind K> static constexpr bool is_quantized = K == EIGHT_BITS || K == FOUR_BITS;

/* Inputs i .. i + 3 of a row; zeros behind the last. */
static __device__ inline float4 four_inputs(const job &j, int row, int64_t i)
{
    const float *x = j.x + row * j.inputs;
    if (j.x_aligned && i + 3 < j.inputs)
        return *reinterpret_cast<const float4 *>(x + i);
    return make_float4(i < j.inputs ? x[i] : 0, i + 1 < j.inputs ? x[i + 1] : 0, i + 2 < j.inputs ? x[i + 2] : 0,
                       i + 3 < j.inputs ? x[i + 3] : 0);
}

/* The block's part of x. Quantised weights come in the order (0, 2), (1, 3) of four inputs, and the halves of a tile
 * one behind the other for each lane. */
template <kind K> static __device__ void stage(uint16_t *staged, const job &j, int64_t first, int64_t count)
{
    int64_t fours = (count + TILE - 1) / TILE * (TILE / 4);
    for (int row = 0; row < j.rows; row++)
        for (int64_t f = threadIdx.x; f < fours; f += BLOCK) {
            float4 v = four_inputs(j, row, first + 4 * f);
            int64_t at = is_quantized<K> ? f / 8 * 32 + f % 4 * 8 + f % 8 / 4 * 4 : 4 * f;
            uint2 four = is_quantized<K> ? uint2{pack_bf16(v.x, v.z), pack_bf16(v.y, v.w)}
                                         : uint2{pack_bf16(v.x, v.y), pack_bf16(v.z, v.w)};
            *reinterpret_cast<uint2 *>(staged + row * (PART + PAD) + at) = four;
        }
}

/* ---------------------------------------------------------------- products */

template <kind K, int EIGHTS>
static __device__ inline void multiply_tile(float (&sums)[EIGHTS][4], const raw<K> &r, const job &j,
                                            const uint16_t *staged, int64_t tile)
{
    factors w = factors_of(r);
    int g = lane_row(), t = lane_place();
#pragma unroll
    for (int e = 0; e < EIGHTS; e++) {
        uint4 x = {};
        if (e * 8 + g < j.rows)
            x = *reinterpret_cast<const uint4 *>(staged + (e * 8 + g) * (PART + PAD) + tile * TILE + t * 8);
        if constexpr (is_quantized<K>) {
            float own[4] = {};
            multiply_fragments(own, w.first, x.x, x.y);
            multiply_fragments(own, w.second, x.z, x.w);
#pragma unroll
            for (int i = 0; i < 4; i++)
                sums[e][i] = fmaf(own[i], i < 2 ? low_of_pair(r.scales) : high_of_pair(r.scales), sums[e][i]);
        } else {
            multiply_fragments(sums[e], w.first, x.x, x.y);
            multiply_fragments(sums[e], w.second, x.z, x.w);
        }
    }
}

/* The sums of a warp for a group, by output and row of x. */
template <int EIGHTS> static __device__ inline void keep_sums(float *room, const float (&sums)[EIGHTS][4])
{
    int g = lane_row(), t = lane_place();
#pragma unroll
    for (int e = 0; e < EIGHTS; e++)
        for (int i = 0; i < 4; i++)
            room[(e * 8 + 2 * t + i % 2) * GROUP + 2 * g + i / 2] = sums[e][i];
}

static __device__ inline void write_output(const job &j, int row, int64_t output, float sum)
{
    if (j.bias.data)
        sum += load_value(j.bias.data, j.bias.dtype, output);
    j.out[row * j.outputs + output] = sum;
}

/* Whoever comes last of a group's parts adds them all. Every thread of the block must call it. */
static __device__ void add_parts(const job &j, int64_t group)
{
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        last = atomicAdd(&j.counters[group], 1u) == gridDim.y - 1;
    __syncthreads();
    if (!last)
        return;
    __threadfence();
    for (int i = threadIdx.x; i < j.rows * GROUP; i += BLOCK) {
        int64_t row = i / GROUP, output = group * GROUP + i % GROUP;
        if (output >= j.outputs)
            continue;
        float sum = 0;
        for (unsigned part = 0; part < gridDim.y; part++)
            sum += __ldcg(&j.partial[(part * j.rows + row) * j.outputs + output]);
        write_output(j, static_cast<int>(row), output, sum);
    }
    if (threadIdx.x == 0)
        j.counters[group] = 0;
}

/* The sums of all warps, in order. */
static __device__ inline void add_warps(const job &j, const float *room, int64_t group, int stride)
{
    for (int i = threadIdx.x; i < j.rows * GROUP; i += BLOCK) {
        int64_t row = i / GROUP, output = group * GROUP + i % GROUP;
        float sum = 0;
        for (int warp = 0; warp < WARPS; warp++)
            sum += room[warp * stride + i];
        if (output >= j.outputs)
            continue;
        if (gridDim.y == 1)
            write_output(j, static_cast<int>(row), output, sum);
        else
            j.partial[(blockIdx.y * j.rows + row) * j.outputs + output] = sum;
    }
}

/* The job of the block. What all have in common is read from the first, where it takes no registers. */
template <bool SEVERAL> static __device__ inline job job_of_block(const jobs &all, int which)
{
    job j = all.of[0];
    if (SEVERAL) {
        j.out = all.of[which].out;
        j.partial = all.of[which].partial;
        j.outputs = all.of[which].outputs;
        j.groups = all.of[which].groups;
        j.w = all.of[which].w;
        j.bias = all.of[which].bias;
        j.tile_bits = all.of[which].tile_bits;
        j.counters = all.of[which].counters;
    }
    return j;
}

/* Loads come before x is staged, which they need not wait for. */
template <kind K, int EIGHTS, bool SEVERAL>
__global__ void __launch_bounds__(BLOCK, blocks_at_once<K, EIGHTS>) single_kernel(const __grid_constant__ jobs all)
{
    int which = 0;
    while (SEVERAL && which + 1 < all.count && blockIdx.x >= all.ends[which])
        which++;
    const job j = job_of_block<SEVERAL>(all, which);
    const unsigned first_block = which ? all.ends[which - 1] : 0, blocks = all.ends[which] - first_block;
    constexpr int AT_ONCE = tiles_at_once<K>, SUMS = EIGHTS * 8 * GROUP;
    PG_SHARED(float, room); /* of sums, twice: a group's are read while the next group's are written */
    uint16_t *staged = reinterpret_cast<uint16_t *>(room + 2 * WARPS * SUMS);
    const int64_t first = static_cast<int64_t>(blockIdx.y) * PART,
                  count = min(static_cast<int64_t>(PART), j.inputs - first);
    const int64_t tiles = (count + TILE - 1) / TILE, warp = threadIdx.x / WARP;
    bool is_staged = false;
    int turn = 0;
    for (int64_t group = blockIdx.x - first_block; group < j.groups; group += blocks, turn ^= 1) {
        float sums[EIGHTS][4] = {};
        for (int64_t base = 0; base < tiles; base += WARPS * AT_ONCE) {
            raw<K> r[AT_ONCE];
            int64_t own = base + warp * AT_ONCE;
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++)
                if (own + i < tiles)
                    load<K>(r[i], j, group, first / TILE + own + i);
            if (!is_staged) {
                stage<K>(staged, j, first, count);
                __syncthreads();
                is_staged = true;
            }
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++)
                if (own + i < tiles)
                    multiply_tile<K, EIGHTS>(sums, r[i], j, staged, own + i);
        }
        float *sums_of_all = room + turn * WARPS * SUMS;
        keep_sums<EIGHTS>(sums_of_all + warp * SUMS, sums);
        __syncthreads();
        add_warps(j, sums_of_all, group, SUMS);
        if (gridDim.y > 1)
            add_parts(j, group);
    }
}

/* ---------------------------------------------------------------- launching */

#define SHARED_MOST ((size_t)48 << 10) /* what a kernel gets without asking */

static kind kind_of(const pg_device_matrix *w)
{
    if (w->quantized.bits)
        return w->quantized.bits == 8 ? EIGHT_BITS : FOUR_BITS;
    if (w->width % 8 != 0 || !is_aligned(w->data, 16))
        return ANY;
    return w->dtype == PG_F32 ? F32 : w->dtype == PG_F16 ? F16 : BF16;
}

static bool can_multiply(const pg_device_matrix *w)
{
    const pg_quantized *q = &w->quantized;
    return !q->bits || (is_aligned(q->values, 8) && is_aligned(q->scales, 4) && is_aligned(q->steps, 2));
}

/* Shares the blocks that run at a time out among the jobs, at least one to each and at most one for a group. */
static void share_blocks(jobs *all, int64_t blocks)
{
    int64_t groups = 0, given = 0, before = 0;
    for (int i = 0; i < all->count; i++)
        groups += all->of[i].groups;
    for (int i = 0; i < all->count; i++) {
        before += all->of[i].groups;
        int64_t own = blocks < groups ? before * blocks / groups - given : all->of[i].groups;
        own = own < 1 ? 1 : own;
        given += own;
        all->ends[i] = static_cast<unsigned>(given);
    }
}

template <kind K, int EIGHTS> static void launch_eights(pg_device *device, jobs *all, int64_t parts)
{
    size_t room = sizeof(float) * 2 * WARPS * EIGHTS * 8 * GROUP;
    size_t shared = room + static_cast<size_t>(all->of[0].rows) * (PART + PAD) * sizeof(uint16_t);
    share_blocks(all, cuda_of(device)->processors * blocks_at_once<K, EIGHTS> / parts);
    auto kernel = all->count > 1 ? single_kernel<K, EIGHTS, true> : single_kernel<K, EIGHTS, false>;
    if (shared > SHARED_MOST)
        cuda_check(device,
                   cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)),
                   "shared memory");
    PG_LAUNCH(device, kernel, dim3(all->ends[all->count - 1], parts), dim3(BLOCK), shared, *all);
}

template <kind K> static void launch(pg_device *device, jobs *all, int64_t parts)
{
    if (all->of[0].rows <= 8)
        launch_eights<K, 1>(device, all, parts);
    else
        launch_eights<K, 2>(device, all, parts);
}

static job job_of(const pg_device_product *product, const float *x, int64_t rows)
{
    const pg_device_matrix *w = product->w;
    job j = {};
    j.out = product->out;
    j.x = x;
    j.rows = static_cast<int>(rows);
    j.outputs = w->rows;
    j.inputs = w->width;
    j.groups = blocks_for(w->rows, GROUP);
    j.w = *w;
    if (product->bias)
        j.bias = *product->bias;
    j.tile_bits = bits_of_block(&w->quantized) - 5;
    j.x_aligned = w->width % 4 == 0 && is_aligned(x, 16);
    return j;
}

/* Where sums of parts meet. False if there are more groups than places. */
static bool give_room(pg_device *device, jobs *all, int64_t parts)
{
    int64_t outputs = 0, groups = 0;
    for (int i = 0; i < all->count; i++) {
        all->of[i].counters = cuda_of(device)->counters + groups;
        outputs += all->of[i].outputs;
        groups += all->of[i].groups;
    }
    if (groups > CUDA_COUNTERS)
        return false;
    int64_t each = parts * all->of[0].rows;
    float *partial =
        parts > 1 ? static_cast<float *>(cuda_workspace(device, static_cast<size_t>(each * outputs) * sizeof *partial))
                  : NULL;
    for (int i = 0; partial && i < all->count; i++) {
        all->of[i].partial = partial;
        partial += each * all->of[i].outputs;
    }
    return true;
}

bool single_multiply(pg_device *device, const pg_device_product *products, int count, const float *x, int64_t rows)
{
    static void (*const launches[])(pg_device *, jobs *, int64_t) = {launch<BF16>,       launch<F16>,
                                                                     launch<F32>,        launch<ANY>,
                                                                     launch<EIGHT_BITS>, launch<FOUR_BITS>};
    const kind how = kind_of(products->w);
    jobs all = {};
    all.count = count;
    for (int i = 0; i < count; i++) {
        if (!can_multiply(products[i].w) || kind_of(products[i].w) != how)
            return false;
        all.of[i] = job_of(&products[i], x, rows);
    }
    int64_t parts = blocks_for(products->w->width, PART);
    if (!give_room(device, &all, parts))
        return false;
    launches[how](device, &all, parts);
    return true;
}
