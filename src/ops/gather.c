/* Rows by number: embedding tables, features placed among text, rows taken out, learned positions, cache rows. */
#include <string.h>

#include "kernels/gradient.h"
#include "ops/rows.h"

typedef struct saved_embed {
    const pg_kernels *kernels;
    pg_parameter table;
    const int32_t *ids;
    pg_tensor *out;
    float scale;
} saved_embed;

/* Rows of the table may come up several times: each column's sums are one task's. */
static void embed_back_columns(void *context, int64_t first, int64_t count)
{
    const saved_embed *s = context;
    int64_t width = s->table.width;
    for (int64_t t = 0; t < s->out->rows; t++)
        s->kernels->gradient->add_scaled(s->table.grad + s->ids[t] * width + first, s->out->grad + t * width + first,
                                         s->scale, count);
}

static void embed_backward(pg_context *g, const void *saved)
{
    PG_PROFILE(g, "embed back", NULL);
    saved_embed run = *(const saved_embed *)saved;
    pg_each_columns(g, run.table.width, embed_back_columns, &run);
}

pg_tensor *pg_embed(pg_context *g, const pg_parameter *table, const int32_t *ids, int64_t count, double scale,
                    int64_t single)
{
    PG_PROFILE(g, "embed", table->name);
    pg_tensor *out = pg_tensor_new(g, count, table->width);
    if (!out)
        return NULL;
    out->single = single;
    size_t row_bytes = (size_t)table->width * pg_dtype_size(table->dtype);
    for (int64_t t = 0; t < count; t++) {
        float *row = pg_row(out, t);
        if (table->quantized.bits)
            pg_quantized_widen(row, &table->quantized, ids[t], 0, table->width);
        else
            g->kernels->widen(row, (const char *)table->data + (size_t)ids[t] * row_bytes, table->dtype, table->width);
        if (scale != 1)
            g->kernels->scale(row, row, (float)scale, table->width);
    }
    saved_embed saved = {g->kernels, *table, ids, out, (float)scale};
    if (pg_is_trained(g, table))
        pg_tape_record(g, out, embed_backward, &saved, sizeof saved);
    return out;
}

static void copy_row(const pg_tensor *to, int64_t to_row, const pg_tensor *from, int64_t from_row)
{
    memcpy(pg_row(to, to_row), pg_row(from, from_row), (size_t)to->width * sizeof(float));
}

typedef struct saved_rows {
    pg_tensor *x, *values, *out;
    const int64_t *rows;
} saved_rows;

/* Adds `count` floats. */
static void add_to(pg_context *g, float *to, const float *from, int64_t count)
{
    g->kernels->add(to, to, from, count);
}

/* What was replaced has no part in the result. */
static void place_backward(pg_context *g, const void *memory)
{
    PG_PROFILE(g, "place_rows back", NULL);
    const saved_rows *saved = memory;
    const float *dout = saved->out->grad;
    int64_t width = saved->out->width, next = 0;
    float *dx = pg_gradient(g, saved->x), *dvalues = pg_gradient(g, saved->values);
    for (int64_t i = 0; dvalues && i < saved->values->rows; i++)
        add_to(g, dvalues + i * width, dout + saved->rows[i] * width, width);
    for (int64_t i = 0; dx && i <= saved->values->rows; i++) { /* rows between one that was replaced and the next */
        int64_t end = i < saved->values->rows ? saved->rows[i] : saved->x->rows;
        add_to(g, dx + next * width, dout + next * width, (end - next) * width);
        next = end + 1;
    }
}

pg_tensor *pg_place_rows(pg_context *g, pg_tensor *x, const int64_t *rows, pg_tensor *values)
{
    PG_PROFILE(g, "place_rows", NULL);
    pg_tensor *out = x && values ? pg_tensor_like(g, x) : NULL;
    if (!out)
        return NULL;
    memcpy(out->data, x->data, (size_t)(x->rows * x->width) * sizeof(float));
    for (int64_t i = 0; i < values->rows; i++)
        copy_row(out, rows[i], values, i);
    saved_rows saved = {x, values, out, rows};
    if (pg_tracked(g, x) || pg_tracked(g, values))
        pg_tape_record(g, out, place_backward, &saved, sizeof saved);
    return out;
}

