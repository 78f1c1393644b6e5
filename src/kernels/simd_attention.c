/*
 * Attention of one block of lanes, tile by tile of keys, with a running softmax (Milakov and Gimelshein 2018; Dao et
 * al. 2022): nothing is kept per pair of query and key beyond one tile. A lane is one query row and head, so the
 * softmax needs no sums across lanes, and both products are the panel product: scores = keys * queries, out = values^T
 * * weights.
 *
 * A block has several panels of lanes, which use each tile of keys and values while it is at hand.
 *
 * Tiles start at multiples of their size in the sequence, whatever its spans, so a result does not depend on where rows
 * lie.
 */
#include <math.h>

#include "kernels/attention_tile.h"
#include "kernels/simd.h"
#if defined(__AMX_BF16__)
#include "kernels/tiles_amx.h"

#define KEYS_AT_ONCE TILE_KEYS_MOST /* sums go through memory for every tile of keys */
#define HEIGHT_STEP  MATRIX_ROWS
#define DEPTH_STEP   MATRIX_DEPTH
#else
#define KEYS_AT_ONCE TILE_KEYS
#define HEIGHT_STEP  1
#define DEPTH_STEP   2
#endif

/* Weights and values are rounded to bf16, too, where that makes their product ten times as fast. It costs accuracy (of
 * a small model's logits, 7 % more of what bf16 costs anyway), so that being twice as fast is no reason. */
static bool in_halves(const pg_attention_block *block)
{
#if defined(__AMX_BF16__)
    return block->panel == PG_PANEL_BF16;
#else
    (void)block;
    return false;
#endif
}

/* One panel of lanes is done with a tile before it could be copied. */
static bool has_few(const pg_attention_block *block)
{
    return block->lanes <= LANES;
}

/* A panel of lanes. */
typedef struct tile_state {
    int64_t first, lanes; /* as in the block */
    int64_t keys;         /* that its last lane sees */
    float *queries;       /* a panel of [width][LANES], scaled */
    float *out;           /* [size][LANES] */
    float *scores;        /* [KEYS_AT_ONCE][LANES], of all panels in turn */
    vf top[PANEL_VECTORS], total[PANEL_VECTORS];
} tile_state;

/* Where the queries of lane l lie, and what comes of them. */
static int64_t lane_place(const pg_attention_block *block, int64_t l)
{
    return l / block->group * block->query_stride + l % block->group * block->size;
}

/* Values of a head as the products take them. */
static int64_t head_width(const pg_attention_block *block)
{
    return block->panel == PG_PANEL_F32 ? block->size : pg_round_up(block->size, DEPTH_STEP);
}

static void pack_queries(tile_state *state, const pg_attention_block *block)
{
    float *scaled = state->out;
    int64_t packed = block->panel == PG_PANEL_F32 ? block->size : pg_even(block->size) / 2,
            all = block->panel == PG_PANEL_F32 ? packed : head_width(block) / 2;
    for (int64_t lane = 0; lane < state->lanes; lane++) {
        const float *query = block->queries + lane_place(block, state->first + lane);
        for (int64_t i = 0; i < block->size; i++)
            scaled[lane * block->size + i] = query[i] * block->scale;
    }
    PG_SIMD(pack)(state->queries, block->panel, scaled, block->size, state->lanes, block->size);
    memset(state->queries + packed * LANES, 0, (size_t)((all - packed) * LANES) * sizeof(float));
}

/* The keys of a tile in the panel's type, and elements from row to row. */
static const void *tile_keys(const pg_attention_block *block, int64_t first, int64_t count, float *scratch,
                             int64_t *stride)
{
    if (block->panel == PG_PANEL_F32)
        return pg_tile_rows(block, PG_TILE_KEYS, first, count, has_few(block), scratch, PG_SIMD(widen), stride);
    return pg_tile_keys_bf16(block, first, count, pg_round_up(count, HEIGHT_STEP), head_width(block), scratch,
                             &PG_SIMD(kernels), stride);
}

/* c = w * panel, or += if it is not fresh; rows and k of w are filled up to whole steps. */
static void multiply_halves(float *c, const uint16_t *w, int64_t w_stride, int64_t rows, const float *panel,
                            int64_t lanes, int64_t k, bool fresh)
{
    rows = pg_round_up(rows, HEIGHT_STEP);
    k = pg_round_up(k, DEPTH_STEP);
#if defined(__AMX_BF16__)
    PG_SIMD(multiply_matrices)(c, LANES, w, w_stride, rows, panel, lanes, k, fresh);
#else
    if (fresh)
        memset(c, 0, (size_t)(rows * LANES) * sizeof *c);
    PG_SIMD(panel_product_bf16)(c, LANES, w, w_stride, rows, panel, lanes, k, NULL);
#endif
}

