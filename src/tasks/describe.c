/* What a model is: the JSON of `inspect`. */
#include <string.h>

#include "base/json.h"
#include "generate/session.h"
#include "text/utf8.h"

typedef struct weight_tally {
    int64_t parameters, bytes, tensors[PG_DTYPE_COUNT], int8, int4;
} weight_tally;

static void count_parameter(void *user, const pg_parameter *p)
{
    weight_tally *tally = user;
    tally->parameters += p->rows * p->width;
    tally->bytes += pg_parameter_bytes(p);
    if (p->quantized.bits == 8)
        tally->int8++;
    else if (p->quantized.bits == 4)
        tally->int4++;
    else
        tally->tensors[p->dtype]++;
}

static json_t *describe_gemma(const pg_gemma_config *c)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f}", "width", c->width, "mlp", c->mlp, "layers", c->layers,
                     "heads", c->heads, "key_heads", c->kv_heads, "head_size", c->size, "vocabulary", c->vocabulary,
                     "context", c->context, "rope_theta", c->theta, "norm_epsilon", c->epsilon);
}

static json_t *describe_tower(const pg_siglip_config *c)
{
    json_t *tower = json_pack("{s:I,s:I,s:I,s:I,s:f}", "width", c->width, "mlp", c->mlp, "layers", c->layers, "heads",
                              c->heads, "norm_epsilon", c->epsilon);
    if (c->patch)
        json_object_update_new(tower, json_pack("{s:I,s:I,s:I}", "image_size", c->side, "patch", c->patch, "patches",
                                                pg_config_patches(c)));
    else
        json_object_update_new(tower, json_pack("{s:I,s:I}", "vocabulary", c->vocabulary, "context", c->context));
    return tower;
}

static json_t *describe_dtypes(const weight_tally *tally)
{
    json_t *dtypes = json_object();
    for (int i = 0; i < PG_DTYPE_COUNT; i++)
        if (tally->tensors[i])
            json_object_set_new(dtypes, pg_dtype_name((pg_dtype)i), json_integer(tally->tensors[i]));
    if (tally->int8)
        json_object_set_new(dtypes, "int8", json_integer(tally->int8));
    if (tally->int4)
        json_object_set_new(dtypes, "int4", json_integer(tally->int4));
    return dtypes;
}

/* The name of a file, whose bytes need not be text: U+FFFD stands for those that are none. */
static json_t *describe_name(const char *name)
{
    pg_buffer text = {0};
    pg_status status = PG_OK;
    for (size_t left = strlen(name); status == PG_OK && left;) {
        size_t valid = pg_utf8_check(name, left);
        status = pg_buffer_append(&text, name, valid);
        if (status == PG_OK && valid < left)
            status = pg_buffer_print(&text, PG_REPLACEMENT);
        size_t taken = valid < left ? valid + 1 : valid;
        name += taken;
        left -= taken;
    }
    json_t *value = status == PG_OK ? json_string(text.data ? text.data : "") : NULL;
    pg_buffer_free(&text);
    return value;
}

/* Files in the order of their first tensor. */
static json_t *describe_files(const pg_checkpoint *files)
{
    json_t *names = json_array();
    for (size_t i = 0; i < pg_checkpoint_count(files); i++) {
        json_t *name = describe_name(pg_checkpoint_file(files, i));
        bool known = false;
        for (size_t j = 0; !known && j < json_array_size(names); j++)
            known = json_equal(json_array_get(names, j), name);
        if (!known)
            json_array_append(names, name);
        json_decref(name);
    }
    return names;
}

static json_t *describe_memory(const pg_config *config, const weight_tally *tally)
{
    json_t *memory = json_pack("{s:I}", "weights", tally->bytes);
    int64_t row = config->text.layers * 2 * config->text.kv_heads * config->text.size;
    if (config->kind != PG_MODEL_SIGLIP)
        json_object_update_new(memory, json_pack("{s:I,s:I,s:I}", "cache_per_token_f32", row * 4,
                                                 "cache_per_token_bf16", row * 2, "cache_per_token_int8",
                                                 config->text.layers * 2 *
                                                     pg_cache_width(PG_I8, config->text.kv_heads, config->text.size)));
    return memory;
}

pg_status pg_model_describe(char **out, const pg_model *model)
{
    static const char *const kinds[] = {"paligemma", "gemma", "siglip"};
    const pg_config *config = &model->weights->config;
    weight_tally tally = {0};
    pg_weights_each(model->weights, count_parameter, &tally);
    json_t *root = json_pack("{s:o,s:s,s:I,s:I,s:o,s:o}", "model", describe_name(model->folder), "architecture",
                             kinds[config->kind], "parameters", tally.parameters, "bytes", tally.bytes, "tensors",
                             describe_dtypes(&tally), "files", describe_files(model->weights->files));
    if (config->kind != PG_MODEL_GEMMA)
        json_object_set_new(root, "vision", describe_tower(&config->vision));
    json_object_set_new(root, "text",
                        config->kind == PG_MODEL_SIGLIP ? describe_tower(&config->words)
                                                        : describe_gemma(&config->text));
    if (config->kind == PG_MODEL_PALIGEMMA)
        json_object_set_new(root, "image_tokens", json_integer((json_int_t)pg_model_image_tokens(model)));
    json_object_set_new(root, "tokens", json_integer(model->tokenizer ? pg_tokenizer_size(model->tokenizer) : 0));
    json_object_set_new(root, "memory", describe_memory(config, &tally));
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(root);
    *out = text ? pg_copy_text(text, SIZE_MAX) : NULL;
    free(text);
    return *out ? PG_OK : pg_fail(PG_ERROR_MEMORY, "out of memory");
}
