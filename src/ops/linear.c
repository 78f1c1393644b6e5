/* The linear layer, and Gemma's gated block of three of them. */
#include <assert.h>
#include <string.h>

#include "kernels/device_products.h"
#include "kernels/device_rows.h"
#include "kernels/integer.h"
#include "kernels/matmul.h"
#include "kernels/matmul_gradient.h"
#include "ops/linear.h"
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

/* The same for floating-point weights: rows of generated tokens through dots, the others through panels. */
static void multiply_floats(pg_context *g, pg_tensor *out, const pg_tensor *x, const pg_parameter *w, const float *b)
{
    pg_tensor x_single = pg_rows_view(x, 0, x->single), out_single = pg_rows_view(out, 0, x->single);
    pg_tensor x_rest = pg_rows_view(x, x->single, x->rows - x->single);
    pg_tensor out_rest = pg_rows_view(out, x->single, x->rows - x->single);
    if (g->status == PG_OK && x_single.rows)
        multiply(g, &out_single, &x_single, w, b, false);
    if (g->status == PG_OK && x_rest.rows)
        multiply(g, &out_rest, &x_rest, w, b, true);
}

/* ---------------------------------------------------------------- quantised weights */

static void multiply_integers(pg_context *g, pg_tensor *out, const pg_tensor *x, const pg_quantized *w, const float *b)
{
    pg_integer_matmul job = {.out = out->data, .x = x->data, .rows = x->rows, .weights = w, .bias = b};
    void *scratch = pg_scratch(g, pg_integer_scratch(g->threads, &job));
    if (scratch)
        pg_matmul_integer(g->kernels, g->threads, &job, scratch);
}

#define WIDE_FLOATS (1 << 22) /* of a quantised weight that exist as floats at a time */

typedef struct widen_run {
    const pg_quantized *w;
    int64_t first;
    float *out;
} widen_run;

static void widen_row(void *context, int64_t row)
{
    const widen_run *run = context;
    pg_quantized_widen(run->out + row * run->w->inputs, run->w, run->first + row, 0, run->w->inputs);
}

/* Some rows of the weight at a time become floats and go the way of floats. */
static void multiply_widened(pg_context *g, pg_tensor *out, const pg_tensor *x, const pg_quantized *w, const float *b)
{
    int64_t most = WIDE_FLOATS / w->inputs + 1;
    pg_parameter part = {.dtype = PG_F32, .rows = w->rows < most ? w->rows : most, .width = w->inputs};
    widen_run run = {.w = w, .out = pg_scratch(g, (size_t)(part.rows * part.width) * sizeof(float))};
    pg_tensor *product = pg_tensor_new(g, x->rows, part.rows);
    if (!product)
        return;
    part.data = run.out;
    for (; run.first < w->rows && g->status == PG_OK; run.first += part.rows) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        part.rows = w->rows - run.first < part.rows ? w->rows - run.first : part.rows;
        product->width = part.rows;
        pg_each_row(g, part.rows, part.width, widen_row, &run);
        multiply_floats(g, product, x, &part, b ? b + run.first : NULL);
        for (int64_t r = 0; r < x->rows; r++)
            memcpy(pg_row(out, r) + run.first, pg_row(product, r), (size_t)part.rows * sizeof(float));
        pg_arena_release(&g->arena, mark);
    }
}

/* ---------------------------------------------------------------- any */

static bool rounds(const pg_context *g)
{
    return g->compute == PG_COMPUTE_BF16;
}

static void multiply_on_device(pg_context *g, pg_tensor *out, const pg_tensor *x, const pg_parameter *w,
                               const pg_parameter *bias)
{
    pg_device_matrix weight = pg_on_device(w), b = bias ? pg_on_device(bias) : (pg_device_matrix){0};
    const pg_device_product product = {out->data, &weight, bias ? &b : NULL};
    PG_DEVICE(g, products, multiply, &product, 1, x->data, x->rows, x->single, rounds(g));
}

