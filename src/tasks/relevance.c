#include "tasks/relevance.h"

#include <string.h>

/* What pg_attention_flow needs of an attention that has gone by. */
typedef struct pg_kept_attention {
    pg_tensor q, k;
    pg_segment *segments;
    pg_batch batch;
    int64_t heads, kv_heads;
} pg_kept_attention;

pg_status pg_relevance_start(pg_relevance *r, const int64_t *rows, int64_t results, int64_t width)
{
    pg_free(r->shares);
    pg_free(r->own);
    pg_free(r->pictures);
    r->results = results;
    r->width = width;
    r->passed = 0;
    r->shares = pg_alloc((size_t)(results * width), sizeof *r->shares);
    r->own = pg_alloc((size_t)results, sizeof *r->own);
    r->pictures = pg_alloc((size_t)results, sizeof *r->pictures);
    if (!r->shares || !r->own || !r->pictures)
        return PG_ERROR_MEMORY;
    for (int64_t n = 0; n < results; n++) {
        r->own[n] = rows[n];
        r->shares[n * width + rows[n]] = 1;
    }
    return PG_OK;
}

static void free_kept(pg_relevance *r)
{
    for (size_t i = 0; i < r->kept_count; i++) {
        pg_free(r->kept[i].q.data);
        pg_free(r->kept[i].k.data);
        pg_free(r->kept[i].segments);
    }
    pg_free(r->kept);
    r->kept = NULL;
    r->kept_count = r->kept_capacity = 0;
}

void pg_relevance_free(pg_relevance *r)
{
    free_kept(r);
    pg_free(r->shares);
    pg_free(r->own);
    pg_free(r->pictures);
    r->shares = NULL;
    r->own = NULL;
    r->pictures = NULL;
}

/* ---------------------------------------------------------------- going back */

/* From the decoder's rows to those of the pictures. */
static void enter_pictures(pg_relevance *r)
{
    for (int64_t n = 0; n < r->results; n++) {
        const float *from = r->shares + n * r->width;
        float *to = r->shares + n * r->column_count; /* not behind `from`, and columns ascend */
        double elsewhere = 0, pictures = 0;
        for (int64_t i = 0; i < r->width; i++)
            elsewhere += i != r->own[n] ? (double)from[i] : 0;
        for (int64_t c = 0; c < r->column_count; c++) {
            to[c] = from[r->columns[c]];
            pictures += (double)to[c];
        }
        r->pictures[n] = elsewhere > 0 ? pictures / elsewhere : 0;
    }
    r->width = r->column_count;
}

static void replace_shares(pg_relevance *r, pg_context *g, const pg_tensor *next)
{
    size_t count = (size_t)(next->rows * next->width);
    float *shares = pg_alloc(count, sizeof *shares);
    if (!shares) {
        g->status = PG_ERROR_MEMORY;
        return;
    }
    memcpy(shares, next->data, count * sizeof *shares);
    pg_free(r->shares);
    r->shares = shares;
    r->width = next->width;
}

static pg_tensor view_shares(const pg_relevance *r)
{
    return (pg_tensor){.dtype = PG_F32, .rows = r->results, .width = r->width, .data = r->shares};
}

/* Rollout's (A + 1) / 2 is A + 1 here, as Chefer's rule has it: the halves are the same for all and go with the sum in
 * pg_relevance_map. A query that is no row of the sequence itself, such as SigLIP's probe, has no residual stream. */
static void pass(pg_relevance *r, pg_context *g, const pg_attention_view *view)
{
    bool gradient = r->method == PG_EXPLAIN_GRADIENT;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    pg_tensor shares = view_shares(r);
    pg_tensor *next = pg_attention_flow(g, view, &shares, gradient ? PG_ATTENTION_BY_GRADIENT : PG_ATTENTION_PLAIN);
    if (view->q->rows == view->k->rows)
        next = pg_add(g, next, &shares);
    if (next)
        replace_shares(r, g, next);
    pg_arena_release(&g->arena, mark);
    if (g->status == PG_OK && ++r->passed == r->joint)
        enter_pictures(r);
}

