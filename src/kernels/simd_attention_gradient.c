/*
 * Attention on the way back (Dao et al. 2022, algorithm 4), in two passes, so that every derivative is summed by one
 * task in a fixed order: one over blocks of queries against tiles of keys, one over blocks of keys against tiles of
 * queries. Each computes the weights of its tile again from the scores and the forward pass's log_sums. As on the way
 * there, all products are the panel product: lanes are queries in the first pass and keys in the second.
 *
 *   weight = e^(score - log_sum), dscore = weight (dout . value - share), share = dout . out
 *   dquery = scale sum_keys dscore key, dkey = scale sum_queries dscore query, dvalue = sum_queries weight dout
 */
#include "kernels/attention_tile.h"
#include "kernels/simd_gradient.h"

#define TILE TILE_KEYS

/* Rows of a tile: where they lie, or gathered; `stride` floats apart. */
typedef struct tile_rows {
    const float *first, *second; /* keys and values, or queries and dout */
    int64_t stride;
} tile_rows;

typedef struct gradient_state {
    const pg_attention_gradient *block;
    float *first, *second;   /* panels of the block's own rows, the first one scaled: [size][LANES] */
    float *scores, *dscores; /* [TILE][LANES] */
    float *dfirst, *dsecond; /* [size][LANES] */
    float *gathered;         /* [2][TILE][size] */
} gradient_state;

static gradient_state start(const pg_attention_gradient *block)
{
    int64_t panel = block->size * LANES;
    gradient_state state = {.block = block, .first = block->scratch};
    state.second = state.first + panel;
    state.dfirst = state.second + panel;
    state.dsecond = state.dfirst + panel;
    state.scores = state.dsecond + panel;
    state.dscores = state.scores + TILE * LANES;
    state.gathered = state.dscores + TILE * LANES;
    memset(block->scratch, 0, (size_t)(4 * panel) * sizeof(float));
    return state;
}

/* The block's own rows as panels, the first ones scaled. */
static void pack_own(const gradient_state *state, const tile_rows *rows)
{
    const pg_attention_gradient *block = state->block;
    PG_SIMD(pack)(state->first, PG_PANEL_F32, rows->first, rows->stride, block->lanes, block->size);
    PG_SIMD(pack)(state->second, PG_PANEL_F32, rows->second, rows->stride, block->lanes, block->size);
    for (int64_t i = 0; i < block->size * LANES; i += W)
        store(state->first + i, load(state->first + i) * block->scale);
}

/* A panel of sums as rows [lanes][size], in the memory of gathered rows. */
static const float *unpack_sums(const gradient_state *state, const float *panel)
{
    const pg_attention_gradient *block = state->block;
    PG_SIMD(unpack)(state->gathered, block->size, panel, LANES, block->lanes, block->size, NULL);
    return state->gathered;
}

/* scores = rows * first panel, dscores = rows * second panel. */
static void multiply_tile(const gradient_state *state, const tile_rows *rows, int64_t count)
{
    int64_t size = state->block->size, lanes = state->block->lanes;
    memset(state->scores, 0, (size_t)(count * LANES) * sizeof(float));
    memset(state->dscores, 0, (size_t)(count * LANES) * sizeof(float));
    PG_SIMD(panel_product_strided)
    (state->scores, LANES, rows->first, rows->stride, 1, count, state->first, lanes, size);
    PG_SIMD(panel_product_strided)
    (state->dscores, LANES, rows->second, rows->stride, 1, count, state->second, lanes, size);
}

/* scores become weights and dscores derivatives of the scores, but for the scale. */
static void turn_back(float *scores, float *dscores, vf log_sums, vf shares)
{
    vf weight = exp_lanes(load(scores) - log_sums);
    store(scores, weight);
    store(dscores, weight * (load(dscores) - shares));
}

/* ---------------------------------------------------------------- rows */

/* Query lanes first .. first + count - 1. */
static tile_rows query_rows(const gradient_state *state, int64_t first, int64_t count)
{
    const pg_attention_gradient *block = state->block;
    int64_t size = block->size, at = pg_gradient_lane(block, first);
    if (block->group == 1 || block->query_stride == block->group * size)
        return (tile_rows){block->queries + at, block->dout + at, block->group == 1 ? block->query_stride : size};
    float *queries = state->gathered, *dout = queries + TILE * size;
    for (int64_t i = 0; i < count; i++) {
        at = pg_gradient_lane(block, first + i);
        memcpy(queries + i * size, block->queries + at, (size_t)size * sizeof *queries);
        memcpy(dout + i * size, block->dout + at, (size_t)size * sizeof *dout);
    }
    return (tile_rows){queries, dout, size};
}

/* Keys first .. first + count - 1, and their values. */
static tile_rows key_rows(const gradient_state *state, int64_t first, int64_t count)
{
    const pg_attention_gradient *block = state->block;
    int64_t j = first, size = block->size, stride = block->key_stride;
    const pg_gradient_span *span = pg_gradient_find(block, &j);
    if (j + count <= span->count)
        return (tile_rows){span->keys + j * stride, span->values + j * stride, stride};
    float *keys = state->gathered, *values = keys + TILE * size;
    for (int64_t i = 0; i < count; i++) {
        j = first + i;
        span = pg_gradient_find(block, &j);
        memcpy(keys + i * size, span->keys + j * stride, (size_t)size * sizeof *keys);
        memcpy(values + i * size, span->values + j * stride, (size_t)size * sizeof *values);
    }
    return (tile_rows){keys, values, size};
}

