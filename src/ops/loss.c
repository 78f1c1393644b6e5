/* Cross entropy of next tokens. */
#include "kernels/kernels.h"
#include "ops/rows.h"

double pg_log_sum_exp(const pg_context *g, const float *logits, int64_t count)
{
    float top;
    return g->kernels->log_sum_exp(logits, count, &top);
}

typedef struct loss_run {
    const pg_context *g;
    const pg_tensor *logits;
    const int32_t *targets;
    float *losses;
} loss_run;

static void loss_row(void *context, int64_t row)
{
    const loss_run *run = context;
    const float *logits = pg_row(run->logits, row);
    run->losses[row] = (float)(pg_log_sum_exp(run->g, logits, run->logits->width) - logits[run->targets[row]]);
}

void pg_token_losses(pg_context *g, float *losses, const pg_tensor *logits, const int32_t *targets)
{
    loss_run run = {g, logits, targets, losses};
    if (logits && g->status == PG_OK)
        pg_each_row(g, logits->rows, logits->width * 16, loss_row,
                    &run); /* an exponential costs about 16 simple steps */
}
