/*
 * Why a PaliGemma model answers as it does: prompt and answer go through the decoder once, and from the position that
 * predicts each token its shares are taken back to the image tokens (relevance.h). By gradient, the same recorded
 * forward pass is gone back through once for each token; a layer is computed again when its turn comes.
 */
#include "tasks/explanation.h"

#include <string.h>

#include "model/fusion.h"
#include "model/gemma.h"
#include "tasks/answer_parts.h"

void pg_explain_options_init(pg_explain_options *options)
{
    *options = (pg_explain_options){.method = PG_EXPLAIN_AUTO};
}

const char *pg_explained_kind_name(pg_explained_kind kind)
{
    static const char *const names[] = {"word", "box", "mask", "label", "text"};
    return names[kind];
}

pg_status pg_explain_options_complete(pg_explain_options *out, const pg_explain_options *given,
                                      pg_explain_method normal)
{
    pg_explain_options_init(out);
    if (given)
        *out = *given;
    if (out->method == PG_EXPLAIN_AUTO)
        out->method = normal;
    if (!out->layers)
        out->layers = 1;
    if (out->tower && out->method != PG_EXPLAIN_GRADIENT && out->method != PG_EXPLAIN_ROLLOUT)
        return pg_fail(PG_ERROR_ARGUMENT, "only gradient and rollout go on through the vision tower");
    return PG_OK;
}

pg_status pg_explain_report(const pg_explain_options *options, size_t done, size_t total)
{
    if (options->on_progress && !options->on_progress(options->user, done, total))
        return pg_fail(PG_ERROR_CANCELLED, "cancelled");
    return PG_OK;
}

const pg_weights *pg_explain_recorded_tower(pg_context *g, const pg_weights *weights)
{
    size_t bytes = (size_t)weights->vision.config.width * sizeof(float);
    pg_weights *copy = pg_scratch(g, sizeof *copy);
    float *grad = pg_scratch(g, bytes);
    if (!copy || !grad)
        return NULL;
    *copy = *weights;
    copy->vision.patch_bias.grad = memset(grad, 0, bytes);
    return copy;
}

/* ---------------------------------------------------------------- the result */

pg_status pg_explanation_new(pg_explanation **out, const pg_model *model, pg_explain_method method, size_t images,
                             size_t tokens)
{
    const pg_siglip_config *vision = &model->weights->vision.config;
    size_t across = (size_t)(vision->side / vision->patch);
    pg_explanation *explanation = pg_alloc(1, sizeof *explanation);
    if (!explanation)
        return PG_ERROR_MEMORY;
    *explanation =
        (pg_explanation){.method = method, .images = images, .rows = across, .columns = across, .token_count = tokens};
    explanation->tokens = pg_alloc(tokens, sizeof *explanation->tokens);
    explanation->token_shares = pg_alloc(tokens, sizeof *explanation->token_shares);
    explanation->token_maps = pg_alloc(tokens, pg_explanation_places(explanation) * sizeof(float));
    if (!explanation->tokens || !explanation->token_shares || !explanation->token_maps) {
        pg_explanation_free(explanation);
        return PG_ERROR_MEMORY;
    }
    *out = explanation;
    return PG_OK;
}

void pg_explanation_free(pg_explanation *explanation)
{
    if (!explanation)
        return;
    pg_answer_parts_free(explanation->parts, explanation->part_count);
    pg_free(explanation->tokens);
    pg_free(explanation->token_shares);
    pg_free(explanation->token_maps);
    pg_free(explanation->maps);
    pg_free(explanation);
}

pg_status pg_explanation_add_maps(pg_explanation *explanation)
{
    size_t places = pg_explanation_places(explanation);
    explanation->maps = pg_alloc(explanation->part_count, places * sizeof *explanation->maps);
    if (!explanation->maps)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < explanation->part_count; i++)
        explanation->parts[i].map = explanation->maps + i * places;
    return PG_OK;
}

/* A part's map and share are the means of its tokens'. */
static void average_tokens(pg_explanation *explanation)
{
    size_t places = pg_explanation_places(explanation);
    for (size_t i = 0; i < explanation->part_count; i++) {
        pg_explained *part = &explanation->parts[i];
        float *map = explanation->maps + i * places, factor = 1 / (float)part->count;
        for (size_t t = part->first; t < part->first + part->count; t++) {
            part->share += explanation->token_shares[t] / (double)part->count;
            for (size_t p = 0; p < places; p++)
                map[p] += explanation->token_maps[t * places + p] * factor;
        }
    }
}

