/*
 * Convolutions as products. Pictures are rows, one for each place, [count * height * width, channels], picture by
 * picture and line by line. A convolution cuts out the square around each place (unfold) and multiplies it; a
 * transposed one multiplies first and adds the squares up where they overlap (fold). Each of the two is the other's way
 * back (Dumoulin and Visin 2016, "A guide to convolution arithmetic").
 */
#include <string.h>

#include "kernels/kernels.h"
#include "ops/rows.h"

typedef struct square_run {
    const pg_kernels *kernels;
    pg_squares squares;
    const float *from;
    float *to;
    int64_t channels;
    bool adds; /* to what is there */
} square_run;

/* Adds `count` values, or puts them there; from NULL: zeros. */
static void put(const square_run *run, float *to, const float *from, int64_t count)
{
    if (from && run->adds)
        run->kernels->add(to, to, from, count);
    else if (from)
        memcpy(to, from, (size_t)count * sizeof *to);
    else if (!run->adds)
        memset(to, 0, (size_t)count * sizeof *to);
}

static void unfold_row(void *context, int64_t row)
{
    const square_run *run = context;
    const pg_squares *s = &run->squares;
    int64_t across = pg_squares_across(s), places = pg_squares_down(s) * across, line = s->size * run->channels;
    int64_t top = row % places / across * s->stride - s->padding, left = row % across * s->stride - s->padding;
    const float *picture = run->from + row / places * s->height * s->width * run->channels;
    float *to = run->to + row * s->size * line;
    for (int64_t y = top; y < top + s->size; y++)
        for (int64_t x = left; x < left + s->size; x++, to += run->channels) {
            bool inside = y >= 0 && y < s->height && x >= 0 && x < s->width;
            put(run, to, inside ? picture + (y * s->width + x) * run->channels : NULL, run->channels);
        }
}

/* The place along one axis whose square begins so that point `at` is its point number i; -1 if there is none. */
static int64_t place_of(const pg_squares *s, int64_t at, int64_t i, int64_t places)
{
    int64_t start = at + s->padding - i;
    return start >= 0 && start % s->stride == 0 && start / s->stride < places ? start / s->stride : -1;
}

static void fold_row(void *context, int64_t row)
{
    square_run run = *(const square_run *)context;
    const pg_squares *s = &run.squares;
    int64_t down = pg_squares_down(s), across = pg_squares_across(s), area = s->height * s->width;
    int64_t y = row % area / s->width, x = row % s->width;
    float *to = run.to + row * run.channels;
    if (!run.adds)
        memset(to, 0, (size_t)run.channels * sizeof *to);
    run.adds = true;
    for (int64_t i = 0; i < s->size; i++)
        for (int64_t j = 0; j < s->size; j++) {
            int64_t v = place_of(s, y, i, down), u = place_of(s, x, j, across);
            int64_t square = (row / area * down + v) * across + u;
            if (v >= 0 && u >= 0)
                put(&run, to, run.from + ((square * s->size + i) * s->size + j) * run.channels, run.channels);
        }
}

typedef struct saved_squares {
    pg_tensor *x, *out;
    pg_squares squares;
    int64_t channels;
} saved_squares;

static void unfold_backward(pg_context *g, const void *memory)
{
    PG_PROFILE(g, "unfold back", NULL);
    const saved_squares *saved = memory;
    square_run run = {g->kernels, saved->squares, saved->out->grad, pg_gradient(g, saved->x), saved->channels, true};
    if (run.to)
        pg_each_row(g, saved->x->rows, saved->out->width, fold_row, &run);
}

pg_tensor *pg_unfold(pg_context *g, pg_tensor *x, const pg_squares *squares)
{
    PG_PROFILE(g, "unfold", NULL);
    if (!x || !pg_host_only(g, "unfold"))
        return NULL;
    int64_t count = x->rows / (squares->height * squares->width), channels = x->width;
    pg_tensor *out = pg_tensor_new(g, count * pg_squares_down(squares) * pg_squares_across(squares),
                                   squares->size * squares->size * channels);
    if (!out)
        return NULL;
    square_run run = {g->kernels, *squares, x->data, out->data, channels, false};
    pg_each_row(g, out->rows, out->width, unfold_row, &run);
    saved_squares saved = {x, out, *squares, channels};
    if (pg_tracked(g, x))
        pg_tape_record(g, out, unfold_backward, &saved, sizeof saved);
    return out;
}

static void fold_backward(pg_context *g, const void *memory)
{
    PG_PROFILE(g, "fold back", NULL);
    const saved_squares *saved = memory;
    square_run run = {g->kernels, saved->squares, saved->out->grad, pg_gradient(g, saved->x), saved->channels, true};
    if (run.to)
        pg_each_row(g, saved->x->rows, saved->x->width, unfold_row, &run);
}

pg_tensor *pg_fold(pg_context *g, pg_tensor *x, const pg_squares *squares)
{
    PG_PROFILE(g, "fold", NULL);
    if (!x || !pg_host_only(g, "fold"))
        return NULL;
    int64_t count = x->rows / (pg_squares_down(squares) * pg_squares_across(squares));
    int64_t channels = x->width / (squares->size * squares->size);
    pg_tensor *out = pg_tensor_new(g, count * squares->height * squares->width, channels);
    if (!out)
        return NULL;
    square_run run = {g->kernels, *squares, x->data, out->data, channels, false};
    pg_each_row(g, out->rows, x->width, fold_row, &run);
    saved_squares saved = {x, out, *squares, channels};
    if (pg_tracked(g, x))
        pg_tape_record(g, out, fold_backward, &saved, sizeof saved);
    return out;
}

/* ---------------------------------------------------------------- the two convolutions */

pg_tensor *pg_convolution(pg_context *g, pg_tensor *x, const pg_parameter *w, const pg_parameter *bias,
                          const pg_squares *squares)
{
    bool alone = squares->size == 1 && squares->stride == 1 && squares->padding == 0;
    return pg_linear(g, alone ? x : pg_unfold(g, x, squares), w, bias);
}

pg_tensor *pg_transposed_convolution(pg_context *g, pg_tensor *x, const pg_parameter *w, const pg_parameter *bias,
                                     const pg_squares *squares)
{
    return pg_add_positions(g, pg_fold(g, pg_linear(g, x, w, NULL), squares), bias);
}
