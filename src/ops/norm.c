/* RMSNorm (Zhang and Sennrich 2019, with Gemma's 1 + w), LayerNorm (Ba et al. 2016) and rows of length one. */
#include <math.h>

#include "kernels/device_rows.h"
#include "kernels/gradient.h"
#include "ops/rows.h"

typedef struct norm_run {
    const pg_kernels *kernels;
    const pg_tensor *x;
    pg_tensor *out;
    const float *weight, *bias;
    float epsilon;
} norm_run;

/* For the way back. */
typedef struct saved_norm {
    pg_tensor *x, *out;
    pg_parameter weight, bias;
    double epsilon;
} saved_norm;

typedef struct norm_back_run {
    const pg_kernels *kernels;
    const saved_norm *saved;
    const float *weight;
    float *dx, *means, *factors; /* [rows] */
} norm_back_run;

/* ---------------------------------------------------------------- RMSNorm */

static void rms_row(void *context, int64_t row)
{
    const norm_run *run = context;
    run->kernels->rms_norm(pg_row(run->out, row), pg_row(run->x, row), run->weight, run->x->width, run->epsilon);
}

static void rms_back_row(void *context, int64_t row)
{
    const norm_back_run *run = context;
    const saved_norm *s = run->saved;
    int64_t n = s->x->width;
    run->kernels->gradient->rms_norm(run->dx + row * n, &run->factors[row], s->out->grad + row * n, pg_row(s->x, row),
                                     run->weight, n, (float)s->epsilon);
}

/* dw += dy (x - mean) factor, which without a mean is dy x factor; the bias has dy itself. */
static void norm_back_columns(void *context, int64_t first, int64_t count)
{
    const norm_back_run *run = context;
    const saved_norm *s = run->saved;
    const pg_gradient_kernels *kernels = run->kernels->gradient;
    float *dw = s->weight.grad + first;
    for (int64_t r = 0; r < s->x->rows; r++) {
        const float *dy = s->out->grad + r * s->x->width + first;
        kernels->add_product(dw, dy, pg_row(s->x, r) + first, run->factors[r], count);
        if (run->means)
            kernels->add_scaled(dw, dy, -run->means[r] * run->factors[r], count);
    }
}

static norm_back_run start_back(pg_context *g, const saved_norm *saved)
{
    norm_back_run run = {.kernels = g->kernels, .saved = saved, .weight = pg_parameter_floats(g, &saved->weight)};
    run.dx = pg_gradient_or_scratch(g, saved->x);
    run.factors = pg_scratch(g, (size_t)saved->x->rows * sizeof *run.factors);
    return run;
}

/* The same on a device, of RMSNorm or LayerNorm. */
static void back_on_device(pg_context *g, const saved_norm *saved, bool layer)
{
    pg_tensor *x = saved->x;
    pg_device_matrix w = pg_on_device(&saved->weight);
    bool fresh;
    float *dx = pg_gradient_begin(g, x, &fresh), *dw = saved->weight.grad, epsilon = (float)saved->epsilon;
    float *scratch = pg_scratch_values(g, (size_t)pg_device_norm_scratch(x->rows, x->width) * sizeof *scratch);
    if (layer)
        PG_DEVICE(g, rows, layer_norm_back, dx, fresh, dw, saved->bias.grad, saved->out->grad, x->data, x->rows, &w,
                  epsilon, scratch);
    else
        PG_DEVICE(g, rows, rms_norm_back, dx, fresh, dw, saved->out->grad, x->data, x->rows, &w, epsilon, scratch);
}

static void rms_backward(pg_context *g, const void *memory)
{
    PG_PROFILE(g, "rmsnorm back", NULL);
    const saved_norm *saved = memory;
    if (g->device) {
        back_on_device(g, saved, false);
        return;
    }
    norm_back_run run = start_back(g, saved);
    if (g->status != PG_OK)
        return;
    pg_each_row(g, saved->x->rows, saved->x->width, rms_back_row, &run);
    if (saved->weight.grad)
        pg_each_columns(g, saved->x->width, norm_back_columns, &run);
}

pg_tensor *pg_rmsnorm(pg_context *g, pg_tensor *x, const pg_parameter *w, double epsilon)
{
    PG_PROFILE(g, "rmsnorm", NULL);
    pg_tensor *out = x ? pg_tensor_like(g, x) : NULL;
    if (!out)
        return NULL;
    if (g->device) {
        pg_device_matrix weight = pg_on_device(w);
        PG_DEVICE(g, rows, rms_norm, out->data, x->data, x->rows, &weight, (float)epsilon);
    } else {
        norm_run run = {g->kernels, x, out, pg_parameter_floats(g, w), NULL, (float)epsilon};
        if (g->status != PG_OK)
            return NULL;
        pg_each_row(g, x->rows, x->width, rms_row, &run);
    }
    saved_norm saved = {.x = x, .out = out, .weight = *w, .epsilon = epsilon};
    if (pg_tracked(g, x) || pg_is_trained(g, w))
        pg_tape_record(g, out, rms_backward, &saved, sizeof saved);
    return out;
}

