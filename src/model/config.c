#include "model/config.h"

#include <string.h>

#include "base/json.h"
#include "base/quantized.h"
#include "base/reals.h"

#define LARGEST_WIDTH  (1 << 20)
#define LARGEST_LAYERS 4096

/* One object of the file, and how to name it in errors. */
typedef struct section {
    const json_t *object;
    const char *name;
} section;

static pg_json_field field(const section *at, const char *key, bool required)
{
    return (pg_json_field){at->object, at->name, key, required};
}

/* A positive size; required unless *out already holds a default. */
static pg_status size_field(int64_t *out, const section *at, const char *key, int64_t largest)
{
    return pg_json_integer(out, field(at, key, *out == 0), 1, largest);
}

static pg_status widths(const section *at, int64_t *width, int64_t *mlp, int64_t *layers, int64_t *heads)
{
    PG_TRY(size_field(width, at, "hidden_size", LARGEST_WIDTH));
    PG_TRY(size_field(mlp, at, "intermediate_size", LARGEST_WIDTH));
    PG_TRY(size_field(layers, at, "num_hidden_layers", LARGEST_LAYERS));
    return size_field(heads, at, "num_attention_heads", LARGEST_WIDTH);
}

static bool is_tanh_gelu(const char *name)
{
    return !strcmp(name, "gelu_pytorch_tanh") || !strcmp(name, "gelu_new") || !strcmp(name, "gelu_fast");
}

/* Gemma was trained with the tanh form; `hidden_act` says "gelu" in published files and means it all the same. Only an
 * explicit `hidden_activation` asks for something else, which is not supported. */
static pg_status check_gemma_activation(const section *at)
{
    const char *old = "gelu", *name = "gelu_pytorch_tanh";
    PG_TRY(pg_json_string(&old, field(at, "hidden_act", false)));
    PG_TRY(pg_json_string(&name, field(at, "hidden_activation", false)));
    if (strcmp(old, "gelu") != 0 && !is_tanh_gelu(old))
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"hidden_act\" is \"%s\", expected \"gelu_pytorch_tanh\"", at->name,
                       old);
    if (!is_tanh_gelu(name))
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"hidden_activation\" is \"%s\", expected \"gelu_pytorch_tanh\"",
                       at->name, name);
    return PG_OK;
}

static pg_status check_siglip_activation(const section *at)
{
    const char *name = "gelu_pytorch_tanh";
    PG_TRY(pg_json_string(&name, field(at, "hidden_act", false)));
    return is_tanh_gelu(name) ? PG_OK
                              : pg_fail(PG_ERROR_UNSUPPORTED,
                                        "%s: \"hidden_act\" is \"%s\", expected "
                                        "\"gelu_pytorch_tanh\"",
                                        at->name, name);
}

static pg_status check_model_type(const section *at, const char *expected)
{
    const char *type = expected;
    PG_TRY(pg_json_string(&type, field(at, "model_type", false)));
    if (strcmp(type, expected) == 0)
        return PG_OK;
    return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"model_type\" is \"%s\", expected \"%s\"%s", at->name, type, expected,
                   !strcmp(type, "gemma2") || !strcmp(type, "gemma3_text")
                       ? ": this is a later generation (PaliGemma 2, Gemma 2 or 3), which this program does not run"
                       : "");
}

/* Rotary positions may be stretched in other models; in these they are not. */
static pg_status check_rope_scaling(const section *at)
{
    const json_t *scaling = json_object_get(at->object, "rope_scaling");
    if (scaling && !json_is_null(scaling))
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"rope_scaling\" is set, expected null", at->name);
    return PG_OK;
}

