/* Scaled dot-product attention over the segments of a ragged batch; the kernels do it block by block
 * (kernels/simd_attention.c, and simd_attention_gradient.c on the way back). */
#include <assert.h>
#include <math.h>

#include "base/numbers.h"
#include "base/threads.h"
#include "kernels/device_attention.h"
#include "kernels/gradient.h"
#include "ops/rows.h"

#define THREAD_TASKS 4 /* at least, where there are as many blocks of lanes */

typedef struct attention_run {
    const pg_context *g;
    pg_tensor *q, *k, *v, *out;
    pg_batch batch;
    int64_t heads, kv_heads, size;
    float *log_sums;     /* [rows][heads], for the way back; NULL: there is none */
    int64_t *first_task; /* of each segment; [segment_count + 1] */
    float *scratch;
    size_t scratch_floats;
} attention_run;

static int64_t count_blocks(const attention_run *run, int64_t lanes)
{
    return (lanes + run->g->kernels->lanes - 1) / run->g->kernels->lanes;
}

static int64_t query_blocks(const attention_run *run, const pg_segment *segment)
{
    return count_blocks(run, segment->count * (run->heads / run->kv_heads));
}

/* Calls, each of which attends to as many of these blocks as it may, or to fewer so that there is something for every
 * thread. */
static int64_t attended_blocks(const attention_run *run, const pg_segment *segment)
{
    int64_t blocks = query_blocks(run, segment), most = run->g->kernels->attention_panels;
    int64_t calls = (blocks + most - 1) / most, tasks = run->kv_heads * (int64_t)run->batch.segment_count;
    int64_t wanted = pg_smaller(blocks, (THREAD_TASKS * run->g->threads + tasks - 1) / tasks);
    return calls > wanted ? calls : wanted;
}

static int64_t count_keys(const pg_segment *segment)
{
    int64_t keys = 0;
    for (int i = 0; i < segment->span_count; i++)
        keys += segment->spans[i].count;
    return keys;
}

