#include "model/config_writer.h"

#include "base/file.h"

#define BICUBIC         3  /* Pillow's number */
#define VOCABULARY_STEP 64 /* tables of embeddings are made a multiple of this */

int64_t pg_config_vocabulary(int64_t rows, int64_t tokens)
{
    return tokens > rows ? (tokens + VOCABULARY_STEP - 1) / VOCABULARY_STEP * VOCABULARY_STEP : rows;
}

static json_t *describe_text(const pg_gemma_config *c, int64_t image_tokens)
{
    return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:b,s:b,s:s,s:I}", "model_type", "gemma",
                     "hidden_size", (json_int_t)c->width, "intermediate_size", (json_int_t)c->mlp, "num_hidden_layers",
                     (json_int_t)c->layers, "num_attention_heads", (json_int_t)c->heads, "num_key_value_heads",
                     (json_int_t)c->kv_heads, "head_dim", (json_int_t)c->size, "vocab_size", (json_int_t)c->vocabulary,
                     "max_position_embeddings", (json_int_t)c->context, "rms_norm_eps", c->epsilon, "rope_theta",
                     c->theta, "tie_word_embeddings", c->tied, "attention_bias", 0, "hidden_act", "gelu_pytorch_tanh",
                     "num_image_tokens", (json_int_t)image_tokens);
}

static json_t *describe_vision(const pg_siglip_config *c, int64_t projection)
{
    return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:s,s:b,s:I,s:I}", "model_type", "siglip_vision_model",
                     "hidden_size", (json_int_t)c->width, "intermediate_size", (json_int_t)c->mlp, "num_hidden_layers",
                     (json_int_t)c->layers, "num_attention_heads", (json_int_t)c->heads, "image_size",
                     (json_int_t)c->side, "patch_size", (json_int_t)c->patch, "num_channels", (json_int_t)c->channels,
                     "layer_norm_eps", c->epsilon, "hidden_act", "gelu_pytorch_tanh", "vision_use_head", c->head,
                     "projection_dim", (json_int_t)projection, "num_image_tokens", (json_int_t)pg_config_patches(c));
}

static json_t *describe_paligemma(const pg_config *config)
{
    json_int_t width = config->text.width;
    return json_pack("{s:[s],s:s,s:i,s:i,s:i,s:I,s:I,s:i,s:i,s:b,s:s,s:o,s:o}", "architectures",
                     "PaliGemmaForConditionalGeneration", "model_type", "paligemma", "bos_token_id", config->bos,
                     "eos_token_id", config->eos, "pad_token_id", config->pad, "hidden_size", width, "projection_dim",
                     width, "image_token_index", config->image_token, "ignore_index", -100, "tie_word_embeddings",
                     config->text.tied, "torch_dtype", "float32", "text_config",
                     describe_text(&config->text, pg_config_patches(&config->vision)), "vision_config",
                     describe_vision(&config->vision, width));
}

static json_t *describe_gemma(const pg_config *config)
{
    json_t *object = describe_text(&config->text, 0);
    json_object_del(object, "num_image_tokens");
    json_t *own = json_pack("{s:[s],s:i,s:i,s:i,s:s}", "architectures", "GemmaForCausalLM", "bos_token_id", config->bos,
                            "eos_token_id", config->eos, "pad_token_id", config->pad, "torch_dtype", "float32");
    bool whole = object && own && json_object_update(object, own) == 0;
    json_decref(own);
    if (whole)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *describe_words(const pg_siglip_config *c)
{
    return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:s}", "model_type", "siglip_text_model", "hidden_size",
                     (json_int_t)c->width, "intermediate_size", (json_int_t)c->mlp, "num_hidden_layers",
                     (json_int_t)c->layers, "num_attention_heads", (json_int_t)c->heads, "vocab_size",
                     (json_int_t)c->vocabulary, "max_position_embeddings", (json_int_t)c->context, "projection_size",
                     (json_int_t)c->projection, "layer_norm_eps", c->epsilon, "hidden_act", "gelu_pytorch_tanh");
}

static json_t *describe_siglip(const pg_config *config)
{
    return json_pack("{s:[s],s:s,s:s,s:o,s:o}", "architectures", "SiglipModel", "model_type", "siglip", "torch_dtype",
                     "float32", "text_config", describe_words(&config->words), "vision_config",
                     describe_vision(&config->vision, config->words.projection));
}

pg_status pg_config_describe(json_t **out, const pg_config *config)
{
    switch (config->kind) {
    case PG_MODEL_PALIGEMMA: *out = describe_paligemma(config); break;
    case PG_MODEL_GEMMA: *out = describe_gemma(config); break;
    case PG_MODEL_SIGLIP: *out = describe_siglip(config); break;
    }
    return *out ? PG_OK : pg_fail(PG_ERROR_MEMORY, "out of memory");
}

static pg_status describe_processor(json_t **out, const pg_config *config)
{
    const pg_siglip_config *c = &config->vision;
    *out = json_pack("{s:b,s:b,s:b,s:[f,f,f],s:[f,f,f],s:s,s:s,s:I,s:i,s:f,s:{s:I,s:I}}", "do_normalize", 1,
                     "do_rescale", 1, "do_resize", 1, "image_mean", 0.5, 0.5, 0.5, "image_std", 0.5, 0.5, 0.5,
                     "image_processor_type", "SiglipImageProcessor", "processor_class",
                     config->kind == PG_MODEL_SIGLIP ? "SiglipProcessor" : "PaliGemmaProcessor", "image_seq_length",
                     (json_int_t)pg_config_patches(c), "resample", BICUBIC, "rescale_factor", 1.0 / 255, "size",
                     "height", (json_int_t)c->side, "width", (json_int_t)c->side);
    return *out ? PG_OK : pg_fail(PG_ERROR_MEMORY, "out of memory");
}

pg_status pg_config_write_processor(const char *folder, const pg_config *config)
{
    json_t *processor = NULL;
    pg_buffer path = {0};
    pg_status status = describe_processor(&processor, config);
    if (status == PG_OK)
        status = pg_file_join(&path, folder, "preprocessor_config.json");
    if (status == PG_OK)
        status = pg_json_save(processor, path.data);
    pg_buffer_free(&path);
    json_decref(processor);
    return status;
}