static pg_status read_gemma(pg_gemma_config *out, const section *at)
{
    *out = (pg_gemma_config){
        .size = 256, .vocabulary = 256000, .context = 8192, .epsilon = 1e-6, .theta = 10000, .tied = true};
    bool attention_bias = false;
    PG_TRY(check_model_type(at, "gemma"));
    PG_TRY(check_gemma_activation(at));
    PG_TRY(check_rope_scaling(at));
    PG_TRY(widths(at, &out->width, &out->mlp, &out->layers, &out->heads));
    out->kv_heads = out->heads;
    PG_TRY(size_field(&out->kv_heads, at, "num_key_value_heads", LARGEST_WIDTH));
    PG_TRY(size_field(&out->size, at, "head_dim", LARGEST_WIDTH));
    PG_TRY(size_field(&out->vocabulary, at, "vocab_size", INT32_MAX));
    PG_TRY(size_field(&out->context, at, "max_position_embeddings", INT32_MAX));
    PG_TRY(pg_json_number(&out->epsilon, field(at, "rms_norm_eps", false)));
    PG_TRY(pg_json_number(&out->theta, field(at, "rope_theta", false)));
    PG_TRY(pg_json_boolean(&out->tied, field(at, "tie_word_embeddings", false)));
    PG_TRY(pg_json_boolean(&attention_bias, field(at, "attention_bias", false)));
    if (attention_bias)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"attention_bias\" is true, expected false", at->name);
    if (out->heads % out->kv_heads)
        return pg_fail(PG_ERROR_FORMAT, "%s: %lld attention heads cannot share %lld key heads evenly", at->name,
                       (long long)out->heads, (long long)out->kv_heads);
    if (out->size % 2)
        return pg_fail(PG_ERROR_FORMAT, "%s: \"head_dim\" is %lld, expected an even number", at->name,
                       (long long)out->size);
    return PG_OK;
}

/* What both towers of SigLIP have; the caller has set defaults. */
static pg_status read_tower(pg_siglip_config *out, const section *at)
{
    PG_TRY(check_siglip_activation(at));
    PG_TRY(widths(at, &out->width, &out->mlp, &out->layers, &out->heads));
    PG_TRY(pg_json_number(&out->epsilon, field(at, "layer_norm_eps", false)));
    if (out->width % out->heads)
        return pg_fail(PG_ERROR_FORMAT, "%s: \"hidden_size\" %lld is not a multiple of \"num_attention_heads\" %lld",
                       at->name, (long long)out->width, (long long)out->heads);
    return PG_OK;
}

/* The sizes that the published base models of the dual encoder leave to the reference's defaults. */
static void set_base_sizes(pg_siglip_config *out)
{
    out->width = 768;
    out->mlp = 3072;
    out->layers = 12;
    out->heads = 12;
}

static pg_status read_vision(pg_siglip_config *out, const section *at, bool dual)
{
    *out = (pg_siglip_config){.channels = 3, .side = 224, .patch = 16, .epsilon = 1e-6, .head = dual};
    if (dual)
        set_base_sizes(out);
    PG_TRY(check_model_type(at, "siglip_vision_model"));
    PG_TRY(read_tower(out, at));
    PG_TRY(size_field(&out->channels, at, "num_channels", 3));
    PG_TRY(size_field(&out->side, at, "image_size", PG_SIDE_MAX));
    PG_TRY(size_field(&out->patch, at, "patch_size", PG_SIDE_MAX));
    PG_TRY(pg_json_boolean(&out->head, field(at, "vision_use_head", false)));
    if (out->channels != 3)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"num_channels\" is %lld, expected 3", at->name,
                       (long long)out->channels);
    if (out->patch > out->side)
        return pg_fail(PG_ERROR_FORMAT, "%s: \"patch_size\" %lld is larger than \"image_size\" %lld", at->name,
                       (long long)out->patch, (long long)out->side);
    return PG_OK;
}

static pg_status read_words(pg_siglip_config *out, const section *at)
{
    *out = (pg_siglip_config){.vocabulary = 32000, .context = 64, .epsilon = 1e-6};
    set_base_sizes(out);
    PG_TRY(check_model_type(at, "siglip_text_model"));
    PG_TRY(read_tower(out, at));
    PG_TRY(size_field(&out->vocabulary, at, "vocab_size", INT32_MAX));
    PG_TRY(size_field(&out->context, at, "max_position_embeddings", 1 << 20));
    out->projection = out->width;
    return size_field(&out->projection, at, "projection_size", LARGEST_WIDTH);
}

