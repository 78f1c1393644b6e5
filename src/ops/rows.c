#include "ops/rows.h"

#include "base/threads.h"
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

const float *pg_parameter_floats(pg_context *g, const pg_parameter *p)
{
    if (p->dtype == PG_F32 && (uintptr_t)p->data % _Alignof(float) == 0)
        return p->data;
    int64_t count = p->rows * p->width;
    float *floats = pg_scratch(g, (size_t)count * sizeof *floats);
    if (floats)
        g->kernels->widen(floats, p->data, p->dtype, count);
    return floats;
}

pg_tensor pg_rows_view(const pg_tensor *x, int64_t first, int64_t count)
{
    int64_t single = x->single - first;
    single = single < 0 ? 0 : single > count ? count : single;
    return (pg_tensor){.dtype = x->dtype, .rows = count, .width = x->width, .data = pg_row(x, first), .single = single};
}
