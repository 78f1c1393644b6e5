/* Cross entropy of tokens. */
#include "kernels/device_losses.h"
#include "kernels/gradient.h"
#include "ops/linear.h"
#include "ops/rows.h"

double pg_log_sum_exp(const pg_context *g, const float *logits, int64_t count)
{
    float top;
    return g->kernels->log_sum_exp(logits, count, &top);
}

typedef struct loss_run {
    const pg_context *g;
    const pg_tensor *logits;
    const int32_t *targets;
    float *losses;
} loss_run;

static void loss_row(void *context, int64_t row)
{
    const loss_run *run = context;
    const float *logits = pg_row(run->logits, row);
    run->losses[row] = (float)(pg_log_sum_exp(run->g, logits, run->logits->width) - logits[run->targets[row]]);
}

#define EXP_COST 16 /* an exponential costs about 16 simple steps */

static void losses_on_device(pg_context *g, float *losses, const pg_tensor *logits, const int32_t *targets)
{
    size_t bytes = (size_t)logits->rows * sizeof *losses;
    const int32_t *wanted = pg_to_device(g, targets, (size_t)logits->rows * sizeof *targets);
    float *found = pg_scratch_values(g, bytes);
    PG_DEVICE(g, losses, cross_entropy, found, NULL, NULL, logits->data, wanted, logits->rows, logits->width, 0);
    if (g->status == PG_OK)
        g->status = pg_values_download(g->device, losses, found, bytes);
}

void pg_token_losses(pg_context *g, float *losses, const pg_tensor *logits, const int32_t *targets)
{
    loss_run run = {g, logits, targets, losses};
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    if (logits && g->device)
        losses_on_device(g, losses, logits, targets);
    else if (logits && g->status == PG_OK)
        pg_each_row(g, logits->rows, logits->width * EXP_COST, loss_row, &run);
    pg_arena_release(&g->arena, mark);
}

/* ---------------------------------------------------------------- the output layer and its loss */

/* Logits that exist at a time; on a device more, because their products are large and few there. */
#define LOGIT_FLOATS        (1 << 24)
#define DEVICE_LOGIT_FLOATS (1 << 28)

typedef struct output_run {
    pg_tensor *x, *low, *out; /* low: of a low-rank addition; NULL: none */
    pg_parameter w, bias, b;
    const int32_t *targets; /* these and the next lie where values lie */
    float *log_sums, *hits; /* [rows] */
    double smoothing;
    /* the rows at hand */
    const pg_context *g;
    pg_tensor logits;
    int64_t first;
} output_run;

static double mean_of(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

/* -log softmax(z)[target], a share `smoothing` of it spread over all tokens: log_sum - (1 - s) z[target] - s mean(z).
 */
static void output_row(void *context, int64_t row)
{
    const output_run *run = context;
    const float *logits = pg_row(&run->logits, row);
    int64_t at = run->first + row, n = run->logits.width;
    float target = logits[run->targets[at]], top;
    double log_sum = run->g->kernels->log_sum_exp(logits, n, &top), loss = log_sum - target;
    if (run->smoothing > 0)
        loss += run->smoothing * (target - mean_of(logits, n));
    pg_row(run->out, at)[0] = (float)loss;
    run->log_sums[at] = (float)log_sum;
    if (run->hits)
        run->hits[at] = target == top;
}

/* Logits become the loss's derivatives: softmax - (1 - s) [target] - s / n, times that of the row's loss. */
static void output_back_row(void *context, int64_t row)
{
    const output_run *run = context;
    float *logits = pg_row(&run->logits, row);
    int64_t at = run->first + row, n = run->logits.width;
    float weight = run->out->grad[at], spread = (float)(run->smoothing / (double)n);
    run->g->kernels->gradient->exp_shifted(logits, logits, run->log_sums[at], weight, n);
    logits[run->targets[at]] -= weight * (1 - (float)run->smoothing);
    for (int64_t i = 0; spread > 0 && i < n; i++)
        logits[i] -= weight * spread;
}

static int64_t rows_at_once(const output_run *run)
{
    int64_t rows = (run->g->device ? DEVICE_LOGIT_FLOATS : LOGIT_FLOATS) / run->w.rows + 1;
    return rows < run->x->rows ? rows : run->x->rows;
}

/* Logits of the rows from `first` on; false on failure. */
static bool compute_logits(pg_context *g, output_run *run)
{
    int64_t left = run->x->rows - run->first, most = rows_at_once(run);
    pg_tensor x = pg_rows_view(run->x, run->first, left < most ? left : most);
    x.single = 0;
    pg_tensor *logits = pg_tensor_new(g, x.rows, run->w.rows);
    if (!logits)
        return false;
    pg_linear_into(g, logits, &x, &run->w, &run->bias);
    if (run->low) {
        pg_tensor low = pg_rows_view(run->low, run->first, x.rows);
        pg_add_linear(g, logits, &low, &run->b);
    }
    run->logits = *logits;
    return g->status == PG_OK;
}

static void each_output_row(pg_context *g, output_run *run)
{
    int64_t at = run->first, rows = run->logits.rows, width = run->logits.width;
    if (g->device)
        PG_DEVICE(g, losses, cross_entropy, pg_row(run->out, at), run->log_sums + at, run->hits ? run->hits + at : NULL,
                  run->logits.data, run->targets + at, rows, width, run->smoothing);
    else
        pg_each_row(g, rows, width * EXP_COST, output_row, run);
}

static void each_output_row_back(pg_context *g, output_run *run)
{
    int64_t at = run->first, rows = run->logits.rows, width = run->logits.width;
    if (g->device)
        PG_DEVICE(g, losses, cross_entropy_back, run->logits.data, run->out->grad + at, run->log_sums + at,
                  run->targets + at, rows, width, run->smoothing);
    else
        pg_each_row(g, rows, width * EXP_COST, output_back_row, run);
}

/* What follows for the low-rank addition from the derivatives of the logits at hand. */
static void low_back(pg_context *g, const output_run *run, float *dlow, bool fresh)
{
    pg_tensor low = pg_rows_view(run->low, run->first, run->logits.rows);
    pg_linear_back(g, run->logits.data, &low, dlow ? dlow + run->first * low.width : NULL, fresh, &run->b, NULL);
}

static void output_backward(pg_context *g, const void *saved)
{
    output_run run = *(const output_run *)saved;
    bool fresh, fresh_low = false;
    float *dx = pg_gradient_begin(g, run.x, &fresh);
    float *dlow = run.low ? pg_gradient_begin(g, run.low, &fresh_low) : NULL;
    int64_t width = run.x->width;
    for (run.first = 0; run.first < run.x->rows && g->status == PG_OK; run.first += run.logits.rows) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        if (compute_logits(g, &run)) {
            pg_tensor x = pg_rows_view(run.x, run.first, run.logits.rows);
            each_output_row_back(g, &run);
            pg_linear_back(g, run.logits.data, &x, dx ? dx + run.first * width : NULL, fresh, &run.w, &run.bias);
            if (run.low)
                low_back(g, &run, dlow, fresh_low);
        }
        pg_arena_release(&g->arena, mark);
    }
}

