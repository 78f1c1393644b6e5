#include "model/gemma.h"

#include <math.h>

#include "ops/ops.h"

/* In bf16 the reference holds the factor in bf16 too: 45.25 instead of 45.2548 for a width of 2048. */
static double embedding_scale(const pg_context *g, int64_t width)
{
    float scale = (float)sqrt((double)width);
    return g->compute == PG_COMPUTE_BF16 ? pg_bf16_to_float(pg_bf16_from_float(scale)) : scale;
}

pg_tensor *pg_gemma_embed(pg_context *g, const pg_gemma *model, const int32_t *ids, int64_t count, int64_t single)
{
    return pg_embed(g, &model->embed, ids, count, embedding_scale(g, model->config.width), single);
}

/* The batch whose queries are the wanted rows only: each a segment of its own over the keys that it sees. */
static pg_batch wanted_queries(pg_context *g, const pg_batch *batch)
{
    pg_batch queries = *batch;
    pg_segment *segments = pg_scratch(g, (size_t)batch->wanted_count * sizeof *segments);
    const pg_segment *from = batch->segments;
    for (int64_t i = 0; segments && i < batch->wanted_count; i++) {
        while (batch->wanted[i] >= from->first + from->count)
            from++;
        segments[i] = pg_segment_of_rows(from, batch->wanted[i] - from->first, 1, i);
    }
    queries.rows = batch->wanted_count;
    queries.segments = segments;
    queries.segment_count = segments ? (size_t)batch->wanted_count : 0;
    queries.positions = NULL; /* nobody asks for those of queries, nor where their keys go */
    queries.slots = NULL;
    queries.placed = (pg_placed_batch){0};
    pg_batch_place(g, &queries);
    return queries;
}

/* Those rows of x that are asked for. They stay what they were, rows of prompts. */
static pg_tensor *take(pg_context *g, pg_tensor *x, const pg_batch *queries)
{
    if (!queries->wanted)
        return x;
    pg_tensor *rows = pg_take_rows(g, x, queries->wanted, queries->wanted_count);
    if (rows)
        rows->single = 0;
    return rows;
}

/* A query, key or value of every row: [T, heads E]. */
static pg_tensor *turned(pg_context *g, pg_tensor *x, const pg_parameter *w, pg_tensor *angles)
{
    return pg_rope(g, pg_linear(g, x, w, NULL), angles);
}

static pg_tensor *mix(pg_context *g, const pg_gemma *model, int64_t layer, pg_tensor *q, pg_tensor *k, pg_tensor *v,
                      const pg_batch *queries)
{
    const pg_gemma_config *c = &model->config;
    return pg_linear(g, pg_attention(g, q, k, v, c->heads, c->kv_heads, queries), &model->layers[layer].o, NULL);
}

static pg_tensor *mix_cached(pg_context *g, const pg_gemma *model, int64_t layer, pg_tensor *q, const pg_batch *queries,
                             const pg_cache *cache)
{
    pg_tensor keys = pg_cache_keys(cache, layer), values = pg_cache_values(cache, layer);
    return mix(g, model, layer, q, &keys, &values, queries);
}

static void store(pg_context *g, const pg_cache *cache, int64_t layer, const int64_t *slots, const pg_tensor *k,
                  const pg_tensor *v)
{
    pg_tensor keys = pg_cache_keys(cache, layer), values = pg_cache_values(cache, layer);
    pg_store_rows(g, &keys, slots, k);
    pg_store_rows(g, &values, slots, v);
}

static pg_tensor *attention(pg_context *g, const pg_gemma *model, int64_t layer, pg_tensor *x, pg_tensor *angles,
                            const pg_batch *batch, const pg_batch *queries, const pg_cache *cache)
{
    const pg_gemma_layer *w = &model->layers[layer];
    pg_tensor *qkv[3], *from[] = {take(g, x, queries), x, x};
    pg_linears(g, qkv, from, (const pg_parameter *const[]){&w->q, &w->k, &w->v}, 3);
    pg_tensor *q = pg_rope(g, qkv[0], take(g, angles, queries)), *k = pg_rope(g, qkv[1], angles), *v = qkv[2];
    if (!cache)
        return mix(g, model, layer, q, k, v, queries);
    store(g, cache, layer, batch->slots, k, v);
    return mix_cached(g, model, layer, q, queries, cache);
}

