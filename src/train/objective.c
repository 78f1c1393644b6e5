#include "train/objective.h"

#include "image/image.h"
#include "ops/ops.h"
#include "train/mask_training.h"
#include "train/teacher_forcing.h"

pg_status pg_objective_check(const pg_objective *objective, pg_row_kind rows)
{
    static const pg_row_kind wanted[] = {
        [PG_OBJECTIVE_SFT] = PG_ROW_SUFFIX,
        [PG_OBJECTIVE_LM] = PG_ROW_TEXT,
        [PG_OBJECTIVE_MASKCODEC] = PG_ROW_MASK,
    };
    if (objective->model)
        PG_TRY(pg_model_require(objective->model, objective->model->weights->config.kind != PG_MODEL_SIGLIP,
                                "be trained on tokens; a SigLIP learns \"siglip\""));
    if (rows != wanted[objective->kind])
        return pg_fail(PG_ERROR_ARGUMENT, "the objective needs rows of kind \"%s\", the data has \"%s\"",
                       pg_row_kind_name(wanted[objective->kind]), pg_row_kind_name(rows));
    return PG_OK;
}

/* ---------------------------------------------------------------- samples to tensors */

/* The pictures of all samples as the vision tower takes them, in g's arena; *count of them. */
static float *sample_pixels(pg_context *g, const pg_model *model, pg_sample *const *samples, size_t count,
                            int64_t *pictures)
{
    const pg_processor *processor = &model->processor;
    size_t plane = (size_t)(processor->side * processor->side), at = 0;
    *pictures = 0;
    for (size_t i = 0; i < count; i++)
        *pictures += (int64_t)samples[i]->image_count;
    float *pixels = pg_scratch(g, (size_t)*pictures * 3 * plane * sizeof *pixels);
    for (size_t i = 0; pixels && i < count; i++)
        for (size_t k = 0; k < samples[i]->image_count; k++, at++)
            pg_pixels_to_floats(samples[i]->pixels + k * 3 * plane, plane, pixels + at * 3 * plane, processor->rescale,
                                processor->mean, processor->deviation);
    return pixels;
}

/* ---------------------------------------------------------------- tokens */

/* The first scored token: behind the prefix, and never the first of all, which nothing comes before. */
static int64_t first_scored(const pg_sample *sample)
{
    return sample->prefix > 1 ? (int64_t)sample->prefix : 1;
}

static int64_t count_scored(const pg_sample *sample)
{
    int64_t scored = (int64_t)sample->count - first_scored(sample);
    return scored > 0 ? scored : 0;
}

/* The weight of every token of a row in the whole batch's loss. */
static double token_weight(const pg_objective *objective, const pg_sample *sample, double scored, size_t rows)
{
    if (objective->reduction == PG_REDUCE_TOKENS)
        return scored > 0 ? 1 / scored : 0;
    int64_t own = count_scored(sample);
    return own ? 1 / ((double)rows * (double)own) : 0;
}

/* What the whole batch has: for weights. */
typedef struct batch_totals {
    double scored;
    size_t rows;
} batch_totals;

typedef struct token_memory {
    pg_token_row *rows;
    float *weights, *hits; /* [scored] */
} token_memory;

static bool lay_out(token_memory *out, pg_token_batch *batch, pg_context *g, const pg_objective *objective,
                    pg_sample *const *samples, size_t count, const batch_totals *totals)
{
    int64_t scored = 0;
    bool both_ways =
        objective->model->weights->config.kind == PG_MODEL_PALIGEMMA && objective->kind == PG_OBJECTIVE_SFT;
    for (size_t i = 0; i < count; i++)
        scored += count_scored(samples[i]);
    out->rows = pg_scratch(g, count * sizeof *out->rows);
    out->weights = pg_scratch(g, (size_t)scored * sizeof *out->weights);
    out->hits = pg_scratch(g, (size_t)scored * sizeof *out->hits);
    if (!out->hits)
        return false;
    scored = 0;
    for (size_t i = 0; i < count; i++) {
        const pg_sample *sample = samples[i];
        int64_t length = (int64_t)sample->count, first = first_scored(sample);
        out->rows[i] = (pg_token_row){.ids = sample->ids,
                                      .count = length,
                                      .prefix = both_ways ? (int64_t)sample->prefix : 0,
                                      .scored = first < length ? first : length};
        double weight = token_weight(objective, sample, totals->scored, totals->rows);
        for (int64_t k = 0; k < count_scored(sample); k++)
            out->weights[scored++] = (float)weight;
    }
    *batch = (pg_token_batch){.rows = out->rows, .row_count = (int64_t)count, .smoothing = objective->smoothing};
    return true;
}

/* Part of a batch: adds to `out`, and to the gradients if g records. */
static pg_status run_tokens(pg_score *out, pg_context *g, const pg_objective *objective, pg_sample *const *samples,
                            size_t count, const batch_totals *totals)
{
    token_memory memory;
    pg_token_batch batch;
    if (!lay_out(&memory, &batch, g, objective, samples, count, totals))
        return g->status;
    batch.pixels = sample_pixels(g, objective->model, samples, count, &batch.pictures);
    pg_tensor *losses = pg_teacher_forcing(g, objective->model->weights, &batch, memory.hits);
    pg_tensor *loss = pg_weighted_sum(g, losses, memory.weights);
    if (!loss)
        return g->status;
    out->loss += *(const float *)loss->data;
    for (int64_t i = 0; i < losses->rows; i++)
        out->hits += memory.hits[i];
    return g->tape ? pg_tape_backward(g, loss, 1) : PG_OK;
}

/* ---------------------------------------------------------------- batches */

static pg_status run_pieces(pg_score *out, pg_context *g, const pg_objective *objective, pg_sample *const *samples,
                            size_t count, uint64_t step)
{
    batch_totals totals = {out->scored, count};
    size_t most = objective->micro_rows && objective->micro_rows < count ? objective->micro_rows : count;
    for (size_t first = 0, piece = 0; first < count; first += most, piece++) {
        size_t rows = count - first < most ? count - first : most;
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        if (g->tape)
            g->tape->step = step << 12 | piece;
        pg_status status = run_tokens(out, g, objective, samples + first, rows, &totals);
        pg_arena_release(&g->arena, mark);
        if (g->tape && status != PG_OK)
            pg_tape_clear(g->tape);
        PG_TRY(status);
    }
    return PG_OK;
}

pg_status pg_objective_run(pg_score *out, pg_context *g, const pg_objective *objective, pg_sample *const *samples,
                           size_t count, uint64_t step)
{
    if (objective->kind == PG_OBJECTIVE_MASKCODEC)
        return pg_mask_objective_run(out, g, objective, samples, count, step);
    *out = (pg_score){.rows = count};
    g->status = PG_OK;
    for (size_t i = 0; i < count; i++) {
        out->tokens += samples[i]->count;
        out->scored += (double)count_scored(samples[i]);
    }
    return run_pieces(out, g, objective, samples, count, step);
}
