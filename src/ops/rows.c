#include "ops/rows.h"

#include "base/threads.h"
#include "kernels/device_products.h"
#include "kernels/kernels.h"

#define TASK_FLOATS 16384 /* below this, waking a thread costs more than it saves */

typedef struct row_run {
    void (*task)(void *context, int64_t row);
    void *context;
    int64_t rows, rows_per_task;
} row_run;

static void run_rows(void *context, int64_t index, int worker)
{
    (void)worker;
    const row_run *run = context;
    int64_t first = index * run->rows_per_task, end = first + run->rows_per_task;
    for (int64_t row = first; row < end && row < run->rows; row++)
        run->task(run->context, row);
}

void pg_each_row(const pg_context *g, int64_t rows, int64_t width, void (*task)(void *context, int64_t row),
                 void *context)
{
    row_run run = {task, context, rows, TASK_FLOATS / (width + 1) + 1};
    pg_parallel(g->threads, (rows + run.rows_per_task - 1) / run.rows_per_task, run_rows, &run);
}

#define COLUMNS 128 /* of one task */

typedef struct column_run {
    void (*task)(void *context, int64_t first, int64_t count);
    void *context;
    int64_t width;
} column_run;

static void run_columns(void *context, int64_t index, int worker)
{
    (void)worker;
    const column_run *run = context;
    int64_t first = index * COLUMNS, left = run->width - first;
    run->task(run->context, first, left < COLUMNS ? left : COLUMNS);
}

void pg_each_columns(const pg_context *g, int64_t width, void (*task)(void *context, int64_t first, int64_t count),
                     void *context)
{
    column_run run = {task, context, width};
    pg_parallel(g->threads, (width + COLUMNS - 1) / COLUMNS, run_columns, &run);
}

typedef struct sum_run {
    const pg_kernels *kernels;
    float *out;
    const float *x;
    int64_t rows, width;
} sum_run;

static void sum_columns(void *context, int64_t first, int64_t count)
{
    const sum_run *run = context;
    float *out = run->out + first;
    for (int64_t r = 0; r < run->rows; r++)
        run->kernels->add(out, out, run->x + r * run->width + first, count);
}

void pg_add_columns(const pg_context *g, float *out, const float *x, int64_t rows, int64_t width)
{
    if (g->device) {
        PG_DEVICE(g, products, add_columns, out, x, rows, width);
        return;
    }
    sum_run run = {g->kernels, out, x, rows, width};
    pg_each_columns(g, width, sum_columns, &run);
}

float *pg_gradient_or_scratch(pg_context *g, pg_tensor *x)
{
    if (x->tracked)
        return pg_gradient(g, x);
    size_t bytes = (size_t)(x->rows * x->width) * sizeof(float);
    float *nobody = pg_scratch_values(g, bytes);
    if (nobody)
        pg_values_clear(g->device, nobody, bytes);
    return nobody;
}

const float *pg_parameter_floats(pg_context *g, const pg_parameter *p)
{
    if (p->dtype == PG_F32 && (uintptr_t)p->data % _Alignof(float) == 0)
        return p->data;
    int64_t count = p->rows * p->width;
    float *floats = pg_scratch_values(g, (size_t)count * sizeof *floats);
    if (floats && g->device)
        PG_DEVICE(g, products, widen, floats, p->data, p->dtype, count);
    else if (floats)
        g->kernels->widen(floats, p->data, p->dtype, count);
    return floats;
}

bool pg_host_only(pg_context *g, const char *operation)
{
    if (g->device && g->status == PG_OK)
        g->status = pg_fail(PG_ERROR_UNSUPPORTED, "%s: %s runs on the cpu only", g->device->name, operation);
    return !g->device;
}

pg_tensor pg_rows_view(const pg_tensor *x, int64_t first, int64_t count)
{
    int64_t single = x->single - first;
    single = single < 0 ? 0 : single > count ? count : single;
    return (pg_tensor){.dtype = x->dtype, .rows = count, .width = x->width, .data = pg_row(x, first), .single = single};
}
