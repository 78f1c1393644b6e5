/* The devices that this build knows. */
#ifndef PG_KERNELS_DEVICES_H
#define PG_KERNELS_DEVICES_H

#include "base/device.h"

/* Opens "cuda" (the first one) or "cuda:N"; "cpu" and NULL give NULL, the host. A device that is not there, or that
 * this build knows nothing of, is PG_ERROR_UNSUPPORTED. Closed with pg_device_close. */
pg_status pg_device_open(pg_device **out, const char *name);

#endif
