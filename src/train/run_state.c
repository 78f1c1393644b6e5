/* The checkpoint of a run, one file: trained values ("weights.NAME"), what the optimizer remembers, and numbers in the
 * metadata. Reals are written so that they are read back with the same bits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/json.h"
#include "base/reals.h"
#include "train/trainer.h"

#define NUMBERS 32

typedef struct state_list {
    pg_array *arrays;
    char (*names)[192];
    size_t count, own; /* all; those that are not the optimizer's */
} state_list;

static void free_list(state_list *list)
{
    pg_free(list->arrays);
    pg_free(list->names);
}

static pg_status list_arrays(state_list *out, const pg_trainer *trainer)
{
    size_t remembered, trained = trainer->trainable->count;
    const pg_array *state = pg_optimizer_state(trainer->optimizer, &remembered);
    out->arrays = pg_alloc(trained + PG_CODEBOOK_ARRAYS + remembered, sizeof *out->arrays);
    out->names = pg_alloc(trained, sizeof *out->names);
    if (!out->arrays || !out->names)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < trained; i++) {
        const pg_trained *tensor = &trainer->trainable->tensors[i];
        snprintf(out->names[i], sizeof out->names[i], "weights.%s", tensor->name);
        pg_array *array = &out->arrays[out->count++];
        *array = (pg_array){.name = out->names[i],
                            .dtype = PG_F32,
                            .dimensions = 2,
                            .shape = {tensor->rows, tensor->width},
                            .data = tensor->values};
        pg_array_size(&array->bytes, array);
    }
    if (trainer->codebook) {
        pg_codebook_state(out->arrays + out->count, trainer->codebook);
        out->count += PG_CODEBOOK_ARRAYS;
    }
    out->own = out->count;
    for (size_t i = 0; i < remembered; i++)
        out->arrays[out->count++] = state[i];
    return PG_OK;
}

/* ---------------------------------------------------------------- numbers */

typedef struct number_list {
    char names[NUMBERS][32], texts[NUMBERS][40];
    const char *pairs[NUMBERS][2];
    size_t count;
} number_list;

static void add_number(number_list *list, const char *name, int index, const char *format, double real, long long whole)
{
    size_t i = list->count++;
    snprintf(list->names[i], sizeof list->names[i], index < 0 ? "%s" : "%s.%d", name, index);
    if (format)
        pg_print(list->texts[i], sizeof list->texts[i], format, real);
    else
        snprintf(list->texts[i], sizeof list->texts[i], "%lld", whole);
    list->pairs[i][0] = list->names[i];
    list->pairs[i][1] = list->texts[i];
}

/* Tells rows to validate with from others, whose losses say nothing beside theirs. */
static pg_status validation_number(uint32_t *out, const pg_trainer *trainer)
{
    json_t *config;
    pg_buffer text = {0};
    *out = 0;
    PG_TRY(pg_train_config_json(&config, trainer->config));
    pg_status status = pg_json_append(&text, json_object_get(config, "validation"));
    if (status == PG_OK)
        status = pg_json_print(&text, json_object_get(config, "validation_rows"));
    if (status == PG_OK)
        *out = pg_crc32c(text.data, text.size);
    json_decref(config);
    pg_buffer_free(&text);
    return status;
}

static void list_numbers(number_list *out, const pg_progress_state *state)
{
    add_number(out, "step", -1, NULL, 0, state->step);
    add_number(out, "position", -1, NULL, 0, (long long)state->position);
    add_number(out, "best", -1, "%a", state->best, 0);
    add_number(out, "worse", -1, NULL, 0, state->worse);
    add_number(out, "lowest", -1, "%a", state->lowest, 0);
    for (int i = 0; i < PG_RECENT; i++)
        add_number(out, "recent", i, "%a", state->recent[i], 0);
}

static pg_status read_number(double *out, const pg_safetensors *file, const char *path, const char *name, int index)
{
    char key[32], *end;
    snprintf(key, sizeof key, index < 0 ? "%s" : "%s.%d", name, index);
    const char *text = pg_safetensors_metadata(file, key);
    *out = text ? pg_read_real(text, &end) : 0;
    if (!text || end == text || *end)
        return pg_fail(PG_ERROR_FORMAT, "%s: no checkpoint of a run: \"%s\" is missing", path, key);
    return PG_OK;
}

static pg_status read_numbers(pg_progress_state *out, const pg_safetensors *file, const char *path)
{
    double step, position, worse;
    PG_TRY(read_number(&step, file, path, "step", -1));
    PG_TRY(read_number(&position, file, path, "position", -1));
    PG_TRY(read_number(&out->best, file, path, "best", -1));
    PG_TRY(read_number(&worse, file, path, "worse", -1));
    PG_TRY(read_number(&out->lowest, file, path, "lowest", -1));
    for (int i = 0; i < PG_RECENT; i++)
        PG_TRY(read_number(&out->recent[i], file, path, "recent", i));
    if (!(step >= 0 && step < 9e15 && position >= 0 && position < 9e15 && worse >= 0 && worse < 9e15))
        return pg_fail(PG_ERROR_FORMAT, "%s: no checkpoint of a run: step %g, position %g, worse %g", path, step,
                       position, worse);
    out->step = (int64_t)step;
    out->position = (uint64_t)position;
    out->worse = (int64_t)worse;
    return PG_OK;
}