void pg_linear_into(pg_context *g, pg_tensor *out, const pg_tensor *x, const pg_parameter *w, const pg_parameter *bias)
{
    assert(x->width == w->width && out->width == w->rows);
    if (g->watch && g->status == PG_OK)
        g->watch(g->watch_user, g, w, x);
    PG_PROFILE(g, "linear", w->name);
    bias = bias && bias->name ? bias : NULL;
    if (g->device) {
        multiply_on_device(g, out, x, w, bias);
        return;
    }
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    const float *b = bias ? pg_parameter_floats(g, bias) : NULL;
    if (g->status == PG_OK && !w->quantized.bits)
        multiply_floats(g, out, x, w, b);
    else if (g->status == PG_OK && g->integers)
        multiply_integers(g, out, x, &w->quantized, b);
    else if (g->status == PG_OK)
        multiply_widened(g, out, x, &w->quantized, b);
    pg_arena_release(&g->arena, mark);
}

/* ---------------------------------------------------------------- the way back */

static void multiply_back(pg_context *g, pg_matmul_gradient job)
{
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    job.panel = g->compute == PG_COMPUTE_BF16 ? PG_PANEL_BF16 : PG_PANEL_F32;
    void *scratch = pg_scratch(g, pg_matmul_gradient_scratch(g->kernels, g->threads, &job));
    if (scratch)
        pg_matmul_gradient_run(g->kernels, g->threads, &job, scratch);
    pg_arena_release(&g->arena, mark);
}

static void back_on_device(pg_context *g, const float *dout, const pg_tensor *x, float *dx, bool fresh,
                           const pg_parameter *w)
{
    pg_device_matrix weight = pg_on_device(w);
    if (dx || w->grad)
        PG_DEVICE(g, products, multiply_back, dx, fresh, w->grad, dout, x->data, x->rows, &weight, rounds(g));
}

static void back_on_host(pg_context *g, const float *dout, const pg_tensor *x, float *dx, bool fresh,
                         const pg_parameter *w)
{
    if (dx)
        multiply_back(g, (pg_matmul_gradient){.out = dx,
                                              .fresh = fresh,
                                              .a = dout,
                                              .b = w->data,
                                              .dtype = w->dtype,
                                              .quantized = w->quantized.bits ? &w->quantized : NULL,
                                              .rows = x->rows,
                                              .inner = w->rows,
                                              .columns = w->width});
    if (w->grad)
        multiply_back(g, (pg_matmul_gradient){.out = w->grad,
                                              .a = dout,
                                              .a_transposed = true,
                                              .b = x->data,
                                              .dtype = PG_F32,
                                              .rows = w->rows,
                                              .inner = x->rows,
                                              .columns = w->width});
}

void pg_linear_back(pg_context *g, const float *dout, const pg_tensor *x, float *dx, bool fresh, const pg_parameter *w,
                    const pg_parameter *bias)
{
    PG_PROFILE(g, "linear back", w->name);
    if (g->device)
        back_on_device(g, dout, x, dx, fresh, w);
    else
        back_on_host(g, dout, x, dx, fresh, w);
    if (bias && bias->grad)
        pg_add_columns(g, bias->grad, dout, x->rows, w->rows);
}

/* ---------------------------------------------------------------- in place */

typedef void combine_rows(float *out, const float *x, const float *y, int64_t n);

typedef struct combine_run {
    combine_rows *rows;
    pg_tensor *to;
    const pg_tensor *from;
} combine_run;

static void combine_row(void *context, int64_t row)
{
    const combine_run *run = context;
    float *to = pg_row(run->to, row);
    run->rows(to, to, pg_row(run->from, row), run->to->width);
}

/* to = rows(to, from), on the host */
static void combine(const pg_context *g, pg_tensor *to, const pg_tensor *from, combine_rows *rows)
{
    combine_run run = {rows, to, from};
    pg_each_row(g, to->rows, to->width, combine_row, &run);
}

