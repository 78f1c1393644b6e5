/* The best tokens of rows of logits. On a device they are chosen there: a row of logits is a megabyte, an answer a few
 * bytes. */
#include <math.h>
#include <string.h>

#include "kernels/device_losses.h"
#include "ops/rows.h"

_Static_assert(PG_TOP_MOST <= PG_DEVICE_TOP_MOST, "a device finds as many");

typedef struct choose_run {
    const pg_context *g;
    const pg_tensor *logits;
    int32_t *ids;
    float *values, *log_sums;
    int64_t k;
    double temperature;
} choose_run;

#define EXP_COST 16 /* an exponential costs about 16 simple steps */

/* ---------------------------------------------------------------- the best */

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

/* ---------------------------------------------------------------- the k best */

static bool is_better(float a, float b)
{
    return isnan(b) ? !isnan(a) : a > b;
}

static void top_row(void *context, int64_t row)
{
    const choose_run *run = context;
    const float *logits = pg_row(run->logits, row);
    float *values = run->values + row * run->k;
    int32_t *ids = run->ids + row * run->k;
    int64_t have = 0, width = run->logits->width;
    for (int64_t i = 0; i < width; i++) {
        if (have == run->k && !is_better(logits[i], values[have - 1]))
            continue;
        int64_t at = have < run->k ? have++ : have - 1;
        for (; at > 0 && is_better(logits[i], values[at - 1]); at--) {
            values[at] = values[at - 1];
            ids[at] = ids[at - 1];
        }
        values[at] = logits[i];
        ids[at] = (int32_t)i;
    }
    double sum = 0;
    for (int64_t i = 0; i < width; i++)
        sum += exp(((double)logits[i] - values[0]) / run->temperature);
    run->log_sums[row] = (float)(values[0] / run->temperature + log(sum));
}

static void top_on_device(pg_context *g, const choose_run *run)
{
    const pg_tensor *logits = run->logits;
    size_t rows = (size_t)logits->rows, chosen = rows * (size_t)run->k, bytes = (2 * chosen + rows) * sizeof(float);
    int32_t *found = pg_scratch_values(g, bytes);
    if (!found)
        return;
    float *values = (float *)(found + chosen);
    PG_DEVICE(g, losses, top, found, values, values + chosen, logits->data, logits->rows, logits->width, run->k,
              run->temperature);
    const int32_t *copy = pg_to_host(g, found, bytes);
    if (!copy)
        return;
    memcpy(run->ids, copy, chosen * sizeof *run->ids);
    memcpy(run->values, copy + chosen, chosen * sizeof *run->values);
    memcpy(run->log_sums, copy + 2 * chosen, rows * sizeof *run->log_sums);
}

void pg_top_tokens(pg_context *g, int32_t *ids, float *values, float *log_sums, const pg_tensor *logits, int64_t k,
                   double temperature)
{
    PG_PROFILE(g, "top_tokens", NULL);
    choose_run run = {g, logits, ids, values, log_sums, k, temperature};
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    if (logits && g->device)
        top_on_device(g, &run);
    else if (logits && g->status == PG_OK)
        pg_each_row(g, logits->rows, logits->width * EXP_COST, top_row, &run);
    pg_arena_release(&g->arena, mark);
}
