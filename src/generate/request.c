/* From a request to the decoder's input: token ids, pictures, embeddings, and the prompt's pass through the model. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/threads.h"
#include "generate/session.h"
#include "image/image.h"
#include "model/fusion.h"
#include "model/gemma.h"
#include "ops/rows.h"
#include "text/prompt.h"

void pg_request_init(pg_request *request)
{
    *request = (pg_request){.max_new_tokens = -1,
                            .max_length = -1,
                            .min_new_tokens = -1,
                            .temperature = -1,
                            .top_k = -1,
                            .top_p = -1,
                            .min_p = -1,
                            .repetition_penalty = -1,
                            .no_repeat_ngram = -1,
                            .beams = -1,
                            .length_penalty = NAN,
                            .speculate = -1};
}

static double given_number(double wanted, double normal)
{
    return wanted >= 0 ? wanted : normal;
}

static int64_t given_integer(int64_t wanted, int64_t normal)
{
    return wanted >= 0 ? wanted : normal;
}

void pg_request_complete(pg_request *request, const pg_model *model)
{
    const pg_generation_config *normal = &model->generation;
    request->min_new_tokens = given_integer(request->min_new_tokens, normal->min_new_tokens);
    request->temperature = given_number(request->temperature, normal->temperature);
    request->top_k = given_integer(request->top_k, normal->top_k);
    request->top_p = given_number(request->top_p, normal->top_p);
    request->min_p = given_number(request->min_p, normal->min_p);
    request->repetition_penalty = given_number(request->repetition_penalty, normal->repetition_penalty);
    request->no_repeat_ngram = given_integer(request->no_repeat_ngram, normal->no_repeat_ngram);
    request->beams = given_integer(request->beams, normal->beams);
    if (isnan(request->length_penalty)) /* every number is a penalty, also a negative one */
        request->length_penalty = normal->length_penalty;
}

/* Ids of the caller's own; check_ids looks at them. */
static pg_status take_ids(pg_prompt *out, int64_t *prefix, pg_model_kind kind, const pg_request *request)
{
    if (request->answer_ids > request->id_count)
        return pg_fail(PG_ERROR_ARGUMENT, "%zu ids of an answer, expected at most the %zu that there are",
                       request->answer_ids, request->id_count);
    if (kind == PG_MODEL_PALIGEMMA)
        *prefix = (int64_t)(request->id_count - request->answer_ids);
    for (size_t i = 0; i < request->id_count; i++)
        PG_TRY(pg_ids_add(&out->ids, request->ids[i]));
    return PG_OK;
}

static pg_status tokenize(pg_prompt *out, int64_t *prefix, const pg_session *session, const pg_request *request)
{
    const pg_model *model = session->model;
    const pg_config *config = &model->weights->config;
    const char *text = request->prompt ? request->prompt : "";
    unsigned flags = request->special ? PG_ENCODE_SPECIAL : PG_ENCODE_PLAIN;
    if (request->ids)
        return take_ids(out, prefix, config->kind, request);
    PG_TRY(pg_model_require_tokenizer(model));
    if (request->style == PG_PROMPT_CHAT) {
        pg_chat_turn turn = {"user", text};
        return pg_prompt_chat(out, model->tokenizer, &turn, 1, true, flags);
    }
    if (request->style == PG_PROMPT_TASK && config->kind == PG_MODEL_PALIGEMMA) {
        pg_prompt_images images = {request->image_count, pg_model_image_tokens(model), config->image_token};
        PG_TRY(pg_prompt_paligemma(out, model->tokenizer, text, images, flags));
        *prefix = (int64_t)out->ids.count;
        return PG_OK;
    }
    return pg_prompt_text(out, model->tokenizer, text, flags);
}

pg_status pg_check_ids(const int32_t *ids, size_t count, const pg_session *session, const char *whose)
{
    int64_t vocabulary = session->model->weights->config.text.vocabulary;
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= vocabulary)
            return pg_fail(PG_ERROR_FORMAT, "%s has token %d, the model knows %lld tokens", whose, ids[i],
                           (long long)vocabulary);
    return PG_OK;
}