/* ---------------------------------------------------------------- low-rank additions */

static void add_values(pg_context *g, pg_tensor *to, const pg_tensor *from)
{
    if (g->device)
        PG_DEVICE(g, rows, add_scaled, to->data, to->data, from->data, 1, pg_count(to));
    else
        combine(g, to, from, g->kernels->add);
}

void pg_add_linear(pg_context *g, pg_tensor *out, const pg_tensor *x, const pg_parameter *w)
{
    if (g->device && g->tape) {
        pg_device_matrix weight = pg_on_device(w);
        PG_DEVICE(g, products, multiply_added, out->data, x->data, x->rows, &weight, rounds(g));
        return;
    }
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    pg_tensor *product = pg_tensor_new(g, out->rows, out->width);
    if (product) {
        product->single = x->single;
        pg_linear_into(g, product, x, w, NULL);
        add_values(g, out, product);
    }
    pg_arena_release(&g->arena, mark);
}

pg_tensor *pg_low_rank(pg_context *g, pg_tensor *x, const pg_parameter *w)
{
    const pg_lora *lora = w->lora;
    if (!lora || g->unadapted)
        return NULL;
    pg_tensor *dropped = pg_dropout(g, x, lora->dropout, pg_place(lora->a.name));
    return pg_scaled(g, pg_linear(g, dropped, &lora->a, NULL), lora->scale);
}

/* Adds to out = x w^T what the low-rank addition of w, if it has one, makes of x. Returns the smaller factor, which the
 * way back needs. */
static pg_tensor *adapt(pg_context *g, pg_tensor *out, pg_tensor *x, const pg_parameter *w)
{
    pg_tensor *low = pg_low_rank(g, x, w);
    if (low)
        pg_add_linear(g, out, low, &w->lora->b);
    return low;
}

/* ---------------------------------------------------------------- the operation */

typedef struct saved_linear {
    pg_tensor *x, *low, *out; /* low: of a low-rank addition; NULL: none */
    pg_parameter w, bias, b;
} saved_linear;

static void linear_backward(pg_context *g, const void *memory)
{
    const saved_linear *saved = memory;
    bool fresh;
    float *dx = pg_gradient_begin(g, saved->x, &fresh);
    pg_linear_back(g, saved->out->grad, saved->x, dx, fresh, &saved->w, &saved->bias);
    if (!saved->low)
        return;
    float *dlow = pg_gradient_begin(g, saved->low, &fresh);
    pg_linear_back(g, saved->out->grad, saved->low, dlow, fresh, &saved->b, NULL);
}

pg_tensor *pg_linear(pg_context *g, pg_tensor *x, const pg_parameter *w, const pg_parameter *bias)
{
    pg_tensor *out = x ? pg_tensor_new(g, x->rows, w->rows) : NULL;
    if (!out)
        return NULL;
    out->single = x->single;
    pg_linear_into(g, out, x, w, bias);
    pg_tensor *low = adapt(g, out, x, w);
    if (g->status != PG_OK)
        return NULL;
    const pg_parameter none = {0};
    saved_linear saved = {x, low, out, *w, bias ? *bias : none, low ? w->lora->b : none};
    if (pg_tracked(g, x) || pg_tracked(g, low) || (g->tape && (w->grad || saved.bias.grad || saved.b.grad)))
        pg_tape_record(g, out, linear_backward, &saved, sizeof saved);
    return out;
}

/* ---------------------------------------------------------------- several at a time */

_Static_assert(PG_LINEARS_MOST <= PG_DEVICE_PRODUCTS, "they go together");

/* On a device, where launches of few rows cost what reading small weights does. A tape and whoever watches get one
 * layer after another. */
static bool go_together(const pg_context *g, pg_tensor *const *x, int count)
{
    bool together = g->device && !g->tape && !g->watch;
    for (int i = 0; i < count; i++)
        together = together && x[i] && x[i] == x[0];
    return together;
}