static void take_backward(pg_context *g, const void *memory)
{
    PG_PROFILE(g, "take_rows back", NULL);
    const saved_rows *saved = memory;
    int64_t width = saved->out->width;
    float *dx = pg_gradient(g, saved->x);
    for (int64_t i = 0; dx && i < saved->out->rows; i++)
        add_to(g, dx + saved->rows[i] * width, saved->out->grad + i * width, width);
}

pg_tensor *pg_take_rows(pg_context *g, pg_tensor *x, const int64_t *rows, int64_t count)
{
    PG_PROFILE(g, "take_rows", NULL);
    pg_tensor *out = x ? pg_tensor_new(g, count, x->width) : NULL;
    if (!out)
        return NULL;
    out->single = count;
    for (int64_t i = 0; i < count; i++)
        copy_row(out, i, x, rows[i]);
    saved_rows saved = {.x = x, .out = out, .rows = rows};
    if (pg_tracked(g, x))
        pg_tape_record(g, out, take_backward, &saved, sizeof saved);
    return out;
}

typedef struct position_run {
    const pg_kernels *kernels;
    pg_tensor *x, *out;
    const float *table;
    int64_t table_rows;
    float *dtable;
} position_run;

static void add_position(void *context, int64_t row)
{
    const position_run *run = context;
    run->kernels->add(pg_row(run->out, row), pg_row(run->x, row), run->table + row % run->table_rows * run->x->width,
                      run->x->width);
}

static void position_back_columns(void *context, int64_t first, int64_t count)
{
    const position_run *run = context;
    int64_t width = run->x->width;
    for (int64_t r = 0; r < run->x->rows; r++) {
        float *to = run->dtable + r % run->table_rows * width + first;
        run->kernels->add(to, to, run->out->grad + r * width + first, count);
    }
}

static void positions_backward(pg_context *g, const void *saved)
{
    PG_PROFILE(g, "add_positions back", NULL);
    position_run run = *(const position_run *)saved;
    float *dx = pg_gradient(g, run.x);
    if (dx)
        add_to(g, dx, run.out->grad, run.x->rows * run.x->width);
    if (run.dtable)
        pg_each_columns(g, run.x->width, position_back_columns, &run);
}

pg_tensor *pg_add_positions(pg_context *g, pg_tensor *x, const pg_parameter *table)
{
    PG_PROFILE(g, "add_positions", NULL);
    if (!x)
        return NULL;
    position_run run = {g->kernels, x, pg_tensor_like(g, x), pg_parameter_floats(g, table), table->rows, table->grad};
    if (g->status != PG_OK)
        return NULL;
    pg_each_row(g, x->rows, x->width, add_position, &run);
    if (pg_tracked(g, x) || pg_is_trained(g, table))
        pg_tape_record(g, run.out, positions_backward, &run, sizeof run);
    return run.out;
}

void pg_store_rows(pg_context *g, const pg_tensor *cache, const int64_t *slots, const pg_tensor *x)
{
    PG_PROFILE(g, "store_rows", NULL);
    if (!x)
        return;
    /* in I8 each head has a scale behind it, which makes the row wider; other types have nothing between heads */
    int64_t heads = cache->dtype == PG_I8 ? (cache->width - x->width) / (int64_t)sizeof(float) : 1;
    int64_t size = x->width / heads, step = cache->width / heads * (int64_t)pg_dtype_size(cache->dtype);
    for (int64_t t = 0; t < x->rows; t++)
        for (int64_t h = 0; h < heads; h++)
            g->kernels->narrow((char *)cache->data + (slots[t] * heads + h) * step, cache->dtype,
                               (const float *)pg_row(x, t) + h * size, size);
}
