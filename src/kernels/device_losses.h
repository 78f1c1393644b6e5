#ifndef PG_KERNELS_DEVICE_LOSSES_H
#define PG_KERNELS_DEVICE_LOSSES_H

#include "kernels/device_kernels.h"

typedef struct pg_device_losses {
    int none; /* filled in by its author */
} pg_device_losses;

#endif
