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

pg_status pg_config_describe(json_t **out, const pg_config *config)
{
    json_int_t width = config->text.width;
    *out = json_pack("{s:[s],s:s,s:i,s:i,s:i,s:I,s:I,s:i,s:i,s:b,s:s,s:o,s:o}", "architectures",
                     "PaliGemmaForConditionalGeneration", "model_type", "paligemma", "bos_token_id", config->bos,
                     "eos_token_id", config->eos, "pad_token_id", config->pad, "hidden_size", width, "projection_dim",
                     width, "image_token_index", config->image_token, "ignore_index", -100, "tie_word_embeddings",
                     config->text.tied, "torch_dtype", "float32", "text_config",
                     describe_text(&config->text, pg_config_patches(&config->vision)), "vision_config",
                     describe_vision(&config->vision, width));
    return *out ? PG_OK : pg_fail(PG_ERROR_MEMORY, "out of memory");
}

static pg_status describe_processor(json_t **out, const pg_siglip_config *c)
{
    *out = json_pack("{s:b,s:b,s:b,s:[f,f,f],s:[f,f,f],s:s,s:s,s:I,s:i,s:f,s:{s:I,s:I}}", "do_normalize", 1,
                     "do_rescale", 1, "do_resize", 1, "image_mean", 0.5, 0.5, 0.5, "image_std", 0.5, 0.5, 0.5,
                     "image_processor_type", "SiglipImageProcessor", "processor_class", "PaliGemmaProcessor",
                     "image_seq_length", (json_int_t)pg_config_patches(c), "resample", BICUBIC, "rescale_factor",
                     1.0 / 255, "size", "height", (json_int_t)c->side, "width", (json_int_t)c->side);
    return *out ? PG_OK : pg_fail(PG_ERROR_MEMORY, "out of memory");
}

pg_status pg_config_write_processor(const char *folder, const pg_siglip_config *vision)
{
    json_t *processor = NULL;
    pg_buffer path = {0};
    pg_status status = describe_processor(&processor, vision);
    if (status == PG_OK)
        status = pg_file_join(&path, folder, "preprocessor_config.json");
    if (status == PG_OK)
        status = pg_json_save(processor, path.data);
    pg_buffer_free(&path);
    json_decref(processor);
    return status;
}
