/* A pair is three segments: the prompt, and two answers whose keys are the prompt's rows and their own. Nothing in the
 * prompt depends on an answer (PaliGemma's prompts see themselves both ways, Gemma's causally), so sharing it is exact.
 */
#include "train/preference.h"

#include <string.h>

#include "model/gemma.h"
#include "model/fusion.h"
#include "ops/ops.h"

/* The pairs laid end to end: prompt, chosen answer, rejected answer, prompt, ... */
typedef struct laid_pairs {
    pg_batch batch;
    int32_t *ids, *positions; /* [rows] */
    int32_t *targets;         /* [scored]: all tokens of answers */
    int64_t *sources;         /* [scored]: the rows that predict them */
    pg_segment *segments;     /* [3 pairs] */
    pg_span *answers;         /* [2 pairs], of scored tokens */
    int64_t scored;
    /* while they are laid */
    size_t segment_count, answer_count;
    int32_t first_position;
    bool both_ways;
} laid_pairs;

static bool make_room(laid_pairs *out, pg_context *g, const pg_preference_batch *batch)
{
    size_t rows = 0, scored = 0, pairs = (size_t)batch->pair_count;
    for (size_t i = 0; i < pairs; i++) {
        const pg_preference *pair = &batch->pairs[i];
        scored += (size_t)(pair->chosen.count + pair->rejected.count);
        rows += (size_t)(pair->prompt_count + pair->chosen.count + pair->rejected.count);
    }
    out->ids = pg_scratch(g, rows * sizeof *out->ids);
    out->positions = pg_scratch(g, rows * sizeof *out->positions);
    out->targets = pg_scratch(g, scored * sizeof *out->targets);
    out->sources = pg_scratch(g, scored * sizeof *out->sources);
    out->segments = pg_scratch(g, 3 * pairs * sizeof *out->segments);
    out->answers = pg_scratch(g, 2 * pairs * sizeof *out->answers);
    return out->answers;
}

/* Adds rows whose first has the position `from`; returns where they begin. */
static int64_t lay_ids(laid_pairs *out, const int32_t *ids, int64_t count, int64_t from)
{
    int64_t at = out->batch.rows;
    memcpy(out->ids + at, ids, (size_t)count * sizeof *ids);
    for (int64_t i = 0; i < count; i++)
        out->positions[at + i] = out->first_position + (int32_t)(from + i);
    out->batch.rows += count;
    return at;
}

/* The last row of the prompt predicts the first token, each token the next one. */
static void lay_answer(laid_pairs *out, const pg_completion *answer, pg_span prompt)
{
    int64_t at = lay_ids(out, answer->ids, answer->count, prompt.count);
    out->segments[out->segment_count++] =
        (pg_segment){.first = at, .count = answer->count, .spans = {prompt, {at, answer->count}}, .span_count = 2};
    out->answers[out->answer_count++] = (pg_span){out->scored, answer->count};
    for (int64_t i = 0; i < answer->count; i++, out->scored++) {
        out->targets[out->scored] = answer->ids[i];
        out->sources[out->scored] = i ? at + i - 1 : prompt.first + prompt.count - 1;
    }
}

static bool lay_pairs(laid_pairs *out, pg_context *g, const pg_preference_batch *batch)
{
    if (!make_room(out, g, batch))
        return false;
    for (int64_t i = 0; i < batch->pair_count; i++) {
        const pg_preference *pair = &batch->pairs[i];
        pg_span prompt = {lay_ids(out, pair->prompt, pair->prompt_count, 0), pair->prompt_count};
        out->segments[out->segment_count++] = (pg_segment){.first = prompt.first,
                                                           .count = prompt.count,
                                                           .prefix = out->both_ways ? prompt.count : 0,
                                                           .spans = {prompt},
                                                           .span_count = 1};
        lay_answer(out, &pair->chosen, prompt);
        lay_answer(out, &pair->rejected, prompt);
    }
    out->batch.positions = out->positions;
    out->batch.segments = out->segments;
    out->batch.segment_count = out->segment_count;
    return true;
}

pg_tensor *pg_completion_losses(pg_context *g, const pg_weights *weights, const pg_preference_batch *batch)
{
    bool pictures = weights->config.kind == PG_MODEL_PALIGEMMA;
    laid_pairs laid = {.first_position = pictures, .both_ways = pictures}; /* as in answers */
    if (!lay_pairs(&laid, g, batch))
        return NULL;
    pg_tensor *features = batch->pictures ? pg_paligemma_features(g, weights, batch->pixels, batch->pictures) : NULL;
    if (batch->pictures && !features)
        return NULL;
    pg_tensor *x = pg_paligemma_embed(g, weights, laid.ids, laid.batch.rows, features);
    x = pg_gemma_forward(g, &weights->text, x, &laid.batch, NULL);
    x = pg_take_rows(g, x, laid.sources, laid.scored);
    x = pg_output_losses(g, x, &weights->text.output, NULL, laid.targets, 0, NULL);
    return pg_sum_rows(g, x, laid.answers, (int64_t)laid.answer_count);
}

pg_status pg_reference_losses(float *reference, pg_context *g, const pg_weights *weights,
                              const pg_preference_batch *batch, bool unadapted)
{
    struct pg_tape *tape = g->tape;
    bool before = g->unadapted;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    g->tape = NULL;
    g->unadapted = unadapted;
    const pg_tensor *x = pg_completion_losses(g, weights, batch);
    if (x)
        pg_values_move(g->device, reference, x->data, (size_t)x->rows * sizeof *reference);
    g->tape = tape;
    g->unadapted = before;
    pg_arena_release(&g->arena, mark);
    return g->status;
}

pg_tensor *pg_preference_training(pg_context *g, const pg_weights *weights, const pg_preference_batch *batch,
                                  const float *reference, double beta, float *hits)
{
    return pg_preference_losses(g, pg_completion_losses(g, weights, batch), reference, beta, hits);
}
