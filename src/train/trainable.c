#include "train/trainable.h"

#include <regex.h>
#include <string.h>

#include "base/numbers.h"
#include "base/pages.h"

/* ---------------------------------------------------------------- choosing */

typedef struct choice {
    const char *what;
    bool is_pattern;
    regex_t pattern; /* for published names */
} choice;

static bool is_preset(const char *what)
{
    static const char *const presets[] = {"full", "attention", "decoder", "projector", "vision", "lora", "head"};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (!strcmp(what, presets[i]))
            return true;
    return false;
}

static pg_status start_choice(choice *out, const pg_train_config *config)
{
    *out = (choice){.what = config->train ? config->train : "full"};
    if (is_preset(out->what))
        return PG_OK;
    int error = regcomp(&out->pattern, out->what, REG_EXTENDED | REG_NOSUB);
    if (error) {
        char text[128];
        regerror(error, &out->pattern, text, sizeof text);
        return pg_fail(
            PG_ERROR_ARGUMENT,
            "train: \"%s\" is none of full, attention, decoder, projector, vision, lora, head, and as a regular "
            "expression for names of weights: %s",
            out->what, text);
    }
    out->is_pattern = true;
    return PG_OK;
}

static bool chooses(const choice *c, const pg_weight_entry *entry)
{
    bool text = entry->part == PG_PART_TEXT;
    if (c->is_pattern)
        return regexec(&c->pattern, entry->published, 0, NULL, 0) == 0;
    if (!strcmp(c->what, "full"))
        return true;
    if (!strcmp(c->what, "attention"))
        return text && strstr(entry->published, ".self_attn.");
    if (!strcmp(c->what, "decoder"))
        return text;
    if (!strcmp(c->what, "projector"))
        return entry->part == PG_PART_PROJECTOR;
    return !strcmp(c->what, "vision") && entry->part == PG_PART_VISION;
}

/* ---------------------------------------------------------------- the list */

pg_status pg_trainable_add(pg_trainable *trainable, pg_parameter *parameter, const char *name, const int64_t *shape,
                           int dimensions)
{
    size_t need = trainable->count + 1, capacity = trainable->capacity;
    PG_TRY(pg_grow((void **)&trainable->places, &trainable->capacity, need, sizeof *trainable->places));
    PG_TRY(pg_grow((void **)&trainable->tensors, &capacity, need, sizeof *trainable->tensors));
    pg_trained_place *place = &trainable->places[trainable->count];
    *place = (pg_trained_place){.parameter = parameter, .before = *parameter, .dimensions = dimensions};
    snprintf(place->name, sizeof place->name, "%s", name);
    memcpy(place->shape, shape, (size_t)dimensions * sizeof *shape);
    trainable->tensors[trainable->count++] = (pg_trained){.rows = parameter->rows,
                                                          .width = parameter->width,
                                                          .decay = dimensions > 1,
                                                          .hidden = dimensions == 2 && strstr(name, ".layers.")};
    return PG_OK;
}

