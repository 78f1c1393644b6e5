/* Sums and means of rows, and matrices laid side by side. */
#include <string.h>

#include "kernels/gradient.h"
#include "ops/rows.h"

typedef struct pooling_run {
    const pg_kernels *kernels;
    pg_tensor *x, *out;
    const pg_span *spans;
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
    if (pg_gradient(g, run.x))
        pg_each_columns(g, run.x->width, pool_back_columns, &run);
}

static pg_tensor *pool_rows(pg_context *g, pg_tensor *x, const pg_span *spans, int64_t count, bool mean)
{
    pooling_run run = {g->kernels, x, x ? pg_tensor_new(g, count, x->width) : NULL, spans, mean};
    if (!run.out)
        return NULL;
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

pg_tensor *pg_concatenate(pg_context *g, pg_tensor *x, pg_tensor *y)
{
    PG_PROFILE(g, "concatenate", NULL);
    pg_tensor *out = x && y ? pg_tensor_new(g, x->rows, x->width + y->width) : NULL;
    if (!out)
        return NULL;
    for (int64_t r = 0; r < x->rows; r++) {
        memcpy(pg_row(out, r), pg_row(x, r), (size_t)x->width * sizeof(float));
        memcpy(pg_row(out, r) + x->width, pg_row(y, r), (size_t)y->width * sizeof(float));
    }
    saved_pair saved = {x, y, out};
    if (pg_tracked(g, x) || pg_tracked(g, y))
        pg_tape_record(g, out, concatenate_backward, &saved, sizeof saved);
    return out;
}