/* As many image tokens as the pictures fill, and ids that have an embedding. */
static pg_status check_ids(const pg_ids *ids, const pg_session *session, size_t images)
{
    const pg_config *config = &session->model->weights->config;
    size_t places = 0, needed = images * pg_model_image_tokens(session->model);
    PG_TRY(pg_check_ids(ids->data, ids->count, session, "the prompt"));
    for (size_t i = 0; i < ids->count; i++)
        places += config->kind == PG_MODEL_PALIGEMMA && ids->data[i] == config->image_token;
    if (places != needed)
        return pg_fail(PG_ERROR_ARGUMENT, "the prompt has %zu image tokens, %zu pictures fill %zu", places, images,
                       needed);
    return PG_OK;
}

pg_status pg_input_make(pg_input *out, const pg_session *session, const pg_request *request)
{
    const pg_model *model = session->model;
    pg_model_kind kind = model->weights->config.kind;
    *out = (pg_input){.first = kind == PG_MODEL_PALIGEMMA}; /* the reference's positions start at 1 and 0 */
    PG_TRY(pg_model_require(model, kind != PG_MODEL_SIGLIP, "answer prompts"));
    PG_TRY(pg_model_require(model, kind == PG_MODEL_PALIGEMMA || request->image_count == 0, "look at pictures"));
    if (request->image_count && request->style != PG_PROMPT_TASK && !request->ids)
        return pg_fail(PG_ERROR_ARGUMENT, "pictures go with task prompts, not with chat or plain text");
    pg_prompt prompt = {0};
    pg_status status = tokenize(&prompt, &out->prefix, session, request);
    out->ids = prompt.ids;
    if (status == PG_OK)
        status = check_ids(&out->ids, session, request->image_count);
    if (status == PG_OK && out->ids.count == 0)
        status = pg_fail(PG_ERROR_ARGUMENT, "the prompt is empty and the tokenizer puts no <bos> in front");
    if (status == PG_OK && (int64_t)out->ids.count >= session->context)
        status =
            pg_fail(PG_ERROR_LIMIT, "the prompt has %zu tokens (%zu of them pictures), the context holds %lld",
                    out->ids.count, request->image_count * pg_model_image_tokens(model), (long long)session->context);
    if (status != PG_OK)
        pg_input_free(out);
    return status;
}

void pg_input_free(pg_input *input)
{
    pg_ids_free(&input->ids);
}

/* ---------------------------------------------------------------- pictures */

/* Pictures on their way to floats, each on some thread. */
typedef struct resize_run {
    const pg_session *session;
    const pg_image *const *images;
    float *pixels;
    int status; /* a pg_status: of the first failure, whose text is `reason` */
    char reason[512];
} resize_run;