/* ---------------------------------------------------------------- LayerNorm */

static void layer_row(void *context, int64_t row)
{
    const norm_run *run = context;
    run->kernels->layer_norm(pg_row(run->out, row), pg_row(run->x, row), run->weight, run->bias, run->x->width,
                             run->epsilon);
}

static void layer_back_row(void *context, int64_t row)
{
    const norm_back_run *run = context;
    const saved_norm *s = run->saved;
    int64_t n = s->x->width;
    run->kernels->gradient->layer_norm(run->dx + row * n, &run->means[row], &run->factors[row], s->out->grad + row * n,
                                       pg_row(s->x, row), run->weight, n, (float)s->epsilon);
}

static void layer_backward(pg_context *g, const void *memory)
{
    PG_PROFILE(g, "layernorm back", NULL);
    const saved_norm *saved = memory;
    if (g->device) {
        back_on_device(g, saved, true);
        return;
    }
    norm_back_run run = start_back(g, saved);
    run.means = pg_scratch(g, (size_t)saved->x->rows * sizeof *run.means);
    if (g->status != PG_OK)
        return;
    pg_each_row(g, saved->x->rows, saved->x->width, layer_back_row, &run);
    if (saved->weight.grad)
        pg_each_columns(g, saved->x->width, norm_back_columns, &run);
    if (saved->bias.grad)
        pg_add_columns(g, saved->bias.grad, saved->out->grad, saved->x->rows, saved->x->width);
}

pg_tensor *pg_layernorm(pg_context *g, pg_tensor *x, const pg_parameter *w, const pg_parameter *bias, double epsilon)
{
    PG_PROFILE(g, "layernorm", NULL);
    pg_tensor *out = x ? pg_tensor_like(g, x) : NULL;
    if (!out)
        return NULL;
    if (g->device) {
        pg_device_matrix weight = pg_on_device(w), shift = pg_on_device(bias);
        PG_DEVICE(g, rows, layer_norm, out->data, x->data, x->rows, &weight, &shift, (float)epsilon);
    } else {
        norm_run run = {g->kernels, x, out, pg_parameter_floats(g, w), pg_parameter_floats(g, bias), (float)epsilon};
        if (g->status != PG_OK)
            return NULL;
        pg_each_row(g, x->rows, x->width, layer_row, &run);
    }
    saved_norm saved = {.x = x, .out = out, .weight = *w, .bias = *bias, .epsilon = epsilon};
    if (pg_tracked(g, x) || pg_is_trained(g, w) || pg_is_trained(g, bias))
        pg_tape_record(g, out, layer_backward, &saved, sizeof saved);
    return out;
}

/* ---------------------------------------------------------------- rows of length one */

static double dot(const float *x, const float *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

static void unit_row(void *context, int64_t row)
{
    const norm_run *run = context;
    const float *x = pg_row(run->x, row);
    double length = sqrt(dot(x, x, run->x->width));
    run->kernels->scale(pg_row(run->out, row), x, (float)(1 / length), run->x->width);
}

/* dx += (dy - y (y . dy)) / |x| */
static void unit_back_row(void *context, int64_t row)
{
    const saved_norm *s = context;
    int64_t n = s->x->width;
    const float *x = pg_row(s->x, row), *y = pg_row(s->out, row), *dy = s->out->grad + row * n;
    double length = sqrt(dot(x, x, n)), along = dot(y, dy, n);
    for (int64_t i = 0; i < n; i++)
        s->x->grad[row * n + i] += (float)((dy[i] - y[i] * along) / length);
}

static void unit_backward(pg_context *g, const void *memory)
{
    PG_PROFILE(g, "unit_rows back", NULL);
    saved_norm saved = *(const saved_norm *)memory;
    bool fresh;
    if (g->device) {
        float *dx = pg_gradient_begin(g, saved.x, &fresh);
        PG_DEVICE(g, rows, unit_rows_back, dx, fresh, saved.out->grad, saved.x->data, saved.out->data, saved.x->rows,
                  saved.x->width);
    } else if (pg_gradient(g, saved.x))
        pg_each_row(g, saved.x->rows, saved.x->width, unit_back_row, &saved);
}

pg_tensor *pg_unit_rows(pg_context *g, pg_tensor *x)
{
    PG_PROFILE(g, "unit_rows", NULL);
    norm_run run = {.kernels = g->kernels, .x = x, .out = x ? pg_tensor_like(g, x) : NULL};
    if (!run.out)
        return NULL;
    if (g->device)
        PG_DEVICE(g, rows, unit_rows, run.out->data, x->data, x->rows, x->width);
    else
        pg_each_row(g, x->rows, x->width, unit_row, &run);
    saved_norm saved = {.x = x, .out = run.out};
    if (pg_tracked(g, x))
        pg_tape_record(g, run.out, unit_backward, &saved, sizeof saved);
    return run.out;
}
