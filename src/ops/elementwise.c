/* GELU (Hendrycks and Gimpel 2016, tanh form) and the residual sum. */
#include "kernels/kernels.h"
#include "ops/rows.h"

typedef struct pair_run {
    const pg_kernels *kernels;
    const pg_tensor *x, *y;
    pg_tensor *out;
} pair_run;

static void gelu_row(void *context, int64_t row)
{
    const pair_run *run = context;
    run->kernels->gelu(pg_row(run->out, row), pg_row(run->x, row), run->x->width);
}

static void add_row(void *context, int64_t row)
{
    const pair_run *run = context;
    run->kernels->add(pg_row(run->out, row), pg_row(run->x, row), pg_row(run->y, row), run->x->width);
}

pg_tensor *pg_gelu(pg_context *g, const pg_tensor *x)
{
    PG_PROFILE(g, "gelu", NULL);
    pair_run run = {g->kernels, x, NULL, x ? pg_tensor_like(g, x) : NULL};
    if (!run.out)
        return NULL;
    pg_each_row(g, x->rows, x->width, gelu_row, &run);
    return run.out;
}

pg_tensor *pg_add(pg_context *g, const pg_tensor *x, const pg_tensor *y)
{
    PG_PROFILE(g, "add", NULL);
    pair_run run = {g->kernels, x, y, x && y ? pg_tensor_like(g, x) : NULL};
    if (!run.out)
        return NULL;
    pg_each_row(g, x->rows, x->width, add_row, &run);
    return run.out;
}
