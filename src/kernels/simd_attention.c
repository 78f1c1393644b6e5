/*
 * Attention of one block of lanes, tile by tile of keys, with a running softmax (Milakov and Gimelshein 2018; Dao et
 * al. 2022): nothing is kept per pair of query and key beyond one tile. A lane is one query row and head, so the
 * softmax needs no sums across lanes, and both products are the panel product: scores = keys * queries, out = values^T
 * * weights.
 *
 * A block has several panels of lanes, which use each tile of keys and values while it is at hand.
 *
 * Tiles start at multiples of TILE_KEYS of the sequence, whatever its spans, so a result does not depend on where rows
 * lie.
 */
#include <math.h>

#include "kernels/attention_tile.h"
#include "kernels/simd.h"

/* A panel of lanes. */
typedef struct tile_state {
    int64_t first, lanes; /* as in the block */
    int64_t keys;         /* that its last lane sees */
    float *queries;       /* a panel of [size][LANES], scaled */
    float *out;           /* [size][LANES] */
    float *scores;        /* [TILE_KEYS][LANES], of all panels in turn */
    vf top[PANEL_VECTORS], total[PANEL_VECTORS];
} tile_state;

static void pack_queries(tile_state *state, const pg_attention_block *block)
{
    float *single = state->queries;
    uint16_t *half = (uint16_t *)state->queries;
    for (int64_t lane = 0; lane < LANES; lane++) {
        int64_t l = state->first + (lane < state->lanes ? lane : 0); /* lanes without a query repeat the first one */
        const float *query = block->queries + l / block->group * block->query_stride + l % block->group * block->size;
        if (block->panel == PG_PANEL_F32)
            for (int64_t i = 0; i < block->size; i++)
                single[i * LANES + lane] = query[i] * block->scale;
        else
            for (int64_t i = 0; i < pg_even(block->size); i++)
                half[(i / 2 * LANES + lane) * 2 + i % 2] = i < block->size ? round_bf16(query[i] * block->scale) : 0;
    }
}

/* The keys of a tile in the panel's type, and elements from row to row. */
static const void *tile_keys(const pg_attention_block *block, int64_t first, int64_t count, float *scratch,
                             int64_t *stride)
{
    if (block->panel == PG_PANEL_F32)
        return pg_tile_rows(block, PG_TILE_KEYS, first, count, scratch, PG_SIMD(widen), stride);
    return pg_tile_keys_bf16(block, first, count, scratch, &PG_SIMD(kernels), stride);
}

/* scores = keys * queries for one tile. */
static void score_tile(tile_state *state, const pg_attention_block *block, const void *keys, int64_t stride,
                       int64_t count)
{
    memset(state->scores, 0, (size_t)(count * LANES) * sizeof *state->scores);
    if (block->panel == PG_PANEL_F32) {
        PG_SIMD(panel_product_f32)
        (state->scores, LANES, keys, stride, count, state->queries, state->lanes, block->size, NULL);
    } else {
        PG_SIMD(panel_product_bf16)
        (state->scores, LANES, keys, stride, count, state->queries, state->lanes, pg_even(block->size), NULL);
    }
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

/* Turns the tile's scores into weights and rescales what was summed so far. Every lane sees key 0, so `top` is finite.
 */
static void update_softmax(tile_state *state, int64_t size, int64_t count)
{
    vf rescale[PANEL_VECTORS];
    for (int v = 0; v < PANEL_VECTORS; v++) {
        float *scores = state->scores + v * W;
        vf top = state->top[v], sum = {0};
        for (int64_t j = 0; j < count; j++)
            top = larger(load(scores + j * LANES), top);
        for (int64_t j = 0; j < count; j++) {
            vf weight = exp_lanes(load(scores + j * LANES) - top);
            sum += weight;
            store(scores + j * LANES, weight);
        }
        rescale[v] = exp_lanes(state->top[v] - top);
        state->total[v] = state->total[v] * rescale[v] + sum;
        state->top[v] = top;
    }
    for (int64_t i = 0; i < size; i++)
        for (int v = 0; v < PANEL_VECTORS; v++)
            store(state->out + i * LANES + v * W, load(state->out + i * LANES + v * W) * rescale[v]);
}

static void unpack_out(const tile_state *state, const pg_attention_block *block)
{
    float totals[LANES], tops[LANES];
    for (int v = 0; v < PANEL_VECTORS; v++) {
        store(totals + v * W, 1.0f / state->total[v]);
        store(tops + v * W, state->top[v]);
    }
    for (int64_t lane = 0; lane < state->lanes; lane++) {
        int64_t l = state->first + lane;
        float *out = block->out + l / block->group * block->query_stride + l % block->group * block->size;
        for (int64_t i = 0; i < block->size; i++)
            out[i] = state->out[i * LANES + lane] * totals[lane];
        if (block->log_sums)
            block->log_sums[l / block->group * block->sum_stride + l % block->group] = tops[lane] - logf(totals[lane]);
    }
}

static void start_panel(tile_state *state, const pg_attention_block *block, int64_t index, float *scratch,
                        float *scores)
{
    int64_t left = block->lanes - index * LANES, size = block->size;
    *state = (tile_state){.first = block->first + index * LANES,
                          .lanes = left < LANES ? left : LANES,
                          .queries = scratch,
                          .out = scratch + pg_even(size) * LANES,
                          .scores = scores};
    state->keys = pg_keys_seen(block, state->first + state->lanes - 1);
    for (int v = 0; v < PANEL_VECTORS; v++)
        state->top[v] = splat(-__builtin_inff());
    memset(state->out, 0, (size_t)(size * LANES) * sizeof *state->out);
    pack_queries(state, block);
}

void PG_SIMD(attend)(const pg_attention_block *block)
{
    int64_t size = block->size, panels = (block->lanes + LANES - 1) / LANES;
    tile_state states[PG_ATTENTION_PANELS];
    float *scores = block->scratch, *key_rows = scores + TILE_KEYS * LANES,
          *value_rows = key_rows + (TILE_KEYS + 1) * pg_even(size), *rest = value_rows + TILE_KEYS * size;
    for (int64_t p = 0; p < panels; p++)
        start_panel(&states[p], block, p, rest + p * (pg_even(size) + size) * LANES, scores);
    int64_t keys = states[panels - 1].keys;
    for (int64_t first = 0; first < keys; first += TILE_KEYS) {
        int64_t most = pg_smaller(keys - first, TILE_KEYS), key_stride, value_stride;
        const void *tile = tile_keys(block, first, most, key_rows, &key_stride);
        const float *values =
            pg_tile_rows(block, PG_TILE_VALUES, first, most, value_rows, PG_SIMD(widen), &value_stride);
        for (int64_t p = 0; p < panels; p++) {
            int64_t count = pg_smaller(states[p].keys - first, TILE_KEYS);
            if (count <= 0)
                continue;
            score_tile(&states[p], block, tile, key_stride, count);
            mask_scores(&states[p], block, first, count);
            update_softmax(&states[p], size, count);
            PG_SIMD(panel_product_strided)
            (states[p].out, LANES, values, 1, value_stride, size, scores, states[p].lanes, count);
        }
    }
    for (int64_t p = 0; p < panels; p++)
        unpack_out(&states[p], block);
}
