/* The loss of direct preference optimisation (Rafailov et al. 2023). */
#include <math.h>

#include "kernels/device_losses.h"
#include "ops/rows.h"

typedef struct preference_run {
    pg_tensor *x, *out;
    const float *reference;
    double beta;
} preference_run;

/* How much more the model prefers the chosen answer of a pair than the reference does, times beta. */
static double margin_of(const preference_run *run, int64_t pair)
{
    const float *x = (const float *)run->x->data + 2 * pair, *reference = run->reference + 2 * pair;
    return run->beta * (((double)reference[0] - (double)x[0]) - ((double)reference[1] - (double)x[1]));
}

/* -log sigmoid(margin) has the derivative -1 / (1 + e^margin), and a margin falls with the chosen answer's loss. */
static void preference_backward(pg_context *g, const void *saved)
{
    const preference_run *run = saved;
    float *dx = pg_gradient(g, run->x);
    if (dx && g->device) {
        PG_DEVICE(g, losses, preference_back, dx, run->out->grad, run->x->data, run->reference, run->out->rows,
                  run->beta);
        return;
    }
    for (int64_t i = 0; dx && i < run->out->rows; i++) {
        float share = (float)(run->beta / (1 + exp(margin_of(run, i)))) * run->out->grad[i];
        dx[2 * i] += share;
        dx[2 * i + 1] -= share;
    }
}

static void losses_on_host(const preference_run *run, float *hits)
{
    for (int64_t i = 0; i < run->out->rows; i++) {
        double margin = margin_of(run, i);
        pg_row(run->out, i)[0] = (float)(fmax(-margin, 0) + log1p(exp(-fabs(margin))));
        if (hits)
            hits[i] = margin > 0;
    }
}

pg_tensor *pg_preference_losses(pg_context *g, pg_tensor *x, const float *reference, double beta, float *hits)
{
    PG_PROFILE(g, "preference_losses", NULL);
    preference_run run = {x, x ? pg_tensor_new(g, x->rows / 2, 1) : NULL, reference, beta};
    if (!run.out)
        return NULL;
    run.reference = pg_to_device(g, reference, (size_t)(2 * run.out->rows) * sizeof *reference);
    if (g->device)
        PG_DEVICE(g, losses, preference, run.out->data, hits, x->data, run.reference, run.out->rows, beta);
    else
        losses_on_host(&run, hits);
    if (pg_tracked(g, x))
        pg_tape_record(g, run.out, preference_backward, &run, sizeof run);
    return run.out;
}
