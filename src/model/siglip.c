#include "model/siglip.h"

#include "ops/ops.h"

/* `count` sequences of `rows` rows each, every row seeing its whole sequence. */
static pg_batch equal_sequences(pg_context *g, int64_t count, int64_t rows)
{
    pg_segment *segments = pg_scratch(g, (size_t)count * sizeof *segments);
    for (int64_t i = 0; segments && i < count; i++)
        segments[i] = (pg_segment){
            .first = i * rows, .count = rows, .prefix = rows, .spans = {{i * rows, rows}}, .span_count = 1};
    return (pg_batch){.rows = count * rows, .segments = segments, .segment_count = segments ? (size_t)count : 0};
}

static pg_tensor *mix(pg_context *g, const pg_siglip_layer *w, pg_tensor *q, pg_tensor *k, pg_tensor *v, int64_t heads,
                      const pg_batch *batch)
{
    return pg_linear(g, pg_attention(g, q, k, v, heads, heads, batch), &w->out, &w->out_bias);
}

static pg_tensor *attention(pg_context *g, const pg_siglip_layer *w, pg_tensor *x, int64_t heads, const pg_batch *batch)
{
    pg_tensor *q = pg_linear(g, x, &w->q, &w->q_bias);
    pg_tensor *k = pg_linear(g, x, &w->k, &w->k_bias);
    pg_tensor *v = pg_linear(g, x, &w->v, &w->v_bias);
    return mix(g, w, q, k, v, heads, batch);
}

static pg_tensor *mlp(pg_context *g, pg_tensor *x, const pg_parameter *fc1, const pg_parameter *fc1_bias,
                      const pg_parameter *fc2, const pg_parameter *fc2_bias)
{
    return pg_linear(g, pg_gelu(g, pg_linear(g, x, fc1, fc1_bias)), fc2, fc2_bias);
}

/* The layer behind its attention. */
static pg_tensor *finish_layer(pg_context *g, const pg_siglip_config *c, const pg_siglip_layer *w, pg_tensor *x,
                               pg_tensor *attended)
{
    x = pg_add(g, x, attended);
    pg_tensor *normed = pg_layernorm(g, x, &w->norm2, &w->norm2_bias, c->epsilon);
    return pg_add(g, x, mlp(g, normed, &w->fc1, &w->fc1_bias, &w->fc2, &w->fc2_bias));
}

/* Which layer, and what it works with. */
typedef struct layer_arguments {
    const pg_siglip_config *config;
    const pg_siglip_layer *weights;
    pg_batch batch;
} layer_arguments;

static pg_tensor *forward_layer(pg_context *g, const void *arguments, pg_tensor *x)
{
    const layer_arguments *a = arguments;
    const pg_siglip_config *c = a->config;
    const pg_siglip_layer *w = a->weights;
    pg_tensor *normed = pg_layernorm(g, x, &w->norm1, &w->norm1_bias, c->epsilon);
    return finish_layer(g, c, w, x, attention(g, w, normed, c->heads, &a->batch));
}

void pg_siglip_layer_keys(pg_context *g, const pg_siglip_vision *model, int64_t layer, pg_tensor *x,
                          const pg_keys *keys, const int64_t *slots)
{
    const pg_siglip_layer *w = &model->layers[layer];
    pg_tensor *normed = pg_layernorm(g, x, &w->norm1, &w->norm1_bias, model->config.epsilon);
    pg_store_rows(g, &keys->keys, slots, pg_linear(g, normed, &w->k, &w->k_bias));
    pg_store_rows(g, &keys->values, slots, pg_linear(g, normed, &w->v, &w->v_bias));
}

pg_tensor *pg_siglip_layer_rows(pg_context *g, const pg_siglip_vision *model, int64_t layer, pg_tensor *x,
                                const pg_keys *keys, const pg_batch *queries)
{
    const pg_siglip_config *c = &model->config;
    const pg_siglip_layer *w = &model->layers[layer];
    pg_tensor k = keys->keys, v = keys->values;
    pg_tensor *q = pg_linear(g, pg_layernorm(g, x, &w->norm1, &w->norm1_bias, c->epsilon), &w->q, &w->q_bias);
    return finish_layer(g, c, w, x, mix(g, w, q, &k, &v, c->heads, queries));
}

static pg_tensor *forward_layers(pg_context *g, const pg_siglip_config *c, const pg_siglip_layer *layers, pg_tensor *x,
                                 const pg_batch *batch, const char *trace_name)
{
    pg_batch placed = *batch;
    pg_batch_place(g, &placed);
    pg_arena_mark scope = pg_scope_begin(g);
    for (int64_t i = 0; i < c->layers; i++) {
        layer_arguments layer = {c, &layers[i], placed};
        x = pg_run_block(g, scope, forward_layer, &layer, sizeof layer, x);
        pg_trace_tensor(g, x, "%s.layer.%d", trace_name, (int)i);
    }
    return x;
}

