/* preprocessor_config.json: how a picture becomes the model's input. */
#include <stdio.h>

#include "base/file.h"
#include "base/json.h"
#include "generate/model.h"

#define BICUBIC 3 /* Pillow's number */

/* "size": {"height": 224, "width": 224}, or 224 in older files. */
static pg_status read_size(int64_t *out, pg_json_field size, int64_t expected)
{
    const json_t *value = json_object_get(size.object, size.key);
    int64_t height = expected, width = expected;
    if (json_is_object(value)) {
        PG_TRY(pg_json_integer(&height, (pg_json_field){value, size.name, "height", true}, 1, PG_SIDE_MAX));
        PG_TRY(pg_json_integer(&width, (pg_json_field){value, size.name, "width", true}, 1, PG_SIDE_MAX));
    } else {
        PG_TRY(pg_json_integer(&height, size, 1, PG_SIDE_MAX));
        width = height;
    }
    if (height != expected || width != expected)
        return pg_fail(PG_ERROR_FORMAT, "%s: \"size\" is %lld x %lld, config.json's \"image_size\" is %lld", size.name,
                       (long long)width, (long long)height, (long long)expected);
    *out = expected;
    return PG_OK;
}

static pg_status read_triple(double out[3], pg_json_field triple)
{
    const json_t *values = json_object_get(triple.object, triple.key);
    if (!values || json_is_null(values))
        return PG_OK;
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_array_get(values, i);
        if (!json_is_number(value) || json_array_size(values) != 3)
            return pg_fail(PG_ERROR_FORMAT, "%s: \"%s\" is not an array of three numbers", triple.name, triple.key);
        out[i] = json_number_value(value);
    }
    return PG_OK;
}

static pg_status read_processor(pg_processor *out, const json_t *object, const char *name)
{
    static const char *const steps[] = {"do_resize", "do_rescale", "do_normalize"};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        bool done = true;
        PG_TRY(pg_json_boolean(&done, (pg_json_field){object, name, steps[i], false}));
        if (!done)
            return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"%s\" is false, expected true", name, steps[i]);
    }
    int64_t resample = BICUBIC;
    PG_TRY(pg_json_integer(&resample, (pg_json_field){object, name, "resample", false}, 0, 5));
    if (resample != BICUBIC)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"resample\" is %lld, expected 3 (bicubic)", name,
                       (long long)resample);
    PG_TRY(read_size(&out->side, (pg_json_field){object, name, "size", false}, out->side));
    PG_TRY(pg_json_number(&out->rescale, (pg_json_field){object, name, "rescale_factor", false}));
    PG_TRY(read_triple(out->mean, (pg_json_field){object, name, "image_mean", false}));
    PG_TRY(read_triple(out->deviation, (pg_json_field){object, name, "image_std", false}));
    for (int i = 0; i < 3; i++)
        if (!(out->deviation[i] > 0))
            return pg_fail(PG_ERROR_FORMAT, "%s: \"image_std\" has %g, expected a positive number", name,
                           out->deviation[i]);
    return PG_OK;
}

pg_status pg_processor_load(pg_processor *out, const pg_config *config, const char *path)
{
    *out = (pg_processor){config->vision.side, 1.0 / 255, {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}};
    if (config->kind == PG_MODEL_GEMMA || !pg_file_exists(path))
        return PG_OK;
    json_t *document;
    PG_TRY(pg_json_load(&document, path));
    pg_status status = read_processor(out, document, path);
    json_decref(document);
    return status;
}
