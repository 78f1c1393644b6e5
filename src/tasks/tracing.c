/* Every named intermediate of a forward pass, for comparison with any other implementation. */
#include <string.h>

#include "generate/session.h"
#include "model/gemma.h"
#include "model/siglip.h"
#include "ops/ops.h"
#include "tensor/safetensors.h"
#include "text/siglip_text.h"

static void trace_ids(pg_context *g, const int32_t *ids, size_t count)
{
    int64_t *wide = pg_scratch(g, count * sizeof *wide);
    for (size_t i = 0; wide && i < count; i++)
        wide[i] = ids[i];
    pg_trace_values(g, "input_ids", "I64", (const int64_t[]){(int64_t)count}, 1, wide);
}

static pg_status trace_decoder(pg_session *session, const pg_request *request)
{
    pg_context *g = &session->g;
    pg_input input;
    PG_TRY(pg_input_make(&input, session, request));
    trace_ids(g, input.ids.data, input.ids.count);
    if (request->image_count)
        input.features = pg_input_features(session, request->images, request->image_count);
    pg_tensor *hidden = pg_input_forward(session, &input, -1);
    pg_trace_tensor(g, pg_gemma_logits(g, &session->model->weights->text, hidden), "logits");
    pg_input_free(&input);
    return g->status;
}

/* Ids of the caller's own: those of one whole text. */
static pg_status take_text_ids(int32_t *ids, const pg_siglip_config *config, const pg_request *request)
{
    if (request->id_count != (size_t)config->context)
        return pg_fail(PG_ERROR_ARGUMENT, "the text has %zu ids, expected %lld", request->id_count,
                       (long long)config->context);
    for (size_t i = 0; i < request->id_count; i++) {
        if (request->ids[i] < 0 || request->ids[i] >= config->vocabulary)
            return pg_fail(PG_ERROR_FORMAT, "the text has token %d, the model knows %lld tokens", request->ids[i],
                           (long long)config->vocabulary);
        ids[i] = request->ids[i];
    }
    return PG_OK;
}

static pg_status make_text_ids(int32_t *ids, const pg_session *session, const pg_request *request)
{
    const pg_model *model = session->model;
    const pg_siglip_config *config = &model->weights->words.config;
    if (request->ids)
        return take_text_ids(ids, config, request);
    if (!model->tokenizer)
        return pg_fail(PG_ERROR_FILE, "%s: there is no tokenizer (spiece.model)", model->folder);
    return pg_siglip_text_encode(ids, (size_t)config->context, model->tokenizer, request->prompt,
                                 request->special ? PG_ENCODE_SPECIAL : PG_ENCODE_PLAIN);
}

static pg_status trace_towers(pg_session *session, const pg_request *request)
{
    pg_context *g = &session->g;
    const pg_weights *w = session->model->weights;
    if (request->image_count) {
        float *pixels = pg_input_pixels(session, request->images, request->image_count);
        int64_t count = (int64_t)request->image_count;
        if (pixels)
            pg_siglip_pool(g, &w->vision, pg_siglip_vision_forward(g, &w->vision, pixels, count), count);
    }
    bool text = request->ids || (request->prompt && (session->model->tokenizer || *request->prompt));
    if (text && g->status == PG_OK) {
        size_t length = (size_t)w->words.config.context;
        int32_t *ids = pg_scratch(g, length * sizeof *ids);
        if (!ids)
            return g->status;
        PG_TRY(make_text_ids(ids, session, request));
        trace_ids(g, ids, length);
        pg_siglip_words_forward(g, &w->words, ids, 1);
    }
    return g->status;
}

pg_status pg_trace(pg_session *session, const pg_request *request, pg_trace_callback *callback, void *user)
{
    pg_context *g = &session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    g->status = PG_OK;
    g->trace = callback;
    g->trace_user = user;
    pg_status status = session->model->weights->config.kind == PG_MODEL_SIGLIP ? trace_towers(session, request)
                                                                               : trace_decoder(session, request);
    g->trace = NULL;
    pg_arena_release(&g->arena, mark);
    return status;
}

/* ---------------------------------------------------------------- into a file */

typedef struct kept_arrays {
    pg_array *arrays;
    size_t count, capacity;
} kept_arrays;

static pg_status keep_array(void *user, const pg_trace_array *traced)
{
    kept_arrays *kept = user;
    pg_array array = {.dimensions = traced->dimensions};
    memcpy(array.shape, traced->shape, (size_t)traced->dimensions * sizeof *traced->shape);
    pg_dtype_parse(&array.dtype, traced->dtype);
    if (!pg_array_size(&array.bytes, &array))
        return pg_fail(PG_ERROR_LIMIT, "%s: too large to keep", traced->name);
    PG_TRY(pg_grow((void **)&kept->arrays, &kept->capacity, kept->count + 1, sizeof *kept->arrays));
    array.name = pg_copy_text(traced->name, SIZE_MAX);
    void *data = pg_alloc(array.bytes, 1);
    array.data = data;
    kept->arrays[kept->count++] = array;
    if (!array.name || !data)
        return PG_ERROR_MEMORY;
    memcpy(data, traced->data, array.bytes);
    return PG_OK;
}

pg_status pg_trace_save(pg_session *session, const pg_request *request, const char *path)
{
    kept_arrays kept = {0};
    pg_status status = pg_trace(session, request, keep_array, &kept);
    if (status == PG_OK)
        status = pg_safetensors_save(path, kept.arrays, kept.count);
    for (size_t i = 0; i < kept.count; i++) {
        pg_free((void *)kept.arrays[i].name);
        pg_free((void *)kept.arrays[i].data);
    }
    pg_free(kept.arrays);
    return status;
}
