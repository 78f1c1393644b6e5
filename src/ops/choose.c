/* The best tokens of rows of logits, and what draws need to know of a row. On a device they are found there: a row of
 * logits is a megabyte, an answer a few bytes. */
#include <string.h>

#include "kernels/device_losses.h"
#include "ops/rows.h"

typedef struct choose_run {
    const pg_context *g;
    const pg_tensor *logits;
    int32_t *ids;
    float *values;
} choose_run;

#define EXP_COST 16 /* an exponential costs about 16 simple steps */

static void best_row(void *context, int64_t row)
{
    const choose_run *run = context;
    const float *logits = pg_row(run->logits, row);
    int64_t best = 0;
    for (int64_t i = 1; i < run->logits->width; i++)
        if (logits[i] > logits[best])
            best = i;
    run->ids[row] = (int32_t)best;
    if (run->values)
        run->values[row] = (float)(logits[best] - pg_log_sum_exp(run->g, logits, run->logits->width));
}

/* Ids and numbers lie in one piece, so that one copy brings both. */
static void best_on_device(pg_context *g, const choose_run *run)
{
    size_t rows = (size_t)run->logits->rows, bytes = rows * sizeof(float);
    int32_t *found = pg_scratch_values(g, 2 * bytes);
    if (!found)
        return;
    PG_DEVICE(g, losses, best, found, run->values ? (float *)(found + rows) : NULL, run->logits->data,
              run->logits->rows, run->logits->width);
    const int32_t *copy = pg_to_host(g, found, run->values ? 2 * bytes : bytes);
    if (!copy)
        return;
    memcpy(run->ids, copy, bytes);
    if (run->values)
        memcpy(run->values, copy + rows, bytes);
}

void pg_best_tokens(pg_context *g, int32_t *ids, float *log_probabilities, const pg_tensor *logits)
{
    PG_PROFILE(g, "best_tokens", NULL);
    choose_run run = {.g = g, .logits = logits, .ids = ids, .values = log_probabilities};
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    if (logits && g->device)
        best_on_device(g, &run);
    else if (logits && g->status == PG_OK)
        pg_each_row(g, logits->rows, logits->width * (log_probabilities ? EXP_COST : 1), best_row, &run);
    pg_arena_release(&g->arena, mark);
}

/* ---------------------------------------------------------------- draws */

const pg_weighed *pg_weigh_logits(pg_context *g, const pg_tensor *logits, double temperature, int64_t best)
{
    size_t pieces = (size_t)pg_weighed_count(logits->width);
    pg_weighed *found = pg_scratch_values(g, pieces * sizeof *found);
    if (!found)
        return NULL;
    PG_DEVICE(g, losses, weigh, found, logits->data, logits->width, temperature, best);
    return pg_to_host(g, found, pieces * sizeof *found);
}

const pg_listed *pg_list_logits(pg_context *g, const pg_tensor *logits, double temperature, float least)
{
    pg_listed *found = pg_scratch_values(g, sizeof *found);
    if (!found)
        return NULL;
    pg_values_clear(g->device, &found->count, sizeof found->count);
    PG_DEVICE(g, losses, list, found, logits->data, logits->width, temperature, least);
    return pg_to_host(g, found, sizeof *found);
}
