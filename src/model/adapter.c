/* Adapters in files. */
#include "model/adapter.h"

#include <string.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/names.h"
#include "model/adapter_layers.h"
#include "tensor/safetensors.h"

#define KEY_START "base_model.model."
#define FACTOR_A  ".lora_A.weight"
#define FACTOR_B  ".lora_B.weight"

/* ---------------------------------------------------------------- reading */

/* Only the names since 4.52 begin in "model." in a PaliGemma. */
static pg_module_names names_in(const pg_safetensors *file, pg_model_kind kind)
{
    static const char *const starts[] = {KEY_START "model.", KEY_START "lm_head."};
    for (size_t i = 0; i < pg_safetensors_count(file); i++)
        for (size_t k = 0; k < sizeof starts / sizeof *starts; k++)
            if (!strncmp(pg_safetensors_at(file, i)->name, starts[k], strlen(starts[k])))
                return PG_MODULES_NEW;
    return kind == PG_MODEL_PALIGEMMA ? PG_MODULES_OLD : PG_MODULES_NEW;
}

static pg_status unknown_key(const pg_adapter *adapter, const pg_array *array)
{
    return pg_fail(PG_ERROR_FORMAT, "%s: the key \"%s\" matches nothing in the model: the adapter is for another one",
                   adapter->path, array->name);
}

static pg_status sort_factor(const pg_adapter *adapter, const pg_module_list *list, const pg_array *array)
{
    const char *start = array->name + strlen(KEY_START);
    char name[PG_WEIGHT_NAME];
    bool a = pg_ends_in(array->name, FACTOR_A);
    int length = (int)(strlen(start) - strlen(FACTOR_A));
    if (snprintf(name, sizeof name, "%.*s.weight", length, start) >= (int)sizeof name)
        return unknown_key(adapter, array);
    pg_module_entry *entry = pg_modules_find(list, name);
    if (!entry)
        return unknown_key(adapter, array);
    if (!entry->weight.linear)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: the key \"%s\" has factors for what is no linear layer",
                       adapter->path, array->name);
    if (!list->choices[entry->choice].targeted)
        return pg_fail(PG_ERROR_FORMAT, "%s: the key \"%s\" is for a module that \"target_modules\" does not name",
                       adapter->path, array->name);
    *(a ? &entry->a : &entry->b) = array;
    return PG_OK;
}

/* PEFT saves embeddings that were trained or resized along without listing them. */
static bool may_replace(const pg_adapter *adapter, const char *name)
{
    return pg_ends_in(name, "embed_tokens.weight") || pg_ends_in(name, "lm_head.weight") ||
           pg_adapter_config_replaces(&adapter->config, name);
}

static pg_status sort_key(const pg_adapter *adapter, const pg_module_list *list, const pg_array *array)
{
    size_t start = strlen(KEY_START);
    if (strncmp(array->name, KEY_START, start) != 0)
        return unknown_key(adapter, array);
    if (pg_ends_in(array->name, FACTOR_A) || pg_ends_in(array->name, FACTOR_B))
        return sort_factor(adapter, list, array);
    if (strstr(array->name, ".lora_"))
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: the key \"%s\": factors of linear layers only are supported",
                       adapter->path, array->name);
    pg_module_entry *entry = pg_modules_find(list, array->name + start);
    if (!entry)
        return unknown_key(adapter, array);
    if (!may_replace(adapter, entry->name))
        return pg_fail(PG_ERROR_FORMAT, "%s: the key \"%s\" is a whole weight that \"modules_to_save\" does not name",
                       adapter->path, array->name);
    entry->whole = array;
    return PG_OK;
}

