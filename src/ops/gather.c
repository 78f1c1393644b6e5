/* Rows by number: embedding tables, features placed among text, rows taken out, learned positions, cache rows. */
#include <string.h>

#include "kernels/kernels.h"
#include "ops/rows.h"

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
    return out;
}

static void copy_row(const pg_tensor *to, int64_t to_row, const pg_tensor *from, int64_t from_row)
{
    memcpy(pg_row(to, to_row), pg_row(from, from_row), (size_t)to->width * sizeof(float));
}

pg_tensor *pg_place_rows(pg_context *g, const pg_tensor *x, const int64_t *rows, const pg_tensor *values)
{
    PG_PROFILE(g, "place_rows", NULL);
    pg_tensor *out = x && values ? pg_tensor_like(g, x) : NULL;
    if (!out)
        return NULL;
    memcpy(out->data, x->data, (size_t)(x->rows * x->width) * sizeof(float));
    for (int64_t i = 0; i < values->rows; i++)
        copy_row(out, rows[i], values, i);
    return out;
}

pg_tensor *pg_take_rows(pg_context *g, const pg_tensor *x, const int64_t *rows, int64_t count)
{
    PG_PROFILE(g, "take_rows", NULL);
    pg_tensor *out = x ? pg_tensor_new(g, count, x->width) : NULL;
    if (!out)
        return NULL;
    out->single = count;
    for (int64_t i = 0; i < count; i++)
        copy_row(out, i, x, rows[i]);
    return out;
}

typedef struct position_run {
    const pg_kernels *kernels;
    const pg_tensor *x;
    pg_tensor *out;
    const float *table;
    int64_t table_rows;
} position_run;

static void add_position(void *context, int64_t row)
{
    const position_run *run = context;
    run->kernels->add(pg_row(run->out, row), pg_row(run->x, row), run->table + row % run->table_rows * run->x->width,
                      run->x->width);
}

pg_tensor *pg_add_positions(pg_context *g, const pg_tensor *x, const pg_parameter *table)
{
    PG_PROFILE(g, "add_positions", NULL);
    if (!x)
        return NULL;
    position_run run = {g->kernels, x, pg_tensor_like(g, x), pg_parameter_floats(g, table), table->rows};
    if (g->status != PG_OK)
        return NULL;
    pg_each_row(g, x->rows, x->width, add_position, &run);
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
