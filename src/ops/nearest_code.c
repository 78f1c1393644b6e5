/* Vector quantisation with a straight-through gradient (van den Oord et al. 2017), and squared differences. */
#include <string.h>

#include "kernels/kernels.h"
#include "ops/linear.h"
#include "ops/rows.h"

/* ---------------------------------------------------------------- the nearest row */

typedef struct nearest_run {
    const pg_context *g;
    const pg_tensor *products; /* [rows][codes]: x e^T */
    const float *table;        /* [codes][width] */
    const float *half_norms;   /* [codes]: |e|^2 / 2 */
    pg_tensor *out;
    int32_t *codes;
} nearest_run;

/* |x - e|^2 / 2 is smallest where x e - |e|^2 / 2 is largest; the first of equals. */
static void find_nearest(void *context, int64_t row)
{
    const nearest_run *run = context;
    const float *products = pg_row(run->products, row);
    int32_t best = 0;
    for (int32_t i = 1; i < run->products->width; i++)
        if (products[i] - run->half_norms[i] > products[best] - run->half_norms[best])
            best = i;
    run->codes[row] = best;
    memcpy(pg_row(run->out, row), run->table + best * run->out->width, (size_t)run->out->width * sizeof(float));
}

static const float *half_norms(pg_context *g, const float *table, int64_t rows, int64_t width)
{
    float *norms = pg_scratch(g, (size_t)rows * sizeof *norms);
    for (int64_t r = 0; norms && r < rows; r++) {
        double sum = 0;
        for (int64_t i = 0; i < width; i++)
            sum += (double)table[r * width + i] * (double)table[r * width + i];
        norms[r] = (float)(sum / 2);
    }
    return norms;
}

typedef struct saved_codes {
    pg_tensor *x, *out;
} saved_codes;

static void straight_through(pg_context *g, const void *memory)
{
    const saved_codes *saved = memory;
    float *dx = pg_gradient(g, saved->x);
    if (dx)
        g->kernels->add(dx, dx, saved->out->grad, saved->x->rows * saved->x->width);
}

pg_tensor *pg_nearest_code(pg_context *g, pg_tensor *x, const pg_parameter *table, int32_t *codes)
{
    PG_PROFILE(g, "nearest_code", table->name);
    if (!pg_host_only(g, "nearest_code"))
        return NULL;
    pg_tensor *out = x ? pg_tensor_like(g, x) : NULL;
    pg_tensor *products = x ? pg_tensor_new(g, x->rows, table->rows) : NULL;
    const float *floats = products ? pg_parameter_floats(g, table) : NULL;
    const float *norms = floats ? half_norms(g, floats, table->rows, table->width) : NULL;
    if (!norms)
        return NULL;
    pg_compute compute = g->compute;
    g->compute = PG_COMPUTE_F32; /* distances of near rows differ little */
    pg_linear_into(g, products, x, table, NULL);
    g->compute = compute;
    nearest_run run = {g, products, floats, norms, out, codes};
    if (g->status != PG_OK)
        return NULL;
    pg_each_row(g, x->rows, table->rows + x->width, find_nearest, &run);
    saved_codes saved = {x, out};
    if (pg_tracked(g, x))
        pg_tape_record(g, out, straight_through, &saved, sizeof saved);
    return out;
}

/* ---------------------------------------------------------------- squared differences */

typedef struct saved_difference {
    pg_tensor *x, *out;
    const float *target;
    double factor;
} saved_difference;

static void squared_backward(pg_context *g, const void *memory)
{
    const saved_difference *saved = memory;
    const float *x = saved->x->data;
    float *dx = pg_gradient(g, saved->x), scale = (float)(2 * saved->factor) * saved->out->grad[0];
    for (int64_t i = 0; dx && i < saved->x->rows * saved->x->width; i++)
        dx[i] += scale * (x[i] - saved->target[i]);
}

pg_tensor *pg_squared_difference(pg_context *g, pg_tensor *x, const float *target, double factor)
{
    PG_PROFILE(g, "squared_difference", NULL);
    if (!pg_host_only(g, "squared_difference"))
        return NULL;
    pg_tensor *out = x ? pg_tensor_new(g, 1, 1) : NULL;
    if (!out)
        return NULL;
    double sum = 0;
    for (int64_t i = 0; i < x->rows * x->width; i++) {
        double difference = (double)((const float *)x->data)[i] - (double)target[i];
        sum += difference * difference;
    }
    *(float *)out->data = (float)(sum * factor);
    saved_difference saved = {x, out, target, factor};
    if (pg_tracked(g, x))
        pg_tape_record(g, out, squared_backward, &saved, sizeof saved);
    return out;
}
