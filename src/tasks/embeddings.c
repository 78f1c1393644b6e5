/* SigLIP as a dual encoder: pictures and texts as vectors of length one. */
#include <math.h>
#include <string.h>

#include "generate/session.h"
#include "model/siglip.h"
#include "ops/ops.h"
#include "tasks/at_once.h"
#include "text/siglip_text.h"

/* Copies unit rows out and gives the arena back. */
static pg_status finish(pg_session *session, pg_arena_mark mark, float *out, pg_tensor *features)
{
    pg_tensor *unit = pg_unit_rows(&session->g, features);
    if (unit && session->g.status == PG_OK)
        session->g.status =
            pg_values_download(session->device, out, unit->data, (size_t)(unit->rows * unit->width) * sizeof *out);
    pg_arena_release(&session->g.arena, mark);
    return session->g.status;
}

static pg_status require_siglip(pg_session *session)
{
    session->g.status = PG_OK;
    return pg_model_require(session->model, session->model->weights->config.kind == PG_MODEL_SIGLIP,
                            "embed pictures and texts; a SigLIP model can");
}

static pg_status embed_some_images(float *out, pg_session *session, const pg_image *const *images, size_t count)
{
    const pg_siglip_vision *vision = &session->model->weights->vision;
    pg_arena_mark mark = pg_arena_get_mark(&session->g.arena);
    float *pixels = pg_input_pixels(session, images, count);
    pg_tensor *hidden = pixels ? pg_siglip_vision_forward(&session->g, vision, pixels, (int64_t)count) : NULL;
    return finish(session, mark, out, pg_siglip_pool(&session->g, vision, hidden, (int64_t)count));
}

pg_status pg_embed_images(float *out, pg_session *session, const pg_image *const *images, size_t count)
{
    PG_TRY(require_siglip(session));
    const pg_siglip_config *vision = &session->model->weights->vision.config;
    for (size_t i = 0, some; i < count; i += some) {
        some = pg_at_once(count - i, pg_config_patches(vision));
        PG_TRY(embed_some_images(out + i * (size_t)vision->width, session, images + i, some));
    }
    return PG_OK;
}

static pg_status encode_texts(int32_t *ids, size_t length, const pg_session *session, const char *const *texts,
                              size_t count)
{
    for (size_t i = 0; i < count; i++)
        PG_TRY(pg_siglip_text_encode(ids + i * length, length, session->model->tokenizer, texts[i], PG_ENCODE_PLAIN));
    return PG_OK;
}

static pg_status embed_some_texts(float *out, pg_session *session, const char *const *texts, size_t count)
{
    const pg_siglip_words *words = &session->model->weights->words;
    size_t length = (size_t)words->config.context;
    pg_arena_mark mark = pg_arena_get_mark(&session->g.arena);
    int32_t *ids = pg_scratch(&session->g, count * length * sizeof *ids);
    pg_status status = ids ? encode_texts(ids, length, session, texts, count) : PG_ERROR_MEMORY;
    pg_tensor *features = status == PG_OK ? pg_siglip_words_forward(&session->g, words, ids, (int64_t)count) : NULL;
    pg_status finished = finish(session, mark, out, features);
    return status == PG_OK ? finished : status;
}

pg_status pg_embed_texts(float *out, pg_session *session, const char *const *texts, size_t count)
{
    PG_TRY(require_siglip(session));
    const pg_model *model = session->model;
    const pg_siglip_config *words = &model->weights->words.config;
    if (!model->tokenizer)
        return pg_fail(PG_ERROR_FILE, "%s: no tokenizer (spiece.model) beside the model", model->folder);
    for (size_t i = 0, some; i < count; i += some) {
        some = pg_at_once(count - i, words->context);
        PG_TRY(embed_some_texts(out + i * (size_t)words->projection, session, texts + i, some));
    }
    return PG_OK;
}

/* The value of a parameter that is one number. */
static pg_status load_single(float *out, const pg_parameter *p)
{
    pg_parameter host;
    void *memory;
    pg_status status = pg_parameter_to_host(&host, &memory, p);
    if (status == PG_OK)
        *out = pg_dtype_load(host.dtype, host.data);
    pg_free(memory);
    return status;
}

pg_status pg_model_logit_scale(float *scale, float *bias, const pg_model *model)
{
    PG_TRY(pg_model_require(model, model->weights->config.kind == PG_MODEL_SIGLIP, "compare pictures with texts"));
    float log_scale = 0;
    PG_TRY(load_single(&log_scale, &model->weights->logit_scale));
    *scale = expf(log_scale);
    return load_single(bias, &model->weights->logit_bias);
}
