/*
 * A step is recorded when its shape comes up for the second time: the first time it takes the memory that it needs (of
 * the arena, and the device's own), which a recording cannot. Shapes change rarely: attention goes by the room that
 * there is for keys, not by their exact number (kernels/device_attention.h).
 */
#include "generate/recorded_steps.h"

#include <string.h>

#include "model/gemma.h"
#include "ops/ops.h"

static bool is_watched(const pg_context *g)
{
    return g->trace || g->watch || g->see_attention || g->profile || g->tape;
}

static pg_tensor *forward(pg_context *g, const pg_model *model, const int32_t *ids, const pg_batch *batch,
                          const pg_cache *cache)
{
    const pg_gemma *text = &model->weights->text;
    return pg_gemma_forward(g, text, pg_gemma_embed(g, text, ids, batch->rows, batch->single), batch, cache);
}

/* The same into memory that is there already. */
static void forward_into(pg_tensor *hidden, pg_context *g, const pg_model *model, const pg_step_shape *shape,
                         const pg_batch *batch, const pg_cache *cache)
{
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    const pg_tensor *result = forward(g, model, shape->ids, batch, cache);
    if (result)
        pg_values_move(g->device, hidden->data, result->data, (size_t)(result->rows * result->width) * sizeof(float));
    pg_arena_release(&g->arena, mark);
}

static pg_step_shape make_shape(const pg_context *g, const pg_model *model, const int32_t *ids, const pg_batch *batch,
                                const pg_tensor *hidden)
{
    return (pg_step_shape){
        .model = model->number,
        .unadapted = g->unadapted,
        .rows = batch->rows,
        .single = batch->single,
        .segments = batch->segment_count,
        .placed = batch->placed,
        .ids = ids,
        .positions = batch->positions,
        .slots = batch->slots,
        .hidden = hidden->data,
    };
}

/* The place of a shape, new or known. */
static pg_recorded_step *find(pg_recorded_steps *steps, pg_device *device, const pg_step_shape *shape)
{
    pg_recorded_step *found = &steps->steps[0];
    for (pg_recorded_step *step = steps->steps; step < steps->steps + PG_RECORDED_STEPS; step++) {
        if (step->used && memcmp(&step->shape, shape, sizeof *shape) == 0)
            return step;
        if (step->used < found->used)
            found = step;
    }
    pg_recording_free(device, found->recording);
    memset(found, 0, sizeof *found);
    memcpy(&found->shape, shape, sizeof *shape);
    return found;
}

/* What fails here is done again, and then fails or not. */
static pg_recording *record(pg_tensor *hidden, pg_context *g, const pg_model *model, const pg_step_shape *shape,
                            const pg_batch *batch, const pg_cache *cache)
{
    if (!pg_device_record(g->device))
        return NULL;
    forward_into(hidden, g, model, shape, batch, cache);
    g->status = PG_OK;
    return pg_device_end_record(g->device);
}

static bool replay(pg_recorded_steps *steps, const pg_context *g, const pg_recorded_step *step)
{
    bool done = step->recording && pg_device_replay(g->device, step->recording);
    steps->replayed += done;
    return done;
}

/* What was recorded with memory that has gone is recorded again, if that is soon. */
static void run(pg_recorded_steps *steps, pg_tensor *hidden, pg_context *g, const pg_model *model,
                const pg_step_shape *shape, const pg_batch *batch, const pg_cache *cache)
{
    pg_recorded_step *step = find(steps, g->device, shape);
    bool is_new = step->used == 0;
    step->used = ++steps->taken;
    if (replay(steps, g, step))
        return;
    if (!is_new && !step->tried) {
        step->tried = true;
        step->recording = record(hidden, g, model, shape, batch, cache);
        if (replay(steps, g, step))
            return;
    } else if (step->recording) {
        pg_recording_free(g->device, step->recording);
        step->recording = NULL;
        step->tried = false;
    }
    forward_into(hidden, g, model, shape, batch, cache);
}

pg_tensor *pg_recorded_step_run(pg_recorded_steps *steps, pg_context *g, const pg_model *model, const int32_t *ids,
                                pg_batch *batch, const pg_cache *cache)
{
    if (!g->device || is_watched(g))
        return forward(g, model, ids, batch, cache);
    pg_batch_place(g, batch);
    ids = pg_to_device(g, ids, (size_t)batch->rows * sizeof *ids);
    pg_tensor *hidden = pg_tensor_new(g, batch->rows, model->weights->config.text.width);
    if (!hidden)
        return NULL;
    hidden->single = batch->single;
    const pg_step_shape shape = make_shape(g, model, ids, batch, hidden);
    run(steps, hidden, g, model, &shape, batch, cache);
    return g->status == PG_OK ? hidden : NULL;
}

void pg_recorded_steps_free(pg_recorded_steps *steps, pg_device *device)
{
    for (int i = 0; i < PG_RECORDED_STEPS; i++)
        pg_recording_free(device, steps->steps[i].recording);
}