static void multiply_together(pg_context *g, pg_tensor **out, const pg_tensor *x, const pg_parameter *const *w,
                              int count)
{
    pg_device_matrix weights[PG_LINEARS_MOST];
    pg_device_product products[PG_LINEARS_MOST];
    for (int i = 0; i < count; i++) {
        assert(x->width == w[i]->width);
        out[i] = pg_tensor_new(g, x->rows, w[i]->rows);
        if (!out[i])
            return;
        out[i]->single = x->single;
        weights[i] = pg_on_device(w[i]);
        products[i] = (pg_device_product){out[i]->data, &weights[i], NULL};
    }
    PG_PROFILE(g, "linears", w[0]->name);
    PG_DEVICE(g, products, multiply, products, count, x->data, x->rows, x->single, rounds(g));
}

void pg_linears(pg_context *g, pg_tensor **out, pg_tensor *const *x, const pg_parameter *const *w, int count)
{
    assert(count <= PG_LINEARS_MOST);
    if (!go_together(g, x, count)) {
        for (int i = 0; i < count; i++)
            out[i] = pg_linear(g, x[i], w[i], NULL);
        return;
    }
    multiply_together(g, out, x[0], w, count);
    for (int i = 0; i < count; i++) {
        if (g->status == PG_OK)
            adapt(g, out[i], x[i], w[i]);
        if (g->status != PG_OK)
            out[i] = NULL;
    }
}

/* ---------------------------------------------------------------- GeGLU */

/* Rows at a time: on the host as many as the panel product takes, where more would only need more memory; on a device
 * enough to keep all of it busy. */
#define MLP_ROWS        512
#define MLP_DEVICE_ROWS 4096

static void multiply_gate(const pg_context *g, pg_tensor *gate, const pg_tensor *up)
{
    PG_PROFILE(g, "gelu_times", NULL);
    if (g->device)
        PG_DEVICE(g, rows, gelu_times, gate->data, gate->data, up->data, pg_count(gate));
    else
        combine(g, gate, up, g->kernels->gelu_times);
}

static pg_tensor *mlp_in_pieces(pg_context *g, const pg_tensor *x, const pg_parameter *gate, const pg_parameter *up,
                                const pg_parameter *down)
{
    pg_tensor *out = pg_tensor_new(g, x->rows, down->rows);
    if (!out)
        return NULL;
    out->single = x->single;
    const int64_t most = g->device ? MLP_DEVICE_ROWS : MLP_ROWS;
    for (int64_t first = 0; first < x->rows && g->status == PG_OK; first += most) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        int64_t count = x->rows - first < most ? x->rows - first : most;
        pg_tensor x_part = pg_rows_view(x, first, count), out_part = pg_rows_view(out, first, count);
        pg_tensor *wide[2], *x_twice[] = {&x_part, &x_part};
        pg_linears(g, wide, x_twice, (const pg_parameter *const[]){gate, up}, 2);
        if (wide[0] && wide[1]) {
            multiply_gate(g, wide[0], wide[1]);
            pg_linear_into(g, &out_part, wide[0], down, NULL);
            adapt(g, &out_part, wide[0], down);
        }
        pg_arena_release(&g->arena, mark);
    }
    return out;
}

pg_tensor *pg_gated_mlp(pg_context *g, pg_tensor *x, const pg_parameter *gate, const pg_parameter *up,
                        const pg_parameter *down)
{
    if (!x)
        return NULL;
    bool tracked = pg_tracked(g, x) || pg_is_trained(g, gate) || pg_is_trained(g, up) || pg_is_trained(g, down);
    if (!tracked)
        return mlp_in_pieces(g, x, gate, up, down);
    pg_tensor *wide = pg_gelu_times(g, pg_linear(g, x, gate, NULL), pg_linear(g, x, up, NULL));
    return pg_linear(g, wide, down, NULL);
}
