/* generation_config.json: the model's own way of answering, which a request may override. */
#include "base/file.h"
#include "base/json.h"
#include "generate/model.h"

/* One id or a list of them. */
static pg_status read_eos(pg_generation_config *out, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, "eos_token_id");
    if (!value || json_is_null(value))
        return PG_OK;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    if (count > PG_EOS_MAX)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: %zu end tokens, at most %d are supported", name, count, PG_EOS_MAX);
    out->eos_count = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX)
            return pg_fail(PG_ERROR_FORMAT, "%s: \"eos_token_id\" is not a token id or a list of them", name);
        out->eos[out->eos_count++] = (int32_t)json_integer_value(id);
    }
    return PG_OK;
}

/* "paligemma_scores": what pg_evaluation_fit_scores writes. */
static pg_status read_scores(pg_generation_config *out, const json_t *object, const char *name)
{
    const json_t *scores = json_object_get(object, PG_SCORES_KEY);
    if (!scores || json_is_null(scores))
        return PG_OK;
    PG_TRY(pg_json_number(&out->score_slope, (pg_json_field){scores, name, "slope", true}));
    PG_TRY(pg_json_number(&out->score_intercept, (pg_json_field){scores, name, "intercept", true}));
    if (!(out->score_slope > 0))
        return pg_fail(PG_ERROR_FORMAT, "%s: " PG_SCORES_KEY ": found a slope of %g, expected more than 0", name,
                       out->score_slope);
    return PG_OK;
}

static pg_status read_generation(pg_generation_config *out, const json_t *object, const char *name)
{
    struct {
        const char *key;
        int64_t *value;
    } integers[] = {{"max_new_tokens", &out->max_new_tokens},
                    {"max_length", &out->max_length},
                    {"min_new_tokens", &out->min_new_tokens},
                    {"num_beams", &out->beams},
                    {"no_repeat_ngram_size", &out->no_repeat_ngram}};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        PG_TRY(pg_json_integer(integers[i].value, (pg_json_field){object, name, integers[i].key, false}, 0, INT32_MAX));
    PG_TRY(pg_json_number(&out->repetition_penalty, (pg_json_field){object, name, "repetition_penalty", false}));
    PG_TRY(pg_json_number(&out->length_penalty, (pg_json_field){object, name, "length_penalty", false}));
    bool sample = false;
    PG_TRY(pg_json_boolean(&sample, (pg_json_field){object, name, "do_sample", false}));
    if (sample) { /* these say nothing about greedy decoding */
        out->temperature = 1;
        PG_TRY(pg_json_number(&out->temperature, (pg_json_field){object, name, "temperature", false}));
        PG_TRY(pg_json_number(&out->top_p, (pg_json_field){object, name, "top_p", false}));
        PG_TRY(pg_json_number(&out->min_p, (pg_json_field){object, name, "min_p", false}));
        PG_TRY(pg_json_integer(&out->top_k, (pg_json_field){object, name, "top_k", false}, 0, INT32_MAX));
    }
    PG_TRY(read_scores(out, object, name));
    return read_eos(out, object, name);
}

pg_status pg_generation_config_load(pg_generation_config *out, const pg_config *config, const char *path)
{
    *out = (pg_generation_config){.eos = {config->eos},
                                  .eos_count = 1,
                                  .max_new_tokens = -1,
                                  .max_length = -1,
                                  .top_k = 0,
                                  .beams = 1,
                                  .temperature = 0,
                                  .top_p = 1,
                                  .min_p = 0,
                                  .repetition_penalty = 1,
                                  .length_penalty = 1,
                                  .score_slope = 1};
    if (config->kind == PG_MODEL_SIGLIP || !pg_file_exists(path))
        return PG_OK;
    json_t *document;
    PG_TRY(pg_json_load(&document, path));
    pg_status status = read_generation(out, document, path);
    json_decref(document);
    return status;
}
