/*
 * The best token of a row of logits, and the k best.
 *
 * Rows are few and long (257,216 logits), so several blocks share one. The k best come from a radix selection over keys
 * that hold a logit and its place: no two are equal, and their order is that of the answer. Each block chooses among
 * SELECT keys, then blocks choose among what was chosen, until one block has seen all.
 */
#include "kernels/cuda/cuda_losses.h"

#define BLOCK  256
#define SELECT 4096
#define MOST   PG_DEVICE_TOP_MOST

/* ---------------------------------------------------------------- rows in parts */

/* Part `blockIdx.x % parts` of a row: `each` values, a multiple of four. */
__global__ void part_kernel(row_part *out, const float *logits, int64_t width, int64_t parts, int64_t each, float scale)
{
    int64_t r = blockIdx.x / parts, first = blockIdx.x % parts * each;
    row_part part = part_of_row(logits + r * width, first, min(width - first, each), scale);
    if (threadIdx.x == 0)
        out[blockIdx.x] = part;
}

/* The whole row, for one thread; there are few parts. */
static __device__ inline row_part whole_of(const row_part *parts, int64_t count, float scale)
{
    row_part whole = parts[0];
    for (int64_t i = 1; i < count; i++)
        if (is_better(parts[i].top, parts[i].place, whole.top, whole.place)) {
            whole.top = parts[i].top;
            whole.place = parts[i].place;
        }
    whole.sum = 0;
    for (int64_t i = 0; i < count; i++)
        whole.sum += shifted_sum(parts[i], whole.top, scale);
    return whole;
}

/* As on the host, what comes first is the best unless something is larger, which nothing is than NaN. */
__global__ void best_kernel(int32_t *ids, float *log_probabilities, const row_part *parts, int64_t count,
                            const float *logits, int64_t rows, int64_t width)
{
    int64_t r = static_cast<int64_t>(blockIdx.x) * WARP + threadIdx.x;
    if (r >= rows)
        return;
    row_part whole = whole_of(parts + r * count, count, 1);
    bool is_first = whole.place == INT_MAX || isnan(logits[r * width]);
    ids[r] = is_first ? 0 : whole.place;
    if (log_probabilities)
        log_probabilities[r] = static_cast<float>(-log(whole.sum));
}

__global__ void log_sum_kernel(float *log_sums, const row_part *parts, int64_t count, int64_t rows, double scale)
{
    int64_t r = static_cast<int64_t>(blockIdx.x) * WARP + threadIdx.x;
    if (r < rows)
        log_sums[r] =
            static_cast<float>(log_sum_of(whole_of(parts + r * count, count, static_cast<float>(scale)), scale));
}

/* Parts of all rows, as many as keep the processors busy; NULL on failure. */
static const row_part *parts_of(pg_device *device, int64_t *count, const float *logits, int64_t rows, int64_t width,
                                float scale)
{
    int64_t wanted = blocks_for(4 * cuda_of(device)->processors, rows), most = blocks_for(width, 2048);
    int64_t each = blocks_for(width, wanted < most ? wanted : most);
    each = blocks_for(each, 4) * 4;
    *count = blocks_for(width, each);
    row_part *parts =
        static_cast<row_part *>(cuda_workspace(device, static_cast<size_t>(rows * *count) * sizeof *parts));
    if (parts)
        PG_LAUNCH(device, part_kernel, dim3(rows * *count), dim3(BLOCK), 0, parts, logits, width, *count, each, scale);
    return parts;
}

void cuda_best(pg_device *device, int32_t *ids, float *log_probabilities, const float *logits, int64_t rows,
               int64_t width)
{
    int64_t count;
    const row_part *parts = rows ? parts_of(device, &count, logits, rows, width, 1) : NULL;
    if (parts)
        PG_LAUNCH(device, best_kernel, dim3(blocks_for(rows, WARP)), dim3(WARP), 0, ids, log_probabilities, parts,
                  count, logits, rows, width);
}

/* ---------------------------------------------------------------- keys */

/* The upper half has the order of the values, NaN below all; the lower one puts earlier places first. */
static __device__ inline uint64_t key_of(float value, int64_t place)
{
    uint32_t bits = bits_of_float(value == 0 ? 0 : value);
    bits = isnan(value) ? 0 : bits & 0x80000000 ? ~bits : bits | 0x80000000;
    return static_cast<uint64_t>(bits) << 32 | (0xffffffff - static_cast<uint32_t>(place));
}

static __device__ inline float value_of_key(uint64_t key)
{
    uint32_t bits = static_cast<uint32_t>(key >> 32);
    if (bits == 0)
        return NAN;
    return float_of_bits(bits & 0x80000000 ? bits & 0x7fffffff : ~bits);
}

static_assert(BLOCK == 256, "a thread clears a bucket of the histogram");

typedef struct selection {
    uint64_t keys[SELECT];
    uint64_t chosen[MOST];
    unsigned histogram[256];
    unsigned bucket, above, inside; /* which one, how many keys lie above it, and how many in it */
    unsigned taken;
} selection;