static pg_status read_token_ids(pg_config *out, const section *at)
{
    struct {
        const char *key;
        int32_t *id, normal;
    } ids[] = {{"bos_token_id", &out->bos, 2}, {"eos_token_id", &out->eos, 1}, {"pad_token_id", &out->pad, 0}};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        int64_t id = ids[i].normal;
        PG_TRY(pg_json_integer(&id, field(at, ids[i].key, false), 0, INT32_MAX));
        *ids[i].id = (int32_t)id;
    }
    return PG_OK;
}

/* A part of the file that is an object of its own: "m/config.json: text_config". */
static pg_status find_section(section *out, const section *at, const char *key, char *name, size_t name_size)
{
    snprintf(name, name_size, "%s: %s", at->name, key);
    *out = (section){json_object_get(at->object, key), name};
    return json_is_object(out->object) ? PG_OK
                                       : pg_fail(PG_ERROR_FORMAT, "%s: the object \"%s\" is missing", at->name, key);
}

static pg_status read_paligemma(pg_config *out, const section *at)
{
    section text, vision;
    char text_name[512], vision_name[512];
    PG_TRY(find_section(&text, at, "text_config", text_name, sizeof text_name));
    PG_TRY(find_section(&vision, at, "vision_config", vision_name, sizeof vision_name));
    PG_TRY(read_gemma(&out->text, &text));
    PG_TRY(read_vision(&out->vision, &vision, false));
    PG_TRY(read_token_ids(out, at));
    int64_t image_token = 0;
    PG_TRY(pg_json_integer(&image_token, field(at, "image_token_index", true), 0, out->text.vocabulary - 1));
    out->image_token = (int32_t)image_token;
    out->projection = out->text.width;
    PG_TRY(size_field(&out->projection, at, "projection_dim", LARGEST_WIDTH));
    if (out->projection != out->text.width)
        return pg_fail(PG_ERROR_FORMAT, "%s: \"projection_dim\" is %lld, expected the decoder's \"hidden_size\" %lld",
                       at->name, (long long)out->projection, (long long)out->text.width);
    return PG_OK;
}

static pg_status read_siglip(pg_config *out, const section *at)
{
    section text, vision;
    char text_name[512], vision_name[512];
    PG_TRY(find_section(&text, at, "text_config", text_name, sizeof text_name));
    PG_TRY(find_section(&vision, at, "vision_config", vision_name, sizeof vision_name));
    PG_TRY(read_words(&out->words, &text));
    PG_TRY(read_vision(&out->vision, &vision, true));
    if (out->words.projection != out->vision.width)
        return pg_fail(PG_ERROR_FORMAT, "%s: the text tower projects to %lld, the vision tower has width %lld",
                       at->name, (long long)out->words.projection, (long long)out->vision.width);
    return PG_OK;
}

static pg_status read_kind(pg_config *out, const section *at)
{
    const char *type = NULL;
    PG_TRY(pg_json_string(&type, field(at, "model_type", true)));
    if (!strcmp(type, "paligemma")) {
        out->kind = PG_MODEL_PALIGEMMA;
        return read_paligemma(out, at);
    }
    if (!strcmp(type, "gemma")) {
        out->kind = PG_MODEL_GEMMA;
        PG_TRY(read_gemma(&out->text, at));
        return read_token_ids(out, at);
    }
    if (!strcmp(type, "siglip")) {
        out->kind = PG_MODEL_SIGLIP;
        return read_siglip(out, at);
    }
    return pg_fail(PG_ERROR_UNSUPPORTED,
                   "%s: \"model_type\" is \"%s\"; this program runs paligemma (the first generation), gemma (the "
                   "first) and siglip",
                   at->name, type);
}

/* ---------------------------------------------------------------- quantisation */

