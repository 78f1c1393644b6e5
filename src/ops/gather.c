/* Rows by number: embedding tables, features placed among text, rows taken out, learned positions, cache rows. */
#include <stdlib.h>
#include <string.h>

#include "kernels/device_rows.h"
#include "kernels/gradient.h"
#include "ops/rows.h"

/* ---------------------------------------------------------------- sums by number on a device */

static int compare_pairs(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Which row t of a derivative goes where (ids, or rows): pairs as pg_device_rows.add_rows takes them, on the device, so
 * that rows that go to the same place are added in the order of t. */
static const int64_t *order_rows(pg_context *g, const int32_t *ids, const int64_t *rows, int64_t count)
{
    int64_t *pairs = pg_scratch(g, (size_t)count * sizeof *pairs);
    if (!pairs)
        return NULL;
    for (int64_t t = 0; t < count; t++)
        pairs[t] = (ids ? ids[t] : rows[t]) << 32 | t;
    qsort(pairs, (size_t)count, sizeof *pairs, compare_pairs);
    return pg_to_device(g, pairs, (size_t)count * sizeof *pairs);
}

/* ---------------------------------------------------------------- embedding tables */

typedef struct saved_embed {
    const pg_kernels *kernels;
    pg_parameter table;
    const int32_t *ids;
    const int64_t *pairs; /* on a device: see order_rows */
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
    if (g->device)
        PG_DEVICE(g, rows, add_rows, run.table.grad, run.out->grad, run.table.width, run.pairs, run.out->rows,
                  run.scale);
    else
        pg_each_columns(g, run.table.width, embed_back_columns, &run);
}

static void embed_on_device(pg_context *g, const pg_tensor *out, const pg_parameter *table, const int32_t *ids,
                            float scale)
{
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    pg_device_matrix matrix = pg_on_device(table);
    const int32_t *there = pg_to_device(g, ids, (size_t)out->rows * sizeof *ids);
    PG_DEVICE(g, rows, embed, out->data, &matrix, there, out->rows, scale);
    pg_arena_release(&g->arena, mark);
}

static void embed_row(const pg_context *g, float *row, const pg_parameter *table, int32_t id, float scale)
{
    size_t row_bytes = (size_t)table->width * pg_dtype_size(table->dtype);
    if (table->quantized.bits)
        pg_quantized_widen(row, &table->quantized, id, 0, table->width);
    else
        g->kernels->widen(row, (const char *)table->data + (size_t)id * row_bytes, table->dtype, table->width);
    if (scale != 1)
        g->kernels->scale(row, row, scale, table->width);
}

pg_tensor *pg_embed(pg_context *g, const pg_parameter *table, const int32_t *ids, int64_t count, double scale,
                    int64_t single)
{
    PG_PROFILE(g, "embed", table->name);
    pg_tensor *out = pg_tensor_new(g, count, table->width);
    if (!out)
        return NULL;
    out->single = single;
    if (g->device)
        embed_on_device(g, out, table, ids, (float)scale);
    else
        for (int64_t t = 0; t < count; t++)
            embed_row(g, pg_row(out, t), table, ids[t], (float)scale);
    saved_embed saved = {.kernels = g->kernels, .table = *table, .ids = ids, .out = out, .scale = (float)scale};
    bool trained = pg_is_trained(g, table);
    if (trained && g->device)
        saved.pairs = order_rows(g, ids, NULL, count);
    if (trained)
        pg_tape_record(g, out, embed_backward, &saved, sizeof saved);
    return out;
}

/* ---------------------------------------------------------------- rows placed among others, and taken out */

static void copy_row(const pg_tensor *to, int64_t to_row, const pg_tensor *from, int64_t from_row)
{
    memcpy(pg_row(to, to_row), pg_row(from, from_row), (size_t)to->width * sizeof(float));
}

typedef struct saved_rows {
    pg_tensor *x, *values, *out;
    const int64_t *rows;  /* where operations can read them */
    const int64_t *pairs; /* on a device: see order_rows */
} saved_rows;

/* Adds `count` floats. */
static void add_to(pg_context *g, float *to, const float *from, int64_t count)
{
    g->kernels->add(to, to, from, count);
}

static void place_back_on_device(pg_context *g, const saved_rows *saved)
{
    const pg_tensor *out = saved->out;
    bool fresh;
    float *dvalues = pg_gradient_begin(g, saved->values, &fresh);
    if (dvalues)
        PG_DEVICE(g, rows, take_rows, dvalues, fresh, out->grad, out->width, saved->rows, saved->values->rows);
    float *dx = pg_gradient_begin(g, saved->x, &fresh);
    if (dx)
        PG_DEVICE(g, rows, place_rows_back, dx, fresh, out->grad, out->rows, out->width, saved->rows,
                  saved->values->rows);
}

/* What was replaced has no part in the result. */
static void place_backward(pg_context *g, const void *memory)
{
    PG_PROFILE(g, "place_rows back", NULL);
    const saved_rows *saved = memory;
    if (g->device) {
        place_back_on_device(g, saved);
        return;
    }
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
    saved_rows saved = {x, values, out, pg_to_device(g, rows, (size_t)values->rows * sizeof *rows), NULL};
    if (g->device)
        PG_DEVICE(g, rows, place_rows, out->data, x->data, x->rows, x->width, saved.rows, values->data, values->rows);
    else {
        memcpy(out->data, x->data, (size_t)pg_count(x) * sizeof(float));
        for (int64_t i = 0; i < values->rows; i++)
            copy_row(out, rows[i], values, i);
    }
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
    if (g->device)
        PG_DEVICE(g, rows, add_rows, dx, saved->out->grad, width, saved->pairs, saved->out->rows, 1);
    else
        for (int64_t i = 0; dx && i < saved->out->rows; i++)
            add_to(g, dx + saved->rows[i] * width, saved->out->grad + i * width, width);
}

static void take_on_device(pg_context *g, const pg_tensor *out, const pg_tensor *x, const int64_t *rows)
{
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    const int64_t *there = pg_to_device(g, rows, (size_t)out->rows * sizeof *rows);
    PG_DEVICE(g, rows, take_rows, out->data, true, x->data, x->width, there, out->rows);
    pg_arena_release(&g->arena, mark);
}

pg_tensor *pg_take_rows(pg_context *g, pg_tensor *x, const int64_t *rows, int64_t count)
{
    PG_PROFILE(g, "take_rows", NULL);
    pg_tensor *out = x ? pg_tensor_new(g, count, x->width) : NULL;
    if (!out)
        return NULL;
    out->single = count;
    if (g->device)
        take_on_device(g, out, x, rows);
    else
        for (int64_t i = 0; i < count; i++)
            copy_row(out, i, x, rows[i]);
    saved_rows saved = {.x = x, .out = out, .rows = rows};
    if (pg_tracked(g, x) && g->device)
        saved.pairs = order_rows(g, NULL, rows, count);
    if (pg_tracked(g, x))
        pg_tape_record(g, out, take_backward, &saved, sizeof saved);
    return out;
}

/* ---------------------------------------------------------------- learned positions */

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

static void positions_back_on_device(pg_context *g, const position_run *run)
{
    bool fresh;
    float *dx = pg_gradient_begin(g, run->x, &fresh), *dout = run->out->grad;
    if (dx)
        PG_DEVICE(g, rows, pass_back, dx, fresh, dout, 1, pg_count(run->x));
    if (run->dtable)
        PG_DEVICE(g, rows, add_positions_back, run->dtable, dout, run->x->rows, run->table_rows, run->x->width);
}

static void positions_backward(pg_context *g, const void *saved)
{
    PG_PROFILE(g, "add_positions back", NULL);
    position_run run = *(const position_run *)saved;
    if (g->device) {
        positions_back_on_device(g, &run);
        return;
    }
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
    position_run run = {g->kernels, x, pg_tensor_like(g, x), NULL, table->rows, table->grad};
    if (g->device) {
        pg_device_matrix matrix = pg_on_device(table);
        if (run.out)
            PG_DEVICE(g, rows, add_positions, run.out->data, x->data, x->rows, &matrix);
    } else if ((run.table = pg_parameter_floats(g, table)) && run.out)
        pg_each_row(g, x->rows, x->width, add_position, &run);
    if (g->status != PG_OK)
        return NULL;
    if (pg_tracked(g, x) || pg_is_trained(g, table))
        pg_tape_record(g, run.out, positions_backward, &run, sizeof run);
    return run.out;
}

/* ---------------------------------------------------------------- cache rows */

void pg_store_rows(pg_context *g, const pg_tensor *cache, const int64_t *slots, const pg_tensor *x)
{
    PG_PROFILE(g, "store_rows", NULL);
    if (!x)
        return;
    /* in I8 each head has a scale behind it, which makes the row wider; other types have nothing between heads */
    int64_t heads = cache->dtype == PG_I8 ? (cache->width - x->width) / (int64_t)sizeof(float) : 1;
    int64_t size = x->width / heads, step = cache->width / heads * (int64_t)pg_dtype_size(cache->dtype);
    if (g->device) {
        PG_DEVICE(g, rows, store_rows, cache->data, cache->dtype, slots, x->data, x->rows, heads, size);
        return;
    }
    for (int64_t t = 0; t < x->rows; t++)
        for (int64_t h = 0; h < heads; h++)
            g->kernels->narrow((char *)cache->data + (slots[t] * heads + h) * step, cache->dtype,
                               (const float *)pg_row(x, t) + h * size, size);
}
