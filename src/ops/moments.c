/* Second moments of activations: a product of the transposed rows with themselves, in f32 whatever the models compute
 * in. Some rows of the result at a time, each as far as the diagonal. */
#include "kernels/matmul.h"
#include "ops/rows.h"

#define ROWS 128

typedef struct transposition {
    const pg_tensor *x;
    int64_t first;
    float *out; /* [count][rows] */
} transposition;

static void transpose_row(void *context, int64_t column)
{
    const transposition *run = context;
    float *out = run->out + column * run->x->rows;
    for (int64_t t = 0; t < run->x->rows; t++)
        out[t] = pg_row(run->x, t)[run->first + column];
}

typedef struct addition {
    const float *product; /* [rows][outputs] */
    int64_t outputs, stride;
    float *sums;
} addition;

static void add_row(void *context, int64_t row)
{
    const addition *run = context;
    for (int64_t i = 0; i < run->outputs; i++)
        run->sums[row * run->stride + i] += run->product[row * run->outputs + i];
}

/* Rows start .. start + rows - 1 of the moments. */
static void add_rows(pg_context *g, float *moments, const transposition *x, int64_t count, int64_t start, int64_t rows)
{
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    pg_matmul job = {.x = x->out + start * x->x->rows,
                     .rows = rows,
                     .outputs = start + rows,
                     .inputs = x->x->rows,
                     .weights = x->out,
                     .dtype = PG_F32,
                     .panel = PG_PANEL_F32};
    job.out = pg_scratch(g, (size_t)(rows * job.outputs) * sizeof(float));
    void *scratch = pg_scratch(g, pg_matmul_scratch(g->kernels, g->threads, &job));
    if (scratch) {
        pg_matmul_panels(g->kernels, g->threads, &job, scratch);
        addition run = {job.out, job.outputs, count, moments + start * count};
        pg_each_row(g, rows, job.outputs, add_row, &run);
    }
    pg_arena_release(&g->arena, mark);
}

void pg_add_moments(pg_context *g, float *moments, const pg_tensor *x, int64_t first, int64_t count)
{
    if (!pg_host_only(g, "add_moments"))
        return;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    transposition run = {x, first, pg_scratch(g, (size_t)(count * x->rows) * sizeof(float))};
    if (run.out)
        pg_each_row(g, count, x->rows, transpose_row, &run);
    for (int64_t start = 0; start < count && g->status == PG_OK; start += ROWS)
        add_rows(g, moments, &run, count, start, count - start < ROWS ? count - start : ROWS);
    pg_arena_release(&g->arena, mark);
}