static void note_failure(resize_run *run, pg_status status)
{
    int none = PG_OK;
    if (__atomic_compare_exchange_n(&run->status, &none, status, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        snprintf(run->reason, sizeof run->reason, "%s", pg_error_last());
}

static void resize_picture(void *context, int64_t i, int worker)
{
    resize_run *run = context;
    const pg_processor *processor = &run->session->model->processor;
    size_t side = (size_t)processor->side;
    pg_image *resized;
    (void)worker;
    pg_status status = pg_image_resize(&resized, run->images[i], side, side, run->session->resize_order);
    if (status != PG_OK)
        note_failure(run, status);
    else
        pg_image_to_floats(resized, run->pixels + (size_t)i * 3 * side * side, processor->rescale, processor->mean,
                           processor->deviation);
    pg_image_free(resized);
}

float *pg_input_pixels(pg_session *session, const pg_image *const *images, size_t count)
{
    size_t side = (size_t)session->model->processor.side, bytes = 3 * side * side * sizeof(float);
    resize_run run = {.session = session, .images = images, .pixels = pg_scratch(&session->g, count * bytes)};
    if (!run.pixels)
        return NULL;
    pg_parallel(session->g.threads, (int64_t)count, resize_picture, &run);
    if (run.status != PG_OK) {
        session->g.status = pg_fail((pg_status)run.status, "%s", run.reason);
        return NULL;
    }
    const int64_t shape[] = {(int64_t)count, 3, (int64_t)side, (int64_t)side};
    pg_trace_values(&session->g, "pixel_values", "F32", shape + (count == 1), 4 - (count == 1), run.pixels);
    return run.pixels;
}

pg_tensor *pg_pixel_features(pg_session *session, const float *pixels, size_t count)
{
    pg_context *g = &session->g;
    pg_arena_mark scope = pg_scope_begin(g);
    pg_tensor *features = pg_paligemma_features(g, session->model->weights, pixels, (int64_t)count);
    return pg_trace_tensor(g, pg_scope_end(g, scope, features), "features");
}

pg_tensor *pg_input_features(pg_session *session, const pg_image *const *images, size_t count)
{
    pg_arena_mark scope = pg_scope_begin(&session->g);
    float *pixels = pg_input_pixels(session, images, count);
    return pixels ? pg_scope_end(&session->g, scope, pg_pixel_features(session, pixels, count)) : NULL;
}

/* ---------------------------------------------------------------- through the decoder */

pg_tensor *pg_input_embed(pg_session *session, const pg_input *input)
{
    return pg_paligemma_embed(&session->g, session->model->weights, input->ids.data, (int64_t)input->ids.count,
                              input->features);
}

static pg_tensor *forward(pg_session *session, const pg_input *input, int64_t slot, const int64_t *wanted,
                          int64_t wanted_count)
{
    pg_context *g = &session->g;
    int64_t count = (int64_t)input->ids.count, first = slot < 0 ? 0 : slot * session->context;
    int32_t *positions = pg_scratch(g, input->ids.count * sizeof *positions);
    int64_t *slots = pg_scratch(g, input->ids.count * sizeof *slots);
    pg_segment *segment = pg_scratch(g, sizeof *segment); /* a tape may need it longer than this call */
    if (!segment)
        return NULL;
    for (int64_t i = 0; i < count; i++) {
        positions[i] = input->first + (int32_t)i;
        slots[i] = first + i;
    }
    *segment = (pg_segment){.count = count, .prefix = input->prefix, .spans = {{first, count}}, .span_count = 1};
    pg_batch batch = {.rows = count,
                      .positions = positions,
                      .slots = slots,
                      .segments = segment,
                      .segment_count = 1,
                      .wanted = wanted,
                      .wanted_count = wanted_count};
    return pg_gemma_forward(g, &session->model->weights->text, pg_input_embed(session, input), &batch,
                            slot < 0 ? NULL : &session->cache);
}

pg_tensor *pg_input_forward(pg_session *session, const pg_input *input, int64_t slot)
{
    return forward(session, input, slot, NULL, 0);
}

pg_tensor *pg_input_last(pg_session *session, const pg_input *input, int64_t slot)
{
    const int64_t last = (int64_t)input->ids.count - 1, only = 0;
    return pg_take_rows(&session->g, forward(session, input, slot, &last, 1), &only, 1);
}

/* Logits of rows rows[0 .. count - 1]: where they lie, and on a device the best of each. */
static void give_rows(pg_session *session, pg_logits *out, const int64_t *rows, const pg_tensor *logits)
{
    pg_context *g = &session->g;
    int32_t *best = g->device ? pg_scratch(g, (size_t)logits->rows * sizeof *best) : NULL;
    float *logprobs = g->device ? pg_scratch(g, (size_t)logits->rows * sizeof *logprobs) : NULL;
    if (logprobs)
        pg_best_tokens(g, best, logprobs, logits);
    for (int64_t i = 0; g->status == PG_OK && i < logits->rows; i++) {
        const float *values = pg_row(logits, i);
        out[rows[i]] =
            logprobs
                ? (pg_logits){.count = logits->width, .on_device = values, .best = best[i], .best_logprob = logprobs[i]}
                : (pg_logits){.values = values, .count = logits->width};
    }
}

/* All logits of the rows that may be followed by anything, in one product. */
static void give_all_logits(pg_session *session, pg_logits *out, pg_tensor *hidden, const pg_permitted *permitted)
{
    pg_context *g = &session->g;
    int64_t *rows = pg_scratch(g, (size_t)hidden->rows * sizeof *rows), count = 0;
    if (!rows)
        return;
    for (int64_t r = 0; r < hidden->rows; r++)
        if (!permitted || !permitted[r].ids)
            rows[count++] = r;
    if (!count)
        return;
    pg_tensor *x = count == hidden->rows ? hidden : pg_take_rows(g, hidden, rows, count);
    const pg_tensor *logits = pg_gemma_logits(g, &session->model->weights->text, x);
    if (logits)
        give_rows(session, out, rows, logits);
}

pg_status pg_row_logits(pg_session *session, pg_logits *out, pg_tensor *hidden, const pg_permitted *permitted)
{
    pg_context *g = &session->g;
    if (!hidden)
        return g->status;
    give_all_logits(session, out, hidden, permitted);
    for (int64_t r = 0; permitted && r < hidden->rows; r++) {
        if (!permitted[r].ids)
            continue;
        pg_tensor x = pg_rows_view(hidden, r, 1);
        const pg_tensor *logits =
            pg_linear_rows(g, &x, &session->model->weights->text.output, permitted[r].ids, permitted[r].count);
        const float *values = pg_to_host(g, logits ? logits->data : NULL, (size_t)permitted[r].count * sizeof *values);
        out[r] = (pg_logits){.values = values, .ids = permitted[r].ids, .count = permitted[r].count};
    }
    return g->status;
}

pg_status pg_check_finite(double value, const pg_session *session)
{
    if (value - value == 0) /* neither infinite nor not a number */
        return PG_OK;
    return pg_fail(PG_ERROR_FORMAT, "%s: the logits are not finite; are the weights damaged?", session->model->folder);
}

pg_status pg_logits_fetch(pg_logits *logits, pg_session *session)
{
    if (!logits->values)
        logits->values = pg_to_host(&session->g, logits->on_device, (size_t)logits->count * sizeof *logits->values);
    return session->g.status;
}

/* The rows of a step, and what is permitted behind each. */
typedef struct next_rows {
    pg_batch batch;
    int32_t *ids, *positions;
    int64_t *slots;
    pg_segment *segments;
    pg_permitted *permitted;
} next_rows;

static void make_next_rows(pg_context *g, next_rows *out, const pg_next *next, size_t count)
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++)
        rows += (size_t)next[i].count;
    out->ids = pg_scratch(g, rows * sizeof *out->ids);
    out->positions = pg_scratch(g, rows * sizeof *out->positions);
    out->slots = pg_scratch(g, rows * sizeof *out->slots);
    out->permitted = pg_scratch(g, rows * sizeof *out->permitted);
    out->segments = pg_scratch(g, count * sizeof *out->segments);
    out->batch = (pg_batch){.rows = (int64_t)rows,
                            .single = (int64_t)rows,
                            .positions = out->positions,
                            .slots = out->slots,
                            .segments = out->segments,
                            .segment_count = count};
}