static pg_status choose_weights(pg_trainable *trainable, const choice *c, const pg_model *model)
{
    pg_weight_walk walk = {.weights = model->weights};
    for (pg_weight_entry entry; pg_weights_next(&walk, &entry);) {
        if (!chooses(c, &entry))
            continue;
        if (entry.parameter->quantized.bits)
            return pg_fail(PG_ERROR_ARGUMENT,
                           "%s: %s is quantised and cannot be trained itself; train \"lora\" adds factors to it",
                           model->folder, entry.parameter->name);
        PG_TRY(pg_trainable_add(trainable, entry.parameter, entry.published, entry.shape, entry.dimensions));
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- low-rank factors */

#define LORA_MODULES 32

/* Cuts "a,b,c" in place. */
static pg_status split(const char *out[LORA_MODULES], size_t *count, char *list)
{
    for (*count = 0; list && *list;) {
        if (*count == LORA_MODULES)
            return pg_fail(PG_ERROR_LIMIT, "lora_modules: more than %d names", LORA_MODULES);
        out[(*count)++] = list;
        list += strcspn(list, ",");
        if (*list)
            *list++ = 0;
    }
    return PG_OK;
}

static pg_status parse_parts(unsigned *out, const char *list)
{
    static const struct {
        const char *name;
        unsigned parts;
    } names[] = {{"decoder", 1u << PG_PART_TEXT},
                 {"text", 1u << PG_PART_TEXT | 1u << PG_PART_WORDS},
                 {"projector", 1u << PG_PART_PROJECTOR},
                 {"vision", 1u << PG_PART_VISION}};
    *out = 0;
    for (const char *at = list; *at;) {
        size_t size = strcspn(at, ","), i = 0;
        while (i < sizeof names / sizeof *names &&
               (strlen(names[i].name) != size || memcmp(names[i].name, at, size) != 0))
            i++;
        if (i == sizeof names / sizeof *names)
            return pg_fail(PG_ERROR_ARGUMENT, "lora_parts: \"%.*s\" is none of decoder, projector, vision, text",
                           (int)size, at);
        *out |= names[i].parts;
        at += size + (at[size] == ',');
    }
    return PG_OK;
}

static pg_status make_adapter(pg_trainable *trainable, const pg_model *model, const pg_train_config *config)
{
    pg_adapter_plan plan;
    const char *modules[LORA_MODULES];
    if (config->adapter) {
        PG_TRY(pg_adapter_load(&trainable->adapter, trainable->weights, config->adapter));
        return pg_adapter_own(trainable->adapter);
    }
    pg_adapter_plan_init(&plan);
    char *list = config->lora_modules ? pg_copy_text(config->lora_modules, SIZE_MAX) : NULL;
    plan.rank = config->lora_rank;
    plan.alpha = config->lora_alpha;
    plan.dropout = config->lora_dropout;
    plan.rank_stabilised = config->lora_rslora;
    plan.seed = (uint64_t)config->seed;
    plan.base = model->folder;
    plan.modules = modules;
    pg_status status = config->lora_modules && !list ? PG_ERROR_MEMORY : split(modules, &plan.module_count, list);
    if (status == PG_OK && config->lora_parts)
        status = parse_parts(&plan.parts, config->lora_parts);
    if (status == PG_OK)
        status = pg_adapter_new(&trainable->adapter, trainable->weights, &plan);
    pg_free(list);
    return status;
}

static pg_status add_factor(pg_trainable *trainable, const pg_adapter_layer *layer, pg_parameter *factor, char letter)
{
    char name[160];
    snprintf(name, sizeof name, "base_model.model.%.120s.lora_%c.weight", layer->module, letter);
    return pg_trainable_add(trainable, factor, name, (const int64_t[]){factor->rows, factor->width}, 2);
}

static pg_status choose_factors(pg_trainable *trainable, const pg_model *model, const pg_train_config *config)
{
    PG_TRY(make_adapter(trainable, model, config));
    for (size_t i = 0; i < trainable->adapter->count; i++) {
        pg_adapter_layer *layer = &trainable->adapter->layers[i];
        PG_TRY(add_factor(trainable, layer, &layer->lora.a, 'A'));
        PG_TRY(add_factor(trainable, layer, &layer->lora.b, 'B'));
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- values and gradients */

/* A tied output matrix is the embedding again, whatever has become of that. */
static void tie(const pg_trainable *trainable)
{
    if (trainable->weights)
        pg_weights_tie(trainable->weights);
    if (trainable->other)
        pg_weights_tie(trainable->other);
}

#define PIECE (1 << 22) /* values that are widened at a time on their way to a device */

/* The parameter's values as floats. */
static pg_status fill(const pg_trainable *trainable, float *values, const pg_parameter *p)
{
    int64_t count = p->rows * p->width;
    if (!trainable->device) {
        pg_dtype_widen(values, p->dtype, p->data, count);
        return PG_OK;
    }
    float *piece = pg_alloc((size_t)pg_smaller(count, PIECE), sizeof *piece);
    for (int64_t at = 0; piece && at < count; at += PIECE) {
        int64_t size = pg_smaller(count - at, PIECE);
        pg_dtype_widen(piece, p->dtype, (const char *)p->data + (size_t)at * pg_dtype_size(p->dtype), size);
        pg_values_upload(trainable->device, values + at, piece, (size_t)size * sizeof *piece);
    }
    pg_free(piece);
    return piece ? PG_OK : PG_ERROR_MEMORY;
}

/* Every tensor begins at an aligned address. */
static size_t room_for(const pg_trained *tensor)
{
    return pg_align((size_t)(tensor->rows * tensor->width) * sizeof(float)) / sizeof(float);
}

static pg_status take_over(pg_trainable *trainable, size_t i, size_t at)
{
    pg_trained *tensor = &trainable->tensors[i];
    pg_parameter *p = trainable->places[i].parameter;
    tensor->name = trainable->places[i].name;
    tensor->values = trainable->values + at;
    tensor->grad = trainable->grads + at;
    PG_TRY(fill(trainable, tensor->values, p));
    if (p->stored && p->data == p->stored->data && !p->copied) /* what lies in the file is not looked at again */
        pg_pages_release(p->data, (size_t)pg_parameter_bytes(p));
    p->dtype = PG_F32;
    p->device = trainable->device;
    p->data = tensor->values;
    p->grad = tensor->grad;
    return PG_OK;
}

pg_status pg_trainable_ready(pg_trainable *trainable, const pg_train_config *config, pg_device *device)
{
    size_t at = 0;
    for (size_t i = 0; i < trainable->count; i++)
        trainable->values_count += room_for(&trainable->tensors[i]);
    trainable->device = device;
    trainable->values = pg_values_alloc(device, trainable->values_count * sizeof *trainable->values);
    trainable->grads = pg_values_alloc(device, trainable->values_count * sizeof *trainable->grads);
    if (!trainable->values || !trainable->grads)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < trainable->count; i++) {
        trainable->tensors[i].decay |= config->decay == PG_DECAY_ALL;
        PG_TRY(take_over(trainable, i, at));
        at += room_for(&trainable->tensors[i]);
    }
    pg_trainable_clear(trainable);
    tie(trainable);
    return pg_device_wait(device);
}

void pg_trainable_clear(pg_trainable *trainable)
{
    pg_values_clear(trainable->device, trainable->grads, trainable->values_count * sizeof *trainable->grads);
}

void pg_trainable_use(pg_trainable *trainable, const pg_optimizer *averages)
{
    for (size_t i = 0; i < trainable->count; i++) {
        const float *average = averages ? pg_optimizer_average(averages, i) : NULL;
        trainable->places[i].parameter->data = average ? average : trainable->tensors[i].values;
    }
    tie(trainable);
}

static pg_status choose_all(pg_trainable *trainable, const choice *c, const pg_model *model, const pg_model *other,
                            const pg_train_config *config)
{
    PG_TRY(choose_weights(trainable, c, model));
    trainable->model_count = trainable->count;
    if (other)
        PG_TRY(choose_weights(trainable, c, other));
    trainable->other_count = trainable->count - trainable->model_count;
    if (!strcmp(c->what, "lora"))
        PG_TRY(choose_factors(trainable, model, config));
    if (trainable->count == 0 && strcmp(c->what, "head") != 0)
        return pg_fail(PG_ERROR_ARGUMENT, "train: \"%s\" fits no weight of %s", c->what, model->folder);
    return PG_OK;
}

pg_status pg_trainable_new(pg_trainable **out, pg_model *model, pg_model *other, const pg_train_config *config)
{
    choice c = {0};
    pg_trainable *trainable = *out = pg_alloc(1, sizeof *trainable);
    if (!trainable)
        return PG_ERROR_MEMORY;
    trainable->weights = model->weights;
    trainable->other = other ? other->weights : NULL;
    pg_status status = start_choice(&c, config);
    if (status == PG_OK)
        status = choose_all(trainable, &c, model, other, config);
    if (c.is_pattern)
        regfree(&c.pattern);
    if (status != PG_OK) {
        pg_trainable_free(trainable);
        *out = NULL;
    }
    return status;
}

void pg_trainable_free(pg_trainable *trainable)
{
    if (!trainable)
        return;
    for (size_t i = 0; i < trainable->count; i++)
        *trainable->places[i].parameter = trainable->places[i].before;
    tie(trainable);
    if (trainable->adapter)
        pg_adapter_detach(trainable->adapter);
    pg_adapter_free(trainable->adapter);
    pg_values_free(trainable->device, trainable->values, trainable->values_count * sizeof *trainable->values);
    pg_values_free(trainable->device, trainable->grads, trainable->values_count * sizeof *trainable->grads);
    pg_free(trainable->places);
    pg_free(trainable->tensors);
    pg_free(trainable);
}
