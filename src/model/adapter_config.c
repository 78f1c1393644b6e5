#include "model/adapter_config.h"

#include <math.h>
#include <string.h>

#include "model/module_pattern.h"

#define LARGEST_RANK (1 << 16)

static pg_json_field field(const pg_adapter_config *config, const char *key, bool required)
{
    return (pg_json_field){config->document, config->path, key, required};
}

/* ---------------------------------------------------------------- reading */

static bool is_off(const json_t *value)
{
    return !value || json_is_null(value) || json_is_false(value) || (json_is_array(value) && !json_array_size(value)) ||
           (json_is_object(value) && !json_object_size(value));
}

/* What would change the result. Where a new adapter's factors start is none of it, unless that changes the base weights
 * as well (PiSSA and its relatives). */
static pg_status check_features(const pg_adapter_config *config)
{
    static const char *const features[] = {"use_dora",          "fan_in_fan_out",      "lora_bias",
                                           "layer_replication", "layers_to_transform", "megatron_config",
                                           "target_parameters", "use_qalora",          "trainable_token_indices",
                                           "arrow_config",      "use_bdlora",          "alora_invocation_tokens",
                                           "kasa_config",       "monteclora_config",   "velora_config"};
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (!is_off(json_object_get(config->document, features[i])))
            return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"%s\" is set, which this program does not do", config->path,
                           features[i]);
    const char *bias = "none", *start = "gaussian";
    PG_TRY(pg_json_string(&bias, field(config, "bias", false)));
    if (strcmp(bias, "none") != 0)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"bias\" is \"%s\", expected \"none\"", config->path, bias);
    if (json_is_string(json_object_get(config->document, "init_lora_weights")))
        PG_TRY(pg_json_string(&start, field(config, "init_lora_weights", false)));
    if (strcmp(start, "gaussian") != 0 && strcmp(start, "orthogonal") != 0 && strcmp(start, "eva") != 0)
        return pg_fail(PG_ERROR_UNSUPPORTED,
                       "%s: \"init_lora_weights\" is \"%s\", which changes the base weights; save the adapter as plain "
                       "LoRA (PEFT's path_initial_model_for_weight_conversion)",
                       config->path, start);
    return PG_OK;
}

/* A list of names, one pattern, or neither. */
static pg_status read_names(const json_t **out, const pg_adapter_config *config, const char *key, bool pattern)
{
    const json_t *value = json_object_get(config->document, key), *item;
    size_t i;
    *out = is_off(value) ? NULL : value;
    bool good = !*out || json_is_array(value) || (pattern && json_is_string(value));
    if (json_is_array(value))
        json_array_foreach(value, i, item) good = good && json_is_string(item);
    return good ? PG_OK
                : pg_fail(PG_ERROR_FORMAT, "%s: \"%s\" is neither a list of names%s nor null", config->path, key,
                          pattern ? " nor a pattern" : "");
}

/* A map from patterns to numbers. */
static pg_status read_numbers(const json_t **out, const pg_adapter_config *config, const char *key, bool whole)
{
    const json_t *value = json_object_get(config->document, key), *item;
    const char *pattern;
    *out = is_off(value) ? NULL : value;
    if (!*out)
        return PG_OK;
    if (!json_is_object(value))
        return pg_fail(PG_ERROR_FORMAT, "%s: \"%s\" is no object", config->path, key);
    json_object_foreach((json_t *)value, pattern, item)
    {
        pg_json_field at = {value, config->path, pattern, true};
        int64_t rank = 1;
        double alpha = 0;
        PG_TRY(whole ? pg_json_integer(&rank, at, 1, LARGEST_RANK) : pg_json_number(&alpha, at));
    }
    return PG_OK;
}

static pg_status read_fields(pg_adapter_config *out)
{
    const char *type = NULL;
    if (!json_is_object(out->document))
        return pg_fail(PG_ERROR_FORMAT, "%s: not a JSON object", out->path);
    PG_TRY(pg_json_string(&type, field(out, "peft_type", true)));
    if (strcmp(type, "LORA") != 0)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"peft_type\" is \"%s\", expected \"LORA\"", out->path, type);
    PG_TRY(check_features(out));
    out->rank = 8;
    out->alpha = 8;
    PG_TRY(pg_json_integer(&out->rank, field(out, "r", false), 1, LARGEST_RANK));
    PG_TRY(pg_json_number(&out->alpha, field(out, "lora_alpha", false)));
    PG_TRY(pg_json_number(&out->dropout, field(out, "lora_dropout", false)));
    PG_TRY(pg_json_boolean(&out->rank_stabilised, field(out, "use_rslora", false)));
    if (!(out->dropout >= 0 && out->dropout < 1))
        return pg_fail(PG_ERROR_FORMAT, "%s: \"lora_dropout\" is %g, expected 0 to 1", out->path, out->dropout);
    PG_TRY(read_names(&out->targets, out, "target_modules", true));
    PG_TRY(read_names(&out->excluded, out, "exclude_modules", true));
    PG_TRY(read_names(&out->replaced, out, "modules_to_save", false));
    PG_TRY(read_numbers(&out->ranks, out, "rank_pattern", true));
    PG_TRY(read_numbers(&out->alphas, out, "alpha_pattern", false));
    return out->targets ? PG_OK
                        : pg_fail(PG_ERROR_FORMAT,
                                  "%s: \"target_modules\" is missing: it says which modules the "
                                  "adapter belongs to",
                                  out->path);
}