/* ---------------------------------------------------------------- the model */

typedef struct explanation_run {
    pg_session *session;
    const pg_request *request;
    pg_explain_options options;
    size_t prompt;           /* ids of it */
    pg_input input;          /* prompt, and the answer but for its last token, which predicts nothing */
    int64_t *columns, *rows; /* of the pictures; of the predictions, one for each token */
    size_t column_count;
    pg_tape tape;
    pg_relevance relevance;
    pg_explanation *out;
} explanation_run;

static pg_status check(const pg_session *session, const pg_request *request, const int32_t *tokens, size_t count)
{
    const pg_config *config = &session->model->weights->config;
    PG_TRY(pg_model_require(session->model, config->kind == PG_MODEL_PALIGEMMA, "say where in a picture it looked"));
    PG_TRY(pg_model_require_host(session->model, "an explanation"));
    if (!request->image_count)
        return pg_fail(PG_ERROR_ARGUMENT, "an explanation needs a picture");
    if (!count)
        return pg_fail(PG_ERROR_ARGUMENT, "the answer has no tokens: there is nothing to explain");
    for (size_t i = 0; i < count; i++)
        if (tokens[i] < 0 || tokens[i] >= config->text.vocabulary || tokens[i] == config->image_token)
            return pg_fail(PG_ERROR_ARGUMENT,
                           "token %zu of the answer is %d, expected 0 to %lld without the image token %d", i, tokens[i],
                           (long long)config->text.vocabulary - 1, config->image_token);
    return PG_OK;
}

static pg_status lay_out(explanation_run *run, const int32_t *tokens, size_t count)
{
    const pg_session *session = run->session;
    PG_TRY(pg_input_make(&run->input, session, run->request));
    run->prompt = run->input.ids.count;
    if ((int64_t)(run->prompt + count) > session->context)
        return pg_fail(PG_ERROR_LIMIT, "prompt and answer have %zu tokens, the context holds %lld", run->prompt + count,
                       (long long)session->context);
    run->columns = pg_alloc(run->prompt, sizeof *run->columns);
    run->rows = pg_alloc(count, sizeof *run->rows);
    if (!run->columns || !run->rows)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < run->prompt; i++)
        if (run->input.ids.data[i] == session->model->weights->config.image_token)
            run->columns[run->column_count++] = (int64_t)i;
    for (size_t i = 0; i < count; i++) {
        run->rows[i] = (int64_t)(run->prompt + i) - 1;
        if (i + 1 < count)
            PG_TRY(pg_ids_add(&run->input.ids, tokens[i]));
    }
    PG_TRY(pg_explanation_new(&run->out, session->model, run->options.method, run->request->image_count, count));
    memcpy(run->out->tokens, tokens, count * sizeof *tokens);
    return PG_OK;
}

/* The pictures as the decoder gets them, seen as far as the explanation goes into the tower. */
static pg_tensor *look(explanation_run *run)
{
    pg_context *g = &run->session->g;
    const pg_request *request = run->request;
    bool gradient = run->options.method == PG_EXPLAIN_GRADIENT;
    if (run->options.tower && gradient) {
        float *pixels = pg_input_pixels(run->session, request->images, request->image_count);
        const pg_weights *weights = pg_explain_recorded_tower(g, run->session->model->weights);
        if (!pixels || !weights)
            return NULL;
        g->tape = &run->tape;
        return pg_paligemma_features(g, weights, pixels, (int64_t)request->image_count);
    }
    if (run->options.tower)
        g->see_attention = pg_relevance_see;
    pg_tensor *features = pg_input_features(run->session, request->images, request->image_count);
    if (features && gradient)
        features->tracked = true;
    return features;
}

/* What went back from token i, as result `result`. */
static void take_map(explanation_run *run, size_t i, int64_t result)
{
    pg_relevance_map(run->out->token_maps + i * pg_explanation_places(run->out), &run->relevance, result);
    run->out->token_shares[i] = run->relevance.pictures[result];
}

/* Hidden states of all tokens, on the tape or with their attentions kept. */
static pg_tensor *read_answer(explanation_run *run)
{
    pg_context *g = &run->session->g;
    g->attention_user = &run->relevance;
    run->input.features = look(run);
    g->see_attention = pg_relevance_see;
    if (run->options.method == PG_EXPLAIN_GRADIENT)
        g->tape = &run->tape;
    return run->input.features && g->status == PG_OK ? pg_input_forward(run->session, &run->input, -1) : NULL;
}