/* Rows first .. first + rows - 1 of a weight: a third of the packed q, k and v, or positions from the first on. */
static pg_parameter weight_rows(const pg_parameter *w, int64_t first, int64_t rows)
{
    size_t row_bytes = (size_t)(w->rows == 1 ? 1 : w->width) * pg_dtype_size(w->dtype);
    pg_parameter part = *w;
    if (w->grad)
        part.grad = w->grad + first * (w->rows == 1 ? 1 : w->width);
    part.data = (const char *)w->data + (size_t)first * row_bytes;
    if (w->rows == 1)
        part.width = rows;
    else
        part.rows = rows;
    return part;
}

pg_tensor *pg_siglip_vision_begin(pg_context *g, const pg_siglip_vision *model, pg_tensor *patches, int64_t first)
{
    pg_parameter from = weight_rows(&model->position, first, model->position.rows - first);
    const pg_parameter *positions = first ? &from : &model->position;
    return pg_add_positions(g, pg_linear(g, patches, &model->patch, &model->patch_bias), positions);
}

pg_tensor *pg_siglip_vision_end(pg_context *g, const pg_siglip_vision *model, pg_tensor *x)
{
    return pg_layernorm(g, x, &model->post_norm, &model->post_norm_bias, model->config.epsilon);
}

pg_tensor *pg_siglip_vision_forward(pg_context *g, const pg_siglip_vision *model, const float *pixels, int64_t count)
{
    const pg_siglip_config *c = &model->config;
    pg_batch batch = equal_sequences(g, count, pg_config_patches(c));
    pg_tensor *patches = pg_patches(g, pixels, count, c->channels, c->side, c->patch); /* [count P, 3 p p] */
    pg_tensor *x = pg_trace_tensor(g, pg_siglip_vision_begin(g, model, patches, 0), "vision.embeddings");
    x = forward_layers(g, c, model->layers, x, &batch, "vision");
    return pg_trace_tensor(g, pg_siglip_vision_end(g, model, x), "vision.output");
}

pg_tensor *pg_siglip_pool(pg_context *g, const pg_siglip_vision *model, pg_tensor *hidden, int64_t count)
{
    const pg_siglip_config *c = &model->config;
    const pg_siglip_head *w = &model->head;
    pg_parameter in[3], bias[3];
    for (int i = 0; i < 3; i++) {
        in[i] = weight_rows(&w->in, i * c->width, c->width);
        bias[i] = weight_rows(&w->in_bias, i * c->width, c->width);
    }
    pg_batch batch = equal_sequences(g, count, 1); /* one query, the probe, over the patches of each picture */
    int32_t *zeros = pg_scratch(g, (size_t)count * sizeof *zeros);
    if (g->status != PG_OK || !hidden)
        return NULL;
    int64_t patches = hidden->rows / count;
    for (int64_t i = 0; i < count; i++) {
        zeros[i] = 0;
        ((pg_segment *)batch.segments)[i].spans[0] = (pg_span){i * patches, patches};
        ((pg_segment *)batch.segments)[i].prefix = patches;
    }
    pg_tensor *q = pg_linear(g, pg_embed(g, &w->probe, zeros, count, 1, count), &in[0], &bias[0]); /* [count, D] */
    pg_tensor *k = pg_linear(g, hidden, &in[1], &bias[1]);
    pg_tensor *v = pg_linear(g, hidden, &in[2], &bias[2]);
    pg_tensor *x = pg_linear(g, pg_attention(g, q, k, v, c->heads, c->heads, &batch), &w->out, &w->out_bias);
    pg_tensor *normed = pg_layernorm(g, x, &w->norm, &w->norm_bias, c->epsilon);
    x = pg_add(g, x, mlp(g, normed, &w->fc1, &w->fc1_bias, &w->fc2, &w->fc2_bias));
    return pg_trace_tensor(g, x, "features");
}

pg_tensor *pg_siglip_words_forward(pg_context *g, const pg_siglip_words *model, const int32_t *ids, int64_t count)
{
    const pg_siglip_config *c = &model->config;
    pg_batch batch = equal_sequences(g, count, c->context);
    int64_t *last = pg_scratch(g, (size_t)count * sizeof *last);
    if (!last)
        return NULL;
    for (int64_t i = 0; i < count; i++)
        last[i] = (i + 1) * c->context - 1;
    pg_tensor *x = pg_embed(g, &model->token, ids, count * c->context, 1, 0);
    x = forward_layers(g, c, model->layers, pg_add_positions(g, x, &model->position), &batch, "words");
    x = pg_trace_tensor(g, pg_layernorm(g, x, &model->norm, &model->norm_bias, c->epsilon), "words.output");
    x = pg_linear(g, pg_take_rows(g, x, last, count), &model->head, &model->head_bias);
    return pg_trace_tensor(g, x, "words.features");
}
