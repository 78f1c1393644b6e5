/* How well a decoder predicts a text. */
#include "generate/session.h"
#include "model/gemma.h"
#include "ops/ops.h"

#define ROWS 64 /* rows of logits at a time: the whole matrix would be larger than the model */

static pg_status check_ids(const pg_session *session, const int32_t *ids, size_t count)
{
    const pg_config *config = &session->model->weights->config;
    PG_TRY(pg_model_require(session->model, config->kind != PG_MODEL_SIGLIP, "predict text"));
    if (count < 2)
        return pg_fail(PG_ERROR_ARGUMENT, "%zu tokens: expected at least 2", count);
    if ((int64_t)count > session->context)
        return pg_fail(PG_ERROR_LIMIT, "%zu tokens, the context holds %lld", count, (long long)session->context);
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= config->text.vocabulary)
            return pg_fail(PG_ERROR_ARGUMENT, "token %zu is %d, expected 0 to %lld", i, ids[i],
                           (long long)config->text.vocabulary - 1);
    return PG_OK;
}

/* Scores rows first .. first + count - 1 of the hidden states against the ids that follow them. */
static void score_rows(float *nll, pg_session *session, pg_tensor *hidden, const int32_t *ids, int64_t first,
                       int64_t count)
{
    pg_context *g = &session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    int64_t rows[ROWS];
    for (int64_t i = 0; i < count; i++)
        rows[i] = first + i;
    pg_tensor *logits = pg_gemma_logits(g, &session->model->weights->text, pg_take_rows(g, hidden, rows, count));
    pg_token_losses(g, nll + first, logits, ids + first + 1);
    pg_arena_release(&g->arena, mark);
}

pg_status pg_perplexity(float *nll, pg_session *session, const int32_t *ids, size_t count)
{
    PG_TRY(check_ids(session, ids, count));
    pg_context *g = &session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    g->status = PG_OK;
    pg_input input = {.ids = {.data = (int32_t *)ids, .count = count}}; /* borrowed, not freed */
    pg_tensor *hidden = pg_input_forward(session, &input, -1);
    int64_t scored = (int64_t)count - 1;
    for (int64_t first = 0; hidden && g->status == PG_OK && first < scored; first += ROWS)
        score_rows(nll, session, hidden, ids, first, scored - first < ROWS ? scored - first : ROWS);
    pg_arena_release(&g->arena, mark);
    return g->status;
}
