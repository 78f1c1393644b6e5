#include "model/weights.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/pages.h"
#include "model/weight_rules.h"
#include "tensor/quantized_arrays.h"

/* ---------------------------------------------------------------- finding tensors */

/* The file's tensors by canonical name, sorted. */
typedef struct file_entry {
    const char *name;
    size_t index; /* in the checkpoint */
    bool used;
} file_entry;

typedef struct directory {
    file_entry *entries;
    size_t count;
    pg_buffer names;
} directory;

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const file_entry *)a)->name, ((const file_entry *)b)->name);
}

static pg_status fill_directory(directory *out, const pg_checkpoint *files)
{
    out->count = pg_checkpoint_count(files);
    out->entries = pg_alloc(out->count, sizeof *out->entries);
    if (!out->entries)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < out->count; i++) {
        PG_TRY(pg_canonical_name(&out->names, pg_checkpoint_at(files, i)->name));
        PG_TRY(pg_buffer_append(&out->names, "", 1));
    }
    const char *name = out->names.data;
    for (size_t i = 0; i < out->count; i++, name += strlen(name) + 1)
        out->entries[i] = (file_entry){name, i, false};
    qsort(out->entries, out->count, sizeof *out->entries, compare_entries);
    for (size_t i = 1; i < out->count; i++)
        if (!strcmp(out->entries[i - 1].name, out->entries[i].name))
            return pg_fail(PG_ERROR_FORMAT, "%s: the tensors \"%s\" and \"%s\" are the same weight under two names",
                           pg_checkpoint_file(files, out->entries[i].index),
                           pg_checkpoint_at(files, out->entries[i - 1].index)->name,
                           pg_checkpoint_at(files, out->entries[i].index)->name);
    return PG_OK;
}

static pg_status check_array(const pg_array *array, const char *file, const char *name, const int64_t *shape,
                             int dimensions)
{
    bool same = array->dimensions == dimensions;
    for (int i = 0; same && i < dimensions; i++)
        same = array->shape[i] == shape[i];
    /* a scalar may be written as [] or [1] */
    if (!same && !(dimensions == 1 && shape[0] == 1 && array->dimensions == 0)) {
        pg_array wanted = {.dimensions = dimensions};
        memcpy(wanted.shape, shape, (size_t)dimensions * sizeof *shape);
        char found[PG_SHAPE_TEXT], expected[PG_SHAPE_TEXT];
        return pg_fail(PG_ERROR_FORMAT, "%s: %s (%s): shape %s, expected %s", file, array->name, name,
                       pg_array_shape_text(found, array), pg_array_shape_text(expected, &wanted));
    }
    return PG_OK;
}

/* A parameter in the making: what it stands for, and where its tensors come from. */
typedef struct wanted_weight {
    pg_weights *weights;
    directory *files;
    const char *name, *folder;
    char canonical[PG_WEIGHT_NAME];
    int64_t shape[PG_WEIGHT_DIMENSIONS];
    int dimensions;
} wanted_weight;

/* The tensor of that canonical name, and the file that it is in; NULL (error text set) if there is none. */
static const pg_array *find_tensor(const char **file, const wanted_weight *wanted, const char *canonical)
{
    const pg_checkpoint *checkpoint = wanted->weights->files;
    file_entry key = {canonical, 0, false};
    file_entry *found = bsearch(&key, wanted->files->entries, wanted->files->count, sizeof key, compare_entries);
    if (!found) {
        char published[PG_QUANTIZED_NAME];
        pg_published_name(published, sizeof published, canonical, wanted->weights->config.kind);
        pg_fail(PG_ERROR_FORMAT, "%s: the tensor \"%s\" (%s) is missing", wanted->folder, published, wanted->name);
        return NULL;
    }
    found->used = true;
    *file = pg_checkpoint_file(checkpoint, found->index);
    return pg_checkpoint_at(checkpoint, found->index);
}

static pg_status load_floats(pg_parameter *out, const wanted_weight *wanted)
{
    const char *file;
    const pg_array *array = find_tensor(&file, wanted, wanted->canonical);
    if (!array)
        return PG_ERROR_FORMAT;
    PG_TRY(check_array(array, file, wanted->name, wanted->shape, wanted->dimensions));
    if (array->dtype != PG_F32 && array->dtype != PG_F16 && array->dtype != PG_BF16)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: %s (%s): dtype %s, expected F32, F16 or BF16", file, array->name,
                       wanted->name, pg_dtype_name(array->dtype));
    out->dtype = array->dtype;
    out->data = array->data;
    out->stored = array;
    return PG_OK;
}