pg_status pg_adapter_config_read(pg_adapter_config *out, json_t *document, const char *path)
{
    *out = (pg_adapter_config){.document = document, .path = path};
    return read_fields(out);
}

pg_status pg_adapter_config_load(pg_adapter_config *out, const char *path)
{
    json_t *document;
    *out = (pg_adapter_config){.path = path};
    PG_TRY(pg_json_load(&document, path));
    return pg_adapter_config_read(out, document, path);
}

void pg_adapter_config_free(pg_adapter_config *config)
{
    json_decref(config->document);
    *config = (pg_adapter_config){0};
}

/* ---------------------------------------------------------------- choosing */

static bool in_list(const json_t *list, const char *module)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item) if (pg_module_ends_in(module, json_string_value(item))) return true;
    return false;
}

/* Sets `targeted` of what a list or pattern names to `value`. */
static pg_status mark(pg_adapter_choice *choices, size_t count, const json_t *names, bool value, const char *path)
{
    if (!names)
        return PG_OK;
    pg_module_pattern pattern = {.plain = ""};
    bool all = json_is_string(names) && !strcmp(json_string_value(names), "all-linear");
    if (json_is_string(names))
        PG_TRY(pg_module_pattern_init(&pattern, json_string_value(names), false, path));
    for (size_t i = 0; i < count; i++) {
        bool named = all                    ? !choices[i].output
                     : json_is_array(names) ? in_list(names, choices[i].module)
                                            : pg_module_pattern_matches(&pattern, choices[i].module);
        choices[i].targeted = named ? value : choices[i].targeted;
    }
    pg_module_pattern_free(&pattern);
    return PG_OK;
}

/* The first pattern of the map that fits a module decides. */
static pg_status apply_numbers(pg_adapter_choice *choices, size_t count, const json_t *numbers, bool ranks,
                               const char *path)
{
    const char *text;
    const json_t *number;
    json_object_foreach((json_t *)numbers, text, number)
    {
        pg_module_pattern pattern;
        PG_TRY(pg_module_pattern_init(&pattern, text, true, path));
        for (size_t i = 0; i < count; i++) {
            bool *own = ranks ? &choices[i].own_rank : &choices[i].own_alpha;
            if (*own || !pg_module_pattern_matches(&pattern, choices[i].module))
                continue;
            *own = true;
            if (ranks)
                choices[i].rank = (int64_t)json_number_value(number);
            else
                choices[i].alpha = json_number_value(number);
        }
        pg_module_pattern_free(&pattern);
    }
    return PG_OK;
}

pg_status pg_adapter_config_choose(pg_adapter_choice *choices, size_t count, const pg_adapter_config *config)
{
    for (size_t i = 0; i < count; i++) {
        choices[i].targeted = choices[i].own_rank = choices[i].own_alpha = false;
        choices[i].rank = config->rank;
        choices[i].alpha = config->alpha;
    }
    PG_TRY(mark(choices, count, config->targets, true, config->path));
    PG_TRY(mark(choices, count, config->excluded, false, config->path));
    for (size_t i = 0; i < count; i++)
        if (pg_adapter_config_replaces(config, choices[i].module))
            choices[i].targeted = false;
    PG_TRY(apply_numbers(choices, count, config->ranks, true, config->path));
    return apply_numbers(choices, count, config->alphas, false, config->path);
}

/* PEFT's modules_to_save names whole modules: the name's end, or a part of the path, with everything below it. */
bool pg_adapter_config_replaces(const pg_adapter_config *config, const char *module)
{
    const json_t *item;
    size_t i;
    json_array_foreach(config->replaced, i, item)
    {
        const char *name = json_string_value(item);
        size_t size = strlen(name);
        for (const char *at = module; size && (at = strstr(at, name)); at++)
            if ((at == module || at[-1] == '.') && (at[size] == '.' || !at[size]))
                return true;
    }
    return false;
}

double pg_adapter_scale(const pg_adapter_config *config, int64_t rank, double alpha)
{
    return alpha / (config->rank_stabilised ? sqrt((double)rank) : (double)rank);
}