/* "int8", "int4", or null: not quantised. */
static pg_status read_bits(int *out, const section *at, const char *key)
{
    const char *type = NULL;
    PG_TRY(pg_json_string(&type, field(at, key, false)));
    if (type && strcmp(type, "int8") != 0 && strcmp(type, "int4") != 0)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"%s\" is \"%s\", expected \"int8\", \"int4\" or null", at->name, key,
                       type);
    *out = !type ? 0 : type[3] == '8' ? 8 : 4;
    return PG_OK;
}

/* What src/model/quantize.c writes; other methods store their weights in other ways. */
static pg_status read_quantization(pg_quantization *out, const section *at)
{
    const char *method = "";
    int64_t version = 0;
    PG_TRY(pg_json_string(&method, field(at, "quant_method", false)));
    if (strcmp(method, PG_QUANTIZATION_METHOD) != 0)
        return pg_fail(PG_ERROR_UNSUPPORTED,
                       "%s: \"quant_method\" is \"%s\", expected \"" PG_QUANTIZATION_METHOD
                       "\": quantize the original model with this program instead",
                       at->name, method);
    PG_TRY(pg_json_integer(&version, field(at, "version", true), 1, INT32_MAX));
    if (version != PG_QUANTIZATION_VERSION)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"version\" is %lld, this program reads %d", at->name,
                       (long long)version, PG_QUANTIZATION_VERSION);
    PG_TRY(pg_json_integer(&out->block, field(at, "block", true), 1, INT32_MAX));
    if (!pg_quantized_block_exists(out->block))
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"block\" is %lld, expected 32, 64, 128 or 256", at->name,
                       (long long)out->block);
    PG_TRY(read_bits(&out->text, at, "text"));
    return read_bits(&out->vision, at, "vision");
}

static pg_status read_all(pg_config *out, const section *at)
{
    PG_TRY(read_kind(out, at));
    const json_t *quantization = json_object_get(at->object, "quantization_config");
    if (!quantization || json_is_null(quantization))
        return PG_OK;
    section part;
    char name[512];
    PG_TRY(find_section(&part, at, "quantization_config", name, sizeof name));
    return read_quantization(&out->quantization, &part);
}

bool pg_config_differ(char out[PG_CONFIG_DIFFERENCE], const pg_config *one, const pg_config *other)
{
    const struct {
        const char *key;
        double one, other;
    } fields[] = {
        {"text_config.num_attention_heads", (double)one->text.heads, (double)other->text.heads},
        {"text_config.num_key_value_heads", (double)one->text.kv_heads, (double)other->text.kv_heads},
        {"text_config.head_dim", (double)one->text.size, (double)other->text.size},
        {"text_config.rope_theta", one->text.theta, other->text.theta},
        {"text_config.rms_norm_eps", one->text.epsilon, other->text.epsilon},
        {"vision_config.num_attention_heads", (double)one->vision.heads, (double)other->vision.heads},
        {"vision_config.patch_size", (double)one->vision.patch, (double)other->vision.patch},
        {"vision_config.layer_norm_eps", one->vision.epsilon, other->vision.epsilon},
        {"the text tower's num_attention_heads", (double)one->words.heads, (double)other->words.heads},
        {"the text tower's layer_norm_eps", one->words.epsilon, other->words.epsilon},
        {"image_token_index", one->image_token, other->image_token},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].one != fields[i].other) {
            pg_print(out, PG_CONFIG_DIFFERENCE, "%s is %g in one and %g in the other", fields[i].key, fields[i].one,
                     fields[i].other);
            return true;
        }
    return false;
}

pg_status pg_config_load(pg_config *out, const char *path)
{
    *out = (pg_config){0};
    json_t *document;
    PG_TRY(pg_json_load(&document, path));
    section at = {document, path};
    pg_status status =
        json_is_object(document) ? read_all(out, &at) : pg_fail(PG_ERROR_FORMAT, "%s: not a JSON object", path);
    json_decref(document);
    return status;
}
