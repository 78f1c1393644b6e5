/* Whether confidences can be believed: of answers given with confidence p, the share p should be right. */
#ifndef PG_METRICS_RELIABILITY_H
#define PG_METRICS_RELIABILITY_H

#include "base/status.h"

/* PG_ERROR_ARGUMENT names the first confidence that is not within 0 .. 1. */
pg_status pg_reliability(pg_reliability_scores *out, const double *confidences, const bool *right, size_t count);

/* How confidences are to be corrected: 1 / (1 + exp(-(slope logit(p) + intercept))). {1, 0} leaves them. */
typedef struct pg_correction {
    double slope, intercept;
} pg_correction;

/* The correction that fits what was right best (Platt 1999, with his targets, which keep it finite where everything was
 * right), by log loss. {1, 0} where there is nothing to fit. */
pg_status pg_correction_fit(pg_correction *out, const double *confidences, const bool *right, size_t count);

/* A confidence as corrected; 0 and 1 are taken for 1e-9 off. */
double pg_correction_apply(double confidence, const pg_correction *correction);

#endif
