/* Attention over a ragged batch on a device. */
#ifndef PG_KERNELS_DEVICE_ATTENTION_H
#define PG_KERNELS_DEVICE_ATTENTION_H

#include "kernels/device_kernels.h"

/* A segment of a batch (tensor/tensor.h) as kernels read it. Query i of `count` sees the first max(prefix, past + i +
 * 1) keys: rows of the first span, then of the second, of which there may be none. */
typedef struct pg_device_segment {
    int32_t first, count, prefix, past;
    int32_t spans[2][2]; /* first, count */
} pg_device_segment;

typedef struct pg_device_attention {
    int none; /* filled in by its author */
} pg_device_attention;

#endif