static pg_status check_shape(const pg_adapter *adapter, const pg_array *array, const int64_t *shape, int dimensions)
{
    pg_array wanted = {.dimensions = dimensions};
    memcpy(wanted.shape, shape, (size_t)dimensions * sizeof *shape);
    bool same = array->dimensions == dimensions && !memcmp(array->shape, shape, (size_t)dimensions * sizeof *shape);
    char found[PG_SHAPE_TEXT], expected[PG_SHAPE_TEXT];
    if (!same)
        return pg_fail(PG_ERROR_FORMAT, "%s: %s: shape %s, expected %s", adapter->path, array->name,
                       pg_array_shape_text(found, array), pg_array_shape_text(expected, &wanted));
    if (array->dtype != PG_F32 && array->dtype != PG_F16 && array->dtype != PG_BF16)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: %s: dtype %s, expected F32, F16 or BF16", adapter->path, array->name,
                       pg_dtype_name(array->dtype));
    return PG_OK;
}

static pg_parameter factor(const pg_parameter *base, const pg_array *array)
{
    return (pg_parameter){.name = base->name,
                          .dtype = array->dtype,
                          .rows = array->shape[0],
                          .width = array->shape[1],
                          .data = array->data,
                          .stored = array};
}

static bool all_zero(const pg_array *array)
{
    for (size_t i = 0; i < array->bytes; i++)
        if (((const char *)array->data)[i])
            return false;
    return true;
}

/* torch's attention head computes with this matrix past its module, so PEFT never trains or applies what is there, but
 * would merge it. */
static pg_status check_bypassed(const pg_adapter *adapter, const pg_module_entry *entry)
{
    return all_zero(entry->b) ? PG_OK
                              : pg_fail(PG_ERROR_UNSUPPORTED,
                                        "%s: %s has factors that are not zero, which PEFT applies only when it merges",
                                        adapter->path, entry->name);
}

static pg_status load_layer(pg_adapter *adapter, const pg_module_list *list, const pg_module_entry *entry)
{
    const pg_adapter_choice *choice = &list->choices[entry->choice];
    pg_parameter *base = entry->weight.parameter;
    if (!entry->a || !entry->b)
        return pg_fail(PG_ERROR_FORMAT,
                       "%s: \"target_modules\" names %s, but there is no \"" KEY_START "%s%s\" in the file",
                       adapter->path, choice->module, choice->module, entry->a ? FACTOR_B : FACTOR_A);
    PG_TRY(check_shape(adapter, entry->a, (const int64_t[]){choice->rank, base->width}, 2));
    PG_TRY(check_shape(adapter, entry->b, (const int64_t[]){base->rows, choice->rank}, 2));
    if (entry->weight.bypassed)
        return check_bypassed(adapter, entry);
    pg_adapter_layer *layer = &adapter->layers[adapter->count++];
    pg_adapter_fill_layer(layer, adapter, base, choice);
    layer->lora.a = factor(base, entry->a);
    layer->lora.b = factor(base, entry->b);
    return PG_OK;
}

static pg_status load_whole(pg_adapter *adapter, const pg_module_entry *entry)
{
    PG_TRY(check_shape(adapter, entry->whole, entry->weight.shape, entry->weight.dimensions));
    pg_adapter_whole *whole = &adapter->wholes[adapter->whole_count++];
    *whole = (pg_adapter_whole){.base = entry->weight.parameter,
                                .before = *entry->weight.parameter,
                                .dimensions = entry->weight.dimensions};
    memcpy(whole->shape, entry->weight.shape, sizeof whole->shape);
    memcpy(whole->name, entry->name, sizeof whole->name);
    whole->base->device = NULL;
    whole->base->quantized = (pg_quantized){0};
    whole->base->dtype = entry->whole->dtype;
    whole->base->data = entry->whole->data;
    return PG_OK;
}

