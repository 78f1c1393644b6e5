/* RMSNorm (Zhang and Sennrich 2019, with Gemma's 1 + w), LayerNorm (Ba et al. 2016) and rows of length one. */
#include <math.h>

#include "kernels/kernels.h"
#include "ops/rows.h"

typedef struct norm_run {
    const pg_kernels *kernels;
    const pg_tensor *x;
    pg_tensor *out;
    const float *weight, *bias;
    float epsilon;
} norm_run;

static void rms_row(void *context, int64_t row)
{
    const norm_run *run = context;
    run->kernels->rms_norm(pg_row(run->out, row), pg_row(run->x, row), run->weight, run->x->width, run->epsilon);
}

static void layer_row(void *context, int64_t row)
{
    const norm_run *run = context;
    run->kernels->layer_norm(pg_row(run->out, row), pg_row(run->x, row), run->weight, run->bias, run->x->width,
                             run->epsilon);
}

pg_tensor *pg_rmsnorm(pg_context *g, const pg_tensor *x, const pg_parameter *w, double epsilon)
{
    PG_PROFILE(g, "rmsnorm", NULL);
    if (!x)
        return NULL;
    norm_run run = {g->kernels, x, pg_tensor_like(g, x), pg_parameter_floats(g, w), NULL, (float)epsilon};
    if (g->status != PG_OK)
        return NULL;
    pg_each_row(g, x->rows, x->width, rms_row, &run);
    return run.out;
}

pg_tensor *pg_layernorm(pg_context *g, const pg_tensor *x, const pg_parameter *w, const pg_parameter *bias,
                        double epsilon)
{
    PG_PROFILE(g, "layernorm", NULL);
    if (!x)
        return NULL;
    norm_run run = {g->kernels,    x, pg_tensor_like(g, x), pg_parameter_floats(g, w), pg_parameter_floats(g, bias),
                    (float)epsilon};
    if (g->status != PG_OK)
        return NULL;
    pg_each_row(g, x->rows, x->width, layer_row, &run);
    return run.out;
}

static void unit_row(void *context, int64_t row)
{
    const norm_run *run = context;
    const float *x = pg_row(run->x, row);
    double squares = 0;
    for (int64_t i = 0; i < run->x->width; i++)
        squares += (double)x[i] * x[i];
    run->kernels->scale(pg_row(run->out, row), x, (float)(1 / sqrt(squares)), run->x->width);
}

pg_tensor *pg_unit_rows(pg_context *g, const pg_tensor *x)
{
    PG_PROFILE(g, "unit_rows", NULL);
    norm_run run = {.kernels = g->kernels, .x = x, .out = x ? pg_tensor_like(g, x) : NULL};
    if (!run.out)
        return NULL;
    pg_each_row(g, x->rows, x->width, unit_row, &run);
    return run.out;
}
