/* Sums and means of rows, and matrices laid side by side. */
#include <string.h>

#include "kernels/device_rows.h"
#include "kernels/gradient.h"
#include "ops/rows.h"

typedef struct pooling_run {
    const pg_kernels *kernels;
    pg_tensor *x, *out;
    const pg_span *spans;
    const int64_t (*device_spans)[2];
    bool mean;
} pooling_run;

static float factor_of(const pooling_run *run, int64_t span)
{
    return run->mean ? 1 / (float)run->spans[span].count : 1;
}

static void pool_columns(void *context, int64_t first, int64_t count)
{
    const pooling_run *run = context;
    for (int64_t s = 0; s < run->out->rows; s++) {
        float *out = pg_row(run->out, s) + first;
        const pg_span *span = &run->spans[s];
        memset(out, 0, (size_t)count * sizeof *out);
        for (int64_t r = span->first; r < span->first + span->count; r++)
            run->kernels->add(out, out, pg_row(run->x, r) + first, count);
        run->kernels->scale(out, out, factor_of(run, s), count);
    }
}

static void pool_back_columns(void *context, int64_t first, int64_t count)
{
    const pooling_run *run = context;
    int64_t width = run->x->width;
    for (int64_t s = 0; s < run->out->rows; s++)
        for (int64_t r = run->spans[s].first; r < run->spans[s].first + run->spans[s].count; r++)
            run->kernels->gradient->add_scaled(run->x->grad + r * width + first, run->out->grad + s * width + first,
                                               factor_of(run, s), count);
}

static void pooling_backward(pg_context *g, const void *saved)
{
    pooling_run run = *(const pooling_run *)saved;
    if (g->device) {
        bool fresh;
        float *dx = pg_gradient_begin(g, run.x, &fresh);
        PG_DEVICE(g, rows, pool_rows_back, dx, fresh, run.out->grad, run.x->rows, run.x->width, run.device_spans,
                  run.out->rows, run.mean);
    } else if (pg_gradient(g, run.x))
        pg_each_columns(g, run.x->width, pool_back_columns, &run);
}

static pg_tensor *pool_rows(pg_context *g, pg_tensor *x, const pg_span *spans, int64_t count, bool mean)
{
    pooling_run run = {.kernels = g->kernels, .x = x, .spans = spans, .mean = mean};
    run.out = x ? pg_tensor_new(g, count, x->width) : NULL;
    if (!run.out)
        return NULL;
    if (g->device) {
        run.device_spans = pg_to_device(g, spans, (size_t)count * sizeof *spans);
        PG_DEVICE(g, rows, pool_rows, run.out->data, x->data, x->width, run.device_spans, count, mean);
    } else
        pg_each_columns(g, x->width, pool_columns, &run);
    if (pg_tracked(g, x))
        pg_tape_record(g, run.out, pooling_backward, &run, sizeof run);
    return run.out;
}

pg_tensor *pg_sum_rows(pg_context *g, pg_tensor *x, const pg_span *spans, int64_t count)
{
    PG_PROFILE(g, "sum_rows", NULL);
    return pool_rows(g, x, spans, count, false);
}

pg_tensor *pg_mean_rows(pg_context *g, pg_tensor *x, const pg_span *spans, int64_t count)
{
    PG_PROFILE(g, "mean_rows", NULL);
    return pool_rows(g, x, spans, count, true);
}

/* ---------------------------------------------------------------- side by side */

typedef struct saved_pair {
    pg_tensor *x, *y, *out;
} saved_pair;

/* Adds the columns of the result's derivative that came from x, from column `first` on. */
static void part_back(pg_context *g, pg_tensor *x, const pg_tensor *out, int64_t first)
{
    if (g->device) {
        bool fresh;
        float *dx = pg_gradient_begin(g, x, &fresh);
        if (dx)
            PG_DEVICE(g, rows, copy_columns, dx, x->width, fresh, out->grad + first, out->width, x->rows, x->width);
        return;
    }
    float *dx = pg_gradient(g, x);
    for (int64_t r = 0; dx && r < x->rows; r++)
        g->kernels->add(dx + r * x->width, dx + r * x->width, out->grad + r * out->width + first, x->width);
}

static void concatenate_backward(pg_context *g, const void *memory)
{
    const saved_pair *saved = memory;
    part_back(g, saved->x, saved->out, 0);
    part_back(g, saved->y, saved->out, saved->x->width);
}

/* x becomes columns `first` .. of out. */
static void put_part(pg_context *g, const pg_tensor *out, int64_t first, const pg_tensor *x)
{
    if (g->device)
        PG_DEVICE(g, rows, copy_columns, (float *)out->data + first, out->width, true, x->data, x->width, x->rows,
                  x->width);
    else
        for (int64_t r = 0; r < x->rows; r++)
            memcpy(pg_row(out, r) + first, pg_row(x, r), (size_t)x->width * sizeof(float));
}

pg_tensor *pg_concatenate(pg_context *g, pg_tensor *x, pg_tensor *y)
{
    PG_PROFILE(g, "concatenate", NULL);
    pg_tensor *out = x && y ? pg_tensor_new(g, x->rows, x->width + y->width) : NULL;
    if (!out)
        return NULL;
    put_part(g, out, 0, x);
    put_part(g, out, x->width, y);
    saved_pair saved = {x, y, out};
    if (pg_tracked(g, x) || pg_tracked(g, y))
        pg_tape_record(g, out, concatenate_backward, &saved, sizeof saved);
    return out;
}
