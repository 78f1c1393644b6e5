#ifndef PG_KERNELS_DEVICE_ATTENTION_H
#define PG_KERNELS_DEVICE_ATTENTION_H

#include "kernels/device_kernels.h"

typedef struct pg_device_attention {
    int none; /* filled in by its author */
} pg_device_attention;

#endif