static pg_status load_entries(pg_adapter *adapter, const pg_module_list *list)
{
    PG_TRY(pg_adapter_config_choose(list->choices, list->choice_count, &adapter->config));
    for (size_t i = 0; i < pg_safetensors_count(adapter->file); i++)
        PG_TRY(sort_key(adapter, list, pg_safetensors_at(adapter->file, i)));
    PG_TRY(pg_adapter_make_room(adapter, list));
    for (size_t i = 0; i < list->count; i++) {
        const pg_module_entry *entry = &list->entries[i];
        if (entry->weight.linear && list->choices[entry->choice].targeted)
            PG_TRY(load_layer(adapter, list, entry));
        if (entry->whole)
            PG_TRY(load_whole(adapter, entry));
    }
    return adapter->count + adapter->whole_count
               ? PG_OK
               : pg_fail(PG_ERROR_FORMAT, "%s: \"target_modules\" names no linear layer of this model",
                         adapter->config.path);
}

/* Factors and whole weights go to where the model's weights are. */
static pg_status place(pg_adapter *adapter, pg_device *device)
{
    size_t count = 0;
    pg_parameter **parameters =
        device ? pg_alloc(2 * adapter->count + adapter->whole_count, sizeof(pg_parameter *)) : NULL;
    if (!parameters)
        return device ? PG_ERROR_MEMORY : PG_OK;
    for (size_t i = 0; i < adapter->count; i++) {
        parameters[count++] = &adapter->layers[i].lora.a;
        parameters[count++] = &adapter->layers[i].lora.b;
    }
    for (size_t i = 0; i < adapter->whole_count; i++)
        parameters[count++] = adapter->wholes[i].base;
    pg_status status = pg_placement_init(&adapter->placed, device, parameters, count);
    pg_free(parameters);
    return status;
}

/* FOLDER/NAME, freed with pg_free; NULL (error text set) without memory. */
static char *path_of(const char *folder, const char *name)
{
    pg_buffer path = {0};
    return pg_file_join(&path, folder, name) == PG_OK ? path.data : NULL;
}

static pg_status load_files(pg_adapter *adapter, const char *folder)
{
    adapter->path = path_of(folder, PG_ADAPTER_WEIGHTS);
    adapter->config_path = path_of(folder, PG_ADAPTER_CONFIG);
    if (!adapter->path || !adapter->config_path)
        return PG_ERROR_MEMORY;
    if (!pg_file_exists(adapter->config_path))
        return pg_fail_errno(PG_ERROR_FILE,
                             "%s: cannot be opened; an adapter is a folder with " PG_ADAPTER_CONFIG
                             " and " PG_ADAPTER_WEIGHTS,
                             adapter->config_path);
    PG_TRY(pg_adapter_config_load(&adapter->config, adapter->config_path));
    return pg_safetensors_open(&adapter->file, adapter->path);
}

pg_status pg_adapter_load(pg_adapter **out, pg_weights *weights, const char *folder)
{
    pg_module_list list = {0};
    pg_status status;
    pg_adapter *adapter = *out = pg_alloc(1, sizeof *adapter);
    if (!adapter)
        return PG_ERROR_MEMORY;
    PG_TRY_GOTO(load_files(adapter, folder));
    adapter->names = names_in(adapter->file, weights->config.kind);
    PG_TRY_GOTO(pg_modules_list(&list, weights, adapter->names));
    PG_TRY_GOTO(load_entries(adapter, &list));
    PG_TRY_GOTO(place(adapter, weights->placed.device));
    pg_adapter_attach(adapter);
done:
    pg_modules_free(&list);
    if (status != PG_OK) {
        pg_adapter_detach(adapter);
        pg_adapter_free(adapter);
        *out = NULL;
    }
    return status;
}

/* ---------------------------------------------------------------- writing */

#define KEY_SIZE (PG_WEIGHT_NAME + sizeof KEY_START + sizeof FACTOR_A)

/* The arrays of the file, and their names. */
typedef struct adapter_arrays {
    pg_array *arrays;
    char (*names)[KEY_SIZE];
    void **memory; /* of copies from a device */
    size_t count;
} adapter_arrays;

static void free_arrays(adapter_arrays *arrays)
{
    for (size_t i = 0; i < arrays->count; i++)
        pg_free(arrays->memory[i]);
    pg_free(arrays->arrays);
    pg_free(arrays->names);
    pg_free(arrays->memory);
}

