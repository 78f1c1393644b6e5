#include "model/feedback.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/numbers.h"
#include "base/threads.h"

#define DAMPING 0.01 /* of the mean diagonal */
#define BLOCK   32   /* columns of a factor that are made together */

int64_t pg_feedback_windows(int64_t inputs, int64_t window)
{
    return (inputs + window - 1) / window;
}

size_t pg_feedback_bytes(int64_t inputs, int64_t window)
{
    int64_t width = pg_smaller(window, inputs);
    return (size_t)(pg_feedback_windows(inputs, width) * width * width) * sizeof(float);
}

int64_t pg_feedback_count(const pg_feedback *feedback, int64_t k)
{
    return pg_smaller(feedback->inputs - k * feedback->window, feedback->window);
}

pg_status pg_feedback_init(pg_feedback *out, int64_t inputs, int64_t window)
{
    *out = (pg_feedback){.inputs = inputs, .window = pg_smaller(window, inputs)};
    size_t windows = (size_t)pg_feedback_windows(inputs, out->window), width = (size_t)out->window;
    out->factors = pg_alloc(windows, sizeof *out->factors);
    out->order = pg_alloc((size_t)inputs, sizeof *out->order);
    out->pivots = pg_alloc((size_t)inputs, sizeof *out->pivots);
    bool enough = out->factors && out->order && out->pivots;
    for (size_t k = 0; enough && k < windows; k++)
        enough = (out->factors[k] = pg_alloc(width * width, sizeof **out->factors)) != NULL;
    if (enough)
        return PG_OK;
    pg_feedback_free(out);
    return PG_ERROR_MEMORY;
}

void pg_feedback_free(pg_feedback *feedback)
{
    for (int64_t k = 0; feedback->factors && k < pg_feedback_windows(feedback->inputs, feedback->window); k++)
        pg_free(feedback->factors[k]);
    pg_free(feedback->factors);
    pg_free(feedback->order);
    pg_free(feedback->pivots);
    *feedback = (pg_feedback){0};
}

/* ---------------------------------------------------------------- one window */

/* The moments with rows and columns in reverse order, so that U D U^T is a Cholesky factorisation L L^T. */
typedef struct factoring {
    double *l; /* [n][n], lower triangle; becomes L */
    int64_t n;
    double damping;
    int64_t first, count; /* the block of columns in the making */
} factoring;

static double dot(const double *a, const double *b, int64_t count)
{
    double sums[8] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int k = 0; k < 8; k++)
            sums[k] += a[i + k] * b[i + k];
    for (; i < count; i++)
        sum += a[i] * b[i];
    for (int k = 0; k < 8; k++)
        sum += sums[k];
    return sum;
}

/* Columns first .. end - 1 of row i, as far as the diagonal; the rows above have theirs. What the damping guarantees of
 * a pivot, rounding may take away. */
static void factor_row(const factoring *run, int64_t i, int64_t end)
{
    double *row = run->l + i * run->n;
    for (int64_t j = run->first; j < end && j < i; j++) {
        const double *other = run->l + j * run->n;
        row[j] = (row[j] - dot(row, other, j)) / other[j];
    }
    if (i < end)
        row[i] = sqrt(fmax(row[i] - dot(row, row, i), run->damping));
}

static void factor_task(void *context, int64_t index, int worker)
{
    const factoring *run = context;
    (void)worker;
    factor_row(run, run->first + run->count + index, run->first + run->count);
}

static void factor(factoring *run, int threads)
{
    for (run->first = 0; run->first < run->n; run->first += BLOCK) {
        run->count = pg_smaller(BLOCK, run->n - run->first);
        for (int64_t i = run->first; i < run->first + run->count; i++)
            factor_row(run, i, run->first + run->count);
        pg_parallel(threads, run->n - run->first - run->count, factor_task, run);
    }
}

typedef struct ranked {
    float moment;
    int64_t input;
} ranked;

static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->moment != y->moment)
        return x->moment < y->moment ? 1 : -1;
    return x->input < y->input ? -1 : x->input > y->input;
}

/* The window's inputs by falling moments, into order[0 .. n - 1], and the mean of the moments. */
static pg_status rank_inputs(int64_t *order, double *mean, const float *moments, int64_t n)
{
    *mean = 0;
    for (int64_t i = 0; i < n; i++)
        *mean += (double)moments[i * n + i] / (double)n;
    if (!isfinite(*mean))
        return pg_fail(PG_ERROR_FORMAT, "the activations are not finite");
    ranked *list = pg_alloc((size_t)n, sizeof *list);
    if (!list)
        return PG_ERROR_MEMORY;
    for (int64_t i = 0; i < n; i++)
        list[i] = (ranked){moments[i * n + i], i};
    qsort(list, (size_t)n, sizeof *list, compare_ranked);
    for (int64_t i = 0; i < n; i++)
        order[i] = list[i].input;
    pg_free(list);
    return PG_OK;
}

static void load_moments(const factoring *run, const float *moments, const int64_t *order)
{
    int64_t n = run->n;
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b <= a; b++) {
            int64_t i = order[n - 1 - a], j = order[n - 1 - b];
            run->l[a * n + b] = (double)moments[i > j ? i * n + j : j * n + i] + (a == b ? run->damping : 0);
        }
}

static void store_factors(const factoring *run, float *factors, int64_t stride, float *pivots)
{
    int64_t n = run->n;
    memset(factors, 0, (size_t)(stride * stride) * sizeof *factors);
    for (int64_t i = 0; i < n; i++) {
        int64_t b = n - 1 - i;
        double pivot = run->l[b * n + b];
        for (int64_t j = 0; j < i; j++)
            factors[i * stride + j] = (float)(run->l[(n - 1 - j) * n + b] / pivot);
        pivots[i] = (float)(pivot * pivot);
    }
}

/* Inputs that are all zero leave nothing to be made good: everything is then rounded to the nearest. */
static pg_status factor_window(pg_feedback *feedback, int64_t k, int threads)
{
    int64_t n = pg_feedback_count(feedback, k), first = k * feedback->window, *order = feedback->order + first;
    float *moments = feedback->factors[k];
    double mean;
    PG_TRY(rank_inputs(order, &mean, moments, n));
    factoring run = {.n = n, .damping = mean > 0 ? mean * DAMPING : 1, .l = pg_alloc((size_t)(n * n), sizeof *run.l)};
    if (!run.l)
        return PG_ERROR_MEMORY;
    load_moments(&run, moments, order);
    factor(&run, threads);
    store_factors(&run, moments, feedback->window, feedback->pivots + first);
    for (int64_t i = 0; i < n; i++)
        order[i] += first;
    pg_free(run.l);
    return PG_OK;
}

pg_status pg_feedback_factor(pg_feedback *feedback, int threads)
{
    pg_status status = PG_OK;
    for (int64_t k = 0; status == PG_OK && k < pg_feedback_windows(feedback->inputs, feedback->window); k++)
        status = factor_window(feedback, k, threads);
    return status;
}
