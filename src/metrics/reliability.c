#include "metrics/reliability.h"

#include <math.h>

#define SURE  1e-9 /* nearest that a confidence comes to 0 or 1 where its logit is taken */
#define STEPS 100  /* of Newton's method, at most; a dozen are usual */

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

double pg_correction_apply(double confidence, const pg_correction *correction)
{
    return 1 / (1 + exp(-(correction->slope * logit(confidence) + correction->intercept)));
}

/* What is fitted, and Platt's targets for what was right and what was wrong: as if one more of each had been seen. */
typedef struct fitting {
    const double *confidences;
    const bool *right;
    size_t count;
    double targets[2];
} fitting;

static fitting start_fitting(const double *confidences, const bool *right, size_t count)
{
    size_t hits = 0;
    for (size_t i = 0; i < count; i++)
        hits += right[i];
    double misses = (double)(count - hits);
    return (fitting){confidences, right, count, {1 / (misses + 2), ((double)hits + 1) / ((double)hits + 2)}};
}

/* Cross entropy: log(1 + e^z) - target z, without an overflow. */
static double log_loss(const fitting *f, const pg_correction *at)
{
    double sum = 0;
    for (size_t i = 0; i < f->count; i++) {
        double z = at->slope * logit(f->confidences[i]) + at->intercept;
        sum += fmax(z, 0) + log1p(exp(-fabs(z))) - f->targets[f->right[i]] * z;
    }
    return sum;
}

/* Newton's step from there. */
static pg_correction newton_step(const fitting *f, const pg_correction *at)
{
    double gs = 0, gi = 0, ss = 1e-12, si = 0, ii = 1e-12; /* a little, where all logits are the same */
    for (size_t i = 0; i < f->count; i++) {
        double x = logit(f->confidences[i]), p = pg_correction_apply(f->confidences[i], at), w = p * (1 - p);
        double error = p - f->targets[f->right[i]];
        gs += error * x;
        gi += error;
        ss += w * x * x;
        si += w * x;
        ii += w;
    }
    double determinant = ss * ii - si * si;
    if (!(determinant > 0))
        return (pg_correction){0, 0};
    return (pg_correction){(si * gi - ii * gs) / determinant, (si * gs - ss * gi) / determinant};
}

#define HALVES 20 /* a step is shortened so often, at most */

/* Goes along a step as far as the loss falls; false where it does not. */
static bool go_on(pg_correction *at, double *loss, const fitting *f, pg_correction step)
{
    for (int halved = 0; halved < HALVES; halved++) {
        double part = ldexp(1, -halved);
        pg_correction next = {at->slope + part * step.slope, at->intercept + part * step.intercept};
        double there = log_loss(f, &next);
        if (there < *loss) {
            *at = next;
            *loss = there;
            return true;
        }
    }
    return false;
}

pg_status pg_correction_fit(pg_correction *out, const double *confidences, const bool *right, size_t count)
{
    PG_TRY(check(confidences, count));
    fitting f = start_fitting(confidences, right, count);
    *out = (pg_correction){1, 0};
    double loss = log_loss(&f, out);
    for (int i = 0; i < STEPS && count && go_on(out, &loss, &f, newton_step(&f, out)); i++)
        ;
    return PG_OK;
}
