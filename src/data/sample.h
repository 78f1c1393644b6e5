/* What a loader makes of a row. */
#ifndef PG_DATA_SAMPLE_H
#define PG_DATA_SAMPLE_H

#include "base/status.h"

/* Checks the options once, so that what fails later is the row's fault. */
pg_status pg_loader_options_check(const pg_loader_options *options);

/* pg_sample_make after that. A row that is too long and to be skipped is PG_OK with *out NULL. */
pg_status pg_sample_load(pg_sample **out, const pg_mixture *mixture, const pg_loader_options *options,
                         uint64_t position);

#endif
