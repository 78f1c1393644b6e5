/*
 * What a device computes: whole operations on matrices in its memory, where pg_kernels has the loops of one row or
 * panel. One table per kind of device, all with the same meaning as the host's operation of that name (ops/ops.h).
 *
 * Calls only ask for the work and return; they neither allocate nor fail (pg_device.status). All pointers are the
 * device's, but those to the descriptions below. Results of the way back are added, unless a function says otherwise.
 */
#ifndef PG_KERNELS_DEVICE_KERNELS_H
#define PG_KERNELS_DEVICE_KERNELS_H

#include "base/device.h"
#include "base/quantized.h"

/* A weight [rows][width] of any floating dtype, or quantised; a vector has rows = 1. */
typedef struct pg_device_matrix {
    const void *data;
    pg_dtype dtype;
    int64_t rows, width;
    pg_quantized quantized; /* with bits, this is the weight */
} pg_device_matrix;

struct pg_device_products;  /* device_products.h: linear layers and their way back */
struct pg_device_rows;      /* device_rows.h: norms, element by element, rows by number, positions, pooling */
struct pg_device_attention; /* device_attention.h */
struct pg_device_losses;    /* device_losses.h: cross entropy, contrastive, preferences, the best of a row */
struct pg_device_update;    /* device_update.h: steps of optimizers */

typedef struct pg_device_kernels {
    const struct pg_device_products *products;
    const struct pg_device_rows *rows;
    const struct pg_device_attention *attention;
    const struct pg_device_losses *losses;
    const struct pg_device_update *update;
} pg_device_kernels;

#endif
