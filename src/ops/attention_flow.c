/*
 * What part rows have in a result, through an attention and back: n shares of query rows times the attention's weights
 * give n shares of key rows. Taken through all layers from the last to the first, with the shares themselves added for
 * the residual stream, this is attention rollout (Abnar and Zuidema 2020) and, with weights by gradient, the relevance
 * of Chefer, Gur and Wolf (2021), without any product of two whole matrices of weights.
 *
 * pg_attention never has its weights all at once. Here they are computed again, from q and k in f32, for PIECE query
 * rows at a time.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "kernels/gradient.h"
#include "ops/rows.h"

#define PIECE 64 /* query rows whose weights exist at a time */

typedef struct flow_run {
    const pg_context *g;
    const pg_attention_view *view;
    pg_attention_weights kind;
    const int64_t *rows; /* the query rows of the piece */
    float *weights;      /* [PIECE][keys]: mean over the heads */
    float *scratch;      /* of each worker: [2 * group][keys] */
    const pg_tensor *shares;
    pg_tensor *out;
    int64_t count; /* of rows */
} flow_run;

static const pg_segment *segment_of(const pg_batch *batch, int64_t row)
{
    const pg_segment *segment = batch->segments;
    while (row >= segment->first + segment->count)
        segment++;
    return segment;
}

/* How many keys, from its spans' first on, a row of the segment sees. */
static int64_t keys_seen(const pg_segment *segment, int64_t row)
{
    int64_t keys = 0;
    for (int i = 0; i < segment->span_count; i++)
        keys += segment->spans[i].count;
    int64_t causal = keys - segment->count + (row - segment->first) + 1;
    return causal > segment->prefix ? causal : segment->prefix;
}

/* The product of `group` rows x with each of the first `seen` rows of the spans, at key head `head`: [group][seen]. */
static void dot_spans(const flow_run *run, float *out, const pg_tensor *rows, const pg_segment *segment, int64_t head,
                      const float *x, int64_t seen)
{
    const pg_attention_view *v = run->view;
    int64_t size = v->q->width / v->heads, at = 0;
    for (int i = 0; i < segment->span_count && at < seen; i++) {
        int64_t count = segment->spans[i].count < seen - at ? segment->spans[i].count : seen - at;
        run->g->kernels->dot_rows(out + at, seen, pg_row(rows, segment->spans[i].first) + head * size, PG_F32,
                                  rows->width, count, x, size, v->heads / v->kv_heads, size);
        at += count;
    }
}

static void softmax(const pg_kernels *kernels, float *x, float scale, int64_t n)
{
    double sum = 0;
    float top = -INFINITY;
    kernels->scale(x, x, scale, n);
    for (int64_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    kernels->gradient->exp_shifted(x, x, top, 1, n);
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i];
    kernels->scale(x, x, (float)(1 / sum), n);
}

static void keep_positive_product(float *x, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] * y[i] > 0 ? x[i] * y[i] : 0;
}

/* Adds a head's weights, in the order of the spans, to the row of key rows. */
static void add_head(const flow_run *run, float *out, const pg_segment *segment, const float *weights, int64_t seen)
{
    int64_t at = 0;
    for (int i = 0; i < segment->span_count && at < seen; i++) {
        int64_t count = segment->spans[i].count < seen - at ? segment->spans[i].count : seen - at;
        float *to = out + segment->spans[i].first;
        run->g->kernels->gradient->add_scaled(to, weights + at, 1 / (float)run->view->heads, count);
        at += count;
    }
}

/* The weights of one query row. */
static void weigh_row(void *context, int64_t index, int worker)
{
    const flow_run *run = context;
    const pg_attention_view *v = run->view;
    int64_t row = run->rows[index], size = v->q->width / v->heads, group = v->heads / v->kv_heads;
    const pg_segment *segment = segment_of(v->batch, row);
    int64_t seen = keys_seen(segment, row);
    float *out = run->weights + index * v->k->rows, *a = run->scratch + worker * 2 * group * v->k->rows;
    float *da = a + group * v->k->rows;
    memset(out, 0, (size_t)v->k->rows * sizeof *out);
    for (int64_t head = 0; head < v->kv_heads; head++) {
        int64_t at = head * group * size;
        dot_spans(run, a, v->k, segment, head, pg_row(v->q, row) + at, seen);
        if (run->kind == PG_ATTENTION_BY_GRADIENT)
            dot_spans(run, da, v->v, segment, head, v->out->grad + row * v->out->width + at, seen);
        for (int64_t h = 0; h < group; h++) {
            softmax(run->g->kernels, a + h * seen, 1 / sqrtf((float)size), seen);
            if (run->kind == PG_ATTENTION_BY_GRADIENT)
                keep_positive_product(a + h * seen, da + h * seen, seen);
            add_head(run, out, segment, a + h * seen, seen);
        }
    }
}

/* out += shares weights, over the rows of the piece. */
static void flow_columns(void *context, int64_t first, int64_t count)
{
    const flow_run *run = context;
    int64_t keys = run->view->k->rows;
    for (int64_t n = 0; n < run->shares->rows; n++)
        for (int64_t i = 0; i < run->count; i++)
            run->g->kernels->gradient->add_scaled(pg_row(run->out, n) + first, run->weights + i * keys + first,
                                                  pg_row(run->shares, n)[run->rows[i]], count);
}

/* Query rows from *next on that have a part in any result, up to PIECE of them. */
static int64_t next_rows(int64_t rows[PIECE], int64_t *next, const pg_tensor *shares)
{
    int64_t count = 0;
    for (; *next < shares->width && count < PIECE; ++*next) {
        bool used = false;
        for (int64_t n = 0; n < shares->rows && !used; n++)
            used = pg_row(shares, n)[*next] != 0;
        if (used)
            rows[count++] = *next;
    }
    return count;
}

pg_tensor *pg_attention_flow(pg_context *g, const pg_attention_view *view, const pg_tensor *shares,
                             pg_attention_weights weights)
{
    PG_PROFILE(g, "attention flow", NULL);
    if (!pg_host_only(g, "attention_flow"))
        return NULL;
    int64_t keys = view->k->rows, rows[PIECE], next = 0;
    pg_tensor *out = shares ? pg_tensor_new(g, shares->rows, keys) : NULL;
    if (!out)
        return NULL;
    assert(view->k->dtype == PG_F32 && shares->width == view->q->rows);
    assert(weights == PG_ATTENTION_PLAIN || view->out->grad);
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    size_t scratch = (size_t)(g->threads * 2 * (view->heads / view->kv_heads) * keys);
    flow_run run = {.g = g, .view = view, .kind = weights, .rows = rows, .shares = shares, .out = out};
    run.weights = pg_scratch(g, (size_t)(PIECE * keys) * sizeof *run.weights);
    run.scratch = pg_scratch(g, scratch * sizeof *run.scratch);
    memset(out->data, 0, (size_t)(out->rows * out->width) * sizeof(float));
    while (g->status == PG_OK && (run.count = next_rows(rows, &next, shares)) > 0) {
        pg_parallel(g->threads, run.count, weigh_row, &run);
        pg_each_columns(g, keys, flow_columns, &run);
    }
    pg_arena_release(&g->arena, mark);
    return g->status == PG_OK ? out : NULL;
}
