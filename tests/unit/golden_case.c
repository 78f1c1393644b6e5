#include "golden_case.h"

#include <dirent.h>
#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "tensor/checkpoint.h"

char *pg_golden_path(const char *folder, const char *part)
{
    pg_buffer path = {0};
    CHECK_OK(pg_file_join(&path, folder, part));
    return path.data;
}

static json_t *load_json(const char *folder, const char *name)
{
    char *path = pg_golden_path(folder, name);
    json_t *json = NULL;
    CHECK_OK(pg_json_load(&json, path));
    pg_free(path);
    return json;
}

void pg_golden_open(pg_golden *out, const char *folder)
{
    *out = (pg_golden){.folder = pg_copy_text(folder, SIZE_MAX), .facts = load_json(folder, "expected.json")};
    char *path = pg_golden_path(folder, "expected.safetensors");
    CHECK_OK(pg_safetensors_open(&out->arrays, path));
    pg_free(path);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    return remove(path);
}

void pg_golden_close(pg_golden *golden)
{
    if (golden->scratch)
        assert_int_equal(nftw(golden->scratch, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    pg_free(golden->scratch);
    pg_safetensors_close(golden->arrays);
    json_decref(golden->facts);
    pg_free(golden->folder);
    *golden = (pg_golden){0};
}

const char *pg_golden_scratch(pg_golden *golden)
{
    if (!golden->scratch) {
        const char *root = getenv("TMPDIR");
        golden->scratch = pg_golden_path(root ? root : "/tmp", "paligemma-test-XXXXXX");
        assert_non_null(mkdtemp(golden->scratch));
    }
    return golden->scratch;
}

const pg_array *pg_golden_find(const pg_golden *golden, const char *format, ...)
{
    char name[128];
    va_list arguments;
    va_start(arguments, format);
    assert_in_range(vsnprintf(name, sizeof name, format, arguments), 1, sizeof name - 1);
    va_end(arguments);
    return pg_safetensors_find(golden->arrays, name);
}

/* ---------------------------------------------------------------- derived checkpoints */

void pg_golden_link(const char *source, const char *target)
{
    char *root = realpath(source, NULL);
    DIR *folder = opendir(source);
    assert_true(root && folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.' || strstr(entry->d_name, "safetensors") || !strcmp(entry->d_name, "derive.json"))
            continue;
        char *from = pg_golden_path(root, entry->d_name), *to = pg_golden_path(target, entry->d_name);
        if (!pg_file_exists(to))
            assert_int_equal(symlink(from, to), 0);
        pg_free(from);
        pg_free(to);
    }
    closedir(folder);
    free(root);
}

/* The name after the first of the pairs [old beginning, new beginning] that fits. */
static char *rename_tensor(const char *name, const json_t *pairs)
{
    size_t i;
    const json_t *pair;
    json_array_foreach(pairs, i, pair)
    {
        const char *old = json_string_value(json_array_get(pair, 0)), *new = json_string_value(json_array_get(pair, 1));
        if (strncmp(name, old, strlen(old)) == 0) {
            pg_buffer text = {0};
            CHECK_OK(pg_buffer_print(&text, "%s%s", new, name + strlen(old)));
            return text.data;
        }
    }
    return pg_copy_text(name, SIZE_MAX);
}

/* Puts the rows of patch.safetensors ("TENSOR:ROW") where they belong. */
static void patch_rows(char *data, const char *name, const pg_safetensors *patch)
{
    for (size_t i = 0; i < pg_safetensors_count(patch); i++) {
        const pg_array *row = pg_safetensors_at(patch, i);
        const char *colon = strrchr(row->name, ':');
        assert_non_null(colon);
        size_t length = (size_t)(colon - row->name);
        if (strlen(name) == length && strncmp(name, row->name, length) == 0)
            memcpy(data + row->bytes * strtoul(colon + 1, NULL, 10), row->data, row->bytes);
    }
}

/* The recipe's version of a tensor; name and data are the caller's to free. */
static pg_array derive_tensor(const pg_array *original, const json_t *recipe, const pg_safetensors *patch)
{
    pg_array made = *original;
    made.name = rename_tensor(original->name, json_object_get(recipe, "names"));
    const char *dtype = json_string_value(json_object_get(recipe, "dtype"));
    if (dtype)
        assert_true(pg_dtype_parse(&made.dtype, dtype) && original->dtype == PG_F32);
    assert_true(pg_array_size(&made.bytes, &made));
    char *data = pg_alloc(made.bytes, 1);
    assert_non_null(data);
    if (!dtype)
        memcpy(data, original->data, made.bytes);
    for (size_t i = 0; dtype && i < pg_golden_count(original); i++) {
        float value = (float)pg_golden_number(original, i);
        ((uint16_t *)(void *)data)[i] = made.dtype == PG_BF16 ? pg_bf16_from_float(value) : pg_f16_from_float(value);
    }
    if (patch)
        patch_rows(data, original->name, patch);
    made.data = data;
    return made;
}

/* The tensors of the folder `base` as the recipe wants them, in `target`/model.safetensors. */
static void derive_weights(const json_t *recipe, const char *base, const pg_safetensors *patch, const char *target)
{
    pg_checkpoint *from = NULL;
    CHECK_OK(pg_checkpoint_open(&from, base));
    json_t *copies = json_object_get(recipe, "copies"), *copied;
    const char *copy;
    size_t made = pg_checkpoint_count(from), count = made;
    pg_array *arrays = pg_alloc(made + json_object_size(copies), sizeof *arrays);
    assert_non_null(arrays);
    for (size_t i = 0; i < made; i++)
        arrays[i] = derive_tensor(pg_checkpoint_at(from, i), recipe, patch);
    json_object_foreach(copies, copy, copied)
    {
        for (size_t i = 0; i < made; i++) {
            if (strcmp(arrays[i].name, json_string_value(copied)) == 0)
                arrays[count++] = arrays[i];
        }
        arrays[count - 1].name = copy;
    }
    char *path = pg_golden_path(target, "model.safetensors");
    CHECK_OK(pg_safetensors_save(path, arrays, count));
    pg_free(path);
    for (size_t i = 0; i < made; i++) {
        pg_free((void *)arrays[i].name);
        pg_free((void *)arrays[i].data);
    }
    pg_free(arrays);
    pg_checkpoint_close(from);
}

char *pg_golden_checkpoint(pg_golden *golden, const char *name)
{
    char *source = pg_golden_path(golden->folder, name), *recipe_path = pg_golden_path(source, "derive.json");
    bool derived = pg_file_exists(recipe_path);
    pg_free(recipe_path);
    if (!derived)
        return source;
    json_t *recipe = load_json(source, "derive.json");
    char *base = pg_golden_path(source, json_string_value(json_object_get(recipe, "from")));
    char *target = pg_golden_path(pg_golden_scratch(golden), name);
    char *patch_path = pg_golden_path(source, "patch.safetensors");
    assert_int_equal(mkdir(target, 0700), 0);
    pg_golden_link(source, target);
    pg_golden_link(base, target);
    pg_safetensors *patch = NULL;
    if (pg_file_exists(patch_path))
        CHECK_OK(pg_safetensors_open(&patch, patch_path));
    derive_weights(recipe, base, patch, target);
    pg_safetensors_close(patch);
    pg_free(patch_path);
    json_decref(recipe);
    pg_free(base);
    pg_free(source);
    return target;
}

pg_model *pg_golden_open_model(const char *folder)
{
    pg_model_options options;
    pg_model *model;
    pg_model_options_init(&options);
    options.device = getenv("PG_TEST_DEVICE");
    CHECK_OK(pg_model_open_with(&model, folder, &options));
    return model;
}

void pg_golden_model_open(pg_golden_model *out, const char *name)
{
    *out = (pg_golden_model){0};
    char *folder = pg_golden_path(PG_GOLDEN_FOLDER, name);
    pg_golden_open(&out->golden, folder);
    out->path = pg_golden_checkpoint(&out->golden, "checkpoint");
    out->model = pg_golden_open_model(out->path);
    pg_free(folder);
}

void pg_golden_model_close(pg_golden_model *model)
{
    pg_model_close(model->model);
    pg_free(model->path);
    pg_golden_close(&model->golden);
}

/* ---------------------------------------------------------------- requests */

void pg_golden_request_init(pg_golden_request *out, const pg_golden *golden, const json_t *prompt)
{
    *out = (pg_golden_request){.images = pg_alloc(PG_GOLDEN_IMAGES, sizeof *out->images)};
    assert_non_null(out->images);
    pg_request_init(&out->request);
    out->request.prompt = json_string_value(json_object_get(prompt, "prompt"));
    out->request.special = true;
    out->request.images = (const pg_image *const *)out->images;
    pg_image_options stored;
    pg_image_options_init(&stored);
    stored.keep_orientation = true;
    size_t i;
    const json_t *name;
    json_array_foreach(json_object_get(prompt, "images"), i, name)
    {
        assert_true(i < PG_GOLDEN_IMAGES);
        char *folder =
            pg_golden_path(golden->folder, json_string_value(json_object_get(golden->facts, "image_folder")));
        char *path = pg_golden_path(folder, json_string_value(name));
        CHECK_OK(pg_image_load(&out->images[i], path, &stored));
        out->request.image_count = i + 1;
        pg_free(path);
        pg_free(folder);
    }
}

void pg_golden_request_prompt(pg_golden_request *out, const pg_golden *golden, size_t number)
{
    pg_golden_request_init(out, golden, json_array_get(json_object_get(golden->facts, "prompts"), number));
}

void pg_golden_request_picture(pg_golden_request *out, const pg_golden *golden, const char *name)
{
    json_t *prompt = json_pack("{s:[s]}", "images", name);
    pg_golden_request_init(out, golden, prompt);
    out->request.prompt = "";
    json_decref(prompt);
}

void pg_golden_request_free(pg_golden_request *request)
{
    for (size_t i = 0; i < PG_GOLDEN_IMAGES; i++)
        pg_image_free(request->images[i]);
    pg_free(request->images);
    *request = (pg_golden_request){0};
}

/* ---------------------------------------------------------------- arrays */

double pg_golden_number(const pg_array *array, size_t i)
{
    const char *data = array->data;
    float single;
    int64_t integer;
    switch (array->dtype) {
    case PG_F32: memcpy(&single, data + i * sizeof single, sizeof single); return single;
    case PG_I64: memcpy(&integer, data + i * sizeof integer, sizeof integer); return (double)integer;
    case PG_U8: return ((const uint8_t *)data)[i];
    default:
        fail_msg("%s: no numbers of type %s are expected here", array->name, pg_dtype_name(array->dtype));
        return 0.0;
    }
}

size_t pg_golden_count(const pg_array *array)
{
    return array->bytes / pg_dtype_size(array->dtype);
}

double pg_golden_error(const float *got, const pg_array *want, size_t *worst)
{
    double largest = 0.0, error = 0.0;
    size_t where = 0;
    for (size_t i = 0; i < pg_golden_count(want); i++) {
        double expected = pg_golden_number(want, i), apart = fabs(got[i] - expected);
        largest = fmax(largest, fabs(expected));
        if (!(apart <= error)) { /* NaN counts as an error, and stays one */
            error = isnan(apart) ? INFINITY : apart;
            where = i;
        }
    }
    if (worst)
        *worst = where;
    return error > 0.0 ? error / largest : 0.0;
}

/* ---------------------------------------------------------------- traces */

pg_status pg_kept_trace_add(void *user, const pg_trace_array *array)
{
    pg_kept_trace *trace = user;
    void *arrays = trace->arrays;
    PG_TRY(pg_grow(&arrays, &trace->capacity, trace->count + 1, sizeof *trace->arrays));
    trace->arrays = arrays;
    pg_array kept = {.dimensions = array->dimensions};
    assert_true(array->dimensions <= PG_ARRAY_DIMENSIONS);
    assert_true(pg_dtype_parse(&kept.dtype, array->dtype));
    memcpy(kept.shape, array->shape, (size_t)array->dimensions * sizeof *array->shape);
    assert_true(pg_array_size(&kept.bytes, &kept));
    void *data = pg_alloc(kept.bytes, 1);
    kept.name = pg_copy_text(array->name, SIZE_MAX);
    kept.data = data;
    if (!kept.name || !data) {
        pg_free((void *)kept.name);
        pg_free(data);
        return PG_ERROR_MEMORY;
    }
    memcpy(data, array->data, kept.bytes);
    trace->arrays[trace->count++] = kept;
    return PG_OK;
}

const pg_array *pg_kept_trace_find(const pg_kept_trace *trace, const char *name)
{
    for (size_t i = 0; i < trace->count; i++) {
        if (strcmp(trace->arrays[i].name, name) == 0)
            return &trace->arrays[i];
    }
    return NULL;
}

void pg_kept_trace_free(pg_kept_trace *trace)
{
    for (size_t i = 0; i < trace->count; i++) {
        pg_free((void *)trace->arrays[i].name);
        pg_free((void *)trace->arrays[i].data);
    }
    pg_free(trace->arrays);
    *trace = (pg_kept_trace){0};
}
