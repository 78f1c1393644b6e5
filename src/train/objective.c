#include "train/objective_parts.h"

/* ---------------------------------------------------------------- what fits */

typedef struct fitting {
    bool siglip, decoder; /* kinds of models */
    const char *model;    /* what another one is told that it cannot do */
    pg_row_kind rows[2];
} fitting;

static const fitting fits[] = {
    [PG_OBJECTIVE_SFT] = {false,
                          true,
                          "be trained on tokens; a SigLIP learns \"siglip\" or \"classifier\"",
                          {PG_ROW_SUFFIX, PG_ROW_SUFFIX}},
    [PG_OBJECTIVE_LM] = {false,
                         true,
                         "be trained on tokens; a SigLIP learns \"siglip\" or \"classifier\"",
                         {PG_ROW_TEXT, PG_ROW_TEXT}},
    [PG_OBJECTIVE_SIGLIP] = {true, false, "learn \"siglip\"; only a SigLIP can", {PG_ROW_TEXT, PG_ROW_SUFFIX}},
    [PG_OBJECTIVE_DPO] = {false,
                          true,
                          "learn preferences between answers; a SigLIP gives none",
                          {PG_ROW_PREFERENCE, PG_ROW_PREFERENCE}},
    [PG_OBJECTIVE_CLASSIFIER] = {true, true, "be trained", {PG_ROW_LABEL, PG_ROW_LABEL}},
    [PG_OBJECTIVE_MASKCODEC] = {.rows = {PG_ROW_MASK, PG_ROW_MASK}},
};

pg_status pg_objective_check(const pg_objective *objective, pg_row_kind rows)
{
    const fitting *fit = &fits[objective->kind];
    if (objective->model) {
        bool siglip = objective->model->weights->config.kind == PG_MODEL_SIGLIP;
        PG_TRY(pg_model_require(objective->model, siglip ? fit->siglip : fit->decoder, fit->model));
    }
    if (rows != fit->rows[0] && rows != fit->rows[1])
        return pg_fail(PG_ERROR_ARGUMENT, "the objective needs rows of kind \"%s\", the data has \"%s\"",
                       pg_row_kind_name(fit->rows[0]), pg_row_kind_name(rows));
    return PG_OK;
}

/* ---------------------------------------------------------------- batches */

static pg_status run_part(pg_part_results *out, pg_context *g, const pg_objective *objective, pg_sample *const *samples,
                          size_t count, const pg_batch_totals *totals)
{
    static pg_objective_part *const parts[] = {
        [PG_OBJECTIVE_SFT] = pg_learn_tokens,         [PG_OBJECTIVE_LM] = pg_learn_tokens,
        [PG_OBJECTIVE_SIGLIP] = pg_learn_pictures,    [PG_OBJECTIVE_DPO] = pg_learn_preferences,
        [PG_OBJECTIVE_CLASSIFIER] = pg_learn_classes, [PG_OBJECTIVE_MASKCODEC] = pg_learn_masks,
    };
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    pg_status status = parts[objective->kind](out, g, objective, samples, count, totals);
    pg_arena_release(&g->arena, mark);
    if (g->tape && status != PG_OK)
        pg_tape_clear(g->tape);
    return status;
}

/* Every picture is compared with all texts of the batch, so that objective cuts the batch itself. */
static size_t rows_at_once(const pg_objective *objective, size_t count)
{
    bool whole = objective->kind == PG_OBJECTIVE_SIGLIP || objective->micro_rows == 0;
    return whole || objective->micro_rows > count ? count : objective->micro_rows;
}

static pg_status run_parts(pg_part_results *out, pg_context *g, const pg_objective *objective,
                           pg_sample *const *samples, const pg_batch_totals *totals, uint64_t step)
{
    size_t count = totals->rows, most = rows_at_once(objective, count);
    for (size_t first = 0, part = 0; first < count; first += most, part++) {
        size_t rows = count - first < most ? count - first : most;
        if (g->tape)
            g->tape->step = step << PG_PART_BITS | part;
        PG_TRY(run_part(out, g, objective, samples + first, rows, totals));
    }
    return PG_OK;
}

static double sum_of(const float *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i];
    return sum;
}

/* Waits for a device. */
static pg_status add_results(pg_score *out, pg_context *g, const pg_part_results *results)
{
    const float *losses = pg_to_host(g, results->losses, results->loss_count * sizeof *losses);
    const float *hits = pg_to_host(g, results->hits, results->hit_count * sizeof *hits);
    if (!losses || !hits)
        return g->status;
    out->loss += sum_of(losses, results->loss_count);
    out->hits += sum_of(hits, results->hit_count);
    return PG_OK;
}

static pg_status run_batch(pg_score *out, pg_context *g, const pg_objective *objective, pg_sample *const *samples,
                           size_t count, uint64_t step)
{
    pg_batch_totals totals = {out->scored, count};
    pg_part_results results = {.losses = pg_scratch_values(g, count * sizeof *results.losses),
                               .hits = pg_scratch_values(g, (size_t)out->scored * sizeof *results.hits)};
    if (!results.hits)
        return g->status;
    PG_TRY(run_parts(&results, g, objective, samples, &totals, step));
    if (g->device && g->tape && objective->meanwhile)
        objective->meanwhile(objective->user);
    return add_results(out, g, &results);
}

pg_status pg_objective_run(pg_score *out, pg_context *g, const pg_objective *objective, pg_sample *const *samples,
                           size_t count, uint64_t step)
{
    bool tokens = objective->kind == PG_OBJECTIVE_SFT || objective->kind == PG_OBJECTIVE_LM;
    *out = (pg_score){.rows = count};
    g->status = PG_OK;
    for (size_t i = 0; i < count; i++) {
        out->tokens += samples[i]->count + samples[i]->rejected_count;
        out->pictures += samples[i]->image_count;
        if (tokens)
            out->scored += (double)pg_sample_scored(samples[i]);
        else
            out->scored += samples[i]->patch_labels ? (double)samples[i]->patch_count : 1;
    }
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    pg_status status = run_batch(out, g, objective, samples, count, step);
    pg_arena_release(&g->arena, mark);
    return status;
}