static pg_status load_quantized(pg_parameter *out, const wanted_weight *wanted, int bits)
{
    pg_quantized *w = &out->quantized;
    const void *data[PG_QUANTIZED_ARRAYS] = {NULL};
    pg_quantized_arrays expected;
    *w = (pg_quantized){.bits = bits,
                        .rows = out->rows,
                        .inputs = out->width,
                        .block = wanted->weights->config.quantization.block};
    pg_quantized_arrays_init(&expected, w, wanted->canonical);
    for (int i = 0; i < expected.count; i++) {
        const char *file;
        const pg_array *like = &expected.arrays[i], *array = find_tensor(&file, wanted, like->name);
        if (!array)
            return PG_ERROR_FORMAT;
        if (array->dtype != like->dtype)
            return pg_fail(PG_ERROR_FORMAT, "%s: %s (%s): dtype %s, expected %s, because config.json says int%d", file,
                           array->name, wanted->name, pg_dtype_name(array->dtype), pg_dtype_name(like->dtype), bits);
        PG_TRY(check_array(array, file, wanted->name, like->shape, like->dimensions));
        data[i] = array->data;
        out->stored = i == 0 ? array : out->stored;
    }
    w->values = data[0];
    w->scales = data[1];
    w->steps = data[2];
    out->dtype = PG_U8;
    return PG_OK;
}

/* Name and size of a parameter. `name` stays valid as long as the weights. */
static pg_parameter *shape_parameter(pg_weights *weights, const pg_weight_rule *rule, int64_t layer, const char *name)
{
    pg_parameter *p = pg_rule_place(rule, weights, layer);
    int64_t shape[PG_WEIGHT_DIMENSIONS];
    int dimensions = pg_rule_shape(shape, rule, &weights->config);
    *p = (pg_parameter){.name = name, .rows = dimensions == 1 ? 1 : shape[0], .width = dimensions == 1 ? shape[0] : 1};
    for (int i = 1; i < dimensions; i++)
        p->width *= shape[i];
    return p;
}

/* Fills one parameter from the checkpoint. */
static pg_status load_parameter(pg_weights *weights, directory *files, const pg_weight_rule *rule, int64_t layer,
                                const char *name, const char *folder)
{
    wanted_weight wanted = {.weights = weights, .files = files, .name = name, .folder = folder};
    pg_rule_canonical(wanted.canonical, sizeof wanted.canonical, rule, layer);
    wanted.dimensions = pg_rule_shape(wanted.shape, rule, &weights->config);
    pg_parameter *p = shape_parameter(weights, rule, layer, name);
    int bits = pg_rule_bits(rule, &weights->config);
    return bits ? load_quantized(p, &wanted, bits) : load_floats(p, &wanted);
}

static pg_status check_unused(const pg_weights *weights, const directory *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const file_entry *entry = &files->entries[i];
        bool tied_output = !strcmp(entry->name, "lm_head.weight") && weights->config.text.tied;
        if (!entry->used && !tied_output && !pg_is_derived(entry->name))
            return pg_fail(PG_ERROR_FORMAT, "%s: the tensor \"%s\" is not part of the model that config.json describes",
                           pg_checkpoint_file(weights->files, entry->index),
                           pg_checkpoint_at(weights->files, entry->index)->name);
    }
    return PG_OK;
}

/* Our names of all parameters, in the order of pg_weights_each, each with its NUL. */
static pg_status print_names(pg_buffer *out, const pg_config *config)
{
    pg_rule_walk walk = {.config = config};
    int64_t layer;
    for (const pg_weight_rule *rule; (rule = pg_rule_next(&walk, &layer));) {
        char name[64];
        pg_rule_name(name, sizeof name, rule, layer);
        PG_TRY(pg_buffer_append(out, name, strlen(name) + 1));
    }
    return PG_OK;
}

static pg_status make_names(pg_weights *weights)
{
    pg_buffer names = {0};
    pg_status status = print_names(&names, &weights->config);
    weights->names = names.data;
    return status;
}

void pg_weights_tie(pg_weights *weights)
{
    if (weights->config.text.tied)
        weights->text.output = weights->text.embed;
}

static pg_status load_all(pg_weights *weights, directory *files, const char *folder)
{
    PG_TRY(make_names(weights));
    const char *name = weights->names ? weights->names : "";
    pg_rule_walk walk = {.config = &weights->config};
    int64_t layer;
    for (const pg_weight_rule *rule; (rule = pg_rule_next(&walk, &layer)); name += strlen(name) + 1)
        PG_TRY(load_parameter(weights, files, rule, layer, name, folder));
    pg_weights_tie(weights);
    return check_unused(weights, files);
}

static pg_status make_layers(pg_weights *weights)
{
    const pg_config *config = &weights->config;
    weights->text.config = config->text;
    weights->vision.config = config->vision;
    weights->words.config = config->words;
    weights->text.layers = pg_alloc((size_t)config->text.layers, sizeof *weights->text.layers);
    weights->vision.layers = pg_alloc((size_t)config->vision.layers, sizeof *weights->vision.layers);
    weights->words.layers = pg_alloc((size_t)config->words.layers, sizeof *weights->words.layers);
    return weights->text.layers && weights->vision.layers && weights->words.layers ? PG_OK : PG_ERROR_MEMORY;
}