/* ---------------------------------------------------------------- what a forward pass shows */

static float *copy_floats(const pg_tensor *x)
{
    size_t count = (size_t)(x->rows * x->width);
    float *copy = pg_alloc(count, sizeof *copy);
    return copy ? memcpy(copy, x->data, count * sizeof *copy) : NULL;
}

static pg_status keep(pg_relevance *r, const pg_attention_view *view)
{
    PG_TRY(pg_grow((void **)&r->kept, &r->kept_capacity, r->kept_count + 1, sizeof *r->kept));
    pg_kept_attention *kept = &r->kept[r->kept_count++];
    size_t segments = view->batch->segment_count * sizeof *view->batch->segments;
    *kept = (pg_kept_attention){*view->q, *view->k, pg_alloc(1, segments), *view->batch, view->heads, view->kv_heads};
    kept->q.data = copy_floats(view->q);
    kept->k.data = copy_floats(view->k);
    kept->batch.segments = kept->segments;
    if (!kept->q.data || !kept->k.data || !kept->segments)
        return PG_ERROR_MEMORY;
    memcpy(kept->segments, view->batch->segments, segments);
    return PG_OK;
}

/* Whether the next attention counts: all do in rollout, the decoder's last ones in plain attention. */
static bool counts(pg_relevance *r)
{
    int64_t index = r->passed++;
    return r->method != PG_EXPLAIN_ATTENTION || r->joint == 0 || index >= r->joint - r->layers;
}

void pg_relevance_see(void *relevance, pg_context *g, const pg_attention_view *view)
{
    pg_relevance *r = relevance;
    bool gradient = r->method == PG_EXPLAIN_GRADIENT;
    if (gradient && view->back)
        pass(r, g, view);
    else if (!gradient && !view->back && counts(r))
        g->status = keep(r, view);
}

static pg_attention_view view_kept(const pg_kept_attention *kept)
{
    return (pg_attention_view){
        .q = &kept->q, .k = &kept->k, .heads = kept->heads, .kv_heads = kept->kv_heads, .batch = &kept->batch};
}

/* The sum of what the kept attentions give to the rows. */
static void add_attentions(pg_relevance *r, pg_context *g)
{
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    pg_tensor shares = view_shares(r), *sum = NULL;
    for (size_t i = 0; i < r->kept_count && g->status == PG_OK; i++) {
        pg_attention_view view = view_kept(&r->kept[i]);
        pg_tensor *flow = pg_attention_flow(g, &view, &shares, PG_ATTENTION_PLAIN);
        sum = sum ? pg_add(g, sum, flow) : flow;
    }
    if (sum && g->status == PG_OK)
        replace_shares(r, g, sum);
    pg_arena_release(&g->arena, mark);
    if (g->status == PG_OK && r->joint)
        enter_pictures(r);
}

void pg_relevance_run(pg_relevance *r, pg_context *g)
{
    r->passed = 0;
    if (r->method == PG_EXPLAIN_ATTENTION)
        add_attentions(r, g);
    for (size_t i = r->kept_count; r->method == PG_EXPLAIN_ROLLOUT && i-- > 0 && g->status == PG_OK;) {
        pg_attention_view view = view_kept(&r->kept[i]);
        pass(r, g, &view);
    }
    free_kept(r);
}

void pg_relevance_map(float *map, const pg_relevance *r, int64_t result)
{
    const float *shares = r->shares + result * r->width;
    double sum = 0;
    for (int64_t i = 0; i < r->width; i++)
        sum += (double)shares[i];
    for (int64_t i = 0; i < r->width; i++)
        map[i] = sum > 0 ? (float)((double)shares[i] / sum) : 0;
}
