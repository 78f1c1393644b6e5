/* Answers to prompts (sft) and text (lm): cross entropy of the scored tokens. */
#include "train/objective_parts.h"
#include "train/teacher_forcing.h"

/* The weight of every token of a row in the whole batch's loss. */
static double token_weight(const pg_objective *objective, const pg_sample *sample, const pg_batch_totals *totals)
{
    if (objective->reduction == PG_REDUCE_TOKENS)
        return totals->scored > 0 ? 1 / totals->scored : 0;
    int64_t own = pg_sample_scored(sample);
    return own ? 1 / ((double)totals->rows * (double)own) : 0;
}

typedef struct token_memory {
    pg_token_row *rows;
    float *weights; /* [scored] */
    size_t scored;
} token_memory;

static bool make_room(token_memory *out, pg_context *g, pg_sample *const *samples, size_t count)
{
    out->scored = 0;
    for (size_t i = 0; i < count; i++)
        out->scored += (size_t)pg_sample_scored(samples[i]);
    out->rows = pg_scratch(g, count * sizeof *out->rows);
    out->weights = pg_scratch(g, out->scored * sizeof *out->weights);
    return out->weights;
}

static void lay_out(const token_memory *memory, const pg_objective *objective, pg_sample *const *samples, size_t count,
                    const pg_batch_totals *totals)
{
    bool both_ways = objective->model->weights->config.kind == PG_MODEL_PALIGEMMA;
    int64_t scored = 0;
    for (size_t i = 0; i < count; i++) {
        const pg_sample *sample = samples[i];
        int64_t length = (int64_t)sample->count, first = pg_sample_first_scored(sample);
        memory->rows[i] = (pg_token_row){.ids = sample->ids,
                                         .count = length,
                                         .prefix = both_ways ? (int64_t)sample->prefix : 0,
                                         .scored = first < length ? first : length};
        double weight = token_weight(objective, sample, totals);
        for (int64_t k = 0; k < pg_sample_scored(sample); k++)
            memory->weights[scored++] = (float)weight;
    }
}

pg_status pg_learn_tokens(pg_part_results *out, pg_context *g, const pg_objective *objective, pg_sample *const *samples,
                          size_t count, const pg_batch_totals *totals)
{
    token_memory memory;
    if (!make_room(&memory, g, samples, count))
        return g->status;
    lay_out(&memory, objective, samples, count, totals);
    pg_token_batch batch = {.rows = memory.rows, .row_count = (int64_t)count, .smoothing = objective->smoothing};
    batch.pixels = pg_sample_pixels(g, objective->model, samples, count, &batch.pictures);
    float *hits = pg_part_hits(out, memory.scored);
    pg_tensor *losses = pg_teacher_forcing(g, objective->model->weights, &batch, hits);
    return pg_end_part(out, g, losses, memory.weights);
}
