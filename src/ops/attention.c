/* Scaled dot-product attention over the segments of a ragged batch; the kernels do it block by block
 * (kernels/simd_attention.c). */
#include <math.h>

#include "base/threads.h"
#include "kernels/kernels.h"
#include "ops/rows.h"

typedef struct attention_run {
    const pg_context *g;
    const pg_tensor *q, *k, *v;
    pg_tensor *out;
    const pg_batch *batch;
    int64_t heads, kv_heads, size;
    int64_t *first_task; /* of each segment; [segment_count + 1] */
    float *scratch;
    size_t scratch_floats;
} attention_run;

static int64_t blocks_of(const attention_run *run, const pg_segment *segment)
{
    int64_t lanes = segment->count * (run->heads / run->kv_heads);
    return (lanes + run->g->kernels->lanes - 1) / run->g->kernels->lanes;
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
    size_t low = 0, high = run->batch->segment_count;
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
    const pg_segment *segment = &run->batch->segments[s];
    int64_t blocks = blocks_of(run, segment), task = index - run->first_task[s];
    int64_t head = task / blocks, group = run->heads / run->kv_heads, lanes = run->g->kernels->lanes;
    size_t element = pg_dtype_size(run->k->dtype);
    pg_key_span spans[PG_SPANS_MAX];
    for (int i = 0; i < segment->span_count; i++) {
        size_t at =
            (size_t)(segment->spans[i].first * run->k->width + head * (run->k->width / run->kv_heads)) * element;
        spans[i] =
            (pg_key_span){(const char *)run->k->data + at, (const char *)run->v->data + at, segment->spans[i].count};
    }
    int64_t first = task % blocks * lanes, left = segment->count * group - first, keys = count_keys(segment);
    int64_t at = segment->first * run->q->width + head * group * run->size;
    /* Generated tokens stay in f32: reading their keys takes the time. Values do everywhere: rounding the weights of a
     * softmax costs more accuracy than rounding its scores. */
    bool bf16 =
        run->g->compute == PG_COMPUTE_BF16 && run->g->kernels->bf16_products && segment->first >= run->batch->single;
    pg_attention_block block = {.queries = (const float *)run->q->data + at,
                                .out = (float *)run->out->data + at,
                                .query_stride = run->q->width,
                                .first = first,
                                .lanes = left < lanes ? left : lanes,
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

pg_tensor *pg_attention(pg_context *g, const pg_tensor *q, const pg_tensor *k, const pg_tensor *v, int64_t heads,
                        int64_t kv_heads, const pg_batch *batch)
{
    pg_tensor *out = q && k && v ? pg_tensor_like(g, q) : NULL;
    if (!out)
        return NULL;
    PG_PROFILE(g, "attention", NULL);
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    attention_run run = {.g = g,
                         .q = q,
                         .k = k,
                         .v = v,
                         .out = out,
                         .batch = batch,
                         .heads = heads,
                         .kv_heads = kv_heads,
                         .size = q->width / heads};
    run.scratch_floats = pg_attention_scratch(g->kernels, run.size);
    run.first_task = pg_scratch(g, (batch->segment_count + 1) * sizeof *run.first_task);
    run.scratch = pg_scratch(g, (size_t)g->threads * run.scratch_floats * sizeof(float));
    if (run.scratch) {
        run.first_task[0] = 0;
        for (size_t s = 0; s < batch->segment_count; s++)
            run.first_task[s + 1] = run.first_task[s] + kv_heads * blocks_of(&run, &batch->segments[s]);
        pg_parallel(g->threads, run.first_task[batch->segment_count], attend_block, &run);
    }
    pg_arena_release(&g->arena, mark);
    return out;
}
