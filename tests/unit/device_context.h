/* A context for operations on the device that PG_TEST_DEVICE names, or on the host: opened and closed with a group of
 * tests. */
#ifndef PG_TESTS_DEVICE_CONTEXT_H
#define PG_TESTS_DEVICE_CONTEXT_H

#include <stdlib.h>

#include "check.h"

#include "kernels/devices.h"
#include "kernels/kernels.h"
#include "ops/ops.h"

static pg_context g;

static inline int open_context(void **state)
{
    (void)state;
    pg_device *device;
    g = (pg_context){.kernels = pg_kernels_best(), .threads = 2, .compute = PG_COMPUTE_F32};
    CHECK_OK(pg_device_open(&device, getenv("PG_TEST_DEVICE")));
    pg_context_on(&g, device);
    return 0;
}

static inline int close_context(void **state)
{
    (void)state;
    pg_arena_free(&g.arena);
    pg_device_close(g.device);
    return 0;
}

#endif
