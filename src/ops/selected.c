/*
 * Some outputs of a linear layer: their rows of the weight are gathered and multiplied like any others, so that the
 * results have the same bits. Quantised rows lie in groups of 16, which are gathered whole.
 */
#include <string.h>

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
    *stream = (gather_stream){*part, pg_scratch(g, (size_t)(run->room * bytes)), (size_t)bytes};
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
    pg_each_row(g, run->count, run->unit_rows * run->part.width, gather_unit, run);
    return taken;
}

/* Outputs rows[0 .. count - 1] of the product go to the columns of `out` from `column` on. */
static void pick(pg_tensor *out, int64_t column, const pg_tensor *product, const gathering *run, const int32_t *rows,
                 int64_t count)
{
    for (int64_t i = 0, place = 0; i < count; i++) {
        while (run->units[place] != rows[i] / run->unit_rows)
            place++;
        for (int64_t r = 0; r < out->rows; r++)
            pg_row(out, r)[column + i] = pg_row(product, r)[place * run->unit_rows + rows[i] % run->unit_rows];
    }
}

/* On a device a piece of the weight's rows becomes a matrix of floats, which have the same products. */
#define DEVICE_ROWS 8192

static void multiply_rows_on_device(pg_context *g, pg_tensor *out, pg_tensor *x, const pg_parameter *w,
                                    const int32_t *rows)
{
    for (int64_t done = 0, taken; done < out->width && g->status == PG_OK; done += taken) {
        pg_arena_mark piece = pg_arena_get_mark(&g->arena);
        taken = out->width - done < DEVICE_ROWS ? out->width - done : DEVICE_ROWS;
        const pg_tensor *picked = pg_embed(g, w, rows + done, taken, 1, 0);
        pg_parameter part = {.name = w->name, .dtype = PG_F32, .rows = taken, .width = w->width, .device = g->device};
        part.data = picked ? picked->data : NULL;
        const pg_tensor *product = picked ? pg_linear(g, x, &part, NULL) : NULL;
        for (int64_t r = 0; product && r < out->rows; r++)
            pg_values_move(g->device, pg_row(out, r) + done, pg_row(product, r), (size_t)taken * sizeof(float));
        pg_arena_release(&g->arena, piece);
    }
}

pg_tensor *pg_linear_rows(pg_context *g, pg_tensor *x, const pg_parameter *w, const int32_t *rows, int64_t count)
{
    pg_tensor *out = x ? pg_tensor_new(g, x->rows, count) : NULL;
    if (!out)
        return NULL;
    out->single = x->single;
    if (g->device) {
        multiply_rows_on_device(g, out, x, w, rows);
        return g->status == PG_OK ? out : NULL;
    }
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    gathering run;
    make_room(g, &run, w, count);
    for (int64_t done = 0, taken; done < count && g->status == PG_OK; done += taken) {
        pg_arena_mark piece = pg_arena_get_mark(&g->arena);
        taken = gather(g, &run, rows + done, count - done);
        const pg_tensor *product = pg_linear(g, x, &run.part, NULL);
        if (product)
            pick(out, done, product, &run, rows + done, taken);
        pg_arena_release(&g->arena, piece);
    }
    pg_arena_release(&g->arena, mark);
    return g->status == PG_OK ? out : NULL;
}
