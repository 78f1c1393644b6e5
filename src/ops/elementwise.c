/* GELU (Hendrycks and Gimpel 2016, tanh form), its product with another matrix, sums, and dropout (Srivastava et al.
 * 2014).
 */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "kernels/device_rows.h"
#include "kernels/gradient.h"
#include "ops/rows.h"

typedef struct pair_run {
    const pg_kernels *kernels;
    pg_tensor *x, *y;
    pg_tensor *out;
    float factor;
} pair_run;

/* The way back of `call` on g's device, of an operation on x alone. */
#define BACK_ON_DEVICE(g, call, run)                                                                \
    do {                                                                                            \
        bool fresh;                                                                                 \
        float *dx = pg_gradient_begin(g, (run).x, &fresh);                                          \
        if (dx)                                                                                     \
            PG_DEVICE(g, rows, call, dx, fresh, (run).out->grad, (run).x->data, pg_count((run).x)); \
    } while (0)

/* ---------------------------------------------------------------- gelu */

static void gelu_row(void *context, int64_t row)
{
    const pair_run *run = context;
    run->kernels->gelu(pg_row(run->out, row), pg_row(run->x, row), run->x->width);
}

static void gelu_back_row(void *context, int64_t row)
{
    const pair_run *run = context;
    int64_t at = row * run->x->width;
    run->kernels->gradient->gelu(run->x->grad + at, run->out->grad + at, pg_row(run->x, row), run->x->width);
}

static void gelu_backward(pg_context *g, const void *saved)
{
    PG_PROFILE(g, "gelu back", NULL);
    pair_run run = *(const pair_run *)saved;
    if (g->device)
        BACK_ON_DEVICE(g, gelu_back, run);
    else if (pg_gradient(g, run.x))
        pg_each_row(g, run.x->rows, run.x->width, gelu_back_row, &run);
}

pg_tensor *pg_gelu(pg_context *g, pg_tensor *x)
{
    PG_PROFILE(g, "gelu", NULL);
    pair_run run = {.kernels = g->kernels, .x = x, .out = x ? pg_tensor_like(g, x) : NULL};
    if (!run.out)
        return NULL;
    if (g->device)
        PG_DEVICE(g, rows, gelu, run.out->data, x->data, pg_count(x));
    else
        pg_each_row(g, x->rows, x->width, gelu_row, &run);
    if (pg_tracked(g, x))
        pg_tape_record(g, run.out, gelu_backward, &run, sizeof run);
    return run.out;
}

/* ---------------------------------------------------------------- relu */

static void relu_row(void *context, int64_t row)
{
    const pair_run *run = context;
    const float *x = pg_row(run->x, row);
    float *out = pg_row(run->out, row);
    for (int64_t i = 0; i < run->x->width; i++)
        out[i] = x[i] > 0 ? x[i] : 0;
}

static void relu_back_row(void *context, int64_t row)
{
    const pair_run *run = context;
    int64_t at = row * run->x->width;
    const float *x = pg_row(run->x, row), *dout = run->out->grad + at;
    float *dx = run->x->grad + at;
    for (int64_t i = 0; i < run->x->width; i++)
        dx[i] += x[i] > 0 ? dout[i] : 0;
}

static void relu_backward(pg_context *g, const void *saved)
{
    PG_PROFILE(g, "relu back", NULL);
    pair_run run = *(const pair_run *)saved;
    if (g->device)
        BACK_ON_DEVICE(g, relu_back, run);
    else if (pg_gradient(g, run.x))
        pg_each_row(g, run.x->rows, run.x->width, relu_back_row, &run);
}

pg_tensor *pg_relu(pg_context *g, pg_tensor *x)
{
    PG_PROFILE(g, "relu", NULL);
    pair_run run = {.kernels = g->kernels, .x = x, .out = x ? pg_tensor_like(g, x) : NULL};
    if (!run.out)
        return NULL;
    if (g->device)
        PG_DEVICE(g, rows, relu, run.out->data, x->data, pg_count(x));
    else
        pg_each_row(g, x->rows, x->width, relu_row, &run);
    if (pg_tracked(g, x))
        pg_tape_record(g, run.out, relu_backward, &run, sizeof run);
    return run.out;
}

/* ---------------------------------------------------------------- gelu(x) y */

static void gelu_times_row(void *context, int64_t row)
{
    const pair_run *run = context;
    run->kernels->gelu_times(pg_row(run->out, row), pg_row(run->x, row), pg_row(run->y, row), run->x->width);
}

typedef struct gate_back_run {
    pair_run pair;
    float *dx, *dy;
} gate_back_run;