static pg_status add_array(adapter_arrays *out, const pg_parameter *p, const int64_t *shape, int dimensions,
                           const char *name, const char *end)
{
    pg_parameter host;
    char *key = out->names[out->count];
    pg_array *array = &out->arrays[out->count];
    PG_TRY(pg_parameter_to_host(&host, &out->memory[out->count++], p));
    snprintf(key, KEY_SIZE, KEY_START "%s%s", name, end);
    *array = (pg_array){.name = key, .dtype = p->dtype, .dimensions = dimensions, .data = host.data};
    memcpy(array->shape, shape, (size_t)dimensions * sizeof *shape);
    return PG_OK;
}

static pg_status list_arrays(adapter_arrays *out, const pg_adapter *adapter)
{
    size_t most = 2 * adapter->count + adapter->whole_count;
    *out = (adapter_arrays){pg_alloc(most, sizeof *out->arrays), pg_alloc(most, sizeof *out->names),
                            pg_alloc(most, sizeof *out->memory), 0};
    if (!out->arrays || !out->names || !out->memory)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < adapter->count; i++) {
        const pg_adapter_layer *layer = &adapter->layers[i];
        const pg_parameter *a = &layer->lora.a, *b = &layer->lora.b;
        PG_TRY(add_array(out, a, (const int64_t[]){a->rows, a->width}, 2, layer->module, FACTOR_A));
        PG_TRY(add_array(out, b, (const int64_t[]){b->rows, b->width}, 2, layer->module, FACTOR_B));
    }
    for (size_t i = 0; i < adapter->whole_count; i++) {
        const pg_adapter_whole *whole = &adapter->wholes[i];
        PG_TRY(add_array(out, whole->base, whole->shape, whole->dimensions, whole->name, ""));
    }
    return PG_OK;
}

pg_status pg_adapter_write(const pg_adapter *adapter, const char *folder)
{
    adapter_arrays arrays = {0};
    pg_buffer path = {0};
    pg_status status;
    PG_TRY_GOTO(list_arrays(&arrays, adapter));
    PG_TRY_GOTO(pg_file_join(&path, folder, PG_ADAPTER_WEIGHTS));
    PG_TRY_GOTO(pg_safetensors_save(path.data, arrays.arrays, arrays.count));
    PG_TRY_GOTO(pg_file_join(&path, folder, PG_ADAPTER_CONFIG));
    PG_TRY_GOTO(pg_json_save(adapter->config.document, path.data));
done:
    pg_buffer_free(&path);
    free_arrays(&arrays);
    return status;
}

pg_status pg_adapter_save(const pg_adapter *adapter, const char *folder, bool replace)
{
    pg_folder_writer writer;
    PG_TRY(replace ? pg_folder_writer_replace(&writer, folder) : pg_folder_writer_open(&writer, folder));
    pg_status status = pg_adapter_write(adapter, writer.partial.data);
    if (status == PG_OK)
        return pg_folder_writer_commit(&writer);
    pg_folder_writer_abort(&writer);
    return status;
}

/* ---------------------------------------------------------------- the end */

void pg_adapter_detach(pg_adapter *adapter)
{
    for (size_t i = 0; i < adapter->count; i++)
        adapter->layers[i].base->lora = NULL;
    for (size_t i = 0; i < adapter->whole_count; i++)
        *adapter->wholes[i].base = adapter->wholes[i].before;
    adapter->count = adapter->whole_count = 0;
}

void pg_adapter_free(pg_adapter *adapter)
{
    if (!adapter)
        return;
    pg_adapter_config_free(&adapter->config);
    pg_placement_free(&adapter->placed);
    pg_safetensors_close(adapter->file);
    pg_free(adapter->layers);
    pg_free(adapter->wholes);
    pg_free(adapter->owned);
    pg_free(adapter->path);
    pg_free(adapter->config_path);
    pg_free(adapter);
}