static void fill_next_rows(next_rows *out, const pg_next *next, size_t count)
{
    int64_t row = 0;
    for (size_t i = 0; i < count; row += next[i++].count) {
        const pg_span *last = &next[i].spans[next[i].span_count - 1];
        out->segments[i] = (pg_segment){.first = row,
                                        .count = next[i].count,
                                        .prefix = next[i].prefix,
                                        .span_count = next[i].span_count};
        memcpy(out->segments[i].spans, next[i].spans, sizeof next[i].spans);
        for (int64_t j = 0; j < next[i].count; j++) {
            out->ids[row + j] = next[i].ids[j];
            out->positions[row + j] = next[i].position + (int32_t)j;
            out->slots[row + j] = last->first + last->count - next[i].count + j;
            out->permitted[row + j] = next[i].permitted ? next[i].permitted[j] : (pg_permitted){0};
        }
    }
}

pg_status pg_next_logits(pg_session *session, pg_logits *out, const pg_next *next, size_t count)
{
    pg_context *g = &session->g;
    next_rows rows;
    make_next_rows(g, &rows, next, count);
    if (g->status != PG_OK)
        return g->status;
    fill_next_rows(&rows, next, count);
    pg_tensor *hidden =
        pg_recorded_step_run(&session->recorded, g, session->model, rows.ids, &rows.batch, &session->cache);
    return pg_row_logits(session, out, hidden, rows.permitted);
}