static void gelu_times_back_row(void *context, int64_t row)
{
    const gate_back_run *run = context;
    const pair_run *pair = &run->pair;
    int64_t at = row * pair->x->width;
    pair->kernels->gradient->gelu_times(run->dx + at, run->dy + at, pair->out->grad + at, pg_row(pair->x, row),
                                        pg_row(pair->y, row), pair->x->width);
}

static void gelu_times_backward(pg_context *g, const void *saved)
{
    PG_PROFILE(g, "gelu_times back", NULL);
    gate_back_run run = {.pair = *(const pair_run *)saved};
    if (g->device) {
        bool fresh_dx, fresh_dy;
        float *dx = pg_gradient_begin(g, run.pair.x, &fresh_dx), *dy = pg_gradient_begin(g, run.pair.y, &fresh_dy);
        PG_DEVICE(g, rows, gelu_times_back, dx, fresh_dx, dy, fresh_dy, run.pair.out->grad, run.pair.x->data,
                  run.pair.y->data, pg_count(run.pair.x));
        return;
    }
    run.dx = pg_gradient_or_scratch(g, run.pair.x);
    run.dy = pg_gradient_or_scratch(g, run.pair.y);
    if (run.dx && run.dy)
        pg_each_row(g, run.pair.x->rows, run.pair.x->width, gelu_times_back_row, &run);
}

pg_tensor *pg_gelu_times(pg_context *g, pg_tensor *x, pg_tensor *y)
{
    PG_PROFILE(g, "gelu_times", NULL);
    pair_run run = {.kernels = g->kernels, .x = x, .y = y, .out = x && y ? pg_tensor_like(g, x) : NULL};
    if (!run.out)
        return NULL;
    if (g->device)
        PG_DEVICE(g, rows, gelu_times, run.out->data, x->data, y->data, pg_count(x));
    else
        pg_each_row(g, x->rows, x->width, gelu_times_row, &run);
    if (pg_tracked(g, x) || pg_tracked(g, y))
        pg_tape_record(g, run.out, gelu_times_backward, &run, sizeof run);
    return run.out;
}

/* ---------------------------------------------------------------- sums */

static void add_row(void *context, int64_t row)
{
    const pair_run *run = context;
    float *out = pg_row(run->out, row);
    const float *x = pg_row(run->x, row), *y = pg_row(run->y, row);
    if (run->factor == 1)
        run->kernels->add(out, x, y, run->x->width);
    else {
        memcpy(out, x, (size_t)run->x->width * sizeof *out);
        run->kernels->gradient->add_scaled(out, y, run->factor, run->x->width);
    }
}

/* One term's derivative gets that of the sum times `factor`; where it has none yet, it is set. */
typedef struct pass_run {
    const pg_kernels *kernels;
    float *to;
    const float *from;
    int64_t width;
    float factor;
    bool fresh;
} pass_run;

static void pass_row(void *context, int64_t row)
{
    const pass_run *run = context;
    float *to = run->to + row * run->width;
    const float *from = run->from + row * run->width;
    if (run->fresh)
        run->kernels->scale(to, from, run->factor, run->width);
    else
        run->kernels->gradient->add_scaled(to, from, run->factor, run->width);
}

/* to = factor from, or += if it is not fresh; both are like x. */
static void pass(pg_context *g, float *to, bool fresh, const float *from, const pg_tensor *x, float factor)
{
    pass_run run = {g->kernels, to, from, x->width, factor, fresh};
    if (g->device)
        PG_DEVICE(g, rows, pass_back, to, fresh, from, factor, pg_count(x));
    else
        pg_each_row(g, x->rows, x->width, pass_row, &run);
}

static void pass_back(pg_context *g, pg_tensor *to, const pg_tensor *out, float factor)
{
    bool fresh;
    float *dx = pg_gradient_begin(g, to, &fresh);
    if (dx)
        pass(g, dx, fresh, out->grad, out, factor);
}

static void add_backward(pg_context *g, const void *saved)
{
    PG_PROFILE(g, "add back", NULL);
    const pair_run *pair = saved;
    pass_back(g, pair->y, pair->out, pair->factor);
    if (pair->x->tracked && !pair->x->grad && pair->x != pair->y) { /* the sum's own is needed no more */
        pair->x->grad = pair->out->grad;
        pair->out->grad = NULL;
    } else
        pass_back(g, pair->x, pair->out, 1);
}