/* The segment that a task belongs to, by bisection. */
static size_t find_segment(const attention_run *run, int64_t task)
{
    size_t low = 0, high = run->batch.segment_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (run->first_task[middle] <= task)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void attend_block(void *context, int64_t index, int worker)
{
    const attention_run *run = context;
    size_t s = find_segment(run, index);
    const pg_segment *segment = &run->batch.segments[s];
    int64_t calls = attended_blocks(run, segment), blocks = query_blocks(run, segment);
    int64_t task = index - run->first_task[s], head = task / calls, group = run->heads / run->kv_heads;
    int64_t first = task % calls * blocks / calls * run->g->kernels->lanes;
    int64_t end = (task % calls + 1) * blocks / calls * run->g->kernels->lanes;
    size_t element = pg_dtype_size(run->k->dtype);
    pg_key_span spans[PG_SPANS_MAX];
    for (int i = 0; i < segment->span_count; i++) {
        size_t at =
            (size_t)(segment->spans[i].first * run->k->width + head * (run->k->width / run->kv_heads)) * element;
        spans[i] =
            (pg_key_span){(const char *)run->k->data + at, (const char *)run->v->data + at, segment->spans[i].count};
    }
    int64_t all = segment->count * group, keys = count_keys(segment);
    int64_t at = segment->first * run->q->width + head * group * run->size;
    /* Generated tokens stay in f32: reading their keys takes the time. So do scores that the way back computes again.
     */
    bool bf16 = run->g->compute == PG_COMPUTE_BF16 && run->g->kernels->bf16_products &&
                segment->first >= run->batch.single && !run->log_sums;
    pg_attention_block block = {.queries = (const float *)run->q->data + at,
                                .out = (float *)run->out->data + at,
                                .query_stride = run->q->width,
                                .log_sums =
                                    run->log_sums ? run->log_sums + segment->first * run->heads + head * group : NULL,
                                .sum_stride = run->heads,
                                .first = first,
                                .lanes = pg_smaller(all, end) - first,
                                .group = group,
                                .size = run->size,
                                .spans = spans,
                                .key_stride = run->k->width,
                                .dtype = run->k->dtype,
                                .past = keys - segment->count,
                                .prefix = segment->prefix,
                                .panel = bf16 ? PG_PANEL_BF16 : PG_PANEL_F32,
                                .scale = 1.0f / sqrtf((float)run->size),
                                .scratch = run->scratch + (size_t)worker * run->scratch_floats};
    run->g->kernels->attend(&block);
}

/* Shares the tasks of all segments among the threads: `blocks` says how many a segment has for each key head. */
static void run_tasks(attention_run *run, pg_context *g, int64_t (*blocks)(const attention_run *, const pg_segment *),
                      pg_task *task, size_t scratch_floats)
{
    const pg_batch *batch = &run->batch;
    run->scratch_floats = scratch_floats;
    run->first_task = pg_scratch(g, (batch->segment_count + 1) * sizeof *run->first_task);
    run->scratch = pg_scratch(g, (size_t)g->threads * scratch_floats * sizeof(float));
    if (!run->scratch)
        return;
    run->first_task[0] = 0;
    for (size_t s = 0; s < batch->segment_count; s++)
        run->first_task[s + 1] = run->first_task[s] + run->kv_heads * blocks(run, &batch->segments[s]);
    pg_parallel(g->threads, run->first_task[batch->segment_count], task, run);
}

/* ---------------------------------------------------------------- on a device */

static pg_device_attend call_of(const attention_run *run)
{
    const pg_placed_batch *placed = &run->batch.placed;
    return (pg_device_attend){.q = run->q->data,
                              .out = run->out->data,
                              .log_sums = run->log_sums,
                              .keys = run->k->data,
                              .values = run->v->data,
                              .dtype = run->k->dtype,
                              .key_width = run->k->width,
                              .rows = run->q->rows,
                              .key_rows = run->k->rows,
                              .heads = run->heads,
                              .kv_heads = run->kv_heads,
                              .size = run->size,
                              .segments = placed->segments,
                              .segment_count = (int64_t)run->batch.segment_count,
                              .few_rows = placed->few_rows,
                              .longest_few = placed->longest_few,
                              .longest_many = placed->longest_many,
                              .most_keys = placed->most_keys,
                              .bf16 = run->g->compute == PG_COMPUTE_BF16};
}

static void attend_on_device(pg_context *g, attention_run *run)
{
    if (run->size > 256)
        g->status = pg_fail(PG_ERROR_UNSUPPORTED, "attention on %s: heads of %lld values, expected 256 at most",
                            g->device->name, (long long)run->size);
    if (g->see_attention)
        g->status =
            pg_fail(PG_ERROR_UNSUPPORTED, "attention on %s cannot be watched: use the host (cpu)", g->device->name);
    if (g->status != PG_OK)
        return;
    pg_device_attend call = call_of(run);
    size_t bytes = g->device->kernels->attention->scratch(&call);
    call.scratch = bytes ? pg_scratch_values(g, bytes) : NULL;
    PG_DEVICE(g, attention, attend, &call);
}

static void attend_back_on_device(pg_context *g, const attention_run *run)
{
    const pg_placed_batch *placed = &run->batch.placed;
    pg_device_attend_back call = {.forward = call_of(run), .dout = run->out->grad, .turns = placed->turns};
    call.longest = placed->longest_few > placed->longest_many ? placed->longest_few : placed->longest_many;
    call.shares = pg_scratch_values(g, (size_t)(run->q->rows * run->heads) * sizeof *call.shares);
    call.dq = pg_gradient(g, run->q);
    call.dk = pg_gradient(g, run->k);
    call.dv = pg_gradient(g, run->v);
    size_t bytes = g->device->kernels->attention->back_scratch(g->device, &call);
    call.forward.scratch = bytes ? pg_scratch_values(g, bytes) : NULL;
    PG_DEVICE(g, attention, attend_back, &call);
}

/* ---------------------------------------------------------------- the way back */

typedef struct attention_back {
    attention_run run;
    float *shares; /* [rows][heads]: dout . out */
    float *dq, *dk, *dv;
} attention_back;

static void share_row(void *context, int64_t row)
{
    const attention_back *back = context;
    const attention_run *run = &back->run;
    const float *out = pg_row(run->out, row), *dout = run->out->grad + row * run->out->width;
    for (int64_t h = 0; h < run->heads; h++)
        run->g->kernels->dot_rows(&back->shares[row * run->heads + h], 1, out + h * run->size, PG_F32, run->size, 1,
                                  dout + h * run->size, run->size, 1, run->size);
}

/* What the blocks of one segment and key head share. */
static pg_attention_gradient segment_gradient(const attention_back *back, const pg_segment *segment, int64_t head,
                                              pg_gradient_span spans[PG_SPANS_MAX], int worker)
{
    const attention_run *run = &back->run;
    int64_t group = run->heads / run->kv_heads;
    for (int i = 0; i < segment->span_count; i++) {
        int64_t at = segment->spans[i].first * run->k->width + head * run->size;
        spans[i] = (pg_gradient_span){.keys = (const float *)run->k->data + at,
                                      .values = (const float *)run->v->data + at,
                                      .dkeys = back->dk + at,
                                      .dvalues = back->dv + at,
                                      .count = segment->spans[i].count};
    }
    int64_t at = segment->first * run->q->width + head * group * run->size;
    int64_t sum = segment->first * run->heads + head * group;
    return (pg_attention_gradient){.queries = (const float *)run->q->data + at,
                                   .dout = run->out->grad + at,
                                   .dqueries = back->dq + at,
                                   .log_sums = run->log_sums + sum,
                                   .shares = back->shares + sum,
                                   .query_stride = run->q->width,
                                   .sum_stride = run->heads,
                                   .rows = segment->count,
                                   .group = group,
                                   .size = run->size,
                                   .spans = spans,
                                   .key_stride = run->k->width,
                                   .past = count_keys(segment) - segment->count,
                                   .prefix = segment->prefix,
                                   .scale = 1.0f / sqrtf((float)run->size),
                                   .scratch = run->scratch + (size_t)worker * run->scratch_floats};
}

static int64_t key_blocks(const attention_run *run, const pg_segment *segment)
{
    return count_blocks(run, count_keys(segment));
}

/* One block of queries, or of keys, of the segment that the task belongs to. */
static void go_back(const attention_back *back, int64_t index, int worker, bool keys)
{
    const attention_run *run = &back->run;
    size_t s = find_segment(run, index);
    const pg_segment *segment = &run->batch.segments[s];
    int64_t blocks = keys ? key_blocks(run, segment) : query_blocks(run, segment), task = index - run->first_task[s];
    int64_t lanes = run->g->kernels->lanes, first = task % blocks * lanes;
    int64_t all = keys ? count_keys(segment) : segment->count * (run->heads / run->kv_heads);
    pg_gradient_span spans[PG_SPANS_MAX];
    pg_attention_gradient block = segment_gradient(back, segment, task / blocks, spans, worker);
    block.first = first;
    block.lanes = all - first < lanes ? all - first : lanes;
    if (keys)
        run->g->kernels->gradient->attend_keys(&block);
    else
        run->g->kernels->gradient->attend_queries(&block);
}

static void queries_back(void *context, int64_t index, int worker)
{
    go_back(context, index, worker, false);
}

static void keys_back(void *context, int64_t index, int worker)
{
    go_back(context, index, worker, true);
}

/* True if two segments look at the same keys: then they take turns, because each adds to those keys' derivatives. */
static bool share_keys(const pg_batch *batch)
{
    for (size_t a = 1; a < batch->segment_count; a++)
        for (int i = 0; i < batch->segments[a].span_count; i++)
            for (size_t b = 0; b < a; b++)
                for (int j = 0; j < batch->segments[b].span_count; j++) {
                    const pg_span *x = &batch->segments[a].spans[i], *y = &batch->segments[b].spans[j];
                    if (x->first < y->first + y->count && y->first < x->first + x->count)
                        return true;
                }
    return false;
}

static void all_keys_back(pg_context *g, attention_back *back, size_t scratch)
{
    pg_batch batch = back->run.batch;
    if (!share_keys(&batch)) {
        run_tasks(&back->run, g, key_blocks, keys_back, scratch);
        return;
    }
    back->run.batch.segment_count = 1;
    for (size_t s = 0; s < batch.segment_count; s++) {
        back->run.batch.segments = &batch.segments[s];
        run_tasks(&back->run, g, key_blocks, keys_back, scratch);
    }
}

static void show(pg_context *g, const attention_run *run, bool back)
{
    pg_attention_view view = {run->q, run->k, run->v, run->out, run->heads, run->kv_heads, &run->batch, back};
    if (g->see_attention && g->status == PG_OK)
        g->see_attention(g->attention_user, g, &view);
}

static void attention_backward(pg_context *g, const void *saved)
{
    PG_PROFILE(g, "attention back", NULL);
    if (g->device) {
        attend_back_on_device(g, saved);
        return;
    }
    attention_back back = {.run = *(const attention_run *)saved};
    attention_run *run = &back.run;
    show(g, run, true);
    size_t scratch = pg_attention_gradient_scratch(g->kernels, run->size);
    back.shares = pg_scratch(g, (size_t)(run->q->rows * run->heads) * sizeof *back.shares);
    back.dq = pg_gradient_or_scratch(g, run->q);
    back.dk = pg_gradient_or_scratch(g, run->k);
    back.dv = pg_gradient_or_scratch(g, run->v);
    if (g->status != PG_OK)
        return;
    pg_each_row(g, run->q->rows, run->q->width, share_row, &back);
    if (run->q->tracked)
        run_tasks(run, g, query_blocks, queries_back, scratch);
    if (run->k->tracked || run->v->tracked)
        all_keys_back(g, &back, scratch);
}

/* ---------------------------------------------------------------- the operation */

/* For batches that have not been placed, once for all layers. */
static void place(pg_context *g, pg_batch *batch)
{
    if (batch->placed.segments)
        return;
    batch->positions = NULL; /* nobody looks at them here */
    batch->slots = NULL;
    pg_batch_place(g, batch);
}

pg_tensor *pg_attention(pg_context *g, pg_tensor *q, pg_tensor *k, pg_tensor *v, int64_t heads, int64_t kv_heads,
                        const pg_batch *batch)
{
    pg_tensor *out = q && k && v ? pg_tensor_like(g, q) : NULL;
    if (!out)
        return NULL;
    PG_PROFILE(g, "attention", NULL);
    attention_run run = {.g = g,
                         .q = q,
                         .k = k,
                         .v = v,
                         .out = out,
                         .batch = *batch,
                         .heads = heads,
                         .kv_heads = kv_heads,
                         .size = q->width / heads};
    bool tracked = pg_tracked(g, q) || pg_tracked(g, k) || pg_tracked(g, v);
    assert(!tracked || k->dtype == PG_F32);
    if (tracked)
        run.log_sums = pg_scratch_values(g, (size_t)(q->rows * heads) * sizeof *run.log_sums);
    place(g, &run.batch);
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    if (g->device)
        attend_on_device(g, &run);
    else
        run_tasks(&run, g, attended_blocks, attend_block, pg_attention_scratch(g->kernels, run.size));
    pg_arena_release(&g->arena, mark);
    show(g, &run, false);
    if (tracked && g->status == PG_OK)
        pg_tape_record(g, out, attention_backward, &run, sizeof run);
    return out;
}