/* scores = keys * queries for one tile. */
static void score_tile(tile_state *state, const pg_attention_block *block, const void *keys, int64_t stride,
                       int64_t count)
{
    if (block->panel == PG_PANEL_BF16) {
        multiply_halves(state->scores, keys, stride, count, state->queries, state->lanes, head_width(block), true);
        return;
    }
    memset(state->scores, 0, (size_t)(count * LANES) * sizeof *state->scores);
    PG_SIMD(panel_product_f32)
    (state->scores, LANES, keys, stride, count, state->queries, state->lanes, block->size, NULL);
}

/* Hides the keys of this tile that a lane must not see. */
static void mask_scores(tile_state *state, const pg_attention_block *block, int64_t first, int64_t count)
{
    int64_t seen_by_all = pg_keys_seen(block, state->first);
    if (first + count <= seen_by_all)
        return;
    for (int64_t lane = 0; lane < LANES; lane++) {
        int64_t seen = pg_keys_seen(block, state->first + (lane < state->lanes ? lane : 0)) - first;
        for (int64_t j = seen > 0 ? seen : 0; j < count; j++)
            state->scores[j * LANES + lane] = -__builtin_inff();
    }
}

/* e^x for x <= 0 as exactly as bf16 keeps it: 2^n times a polynomial of degree 4 (relative error 3e-06). 0 below -87.3.
 */
static inline vf exp_roughly(vf x)
{
    const float rounder = 12582912.0f; /* 1.5 * 2^23: adding it leaves the nearest whole number in the low bits */
    vf n = x * 1.44269504f + rounder, f = x * 1.44269504f - (n - rounder);
    vf p = 0.00957010374f + (vf){0};
    p = p * f + 0.0559178669f;
    p = p * f + 0.240247448f;
    p = p * f + 0.693121814f;
    p = p * f + 0.999999261f;
    return (vf)(((vi)p + ((vi)n << 23)) & ~(x < -87.3f));
}

/* Scores of W lanes become weights, in pairs of keys as a panel of bf16 has them; their sum. What is missing weighs
 * nothing. */
static vf weigh_in_halves(float *scores, vf top, int64_t count)
{
    vf sum = {0};
    for (int64_t j = 0; j < pg_round_up(count, DEPTH_STEP); j += 2) {
        vf even = {0}, odd = {0};
        if (j < count)
            even = exp_roughly(load(scores + j * LANES) - top);
        if (j + 1 < count)
            odd = exp_roughly(load(scores + (j + 1) * LANES) - top);
        sum += even + odd;
        vu low = ((vu)even + 0x8000) >> 16, high = ((vu)odd + 0x8000) & 0xffff0000; /* none is negative */
        store(scores + j / 2 * LANES, (vf)(low | high));
    }
    return sum;
}

/* The same in f32. */
static vf weigh(float *scores, vf top, int64_t count)
{
    vf sum = {0};
    for (int64_t j = 0; j < count; j++) {
        vf weight = exp_lanes(load(scores + j * LANES) - top);
        sum += weight;
        store(scores + j * LANES, weight);
    }
    return sum;
}

/* Turns the tile's scores into weights and rescales what was summed so far. Every lane sees key 0, so `top` is finite.
 */
static void update_softmax(tile_state *state, const pg_attention_block *block, int64_t count)
{
    vf rescale[PANEL_VECTORS];
    bool rescales = false;
    const int vectors = (int)((state->lanes + W - 1) / W);
    for (int v = 0; v < vectors; v++) {
        float *scores = state->scores + v * W;
        vf top = state->top[v];
        for (int64_t j = 0; j < count; j++)
            top = larger(load(scores + j * LANES), top);
        rescale[v] = exp_lanes(state->top[v] - top);
        rescales = rescales || largest_lane(top - state->top[v]) > 0;
        state->total[v] = state->total[v] * rescale[v] +
                          (in_halves(block) ? weigh_in_halves(scores, top, count) : weigh(scores, top, count));
        state->top[v] = top;
    }
    for (int64_t i = 0; rescales && i < block->size; i++)
        for (int v = 0; v < vectors; v++)
            store(state->out + i * LANES + v * W, load(state->out + i * LANES + v * W) * rescale[v]);
}

/* Values of a tile, as rows or turned: [size][KEYS_AT_ONCE] in bf16. */
typedef struct tile_values {
    const float *rows;
    int64_t stride;
    uint16_t *turned;
} tile_values;

/* W values of 2 W keys: pairs of keys become lanes. Beyond `keys`, as beyond `values`, there are zeros. */
static void turn_values(uint16_t *turned, const float *rows, int64_t stride, int64_t keys, int64_t values)
{
    vf pairs[W];
    for (int64_t j = 0; j < W; j++) {
        vf even = {0}, odd = {0};
        if (2 * j < keys)
            even = values < W ? load_part(rows + 2 * j * stride, values) : load(rows + 2 * j * stride);
        if (2 * j + 1 < keys)
            odd = values < W ? load_part(rows + (2 * j + 1) * stride, values) : load(rows + (2 * j + 1) * stride);
        pairs[j] = pair_bf16(even, odd);
    }
    transpose(pairs);
    for (int64_t i = 0; i < W; i++)
        memcpy(turned + i * KEYS_AT_ONCE, &pairs[i], sizeof pairs[i]);
}

