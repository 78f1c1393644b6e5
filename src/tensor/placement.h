/* Weights in a device's memory: one block of it for many parameters. */
#ifndef PG_TENSOR_PLACEMENT_H
#define PG_TENSOR_PLACEMENT_H

#include "tensor/tensor.h"

typedef struct pg_placement {
    pg_device *device; /* borrowed */
    char *data;
    size_t bytes;
} pg_placement;

/* Copies the values of the parameters, quantised or not, to the device, each from an address aligned to PG_ALIGNMENT
 * on, and makes the parameters point there. Parameters without values, or whose values are on a device already, stay as
 * they are. Device NULL: nothing is done. */
pg_status pg_placement_init(pg_placement *out, pg_device *device, pg_parameter *const *parameters, size_t count);

/* The parameters must not be used any more. */
void pg_placement_free(pg_placement *placement);

/* The parameter as the host can read it: *p itself or, if its values are on a device, with a copy of them in *memory,
 * which the caller frees with pg_free (it is NULL otherwise). */
pg_status pg_parameter_to_host(pg_parameter *out, void **memory, const pg_parameter *p);

#endif
