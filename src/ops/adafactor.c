/*
 * Adafactor (Shazeer and Stern 2018) without a first moment, as transformers.optimization.Adafactor computes it: of the
 * squared derivatives only the means of rows and columns are kept, and a step is
 *
 *     values -= rate * grad * sqrt(mean of row_squares / row_squares[r]) / sqrt(column_squares[c])
 *
 * shortened where its root mean square exceeds `clip`. For a vector (one row) this is the form without factors. Four
 * passes over an array, each cut by rows or by columns, so that sums need no order among threads.
 */
#include <math.h>

#include "base/threads.h"
#include "kernels/kernels.h"
#include "ops/update_tables.h"

#define COLUMNS     512 /* of one task: their sums lie on the stack */
#define TASK_VALUES 32768

typedef struct factor_run {
    const pg_update_kernels *kernels;
    const pg_update_plan *plan;
    const pg_update *update;
    const float *factors; /* of squared_rows: NULL or plan->factors */
    const float *x;       /* of squared_rows */
    double weight;        /* of this step's squares in their averages */
    double grad_scale;
    double row_mean; /* of row_squares */
    float keep, rate;
} factor_run;

static int64_t rows_per_task(const pg_update *update)
{
    return TASK_VALUES / (update->width + 1) + 1;
}

static void each_rows(const factor_run *run, pg_task *task)
{
    int64_t step = rows_per_task(run->update);
    pg_parallel(run->plan->threads, (run->update->rows + step - 1) / step, task, (void *)run);
}

static void square_rows(void *context, int64_t index, int worker)
{
    (void)worker;
    const factor_run *run = context;
    int64_t width = run->update->width, step = rows_per_task(run->update), end = (index + 1) * step;
    for (int64_t r = index * step; r < end && r < run->update->rows; r++)
        run->plan->sums[r] = run->kernels->squares(run->x + r * width, run->factors, width);
}

static double blended(double old, double mean_square, const factor_run *run)
{
    double square = mean_square * run->grad_scale * run->grad_scale + PG_FACTORED_SMALLEST;
    return old + run->weight * (square - old);
}

static void square_columns(void *context, int64_t index, int worker)
{
    (void)worker;
    const factor_run *run = context;
    const pg_update *u = run->update;
    double sums[COLUMNS] = {0};
    int64_t first = index * COLUMNS, count = u->width - first < COLUMNS ? u->width - first : COLUMNS;
    for (int64_t r = 0; r < u->rows; r++)
        run->kernels->add_squares(sums, u->grad + r * u->width + first, count);
    for (int64_t c = 0; c < count; c++) {
        float *square = &u->column_squares[first + c];
        *square = (float)blended(*square, sums[c] / (double)u->rows, run);
        run->plan->factors[first + c] = (float)(1 / sqrt((double)*square));
    }
}

/* New averages of squares, and what follows from them. */
static void average_squares(factor_run *run)
{
    const pg_update *u = run->update;
    run->x = u->grad;
    run->factors = NULL;
    each_rows(run, square_rows);
    run->row_mean = 0;
    for (int64_t r = 0; r < u->rows; r++) {
        u->row_squares[r] = (float)blended(u->row_squares[r], run->plan->sums[r] / (double)u->width, run);
        run->row_mean += u->row_squares[r] / (double)u->rows;
    }
    pg_parallel(run->plan->threads, (u->width + COLUMNS - 1) / COLUMNS, square_columns, run);
    run->factors = run->plan->factors;
}

static double root_mean_square(const factor_run *run, bool of_step)
{
    const pg_update *u = run->update;
    double sum = 0;
    each_rows(run, square_rows);
    for (int64_t r = 0; r < u->rows; r++)
        sum += of_step ? run->plan->sums[r] * (run->row_mean / u->row_squares[r]) : run->plan->sums[r];
    return sqrt(sum / ((double)u->rows * (double)u->width));
}

static void move_rows(void *context, int64_t index, int worker)
{
    (void)worker;
    const factor_run *run = context;
    const pg_update *u = run->update;
    int64_t step = rows_per_task(u), end = (index + 1) * step;
    for (int64_t r = index * step; r < end && r < u->rows; r++) {
        float rate = (float)(run->rate * sqrt(run->row_mean / u->row_squares[r]));
        run->kernels->factored(u->values + r * u->width, u->grad + r * u->width, run->factors, u->width, run->keep,
                               rate);
    }
}

static void update_one(factor_run *run, const pg_update_rule *rule)
{
    double rate = rule->rate;
    if (rule->smallest_scale > 0) {
        run->x = run->update->values;
        run->factors = NULL;
        rate *= fmax(rule->smallest_scale, root_mean_square(run, false));
    }
    average_squares(run);
    double length = root_mean_square(run, true) * rule->grad_scale;
    run->keep = run->update->decay ? (float)(1 - rate * rule->decay) : 1;
    run->rate = (float)(rate * rule->grad_scale / fmax(1, length / rule->clip));
    each_rows(run, move_rows);
}

void pg_update_adafactor(const pg_update_plan *plan, const pg_update_rule *rule)
{
    double weight = pow((double)rule->step, -rule->decay_exponent);
    if (plan->device) {
        pg_factored_step step = {rule->rate, rule->decay, rule->grad_scale, rule->clip, rule->smallest_scale, weight};
        ON_DEVICE(plan, adafactor, &step);
        return;
    }
    for (size_t i = 0; i < plan->count; i++) {
        factor_run run = {.kernels = plan->kernels->update, .plan = plan, .update = &plan->updates[i]};
        run.weight = weight;
        run.grad_scale = rule->grad_scale;
        update_one(&run, rule);
    }
}
