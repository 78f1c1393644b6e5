/* What operations share: a loop over rows on all threads, small weights as floats, and the way to a device. */
#ifndef PG_OPS_ROWS_H
#define PG_OPS_ROWS_H

#include "kernels/device_kernels.h"
#include "ops/ops.h"
#include "tensor/tape.h"

/* Calls task(context, row) for every row; rows that are few or short stay on the calling thread. */
void pg_each_row(const pg_context *g, int64_t rows, int64_t width, void (*task)(void *context, int64_t row),
                 void *context);

/* Calls task(context, first, count) for pieces of `width` columns: for sums over rows, each column's by one task. */
void pg_each_columns(const pg_context *g, int64_t width, void (*task)(void *context, int64_t first, int64_t count),
                     void *context);

/* out[c] += the sum of column c of the rows of x [rows][width]. */
void pg_add_columns(const pg_context *g, float *out, const float *x, int64_t rows, int64_t width);

/* Where the derivative of x is to be added; scratch memory of zeros that nobody reads if x has no use for it; NULL on
 * failure. */
float *pg_gradient_or_scratch(pg_context *g, pg_tensor *x);

/* The values of a weight (a vector, or a small table) as floats: where they lie, or widened into the arena; NULL on
 * failure. */
const float *pg_parameter_floats(pg_context *g, const pg_parameter *p);

/* Asks g's device for `call` of one of its tables: PG_DEVICE(g, rows, rms_norm, out, x, ...). */
#define PG_DEVICE(g, table, call, ...)                                   \
    do {                                                                 \
        if ((g)->status == PG_OK)                                        \
            (g)->device->kernels->table->call((g)->device, __VA_ARGS__); \
    } while (0)

/* A weight as a device's operations take it. */
static inline pg_device_matrix pg_on_device(const pg_parameter *p)
{
    return (pg_device_matrix){
        .data = p->data, .dtype = p->dtype, .rows = p->rows, .width = p->width, .quantized = p->quantized};
}

/* Where an operation belongs to the host (it is no part of what runs on devices): false, with g->status set, if g has a
 * device. */
bool pg_host_only(pg_context *g, const char *operation);

static inline int64_t pg_count(const pg_tensor *x)
{
    return x->rows * x->width;
}

static inline float *pg_row(const pg_tensor *x, int64_t row)
{
    return (float *)x->data + row * x->width;
}

/* Rows first .. first + count - 1 of x. */
pg_tensor pg_rows_view(const pg_tensor *x, int64_t first, int64_t count);

#endif
