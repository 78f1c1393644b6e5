#include "metrics/reliability.h"

#include <math.h>

#define SURE         1e-9 /* nearest that a confidence comes to 0 or 1 where its logit is taken */
#define TEMPERATURES 1000 /* between 1 / this and this is looked */

static pg_status check(const double *confidences, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(confidences[i] >= 0 && confidences[i] <= 1))
            return pg_fail(PG_ERROR_ARGUMENT, "confidence %zu is %g, expected 0 to 1", i, confidences[i]);
    return PG_OK;
}

pg_status pg_reliability(pg_reliability_scores *out, const double *confidences, const bool *right, size_t count)
{
    *out = (pg_reliability_scores){0};
    PG_TRY(check(confidences, count));
    for (size_t i = 0; i < count; i++) {
        double error = confidences[i] - right[i];
        int bin = (int)fmin(fmax(ceil(confidences[i] * PG_RELIABILITY_BINS) - 1, 0), PG_RELIABILITY_BINS - 1);
        out->bins[bin].count++;
        out->bins[bin].confidence += confidences[i];
        out->bins[bin].accuracy += right[i];
        out->brier += error * error / (double)count;
    }
    for (int i = 0; i < PG_RELIABILITY_BINS; i++) {
        pg_reliability_bin *bin = &out->bins[i];
        if (!bin->count)
            continue;
        out->calibration_error += fabs(bin->confidence - bin->accuracy) / (double)count;
        bin->confidence /= (double)bin->count;
        bin->accuracy /= (double)bin->count;
    }
    return PG_OK;
}

static double logit(double p)
{
    p = fmin(fmax(p, SURE), 1 - SURE);
    return log(p) - log1p(-p);
}

double pg_temperature_apply(double confidence, double temperature)
{
    return 1 / (1 + exp(-logit(confidence) / temperature));
}

/* The derivative of the log loss by the inverse temperature b: sum of (sigmoid(b x) - right) x. It only grows with b,
 * since every summand does. */
static double slope(const double *confidences, const bool *right, size_t count, double inverse)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (pg_temperature_apply(confidences[i], 1 / inverse) - right[i]) * logit(confidences[i]);
    return sum;
}

pg_status pg_temperature_fit(double *out, const double *confidences, const bool *right, size_t count)
{
    PG_TRY(check(confidences, count));
    double low = -log(TEMPERATURES), high = log(TEMPERATURES); /* of the inverse temperature */
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        double found = slope(confidences, right, count, exp(middle));
        if (found <= 0) /* 0: best, or as good as any */
            low = middle;
        if (found >= 0)
            high = middle;
    }
    *out = exp(-(low + high) / 2);
    return PG_OK;
}
