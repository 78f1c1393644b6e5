#include "generate/session.h"

#include "base/threads.h"
#include "kernels/devices.h"
#include "kernels/kernels.h"

void pg_session_options_init(pg_session_options *options)
{
    *options = (pg_session_options){0};
}

pg_compute pg_model_compute(const pg_model *model, bool bf16_products)
{
    const pg_weights *w = model->weights; /* norms are never quantised */
    pg_dtype dtype = w->config.kind == PG_MODEL_SIGLIP ? w->vision.post_norm.dtype : w->text.norm.dtype;
    return dtype == PG_BF16 && bf16_products ? PG_COMPUTE_BF16 : PG_COMPUTE_F32;
}

static pg_status choose_compute(pg_context *g, const pg_model *model, pg_compute wanted)
{
    const pg_quantization *quantization = &model->weights->config.quantization;
    bool quantized = quantization->text || quantization->vision;
    if (wanted == PG_COMPUTE_INT8 && !quantized)
        return pg_fail(PG_ERROR_ARGUMENT,
                       "%s: compute int8 needs quantised weights; `paligemma quantize` makes a model with them",
                       model->folder);
    if (wanted == PG_COMPUTE_INT8 && g->device)
        return pg_fail(PG_ERROR_UNSUPPORTED,
                       "%s: compute int8 is for the CPU; on %s quantised weights are widened: choose f32 or bf16",
                       model->folder, g->device->name);
    g->integers = quantized && !g->device && (wanted == PG_COMPUTE_AUTO || wanted == PG_COMPUTE_INT8);
    if (wanted == PG_COMPUTE_F32 || wanted == PG_COMPUTE_BF16)
        g->compute = wanted;
    else
        g->compute = pg_model_compute(model, g->device || g->kernels->bf16_products);
    return PG_OK;
}

static pg_status check_options(const pg_model *model, const pg_session_options *options)
{
    if (options->threads < 0 || options->threads > PG_THREADS_MAX)
        return pg_fail(PG_ERROR_ARGUMENT, "threads: %d, expected 1 to %d", options->threads, PG_THREADS_MAX);
    bool decoder = pg_model_get_kind(model) != PG_MODEL_SIGLIP; /* towers have a fixed length */
    if (decoder && options->context > pg_model_context(model))
        return pg_fail(PG_ERROR_LIMIT, "context: %zu tokens, the model has %zu", options->context,
                       pg_model_context(model));
    if (options->sequences > 4096)
        return pg_fail(PG_ERROR_LIMIT, "sequences: %zu, at most 4096 run at the same time", options->sequences);
    return PG_OK;
}

static pg_dtype cache_dtype(const pg_context *g, pg_cache_type wanted)
{
    switch (wanted) {
    case PG_CACHE_F32: return PG_F32;
    case PG_CACHE_BF16: return PG_BF16;
    case PG_CACHE_INT8: return PG_I8;
    default: return g->compute == PG_COMPUTE_BF16 ? PG_BF16 : PG_F32;
    }
}

static pg_status make_decoder_memory(pg_session *session, pg_cache_type wanted)
{
    const pg_gemma_config *text = &session->model->weights->config.text;
    pg_dtype dtype = cache_dtype(&session->g, wanted);
    PG_TRY(pg_cache_init(&session->cache, session->g.device, dtype, text->layers,
                         (int64_t)session->sequences * session->context,
                         pg_cache_width(dtype, text->kv_heads, text->size)));
    session->logits = pg_alloc((size_t)text->vocabulary, sizeof *session->logits);
    session->choices = pg_alloc((size_t)text->vocabulary, sizeof *session->choices);
    return session->logits && session->choices ? PG_OK : PG_ERROR_MEMORY;
}

/* Whatever is on its way to the model's weights is there before the session's own queue begins. */
static pg_status open_queue(pg_session *session)
{
    pg_device *where = session->model->device;
    PG_TRY(pg_device_wait(where));
    PG_TRY(pg_device_open(&session->device, where ? where->name : NULL));
    pg_context_on(&session->g, session->device);
    return PG_OK;
}

pg_status pg_session_new(pg_session **out, const pg_model *model, const pg_session_options *options)
{
    pg_session_options defaults;
    pg_session_options_init(&defaults);
    options = options ? options : &defaults;
    *out = NULL;
    PG_TRY(check_options(model, options));
    pg_session *session = pg_alloc(1, sizeof *session);
    if (!session)
        return PG_ERROR_MEMORY;
    session->model = model;
    session->g.kernels = pg_kernels_best();
    session->g.threads = options->threads ? options->threads : pg_threads_default();
    session->resize_order = options->resize_order;
    session->context = (int64_t)(options->context ? options->context : pg_model_context(model));
    session->sequences = options->sequences ? options->sequences : 1;
    pg_status status = open_queue(session);
    if (status == PG_OK)
        status = choose_compute(&session->g, model, options->compute);
    if (status == PG_OK && model->weights->config.kind != PG_MODEL_SIGLIP)
        status = make_decoder_memory(session, options->cache);
    if (status == PG_OK)
        *out = session;
    else
        pg_session_free(session);
    return status;
}

void pg_session_free(pg_session *session)
{
    if (!session)
        return;
    pg_recorded_steps_free(&session->recorded, session->device);
    pg_arena_free(&session->g.arena);
    pg_cache_free(&session->cache);
    pg_device_close(session->device);
    pg_free(session->logits);
    pg_free(session->choices);
    pg_free(session);
}

pg_compute pg_session_compute(const pg_session *session)
{
    return session->g.integers ? PG_COMPUTE_INT8 : session->g.compute;
}

size_t pg_session_token_memory(const pg_session *session)
{
    return (size_t)(2 * session->cache.layers * session->cache.width) * pg_dtype_size(session->cache.dtype);
}

int pg_session_threads(const pg_session *session)
{
    return session->g.threads;
}