pg_status pg_weights_load(pg_weights **out, const pg_config *config, const char *folder)
{
    directory files = {0};
    pg_status status = PG_OK;
    pg_weights *weights = *out = pg_alloc(1, sizeof *weights);
    if (!weights)
        return PG_ERROR_MEMORY;
    weights->config = *config;
    PG_TRY_GOTO(make_layers(weights));
    PG_TRY_GOTO(pg_checkpoint_open(&weights->files, folder));
    PG_TRY_GOTO(fill_directory(&files, weights->files));
    PG_TRY_GOTO(load_all(weights, &files, folder));
done:
    pg_free(files.entries);
    pg_buffer_free(&files.names);
    if (status != PG_OK) {
        pg_weights_free(weights);
        *out = NULL;
    }
    return status;
}

static pg_status shape_all(pg_weights *weights)
{
    PG_TRY(make_layers(weights));
    PG_TRY(make_names(weights));
    const char *name = weights->names ? weights->names : "";
    pg_rule_walk walk = {.config = &weights->config};
    int64_t layer;
    for (const pg_weight_rule *rule; (rule = pg_rule_next(&walk, &layer)); name += strlen(name) + 1)
        shape_parameter(weights, rule, layer, name);
    pg_weights_tie(weights);
    return PG_OK;
}

pg_status pg_weights_new(pg_weights **out, const pg_config *config)
{
    pg_weights *weights = *out = pg_alloc(1, sizeof *weights);
    if (!weights)
        return PG_ERROR_MEMORY;
    weights->config = *config;
    weights->config.quantization = (pg_quantization){0};
    pg_status status = shape_all(weights);
    if (status != PG_OK) {
        pg_weights_free(weights);
        *out = NULL;
    }
    return status;
}

/* ---------------------------------------------------------------- on devices */

/* All parameters, in the order of the table. The caller frees the list. */
static pg_parameter **list_parameters(size_t *count, const pg_weights *weights)
{
    pg_parameter **list = NULL;
    size_t capacity = 0;
    pg_rule_walk walk = {.config = &weights->config};
    int64_t layer;
    *count = 0;
    for (const pg_weight_rule *rule; (rule = pg_rule_next(&walk, &layer));) {
        if (pg_grow((void **)&list, &capacity, *count + 1, sizeof(pg_parameter *)) != PG_OK) {
            pg_free(list);
            return NULL;
        }
        list[(*count)++] = pg_rule_place(rule, weights, layer);
    }
    return list;
}

/* What lies in mapped files is not read again. */
static void release_files(const pg_checkpoint *files)
{
    for (size_t i = 0; files && !pg_checkpoint_is_copied(files) && i < pg_checkpoint_count(files); i++)
        pg_pages_release(pg_checkpoint_at(files, i)->data, pg_checkpoint_at(files, i)->bytes);
}

pg_status pg_weights_copy(pg_weights *weights, int threads)
{
    size_t count;
    pg_parameter **parameters = list_parameters(&count, weights);
    pg_status status = parameters ? pg_checkpoint_copy(weights->files, threads) : PG_ERROR_MEMORY;
    for (size_t i = 0; status == PG_OK && i < count; i++)
        parameters[i]->copied = true;
    pg_free(parameters);
    if (status == PG_OK && weights->config.text.tied)
        weights->text.output.copied = true;
    return status;
}

pg_status pg_weights_place(pg_weights *weights, pg_device *device)
{
    if (!device)
        return PG_OK;
    size_t count;
    pg_parameter **parameters = list_parameters(&count, weights);
    if (!parameters)
        return PG_ERROR_MEMORY;
    pg_status status = pg_placement_init(&weights->placed, device, parameters, count);
    pg_free(parameters);
    pg_weights_tie(weights);
    release_files(weights->files);
    return status;
}

void pg_weights_share(pg_weights *weights, pg_device *device, const pg_weights *placed)
{
    pg_rule_walk walk = {.config = &weights->config};
    int64_t layer;
    for (const pg_weight_rule *rule; (rule = pg_rule_next(&walk, &layer));) {
        pg_parameter *own = pg_rule_place(rule, weights, layer);
        const pg_parameter *theirs = pg_rule_place(rule, placed, layer);
        own->data = theirs->data;
        own->quantized = theirs->quantized;
        own->device = device;
    }
    weights->placed.device = device;
    pg_weights_tie(weights);
}

void pg_weights_free(pg_weights *weights)
{
    if (!weights)
        return;
    pg_placement_free(&weights->placed);
    pg_checkpoint_close(weights->files);
    pg_free(weights->text.layers);
    pg_free(weights->vision.layers);
    pg_free(weights->words.layers);
    pg_free(weights->names);
    pg_free(weights);
}
