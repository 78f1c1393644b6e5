/* Whether confidences can be believed: of answers given with confidence p, the share p should be right. */
#ifndef PG_METRICS_RELIABILITY_H
#define PG_METRICS_RELIABILITY_H

#include "base/status.h"

/* PG_ERROR_ARGUMENT names the first confidence that is not within 0 .. 1. */
pg_status pg_reliability(pg_reliability_scores *out, const double *confidences, const bool *right, size_t count);

/* The temperature T with which 1 / (1 + exp(-logit(p) / T)) fits what was right best, by log loss (Guo et al. 2017),
 * within 1/1000 and 1000. */
pg_status pg_temperature_fit(double *out, const double *confidences, const bool *right, size_t count);

/* A confidence at that temperature; 0 and 1 are taken for 1e-9 off. */
double pg_temperature_apply(double confidence, double temperature);

#endif