/* The logit of token i, as the last entry of the tape. */
static pg_tensor *token_logit(explanation_run *run, pg_tensor *hidden, size_t i)
{
    pg_context *g = &run->session->g;
    const pg_gemma *text = &run->session->model->weights->text;
    size_t bytes = (size_t)text->config.vocabulary * sizeof(float);
    pg_tensor *logits = pg_gemma_logits(g, text, pg_take_rows(g, hidden, run->rows + i, 1));
    float *only = pg_scratch(g, bytes);
    if (!only)
        return NULL;
    memset(only, 0, bytes);
    only[run->out->tokens[i]] = 1;
    return pg_weighted_sum(g, logits, only);
}

static pg_status go_back_from(explanation_run *run, pg_tensor *hidden, size_t i)
{
    pg_context *g = &run->session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    PG_TRY(pg_relevance_start(&run->relevance, run->rows + i, 1, hidden->rows));
    pg_status status = pg_tape_backward(g, token_logit(run, hidden, i), 1);
    run->input.features->grad = NULL; /* it has gone back to the tape's pool */
    pg_arena_release(&g->arena, mark);
    if (status == PG_OK)
        take_map(run, i, 0);
    return status;
}

/* The entries of the forward pass stay as they are, so the way back begins at the same one for every token. */
static pg_status explain_by_gradient(explanation_run *run)
{
    run->tape.checkpoint = true;
    run->tape.keep_all = true;
    pg_tensor *hidden = read_answer(run);
    pg_tape_entry *last = run->tape.last;
    for (size_t i = 0; hidden && i < run->out->token_count; i++) {
        run->tape.last = last;
        PG_TRY(go_back_from(run, hidden, i));
        PG_TRY(pg_explain_report(&run->options, i + 1, run->out->token_count));
    }
    return run->session->g.status;
}

static pg_status explain_forward(explanation_run *run)
{
    pg_context *g = &run->session->g;
    size_t count = run->out->token_count;
    if (!read_answer(run))
        return g->status;
    PG_TRY(pg_relevance_start(&run->relevance, run->rows, (int64_t)count, (int64_t)run->input.ids.count));
    pg_relevance_run(&run->relevance, g);
    PG_TRY(g->status);
    for (size_t i = 0; i < count; i++)
        take_map(run, i, (int64_t)i);
    return pg_explain_report(&run->options, count, count);
}

static pg_status explain(explanation_run *run)
{
    pg_context *g = &run->session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    g->status = PG_OK;
    run->relevance = (pg_relevance){.method = run->options.method,
                                    .layers = (int64_t)run->options.layers,
                                    .joint = run->session->model->weights->text.config.layers,
                                    .columns = run->columns,
                                    .column_count = (int64_t)run->column_count};
    pg_status status = run->options.method == PG_EXPLAIN_GRADIENT ? explain_by_gradient(run) : explain_forward(run);
    g->tape = NULL;
    g->see_attention = NULL;
    pg_arena_release(&g->arena, mark);
    pg_relevance_free(&run->relevance);
    pg_tape_free(&run->tape);
    return status;
}

static pg_status make_parts(explanation_run *run)
{
    pg_explanation *out = run->out;
    PG_TRY(
        pg_answer_parts(&out->parts, &out->part_count, run->session->model->tokenizer, out->tokens, out->token_count));
    PG_TRY(pg_explanation_add_maps(out));
    average_tokens(out);
    return PG_OK;
}

pg_status pg_explain(pg_explanation **out, pg_session *session, const pg_request *request, const int32_t *tokens,
                     size_t count, const pg_explain_options *options)
{
    explanation_run run = {.session = session, .request = request};
    pg_status status;
    *out = NULL;
    PG_TRY(check(session, request, tokens, count));
    PG_TRY(pg_explain_options_complete(&run.options, options, PG_EXPLAIN_GRADIENT));
    if (run.options.method == PG_EXPLAIN_SIMILARITY)
        return pg_fail(PG_ERROR_ARGUMENT, "similarity is for SigLIP models: choose gradient, rollout or attention");
    PG_TRY_GOTO(lay_out(&run, tokens, count));
    PG_TRY_GOTO(explain(&run));
    PG_TRY_GOTO(make_parts(&run));
    *out = run.out;
done:
    if (status != PG_OK)
        pg_explanation_free(run.out);
    pg_input_free(&run.input);
    pg_free(run.columns);
    pg_free(run.rows);
    return status;
}