pg_tensor *pg_output_losses(pg_context *g, pg_tensor *x, const pg_parameter *w, const pg_parameter *bias,
                            const int32_t *targets, double smoothing, float *hits)
{
    output_run run = {.x = x, .w = *w, .bias = bias ? *bias : (pg_parameter){0}, .g = g};
    size_t rows = x ? (size_t)x->rows : 0;
    run.low = x ? pg_low_rank(g, x, w) : NULL;
    run.b = run.low ? w->lora->b : (pg_parameter){0};
    run.targets = pg_to_device(g, targets, rows * sizeof *targets);
    run.smoothing = smoothing;
    run.hits = hits;
    run.out = x ? pg_tensor_new(g, x->rows, 1) : NULL;
    run.log_sums = pg_scratch_values(g, rows * sizeof *run.log_sums);
    for (; run.out && run.first < x->rows && g->status == PG_OK; run.first += run.logits.rows) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        if (compute_logits(g, &run))
            each_output_row(g, &run);
        pg_arena_release(&g->arena, mark);
    }
    if (g->status == PG_OK && (pg_tracked(g, x) || pg_tracked(g, run.low) || pg_is_trained(g, w) ||
                               pg_is_trained(g, bias) || (g->tape && run.b.grad)))
        pg_tape_record(g, run.out, output_backward, &run, sizeof run);
    return g->status == PG_OK ? run.out : NULL;
}

/* ---------------------------------------------------------------- the sum of losses */

typedef struct saved_sum {
    pg_tensor *x, *out;
    const float *weights;
} saved_sum;

static void sum_backward(pg_context *g, const void *memory)
{
    const saved_sum *saved = memory;
    int64_t count = saved->x->rows * saved->x->width;
    float *dx = pg_gradient(g, saved->x);
    if (dx && g->device)
        PG_DEVICE(g, losses, weighted_sum_back, dx, saved->out->grad, saved->weights, count);
    else if (dx)
        g->kernels->gradient->add_scaled(dx, saved->weights, saved->out->grad[0], count);
}

static float sum_on_host(const float *x, const float *weights, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i] * (double)weights[i];
    return (float)sum;
}

pg_tensor *pg_weighted_sum(pg_context *g, pg_tensor *x, const float *weights)
{
    pg_tensor *out = x ? pg_tensor_new(g, 1, 1) : NULL;
    if (!out)
        return NULL;
    int64_t count = x->rows * x->width;
    weights = pg_to_device(g, weights, (size_t)count * sizeof *weights);
    if (g->device)
        PG_DEVICE(g, losses, weighted_sum, out->data, x->data, weights, count);
    else
        *(float *)out->data = sum_on_host(x->data, weights, count);
    saved_sum saved = {x, out, weights};
    if (pg_tracked(g, x))
        pg_tape_record(g, out, sum_backward, &saved, sizeof saved);
    return out;
}