/* The bucket in which number `left` of the largest keys is; by one warp, each lane has eight of them. */
static __device__ inline void find_bucket(selection *s, unsigned left)
{
    unsigned lane = threadIdx.x, own = 0;
    for (unsigned i = 0; i < 8; i++)
        own += s->histogram[255 - (lane * 8 + i)];
    unsigned upto = own;
    for (unsigned step = 1; step < WARP; step *= 2) {
        unsigned other = __shfl_up_sync(0xffffffff, upto, step);
        upto += lane >= step ? other : 0;
    }
    unsigned above = upto - own;
    if (above >= left || left > upto)
        return;
    unsigned bucket = 255 - lane * 8;
    for (; above + s->histogram[bucket] < left; bucket--)
        above += s->histogram[bucket];
    s->bucket = bucket;
    s->above = above;
    s->inside = s->histogram[bucket];
}

/* A value that exactly `left` of the keys reach: byte by byte from the top, among the keys that agree so far. */
static __device__ inline uint64_t find_threshold(selection *s, unsigned count, unsigned left)
{
    uint64_t prefix = 0, mask = 0;
    for (int shift = 56; shift >= 0; shift -= 8) {
        s->histogram[threadIdx.x] = 0;
        __syncthreads();
        for (unsigned i = threadIdx.x; i < count; i += BLOCK)
            if ((s->keys[i] & mask) == prefix)
                atomicAdd(&s->histogram[s->keys[i] >> shift & 255], 1u);
        __syncthreads();
        if (threadIdx.x < WARP)
            find_bucket(s, left);
        __syncthreads();
        prefix |= static_cast<uint64_t>(s->bucket) << shift;
        mask |= static_cast<uint64_t>(255) << shift;
        left -= s->above;
        if (s->inside == left)
            break;
    }
    return prefix;
}

/* Keys of a piece, from logits or from keys that were chosen before. */
static __device__ inline void load_keys(selection *s, const float *logits, const uint64_t *keys, int64_t row,
                                        int64_t first, unsigned count)
{
    for (unsigned i = threadIdx.x; i < count; i += BLOCK)
        s->keys[i] = logits ? key_of(logits[row + first + i], first + i) : keys[row + first + i];
    if (threadIdx.x == 0)
        s->taken = 0;
    __syncthreads();
}

/* out[piece][k], largest first: the largest keys of a piece of a row. Where a piece has fewer, numbers follow that are
 * smaller than any key. */
__global__ void select_kernel(uint64_t *out, const float *logits, const uint64_t *keys, int64_t width, int64_t pieces,
                              unsigned k)
{
    PG_SHARED(selection, s);
    int64_t row = blockIdx.x / pieces * width, first = blockIdx.x % pieces * SELECT;
    unsigned count = static_cast<unsigned>(min(width - first, static_cast<int64_t>(SELECT))), take = min(k, count);
    load_keys(s, logits, keys, row, first, count);
    uint64_t threshold = find_threshold(s, count, take);
    for (unsigned i = threadIdx.x; i < count; i += BLOCK)
        if (s->keys[i] >= threshold)
            s->chosen[atomicAdd(&s->taken, 1u)] = s->keys[i];
    __syncthreads();
    out += static_cast<int64_t>(blockIdx.x) * k;
    if (threadIdx.x >= k)
        return;
    unsigned rank = threadIdx.x;
    uint64_t key = k - rank;
    if (threadIdx.x < take) {
        key = s->chosen[threadIdx.x];
        rank = 0;
        for (unsigned i = 0; i < take; i++)
            rank += s->chosen[i] > key;
    }
    out[rank] = key;
}

__global__ void read_keys_kernel(int32_t *ids, float *values, const uint64_t *keys, int64_t count)
{
    int64_t i = static_cast<int64_t>(blockIdx.x) * BLOCK + threadIdx.x;
    if (i >= count)
        return;
    ids[i] = static_cast<int32_t>(0xffffffff - static_cast<uint32_t>(keys[i]));
    values[i] = value_of_key(keys[i]);
}

/* The keys of all rows, [rows][k]; NULL on failure. */
static const uint64_t *select_keys(pg_device *device, const float *logits, int64_t rows, int64_t width, int64_t k)
{
    int64_t pieces = blocks_for(width, SELECT), most = rows * pieces * k;
    uint64_t *keys = static_cast<uint64_t *>(cuda_workspace(device, static_cast<size_t>(2 * most) * sizeof *keys));
    if (!keys)
        return NULL;
    uint64_t *others = keys + most;
    for (int64_t count = 0; count != k; count = pieces * k) {
        pieces = blocks_for(count ? count : width, SELECT);
        PG_LAUNCH(device, select_kernel, dim3(rows * pieces), dim3(BLOCK), sizeof(selection), keys,
                  count ? NULL : logits, others, count ? count : width, pieces, static_cast<unsigned>(k));
        uint64_t *chosen = keys;
        keys = others;
        others = chosen;
    }
    return others;
}

void cuda_top(pg_device *device, int32_t *ids, float *values, float *log_sums, const float *logits, int64_t rows,
              int64_t width, int64_t k, double temperature)
{
    int64_t count;
    double scale = 1 / temperature;
    if (!rows || !k)
        return;
    const row_part *parts = log_sums ? parts_of(device, &count, logits, rows, width, static_cast<float>(scale)) : NULL;
    if (parts)
        PG_LAUNCH(device, log_sum_kernel, dim3(blocks_for(rows, WARP)), dim3(WARP), 0, log_sums, parts, count, rows,
                  scale);
    const uint64_t *keys = select_keys(device, logits, rows, width, k);
    if (keys)
        PG_LAUNCH(device, read_keys_kernel, dim3(blocks_for(rows * k, BLOCK)), dim3(BLOCK), 0, ids, values, keys,
                  rows * k);
}
