/* A plan's arrays as tables in the memory of its device. */
#ifndef PG_OPS_UPDATE_TABLES_H
#define PG_OPS_UPDATE_TABLES_H

#include "kernels/device_update.h"
#include "ops/update.h"

/* Fills plan->on_device from the arrays and pieces that the plan has; given back by the other, also after a failure. */
pg_status pg_update_tables_init(pg_update_plan *plan);
void pg_update_tables_free(pg_update_plan *plan);

/* Asks the plan's device for a step: ON_DEVICE(plan, adam, &step). */
#define ON_DEVICE(plan, call, ...) \
    ((plan)->device->kernels->update->call((plan)->device, (plan)->on_device, __VA_ARGS__))

#endif
