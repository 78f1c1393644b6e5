/*
 * Some outputs of a linear layer: their rows of the weight are gathered and multiplied like any others, so that the
 * results have the same bits (on a device: those of generated tokens). Quantised rows lie in groups of 16, which are
 * gathered whole.
 */
#include <string.h>

#include "kernels/device_products.h"
#include "ops/linear.h"
#include "ops/rows.h"

#define GATHER_BYTES ((int64_t)1 << 24) /* that are gathered at a time */

/* One of the arrays that make up a weight. */
typedef struct gather_stream {
    const char *from;
    char *to;
    size_t bytes; /* of a unit */
} gather_stream;

/* A unit is what lies together: a row, or a group of quantised ones. */
typedef struct gathering {
    pg_parameter part; /* the weight of the units that were gathered */
    int64_t unit_rows, room, count;
    int64_t *units; /* [room], of which `count` are to be gathered */
    gather_stream streams[3];
    int stream_count;
} gathering;

static void add_stream(pg_context *g, gathering *run, const void **part, int64_t bytes)
{
    gather_stream *stream = &run->streams[run->stream_count++];
    *stream = (gather_stream){*part, pg_scratch_values(g, (size_t)(run->room * bytes)), (size_t)bytes};
    *part = stream->to;
}

/* Room for `count` rows, or as many as go at a time. */
static void make_room(pg_context *g, gathering *run, const pg_parameter *w, int64_t count)
{
    pg_quantized *q = &run->part.quantized;
    *run = (gathering){.part = *w, .unit_rows = w->quantized.bits ? PG_QUANTIZED_ROWS : 1};
    int64_t row_bytes = w->width * (q->bits ? q->bits : 8 * (int64_t)pg_dtype_size(w->dtype)) / 8;
    int64_t most = GATHER_BYTES / (row_bytes * run->unit_rows) + 1;
    run->room = count < most ? count : most;
    run->units = pg_scratch(g, (size_t)run->room * sizeof *run->units);
    if (!q->bits) {
        add_stream(g, run, &run->part.data, row_bytes);
        return;
    }
    add_stream(g, run, (const void **)&q->values, pg_quantized_group_bytes(q));
    add_stream(g, run, &q->scales, pg_quantized_blocks(q->inputs, q->block) * PG_QUANTIZED_ROWS * 2);
    if (q->bits == 4)
        add_stream(g, run, (const void **)&q->steps, pg_quantized_step_bytes(q));
}

static void gather_unit(void *context, int64_t place)
{
    const gathering *run = context;
    for (int i = 0; i < run->stream_count; i++) {
        const gather_stream *s = &run->streams[i];
        memcpy(s->to + (size_t)place * s->bytes, s->from + (size_t)run->units[place] * s->bytes, s->bytes);
    }
}

static void gather_units(pg_context *g, const gathering *run)
{
    if (!g->device) {
        pg_each_row(g, run->count, run->unit_rows * run->part.width, gather_unit, (void *)run);
        return;
    }
    const int64_t *units = pg_to_device(g, run->units, (size_t)run->count * sizeof *units);
    for (int i = 0; i < run->stream_count; i++) {
        const gather_stream *s = &run->streams[i];
        PG_DEVICE(g, products, gather, s->to, s->from, units, run->count, (int64_t)s->bytes);
    }
}

/* Gathers the units of as many rows as there is room for; returns how many rows that are. */
static int64_t gather(pg_context *g, gathering *run, const int32_t *rows, int64_t count)
{
    PG_PROFILE(g, "gather", run->part.name);
    int64_t taken = 0;
    run->count = 0;
    for (; taken < count; taken++) {
        int64_t unit = rows[taken] / run->unit_rows;
        if (run->count && run->units[run->count - 1] == unit)
            continue;
        if (run->count == run->room)
            break;
        run->units[run->count++] = unit;
    }
    run->part.rows = run->part.quantized.rows = run->count * run->unit_rows;
    gather_units(g, run);
    return taken;
}

/* Where in the product outputs rows[0 .. count - 1] are. */
static void find_columns(int64_t *columns, const gathering *run, const int32_t *rows, int64_t count)
{
    for (int64_t i = 0, place = 0; i < count; i++) {
        while (run->units[place] != rows[i] / run->unit_rows)
            place++;
        columns[i] = place * run->unit_rows + rows[i] % run->unit_rows;
    }
}

/* These columns of the product go to those of `out` from `column` on. */
static void pick(pg_context *g, pg_tensor *out, int64_t column, const pg_tensor *product, const int64_t *columns,
                 int64_t count)
{
    float *to = (float *)out->data + column;
    if (g->device) {
        const int64_t *there = pg_to_device(g, columns, (size_t)count * sizeof *there);
        PG_DEVICE(g, products, pick, to, out->width, product->data, out->rows, product->width, there, count);
        return;
    }
    for (int64_t r = 0; r < out->rows; r++)
        for (int64_t i = 0; i < count; i++)
            to[r * out->width + i] = pg_row(product, r)[columns[i]];
}

/* Without w's low-rank addition. */
static pg_tensor *multiply_rows(pg_context *g, pg_tensor *x, const pg_parameter *w, const int32_t *rows, int64_t count)
{
    pg_tensor *out = x ? pg_tensor_new(g, x->rows, count) : NULL;
    if (!out)
        return NULL;
    out->single = x->single;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    gathering run;
    make_room(g, &run, w, count);
    run.part.lora = NULL;
    for (int64_t done = 0, taken; done < count && g->status == PG_OK; done += taken) {
        pg_arena_mark piece = pg_arena_get_mark(&g->arena);
        taken = gather(g, &run, rows + done, count - done);
        const pg_tensor *product = pg_linear(g, x, &run.part, NULL);
        int64_t *columns = pg_scratch(g, (size_t)taken * sizeof *columns);
        if (product && columns) {
            find_columns(columns, &run, rows + done, taken);
            pick(g, out, done, product, columns, taken);
        }
        pg_arena_release(&g->arena, piece);
    }
    pg_arena_release(&g->arena, mark);
    return g->status == PG_OK ? out : NULL;
}

pg_tensor *pg_linear_rows(pg_context *g, pg_tensor *x, const pg_parameter *w, const int32_t *rows, int64_t count)
{
    pg_tensor *out = multiply_rows(g, x, w, rows, count), *low = out ? pg_low_rank(g, x, w) : NULL;
    return low ? pg_add(g, out, multiply_rows(g, low, &w->lora->b, rows, count)) : out;
}
