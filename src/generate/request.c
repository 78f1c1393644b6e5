/* From a request to the decoder's input: token ids, pictures, embeddings, and the prompt's pass through the model. */
#include <string.h>

#include "generate/session.h"
#include "image/image.h"
#include "model/gemma.h"
#include "model/siglip.h"
#include "ops/ops.h"
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
                            .length_penalty = -1};
}

static pg_status tokenize(pg_prompt *out, const pg_session *session, const pg_request *request)
{
    const pg_model *model = session->model;
    const pg_config *config = &model->weights->config;
    const char *text = request->prompt ? request->prompt : "";
    unsigned special = request->special ? PG_ENCODE_SPECIAL : PG_ENCODE_PLAIN;
    if (request->style == PG_PROMPT_CHAT) {
        pg_chat_turn turn = {"user", text};
        return pg_prompt_chat(&out->ids, &out->count, model->tokenizer, &turn, 1, special);
    }
    if (request->style == PG_PROMPT_TASK && config->kind == PG_MODEL_PALIGEMMA) {
        PG_TRY(pg_prompt_paligemma(&out->ids, &out->count, model->tokenizer, text, request->image_count,
                                   pg_model_image_tokens(model), config->image_token, special));
        out->prefix = (int64_t)out->count;
        return PG_OK;
    }
    return pg_prompt_text(&out->ids, &out->count, model->tokenizer, text, special);
}

/* As many image tokens as the pictures fill, and ids that have an embedding. */
static pg_status check_ids(const pg_prompt *prompt, const pg_session *session, size_t images)
{
    const pg_config *config = &session->model->weights->config;
    size_t places = 0, needed = images * pg_model_image_tokens(session->model);
    for (size_t i = 0; i < prompt->count; i++) {
        places += config->kind == PG_MODEL_PALIGEMMA && prompt->ids[i] == config->image_token;
        if (prompt->ids[i] < 0 || prompt->ids[i] >= config->text.vocabulary)
            return pg_fail(PG_ERROR_FORMAT, "the prompt has token %d, the model knows %lld tokens", prompt->ids[i],
                           (long long)config->text.vocabulary);
    }
    if (places != needed)
        return pg_fail(PG_ERROR_ARGUMENT, "the prompt has %zu image tokens, %zu pictures fill %zu", places, images,
                       needed);
    return PG_OK;
}

pg_status pg_prompt_make(pg_prompt *out, const pg_session *session, const pg_request *request)
{
    const pg_model *model = session->model;
    pg_model_kind kind = model->weights->config.kind;
    *out = (pg_prompt){.first = kind == PG_MODEL_PALIGEMMA}; /* the reference's positions start at 1 and 0 */
    PG_TRY(pg_model_require(model, kind != PG_MODEL_SIGLIP, "answer prompts"));
    PG_TRY(pg_model_require(model, kind == PG_MODEL_PALIGEMMA || request->image_count == 0, "look at pictures"));
    if (request->image_count && request->style != PG_PROMPT_TASK)
        return pg_fail(PG_ERROR_ARGUMENT, "pictures go with task prompts, not with chat or plain text");
    if (!model->tokenizer)
        return pg_fail(PG_ERROR_FILE, "%s: no tokenizer (tokenizer.json or tokenizer.model) beside the model",
                       model->folder);
    pg_status status = tokenize(out, session, request);
    if (status == PG_OK)
        status = check_ids(out, session, request->image_count);
    if (status == PG_OK && out->count == 0)
        status = pg_fail(PG_ERROR_ARGUMENT, "the prompt is empty and the tokenizer puts no <bos> in front");
    if (status == PG_OK && (int64_t)out->count >= session->context)
        status = pg_fail(PG_ERROR_LIMIT, "the prompt has %zu tokens (%zu of them pictures), the context holds %lld",
                         out->count, request->image_count * pg_model_image_tokens(model), (long long)session->context);
    if (status != PG_OK)
        pg_prompt_free(out);
    return status;
}

void pg_prompt_free(pg_prompt *prompt)
{
    pg_free(prompt->ids);
    prompt->ids = NULL;
}

/* ---------------------------------------------------------------- pictures */

float *pg_prompt_pixels(pg_session *session, const pg_image *const *images, size_t count)
{
    const pg_processor *processor = &session->model->processor;
    size_t side = (size_t)processor->side, floats = 3 * side * side;
    float *pixels = pg_scratch(&session->g, count * floats * sizeof *pixels);
    for (size_t i = 0; pixels && i < count; i++) {
        pg_image *resized;
        session->g.status = pg_image_resize(&resized, images[i], side, side, session->resize_order);
        if (session->g.status != PG_OK)
            return NULL;
        pg_image_to_floats(resized, pixels + i * floats, processor->rescale, processor->mean, processor->deviation);
        pg_image_free(resized);
    }
    const int64_t shape[] = {(int64_t)count, 3, (int64_t)side, (int64_t)side};
    if (pixels)
        pg_trace_values(&session->g, "pixel_values", "F32", shape + (count == 1), 4 - (count == 1), pixels);
    return pixels;
}

pg_tensor *pg_prompt_features(pg_session *session, const pg_image *const *images, size_t count)
{
    pg_context *g = &session->g;
    const pg_weights *w = session->model->weights;
    pg_arena_mark scope = pg_scope_begin(g);
    float *pixels = pg_prompt_pixels(session, images, count);
    if (!pixels)
        return NULL;
    pg_tensor *hidden = pg_siglip_vision_forward(g, &w->vision, pixels, (int64_t)count); /* [count P, D] */
    pg_tensor *features = pg_linear(g, hidden, &w->projector, &w->projector_bias);
    return pg_trace_tensor(g, pg_scope_end(g, scope, features), "features");
}

/* ---------------------------------------------------------------- through the decoder */

pg_tensor *pg_prompt_embed(pg_session *session, const pg_prompt *prompt)
{
    pg_context *g = &session->g;
    const pg_weights *w = session->model->weights;
    pg_tensor *x = pg_gemma_embed(g, &w->text, prompt->ids, (int64_t)prompt->count, 0);
    if (!prompt->features)
        return x;
    int64_t *places = pg_scratch(g, prompt->count * sizeof *places), found = 0;
    if (!places)
        return NULL;
    for (size_t i = 0; i < prompt->count; i++)
        if (prompt->ids[i] == w->config.image_token)
            places[found++] = (int64_t)i;
    return pg_place_rows(g, x, places, prompt->features);
}

pg_tensor *pg_prompt_forward(pg_session *session, const pg_prompt *prompt, int64_t slot)
{
    pg_context *g = &session->g;
    int64_t count = (int64_t)prompt->count, first = slot < 0 ? 0 : slot * session->context;
    int32_t *positions = pg_scratch(g, prompt->count * sizeof *positions);
    int64_t *slots = pg_scratch(g, prompt->count * sizeof *slots);
    if (!slots)
        return NULL;
    for (int64_t i = 0; i < count; i++) {
        positions[i] = prompt->first + (int32_t)i;
        slots[i] = first + i;
    }
    pg_segment segment = {.count = count, .prefix = prompt->prefix, .spans = {{first, count}}, .span_count = 1};
    pg_batch batch = {.rows = count, .positions = positions, .slots = slots, .segments = &segment, .segment_count = 1};
    return pg_gemma_forward(g, &session->model->weights->text, pg_prompt_embed(session, prompt), &batch,
                            slot < 0 ? NULL : &session->cache);
}