static void turn_tile(tile_values *values, int64_t size, int64_t count)
{
    for (int64_t i = 0; i < size; i += W)
        for (int64_t j = 0; j < count; j += 2 * W)
            turn_values(values->turned + i * KEYS_AT_ONCE + j, values->rows + j * values->stride + i, values->stride,
                        count - j, size - i);
}

/* out += values^T * weights */
static void add_values(tile_state *state, const pg_attention_block *block, const tile_values *values, int64_t count)
{
    if (in_halves(block))
        multiply_halves(state->out, values->turned, KEYS_AT_ONCE, block->size, state->scores, state->lanes, count,
                        false);
    else
        PG_SIMD(panel_product_strided)
    (state->out, LANES, values->rows, 1, values->stride, block->size, state->scores, state->lanes, count);
}

static void unpack_out(const tile_state *state, const pg_attention_block *block)
{
    float tops[LANES], totals[LANES], *rows = state->queries;
    for (int v = 0; v < PANEL_VECTORS; v++) {
        vf total = 1.0f / state->total[v];
        for (int64_t i = v * W; i < block->size * LANES; i += LANES)
            store(state->out + i, load(state->out + i) * total);
        store(totals + v * W, total);
        store(tops + v * W, state->top[v]);
    }
    PG_SIMD(unpack)(rows, block->size, state->out, LANES, state->lanes, block->size, NULL);
    for (int64_t lane = 0; lane < state->lanes; lane++) {
        int64_t l = state->first + lane;
        memcpy(block->out + lane_place(block, l), rows + lane * block->size, (size_t)block->size * sizeof *rows);
        if (block->log_sums)
            block->log_sums[l / block->group * block->sum_stride + l % block->group] = tops[lane] - logf(totals[lane]);
    }
}

static void start_panel(tile_state *state, const pg_attention_block *block, int64_t index, float *scratch,
                        float *scores)
{
    int64_t left = block->lanes - index * LANES, width = pg_attention_width(block->size);
    *state = (tile_state){.first = block->first + index * LANES,
                          .lanes = left < LANES ? left : LANES,
                          .queries = scratch,
                          .out = scratch + width * LANES,
                          .scores = scores};
    state->keys = pg_keys_seen(block, state->first + state->lanes - 1);
    for (int v = 0; v < PANEL_VECTORS; v++)
        state->top[v] = splat(-__builtin_inff());
    pack_queries(state, block);
    memset(state->out, 0, (size_t)(width * LANES) * sizeof *state->out);
}

void PG_SIMD(attend)(const pg_attention_block *block)
{
    int64_t width = pg_attention_width(block->size), room = pg_tile_room(block->size);
    int64_t panels = (block->lanes + LANES - 1) / LANES;
    tile_state states[PG_ATTENTION_PANELS];
    float *scores = block->scratch, *key_rows = scores + KEYS_AT_ONCE * LANES,
          *value_rows = key_rows + (KEYS_AT_ONCE + 1) * room, *turned = value_rows + KEYS_AT_ONCE * room,
          *rest = turned + KEYS_AT_ONCE / 2 * width;
    for (int64_t p = 0; p < panels; p++)
        start_panel(&states[p], block, p, rest + p * 2 * width * LANES, scores);
    int64_t keys = pg_keys_seen(block, block->first + block->lanes - 1);
#if defined(__AMX_BF16__)
    shape_matrices(MATRIX_ROWS, MATRIX_BYTES);
#endif
    for (int64_t first = 0; first < keys; first += KEYS_AT_ONCE) {
        int64_t most = pg_smaller(keys - first, KEYS_AT_ONCE), key_stride;
        const void *tile = tile_keys(block, first, most, key_rows, &key_stride);
        tile_values values = {.turned = (uint16_t *)turned};
        values.rows = pg_tile_rows(block, PG_TILE_VALUES, first, most, has_few(block), value_rows, PG_SIMD(widen),
                                   &values.stride);
        if (in_halves(block))
            turn_tile(&values, block->size, most);
        for (int64_t p = 0; p < panels; p++) {
            int64_t count = pg_smaller(states[p].keys - first, KEYS_AT_ONCE);
            if (count <= 0)
                continue;
            score_tile(&states[p], block, tile, key_stride, count);
            mask_scores(&states[p], block, first, count);
            update_softmax(&states[p], block, count);
            add_values(&states[p], block, &values, count);
        }
    }
#if defined(__AMX_BF16__)
    _tile_release();
#endif
    for (int64_t p = 0; p < panels; p++)
        unpack_out(&states[p], block);
}
