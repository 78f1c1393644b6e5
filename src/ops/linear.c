/* The linear layer, and Gemma's gated block of three of them. */
#include <assert.h>

#include "kernels/matmul.h"
#include "ops/rows.h"

/* out = x w^T + bias into memory that is there already. */
static void multiply(pg_context *g, pg_tensor *out, const pg_tensor *x, const pg_parameter *w, const float *bias,
                     bool panels)
{
    pg_matmul job = {.out = out->data,
                     .x = x->data,
                     .rows = x->rows,
                     .outputs = w->rows,
                     .inputs = w->width,
                     .weights = w->data,
                     .dtype = w->dtype,
                     .bias = bias,
                     .panel = g->compute == PG_COMPUTE_BF16 ? PG_PANEL_BF16 : PG_PANEL_F32};
    void *scratch = pg_scratch(g, panels ? pg_matmul_scratch(g->kernels, g->threads, &job)
                                         : pg_matmul_dots_scratch(g->kernels, &job));
    if (scratch && panels)
        pg_matmul_panels(g->kernels, g->threads, &job, scratch);
    else if (scratch)
        pg_matmul_dots(g->kernels, g->threads, &job, scratch);
}

static void linear_into(pg_context *g, pg_tensor *out, const pg_tensor *x, const pg_parameter *w,
                        const pg_parameter *bias)
{
    assert(x->width == w->width && out->width == w->rows);
    PG_PROFILE(g, "linear", w->name);
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    const float *b = bias && bias->name ? pg_parameter_floats(g, bias) : NULL;
    pg_tensor x_single = pg_rows_view(x, 0, x->single), out_single = pg_rows_view(out, 0, x->single);
    pg_tensor x_rest = pg_rows_view(x, x->single, x->rows - x->single);
    pg_tensor out_rest = pg_rows_view(out, x->single, x->rows - x->single);
    if (g->status == PG_OK && x_single.rows)
        multiply(g, &out_single, &x_single, w, b, false);
    if (g->status == PG_OK && x_rest.rows)
        multiply(g, &out_rest, &x_rest, w, b, true);
    pg_arena_release(&g->arena, mark);
}

pg_tensor *pg_linear(pg_context *g, const pg_tensor *x, const pg_parameter *w, const pg_parameter *bias)
{
    pg_tensor *out = x ? pg_tensor_new(g, x->rows, w->rows) : NULL;
    if (!out)
        return NULL;
    out->single = x->single;
    linear_into(g, out, x, w, bias);
    return out;
}

/* ---------------------------------------------------------------- GeGLU */

#define MLP_ROWS 512 /* as many as the panel product takes at a time: more would only need more memory */

typedef struct gate_run {
    const pg_context *g;
    pg_tensor *gate, *up;
} gate_run;

static void gate_row(void *context, int64_t row)
{
    const gate_run *run = context;
    float *gate = pg_row(run->gate, row);
    run->g->kernels->gelu_times(gate, gate, pg_row(run->up, row), run->gate->width);
}

static void multiply_gate(const pg_context *g, gate_run *run)
{
    PG_PROFILE(g, "gelu_times", NULL);
    pg_each_row(g, run->gate->rows, run->gate->width, gate_row, run);
}

pg_tensor *pg_gated_mlp(pg_context *g, const pg_tensor *x, const pg_parameter *gate, const pg_parameter *up,
                        const pg_parameter *down)
{
    pg_tensor *out = x ? pg_tensor_new(g, x->rows, down->rows) : NULL;
    if (!out)
        return NULL;
    out->single = x->single;
    for (int64_t first = 0; first < x->rows && g->status == PG_OK; first += MLP_ROWS) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        int64_t count = x->rows - first < MLP_ROWS ? x->rows - first : MLP_ROWS;
        pg_tensor x_part = pg_rows_view(x, first, count), out_part = pg_rows_view(out, first, count);
        gate_run run = {g, pg_linear(g, &x_part, gate, NULL), pg_linear(g, &x_part, up, NULL)};
        if (run.gate && run.up) {
            multiply_gate(g, &run);
            linear_into(g, &out_part, run.gate, down, NULL);
        }
        pg_arena_release(&g->arena, mark);
    }
    return out;
}