/* ---------------------------------------------------------------- the file */

/* Trained values may be a device's; what the optimizer remembers has been fetched. */
static pg_status write_array(pg_safetensors_writer *file, const pg_array *array, pg_device *device)
{
    if (!device)
        return pg_safetensors_writer_write(file, array->data, array->bytes);
    void *copy = pg_alloc(1, array->bytes);
    pg_status status = copy ? pg_values_download(device, copy, array->data, array->bytes) : PG_ERROR_MEMORY;
    if (status == PG_OK)
        status = pg_safetensors_writer_write(file, copy, array->bytes);
    pg_free(copy);
    return status;
}

static pg_status write_arrays(const char *path, const state_list *list, const number_list *numbers, pg_device *device)
{
    pg_safetensors_writer *file;
    PG_TRY(pg_safetensors_writer_open(&file, path, list->arrays, list->count, numbers->pairs, numbers->count));
    for (size_t i = 0; i < list->count; i++) {
        pg_status status = write_array(file, &list->arrays[i], i < list->own ? device : NULL);
        if (status != PG_OK) {
            pg_safetensors_writer_abort(file);
            return status;
        }
    }
    return pg_safetensors_writer_commit(file);
}

pg_status pg_run_state_save(pg_trainer *trainer)
{
    state_list list = {0};
    number_list numbers = {.count = 0};
    uint32_t validation;
    PG_TRY(validation_number(&validation, trainer));
    pg_status status = list_arrays(&list, trainer);
    list_numbers(&numbers, &trainer->state);
    add_number(&numbers, "rows", -1, NULL, 0, (long long)pg_mixture_count(trainer->train.mixture));
    add_number(&numbers, "validation", -1, NULL, 0, (long long)validation);
    if (status == PG_OK)
        status = pg_optimizer_fetch(trainer->optimizer);
    if (status == PG_OK)
        status = write_arrays(trainer->checkpoint, &list, &numbers, trainer->device);
    free_list(&list);
    return status;
}

static pg_status check_weights(const pg_safetensors *file, const state_list *list, const char *path)
{
    for (size_t i = 0; i < list->own; i++) {
        const pg_array *want = &list->arrays[i], *found = pg_safetensors_find(file, want->name);
        if (!found || found->dtype != PG_F32 || found->bytes != want->bytes)
            return pg_fail(PG_ERROR_FORMAT, "%s: \"%s\" is missing or of another shape; it belongs to another run",
                           path, want->name);
    }
    return PG_OK;
}

/* The rows must be those that the run began with; other ones to validate with begin a new search for the best. */
static pg_status compare_rows(pg_progress_state *state, const pg_trainer *trainer, const pg_safetensors *file)
{
    double then, now = (double)pg_mixture_count(trainer->train.mixture);
    uint32_t validation;
    const char *path = trainer->checkpoint;
    if (!pg_safetensors_metadata(file, "rows")) /* made before there was such a number */
        return PG_OK;
    PG_TRY(read_number(&then, file, path, "rows", -1));
    if (then != now)
        return pg_fail(
            PG_ERROR_ARGUMENT,
            "%s: the run was begun with %.0f rows, the data have %.0f now; go on with the same ones, or choose "
            "another folder",
            path, then, now);
    PG_TRY(validation_number(&validation, trainer));
    PG_TRY(read_number(&then, file, path, "validation", -1));
    if (then != (double)validation) {
        state->best = INFINITY;
        state->worse = 0;
    }
    return PG_OK;
}

static pg_status load_file(pg_trainer *trainer, const pg_safetensors *file)
{
    state_list list = {0};
    pg_progress_state state;
    const char *path = trainer->checkpoint;
    pg_status status = list_arrays(&list, trainer);
    if (status == PG_OK)
        status = read_numbers(&state, file, path);
    if (status == PG_OK)
        status = compare_rows(&state, trainer, file);
    if (status == PG_OK)
        status = check_weights(file, &list, path);
    if (status == PG_OK)
        status = pg_optimizer_load(trainer->optimizer, file, path);
    for (size_t i = 0; status == PG_OK && i < list.own; i++)
        pg_values_upload(trainer->device, (void *)list.arrays[i].data,
                         pg_safetensors_find(file, list.arrays[i].name)->data, list.arrays[i].bytes);
    if (status == PG_OK)
        trainer->state = state;
    free_list(&list);
    return status;
}

pg_status pg_run_state_load(bool *found, pg_trainer *trainer)
{
    pg_safetensors *file;
    *found = pg_file_exists(trainer->checkpoint);
    if (!*found)
        return PG_OK;
    PG_TRY(pg_safetensors_open(&file, trainer->checkpoint));
    pg_status status = load_file(trainer, file);
    pg_safetensors_close(file);
    return status;
}