pg_tensor *pg_add_scaled(pg_context *g, pg_tensor *x, pg_tensor *y, double factor)
{
    PG_PROFILE(g, "add", NULL);
    pair_run run = {g->kernels, x, y, x && y ? pg_tensor_like(g, x) : NULL, (float)factor};
    if (!run.out)
        return NULL;
    if (g->device)
        PG_DEVICE(g, rows, add_scaled, run.out->data, x->data, y->data, run.factor, pg_count(x));
    else
        pg_each_row(g, x->rows, x->width, add_row, &run);
    if (pg_tracked(g, x) || pg_tracked(g, y))
        pg_tape_record(g, run.out, add_backward, &run, sizeof run);
    return run.out;
}

pg_tensor *pg_add(pg_context *g, pg_tensor *x, pg_tensor *y)
{
    return pg_add_scaled(g, x, y, 1);
}

/* ---------------------------------------------------------------- a factor */

static void scale_backward(pg_context *g, const void *saved)
{
    PG_PROFILE(g, "scale back", NULL);
    const pair_run *run = saved;
    pass_back(g, run->x, run->out, run->factor);
}

pg_tensor *pg_scaled(pg_context *g, pg_tensor *x, double factor)
{
    PG_PROFILE(g, "scale", NULL);
    pair_run run = {.kernels = g->kernels, .x = x, .out = x ? pg_tensor_like(g, x) : NULL, .factor = (float)factor};
    if (!run.out)
        return NULL;
    pass(g, run.out->data, true, x->data, x, run.factor);
    if (pg_tracked(g, x))
        pg_tape_record(g, run.out, scale_backward, &run, sizeof run);
    return run.out;
}

/* ---------------------------------------------------------------- dropout */

typedef struct dropout_run {
    pg_tensor *x, *out;
    uint64_t seed, stream; /* stream: place and step */
    double rate;
} dropout_run;

uint64_t pg_place(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
    return hash;
}

static bool is_kept(const dropout_run *run, int64_t element)
{
    return pg_random_uniform(run->seed, run->stream, (uint64_t)element) >= run->rate;
}

static void drop_row(void *context, int64_t row)
{
    const dropout_run *run = context;
    const float factor = (float)(1 / (1 - run->rate)), *x = run->x->data;
    float *out = run->out->data;
    for (int64_t i = row * run->x->width; i < (row + 1) * run->x->width; i++)
        out[i] = is_kept(run, i) ? x[i] * factor : 0;
}

static void drop_back_row(void *context, int64_t row)
{
    const dropout_run *run = context;
    const float factor = (float)(1 / (1 - run->rate));
    for (int64_t i = row * run->x->width; i < (row + 1) * run->x->width; i++)
        run->x->grad[i] += is_kept(run, i) ? run->out->grad[i] * factor : 0;
}

/* The same on a device, where random numbers are compared as whole ones of 53 bits: uniform * 2^53 >= rate * 2^53. */
static void drop_on_device(pg_context *g, const dropout_run *run, float *to, bool fresh, const float *from)
{
    const float factor = (float)(1 / (1 - run->rate));
    uint64_t least = (uint64_t)ceil(run->rate * 0x1p53);
    PG_DEVICE(g, rows, dropout, to, fresh, from, factor, least, run->seed, run->stream, pg_count(run->x));
}

static void dropout_backward(pg_context *g, const void *saved)
{
    PG_PROFILE(g, "dropout back", NULL);
    dropout_run run = *(const dropout_run *)saved;
    bool fresh = false;
    float *dx = g->device ? pg_gradient_begin(g, run.x, &fresh) : pg_gradient(g, run.x);
    if (dx && g->device)
        drop_on_device(g, &run, dx, fresh, run.out->grad);
    else if (dx)
        pg_each_row(g, run.x->rows, run.x->width * 8, drop_back_row, &run);
}

pg_tensor *pg_dropout(pg_context *g, pg_tensor *x, double rate, uint64_t place)
{
    if (!g->tape || g->tape->keep_all || rate <= 0 || !x)
        return x;
    PG_PROFILE(g, "dropout", NULL);
    uint64_t stream = place + g->tape->step * 0x9e3779b97f4a7c15;
    dropout_run run = {x, pg_tensor_like(g, x), g->tape->seed, stream, rate};
    if (!run.out)
        return NULL;
    if (g->device)
        drop_on_device(g, &run, run.out->data, true, x->data);
    else
        pg_each_row(g, x->rows, x->width * 8, drop_row, &run); /* a random number costs about 8 simple steps */
    if (x->tracked)
        pg_tape_record(g, run.out, dropout_backward, &run, sizeof run);
    return run.out;
}

pg_tensor *pg_residual_dropout(pg_context *g, pg_tensor *x, const char *weight)
{
    return g->tape && g->tape->dropout > 0 ? pg_dropout(g, x, g->tape->dropout, pg_place(weight)) : x;
}