/* The layer behind its attention. */
static pg_tensor *finish_layer(pg_context *g, const pg_gemma *model, int64_t layer, pg_tensor *x, pg_tensor *attended)
{
    const pg_gemma_layer *w = &model->layers[layer];
    x = pg_add(g, x, pg_residual_dropout(g, attended, w->o.name));
    pg_tensor *normed = pg_rmsnorm(g, x, &w->post_norm, model->config.epsilon);
    pg_tensor *mlp = pg_gated_mlp(g, normed, &w->gate, &w->up, &w->down);
    return pg_add(g, x, pg_residual_dropout(g, mlp, w->down.name));
}

/* Which layer, and what it works with. */
typedef struct layer_arguments {
    const pg_gemma *model;
    int64_t layer;
    pg_tensor *angles;
    pg_batch batch, queries; /* queries: of the rows that are wanted behind the layer */
    const pg_cache *cache;
} layer_arguments;

static pg_tensor *forward_layer(pg_context *g, const void *arguments, pg_tensor *x)
{
    const layer_arguments *a = arguments;
    pg_tensor *normed = pg_rmsnorm(g, x, &a->model->layers[a->layer].input_norm, a->model->config.epsilon);
    pg_tensor *attended = attention(g, a->model, a->layer, normed, a->angles, &a->batch, &a->queries, a->cache);
    return finish_layer(g, a->model, a->layer, take(g, x, &a->queries), attended);
}

void pg_gemma_layer_keys(pg_context *g, const pg_gemma *model, int64_t layer, pg_tensor *x, pg_tensor *angles,
                         const int64_t *slots, const pg_cache *cache)
{
    const pg_gemma_layer *w = &model->layers[layer];
    pg_tensor *normed = pg_rmsnorm(g, x, &w->input_norm, model->config.epsilon);
    pg_tensor *k = turned(g, normed, &w->k, angles);
    store(g, cache, layer, slots, k, pg_linear(g, normed, &w->v, NULL));
}

pg_tensor *pg_gemma_layer_rows(pg_context *g, const pg_gemma *model, int64_t layer, pg_tensor *x, pg_tensor *angles,
                               const pg_batch *queries, const pg_cache *cache)
{
    const pg_gemma_layer *w = &model->layers[layer];
    pg_tensor *q = turned(g, pg_rmsnorm(g, x, &w->input_norm, model->config.epsilon), &w->q, angles);
    return finish_layer(g, model, layer, x, mix_cached(g, model, layer, q, queries, cache));
}

pg_tensor *pg_gemma_angles(pg_context *g, const pg_gemma *model, const int32_t *positions, int64_t count)
{
    return pg_rope_angles(g, positions, count, model->config.size, model->config.theta);
}

pg_tensor *pg_gemma_end(pg_context *g, const pg_gemma *model, pg_tensor *x)
{
    return pg_rmsnorm(g, x, &model->norm, model->config.epsilon);
}

pg_tensor *pg_gemma_forward(pg_context *g, const pg_gemma *model, pg_tensor *x, const pg_batch *batch,
                            const pg_cache *cache)
{
    pg_trace_tensor(g, x, "text.input");
    pg_batch all = *batch;
    pg_batch_place(g, &all);
    pg_tensor *angles = pg_gemma_angles(g, model, all.positions, all.rows);
    pg_batch last = all.wanted ? wanted_queries(g, &all) : all;
    all.wanted = NULL;
    pg_arena_mark scope = pg_scope_begin(g);
    for (int64_t i = 0; i < model->config.layers; i++) {
        layer_arguments layer = {model, i, angles, all, i + 1 < model->config.layers ? all : last, cache};
        x = pg_run_block(g, scope, forward_layer, &layer, sizeof layer, x);
        pg_trace_tensor(g, x, "text.layer.%d", (int)i);
    }
    return pg_trace_tensor(g, pg_gemma_end(g, model, x), "text.norm");
}

pg_tensor *pg_gemma_logits(pg_context *g, const pg_gemma *model, pg_tensor *x)
{
    return pg_linear(g, x, &model->output, NULL);
}
