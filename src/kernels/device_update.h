#ifndef PG_KERNELS_DEVICE_UPDATE_H
#define PG_KERNELS_DEVICE_UPDATE_H

#include "kernels/device_kernels.h"

typedef struct pg_device_update {
    int none; /* filled in by its author */
} pg_device_update;

#endif