/* ---------------------------------------------------------------- queries */

/* Hides the keys first .. first + count - 1 from the lanes that do not see them. */
static void mask_keys(const gradient_state *state, int64_t first, int64_t count)
{
    const pg_attention_gradient *block = state->block;
    if (first + count <= pg_gradient_keys_seen(block, block->first))
        return;
    for (int64_t lane = 0; lane < block->lanes; lane++) {
        int64_t seen = pg_gradient_keys_seen(block, block->first + lane) - first;
        for (int64_t j = seen > 0 ? seen : 0; j < count; j++)
            state->scores[j * LANES + lane] = -__builtin_inff();
    }
}

void PG_SIMD(attend_queries_gradient)(const pg_attention_gradient *block)
{
    gradient_state state = start(block);
    float log_sums[LANES] = {0}, shares[LANES] = {0};
    tile_rows own = query_rows(&state, block->first, block->lanes);
    pack_own(&state, &own);
    for (int64_t lane = 0; lane < block->lanes; lane++) {
        int64_t sum = pg_gradient_sum(block, block->first + lane);
        log_sums[lane] = block->log_sums[sum];
        shares[lane] = block->shares[sum];
    }
    int64_t keys = pg_gradient_keys_seen(block, block->first + block->lanes - 1);
    for (int64_t first = 0; first < keys; first += TILE) {
        int64_t count = keys - first < TILE ? keys - first : TILE;
        tile_rows rows = key_rows(&state, first, count);
        multiply_tile(&state, &rows, count);
        mask_keys(&state, first, count);
        for (int64_t at = 0; at < count * LANES; at += W)
            turn_back(state.scores + at, state.dscores + at, load(log_sums + at % LANES), load(shares + at % LANES));
        PG_SIMD(panel_product_strided)
        (state.dfirst, LANES, rows.first, 1, rows.stride, block->size, state.dscores, block->lanes, count);
    }
    const float *sums = unpack_sums(&state, state.dfirst);
    for (int64_t lane = 0; lane < block->lanes; lane++)
        PG_SIMD(add_scaled)
    (block->dqueries + pg_gradient_lane(block, block->first + lane), sums + lane * block->size, block->scale,
     block->size);
}

/* ---------------------------------------------------------------- keys and values */

/* The weights of query lane l, row `row` of the tile. */
static void turn_row_back(const gradient_state *state, int64_t row, int64_t l)
{
    const pg_attention_gradient *block = state->block;
    float *scores = state->scores + row * LANES, *dscores = state->dscores + row * LANES;
    int64_t seen = pg_gradient_keys_seen(block, l) - block->first, sum = pg_gradient_sum(block, l);
    for (int64_t lane = seen > 0 ? seen : 0; lane < LANES; lane++)
        scores[lane] = -__builtin_inff();
    for (int64_t lane = 0; lane < LANES; lane += W)
        turn_back(scores + lane, dscores + lane, splat(block->log_sums[sum]), splat(block->shares[sum]));
}

/* Adds a panel of sums to the derivatives of the block's keys, or of their values. */
static void add_keys(const gradient_state *state, const float *panel, bool keys)
{
    const pg_attention_gradient *block = state->block;
    const float *sums = unpack_sums(state, panel);
    for (int64_t lane = 0; lane < block->lanes; lane++) {
        int64_t j = block->first + lane;
        const pg_gradient_span *span = pg_gradient_find(block, &j);
        float *to = (keys ? span->dkeys : span->dvalues) + j * block->key_stride;
        PG_SIMD(add_scaled)(to, sums + lane * block->size, keys ? block->scale : 1, block->size);
    }
}

void PG_SIMD(attend_keys_gradient)(const pg_attention_gradient *block)
{
    gradient_state state = start(block);
    int64_t size = block->size;
    tile_rows own = key_rows(&state, block->first, block->lanes);
    pack_own(&state, &own);
    int64_t blind = block->first < block->prefix || block->first < block->past ? 0 : block->first - block->past;
    for (int64_t first = blind * block->group; first < block->rows * block->group; first += TILE) {
        int64_t left = block->rows * block->group - first, count = left < TILE ? left : TILE;
        tile_rows rows = query_rows(&state, first, count);
        multiply_tile(&state, &rows, count);
        for (int64_t i = 0; i < count; i++)
            turn_row_back(&state, i, first + i);
        PG_SIMD(panel_product_strided)
        (state.dfirst, LANES, rows.first, 1, rows.stride, size, state.dscores, block->lanes, count);
        PG_SIMD(panel_product_strided)
        (state.dsecond, LANES, rows.second, 1, rows.stride, size, state.scores, block->lanes, count);
    }
    add_keys(&state, state.dfirst, true);
    add_keys(&state, state.dsecond, false);
}
