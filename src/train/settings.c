#include "train/settings.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/edits.h"
#include "base/reals.h"
#include "text/utf8.h"

/* ---------------------------------------------------------------- the table */

typedef enum setting_kind { TEXT, DATA, CHOICE, INTEGER, NUMBER, BOOLEAN } setting_kind;

typedef struct setting {
    pg_train_setting shown;
    setting_kind kind;
    size_t offset;
    double low, high;
} setting;

#define AT(field) offsetof(pg_train_config, field)
#define MANY      1e15

static const setting settings[] = {
    {{"model", "MODEL", "folder of the model to start from (the one that ships; maskcodec: an .npz, or none)"},
     TEXT,
     AT(model),
     0,
     0},
    {{"out", "RUN", "folder of the run: checkpoint, curves, results"}, TEXT, AT(out), 0, 0},
    {{"recipe", "NAME",
      "settings published for a task, before all others that are given; -448 and -896 are for models of that "
      "resolution: " PG_RECIPE_NAMES},
     TEXT,
     AT(recipe),
     0,
     0},
    {{"data", "FILE",
      "rows to train on: FILE[,weight=N][,kind=KIND][,images=FOLDER][,bpe_dropout=X]...; may be given several times"},
     DATA,
     AT(data),
     0,
     0},
    {{"validation", "FILE",
      "rows held out, all of them to be measured from time to time; of a folder its \"valid\" or \"validation\""},
     DATA,
     AT(validation),
     0,
     0},
    {{"codec", "FILE.npz",
      "kind=coco-segment and mask-folders: what makes <seg> tokens (mask_codec.npz or vae-oid.npz beside the model)"},
     TEXT,
     AT(codec),
     0,
     0},
    {{"objective", "sft|lm|siglip|dpo|classifier|maskcodec",
      "what is learned: answers to prompts, text, pictures with their texts, preferences, classes, a mask codec (sft)"},
     CHOICE,
     AT(objective),
     0,
     0},
    {{"reference", "MODEL",
      "dpo: the model that preferences are measured against (the one to start from, with \"adapter\")"},
     TEXT,
     AT(reference),
     0,
     0},
    {{"beta", "X", "dpo: how firmly the reference is held on to (0.1)"}, NUMBER, AT(beta), 1e-6, 1e3},
    {{"text_model", "MODEL", "classifier: the model that reads, where \"model\" is one that only sees"},
     TEXT,
     AT(text_model),
     0,
     0},

    {{"train", "WHAT",
      "what is trained: full, attention (the decoder's), decoder, projector, vision, lora, head (of a classifier, "
      "whose "
      "head is always trained), or a regular expression for published names (full)"},
     TEXT,
     AT(train),
     0,
     0},
    {{"adapter", "FOLDER", "lora: go on with this adapter"}, TEXT, AT(adapter), 0, 0},
    {{"lora_rank", "N", "lora: rank of the factors (8)"}, INTEGER, AT(lora_rank), 1, 4096},
    {{"lora_alpha", "X", "lora: additions are multiplied by alpha / rank (16)"}, NUMBER, AT(lora_alpha), 0, MANY},
    {{"lora_dropout", "X", "lora: share of its inputs left out while training (0.05)"},
     NUMBER,
     AT(lora_dropout),
     0,
     0.99},
    {{"lora_modules", "LIST", "lora: names of layers, such as q_proj,v_proj (all linear ones)"},
     TEXT,
     AT(lora_modules),
     0,
     0},
    {{"lora_parts", "LIST", "lora: parts of the model, of decoder,projector,vision (decoder)"},
     TEXT,
     AT(lora_parts),
     0,
     0},
    {{"lora_rslora", NULL, "lora: alpha / sqrt(rank) instead of alpha / rank"}, BOOLEAN, AT(lora_rslora), 0, 0},

    {{"steps", "N", "steps of the optimizer (0: as many as the epochs have)"}, INTEGER, AT(steps), 0, MANY},
    {{"epochs", "X", "passes over the data, where no steps are given (1)"}, NUMBER, AT(epochs), 0, 1e6},
    {{"batch", "N", "rows of a step (8)"}, INTEGER, AT(batch), 1, 1 << 20},
    {{"micro_batch", "N", "rows that are in memory at a time; the step is that of the whole batch (0: all of it)"},
     INTEGER,
     AT(micro_batch),
     0,
     1 << 20},
    {{"text_length", "N", "tokens of prompt and answer, at most (128)"}, INTEGER, AT(text_length), 2, 1 << 20},
    {{"optimizer", "adamw|adamw8|adafactor|sgd|muon", "(adamw)"}, CHOICE, AT(optimizer), 0, 0},
    {{"learning_rate", "X", "the largest one of the schedule (1e-5)"}, NUMBER, AT(learning_rate), 0, 1e3},
    {{"schedule", "cosine|linear|constant|rsqrt", "of the learning rate after the warm-up (cosine)"},
     CHOICE,
     AT(schedule),
     0,
     0},
    {{"warmup", "X", "steps, or below 1 a share of all, in which the learning rate rises (0.05)"},
     NUMBER,
     AT(warmup),
     0,
     MANY},
    {{"final_rate", "X", "share of the learning rate that the schedule ends with (0)"}, NUMBER, AT(final_rate), 0, 1},
    {{"timescale", "N", "rsqrt: steps after which the learning rate is the largest / sqrt(2) (10000)"},
     NUMBER,
     AT(timescale),
     1,
     MANY},
    {{"weight_decay", "X", "(0)"}, NUMBER, AT(weight_decay), 0, 10},
    {{"decay", "matrices|all", "what weight decay is for (matrices)"}, CHOICE, AT(decay), 0, 0},
    {{"beta1", "X", "(0.9)"}, NUMBER, AT(beta1), 0, 0.999999},
    {{"beta2", "X", "(0.999)"}, NUMBER, AT(beta2), 0, 0.9999999},
    {{"epsilon", "X", "(1e-8)"}, NUMBER, AT(epsilon), 0, 1},
    {{"momentum", "X", "sgd: (0); muon: (0: 0.95)"}, NUMBER, AT(momentum), 0, 0.999999},
    {{"relative_step", NULL, "adafactor: the learning rate is multiplied by min(0.01, 1 / sqrt(step))"},
     BOOLEAN,
     AT(relative_step),
     0,
     0},
    {{"relative_scale", "true|false", "adafactor: it is multiplied by the size of the weights (true)"},
     CHOICE,
     AT(relative_scale),
     0,
     0},
    {{"step_clip", "X", "adafactor: largest root mean square of a step (1)"}, NUMBER, AT(step_clip), 1e-6, MANY},
    {{"decay_exponent", "X", "adafactor: squares are averaged with weight step^-X (0.8)"},
     NUMBER,
     AT(decay_exponent),
     1e-6,
     1},
    {{"clip", "X", "length of the whole gradient, at most (1); 0: any"}, NUMBER, AT(clip), 0, MANY},
    {{"average", "X", "decay of the average of the weights that is kept and saved; 0: none (0)"},
     NUMBER,
     AT(average),
     0,
     0.999999},
    {{"reduction", "tokens|examples", "the loss is the mean over all tokens, or over rows of their means (tokens)"},
     CHOICE,
     AT(reduction),
     0,
     0},
    {{"label_smoothing", "X", "(0)"}, NUMBER, AT(label_smoothing), 0, 0.99},
    {{"dropout", "X", "share of what the decoder's layers add that is left out (0)"}, NUMBER, AT(dropout), 0, 0.99},
    {{"compute", "auto|f32|bf16", "how products are computed (auto: bf16 where weights are, and the processor can)"},
     CHOICE,
     AT(compute),
     0,
     0},
    {{"device", "cpu|cuda|cuda:N",
      "where is computed, with weights, gradients and what the optimizer remembers in its memory (cpu)"},
     TEXT,
     AT(device),
     0,
     0},
    {{"checkpointing", NULL, "keep only the inputs of layers and compute the rest again: less memory, more time"},
     BOOLEAN,
     AT(checkpointing),
     0,
     0},
    {{"threads", "N", "(one per physical core)"}, INTEGER, AT(threads), 0, 1024},
    {{"loader_threads", "N", "threads that prepare rows (0: 1, or as many as \"threads\" says if a device computes)"},
     INTEGER,
     AT(loader_threads),
     0,
     256},
    {{"seed", "N", "of everything random (0)"}, INTEGER, AT(seed), 0, MANY},

    {{"crop", "X", "cut pictures at random, leaving at least this part of their area; boxes move along (0: off)"},
     NUMBER,
     AT(crop),
     0,
     1},
    {{"flip", "X", "probability of mirroring a picture (0)"}, NUMBER, AT(flip), 0, 1},
    {{"brightness", "X", "vary it by a factor of 1 - X to 1 + X (0)"}, NUMBER, AT(brightness), 0, 0.99},
    {{"contrast", "X", "(0)"}, NUMBER, AT(contrast), 0, 0.99},
    {{"saturation", "X", "(0)"}, NUMBER, AT(saturation), 0, 0.99},
    {{"style", "task|text|chat",
      "how prompts are written: as PaliGemma's tasks, as text to be continued, as a turn of Gemma's chat (task)"},
     CHOICE,
     AT(style),
     0,
     0},
    {{"long_rows", "truncate|skip", "what becomes of rows longer than text_length (truncate)"},
     CHOICE,
     AT(long_rows),
     0,
     0},
    {{"bad_share", "X", "share of rows that may be unreadable (0.01)"}, NUMBER, AT(bad_share), 0, 1},

    {{"validate_every", "N", "steps between measurements of the validation rows (0: at the end)"},
     INTEGER,
     AT(validate_every),
     0,
     MANY},
    {{"validation_rows", "N", "as many of them, at most, of several files some of each (0: all)"},
     INTEGER,
     AT(validation_rows),
     0,
     MANY},
    {{"patience", "N", "stop after so many measurements without a better one (0: never)"},
     INTEGER,
     AT(patience),
     0,
     MANY},
    {{"save_every", "N", "steps between checkpoints (100; 0: at the end)"}, INTEGER, AT(save_every), 0, MANY},
    {{"log_every", "N", "steps between lines of the curves (1)"}, INTEGER, AT(log_every), 1, MANY},
    {{"divergence", "X",
      "stop where the mean loss of 20 steps exceeds X times the lowest such mean by more than 1; 0: only where it is "
      "not a "
      "number (3)"},
     NUMBER,
     AT(divergence),
     0,
     MANY},
    {{"dtype", "stored|f32|bf16|f16", "of the weights that are saved as a model (stored: as in the model)"},
     CHOICE,
     AT(dtype),
     0,
     0},
};
#define SETTINGS (sizeof settings / sizeof *settings)

const pg_train_setting *pg_train_setting_at(size_t i)
{
    return i < SETTINGS ? &settings[i].shown : NULL;
}

pg_status pg_train_config_new(pg_train_config **out)
{
    pg_train_config *config = *out = pg_alloc(1, sizeof *config);
    if (!config)
        return PG_ERROR_MEMORY;
    config->beta = 0.1;
    config->lora_rank = 8;
    config->lora_alpha = 16;
    config->lora_dropout = 0.05;
    config->epochs = 1;
    config->batch = 8;
    config->text_length = 128;
    config->learning_rate = 1e-5;
    config->warmup = 0.05;
    config->beta1 = 0.9;
    config->beta2 = 0.999;
    config->epsilon = 1e-8;
    config->timescale = 10000;
    config->step_clip = 1;
    config->decay_exponent = 0.8;
    config->clip = 1;
    config->bad_share = 0.01;
    config->save_every = 100;
    config->log_every = 1;
    config->divergence = 3;
    return PG_OK;
}

/* ---------------------------------------------------------------- data sets */

static void free_data(pg_data_setting *data)
{
    char *const texts[] = {data->path,   data->kind,        data->images,    data->split,
                           data->prefix, data->annotations, data->image_name};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        pg_free(texts[i]);
    *data = (pg_data_setting){0};
}

static void free_list(pg_data_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free_data(&list->items[i]);
    pg_free(list->items);
    *list = (pg_data_list){0};
}

static pg_status set_text(char **out, const char *value, size_t size)
{
    char *copy = pg_copy_text(value, size);
    if (!copy)
        return PG_ERROR_MEMORY;
    pg_free(*out);
    *out = copy;
    return PG_OK;
}

static pg_status parse_number(double *out, const char *name, const char *value, double low, double high)
{
    char *end;
    double number = pg_read_real(value, &end);
    if (end == value || *end || !(number >= low && number <= high))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: \"%s\" is not a number from %g to %g", name, value, low, high);
    *out = number;
    return PG_OK;
}

static pg_status parse_integer(int64_t *out, const char *name, const char *value, double low, double high)
{
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno || end == value || *end || !((double)number >= low && (double)number <= high))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: \"%s\" is not a whole number from %g to %g", name, value, low, high);
    *out = number;
    return PG_OK;
}

static pg_status parse_boolean(bool *out, const char *name, const char *value)
{
    *out = !strcmp(value, "true") || !strcmp(value, "1");
    if (!*out && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: \"%s\" is neither true nor false", name, value);
    return PG_OK;
}

/* The text field of a data setting of that name, or NULL. */
static char **data_field(pg_data_setting *data, const char *key, size_t size)
{
    const struct {
        const char *key;
        char **field;
    } fields[] = {{"path", &data->path},
                  {"kind", &data->kind},
                  {"images", &data->images},
                  {"split", &data->split},
                  {"prefix", &data->prefix},
                  {"annotations", &data->annotations},
                  {"image_name", &data->image_name}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strlen(fields[i].key) == size && !strncmp(fields[i].key, key, size))
            return fields[i].field;
    return NULL;
}

static pg_status set_data_field(pg_data_setting *data, const char *key, size_t key_size, const char *value, size_t size)
{
    char number[64];
    char **text = data_field(data, key, key_size);
    if (text)
        return set_text(text, value, size);
    snprintf(number, sizeof number, "%.*s", (int)(size < sizeof number - 1 ? size : sizeof number - 1), value);
    if (key_size == 6 && !strncmp(key, "weight", 6))
        return parse_number(&data->weight, "weight", number, 0, MANY);
    if (key_size == 11 && !strncmp(key, "bpe_dropout", 11))
        return parse_number(&data->bpe_dropout, "bpe_dropout", number, 0, 1);
    if (key_size == 6 && !strncmp(key, "repeat", 6))
        return parse_integer(&data->repeat, "repeat", number, 0, MANY);
    if (key_size == 8 && !strncmp(key, "together", 8))
        return parse_boolean(&data->together, "together", number);
    return pg_fail(PG_ERROR_ARGUMENT,
                   "\"%.*s\" is nothing that data has; it has path, kind, images, split, prefix, annotations, "
                   "image_name, weight, bpe_dropout, repeat and together",
                   (int)key_size, key);
}

static pg_status parse_data(pg_data_setting *data, const char *value)
{
    size_t size = strcspn(value, ",");
    PG_TRY(set_text(&data->path, value, size));
    for (value += size; *value; value += size) {
        value++;
        size = strcspn(value, ",");
        const char *equals = memchr(value, '=', size);
        if (!equals)
            return pg_fail(PG_ERROR_ARGUMENT, "data: \"%.*s\" is not key=value", (int)size, value);
        size_t key = (size_t)(equals - value);
        PG_TRY(set_data_field(data, value, key, equals + 1, size - key - 1));
    }
    return PG_OK;
}

static pg_status add_data(pg_data_list *list, pg_data_setting **out)
{
    PG_TRY(pg_grow((void **)&list->items, &list->capacity, list->count + 1, sizeof *list->items));
    *out = &list->items[list->count++];
    **out = (pg_data_setting){0};
    return PG_OK;
}

/* ---------------------------------------------------------------- values as text */

static pg_status parse_choice(int *out, const setting *s, const char *value)
{
    const char *name = s->shown.argument;
    for (int index = 0;; index++) {
        size_t size = strcspn(name, "|");
        if (size == strlen(value) && !memcmp(name, value, size)) {
            *out = index;
            return PG_OK;
        }
        if (!name[size])
            return pg_fail(PG_ERROR_ARGUMENT, "%s: \"%s\" is none of %s", s->shown.name, value, s->shown.argument);
        name += size + 1;
    }
}

/* Dashes count as underscores, as flags have them. */
static bool same_name(const char *given, const char *name)
{
    for (; *given && *name; given++, name++)
        if (*given != *name && !(*given == '-' && *name == '_'))
            return false;
    return !*given && !*name;
}

static pg_status find_setting(const setting **out, const char *name)
{
    const setting *nearest = settings;
    for (size_t i = 0; i < SETTINGS; i++) {
        if (same_name(name, settings[i].shown.name)) {
            *out = &settings[i];
            return PG_OK;
        }
        if (pg_edits(name, settings[i].shown.name, false) < pg_edits(name, nearest->shown.name, false))
            nearest = &settings[i];
    }
    return pg_fail(PG_ERROR_ARGUMENT, "there is no setting \"%s\"; the nearest is \"%s\"", name, nearest->shown.name);
}

pg_status pg_train_config_set(pg_train_config *config, const char *name, const char *value)
{
    const setting *s;
    pg_data_setting *data;
    PG_TRY(find_setting(&s, name));
    if (pg_utf8_check(value, strlen(value)) != strlen(value)) /* config.json could not hold it */
        return pg_fail(PG_ERROR_ARGUMENT, "%s: the text is not UTF-8", name);
    char *field = (char *)config + s->offset;
    switch (s->kind) {
    case TEXT: return set_text((char **)(void *)field, value, SIZE_MAX);
    case CHOICE: return parse_choice((int *)(void *)field, s, value);
    case INTEGER: return parse_integer((int64_t *)(void *)field, s->shown.name, value, s->low, s->high);
    case NUMBER: return parse_number((double *)(void *)field, s->shown.name, value, s->low, s->high);
    case BOOLEAN: return parse_boolean((bool *)field, s->shown.name, value);
    case DATA: PG_TRY(add_data((pg_data_list *)(void *)field, &data)); return parse_data(data, value);
    }
    return PG_OK;
}

const char *pg_train_config_text(const pg_train_config *config, const char *name)
{
    const setting *s;
    if (find_setting(&s, name) != PG_OK || s->kind != TEXT)
        return NULL;
    return *(char *const *)(const void *)((const char *)config + s->offset);
}

void pg_train_config_free(pg_train_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < SETTINGS; i++) {
        char *field = (char *)config + settings[i].offset;
        if (settings[i].kind == TEXT)
            pg_free(*(char **)(void *)field);
        else if (settings[i].kind == DATA)
            free_list((pg_data_list *)(void *)field);
    }
    pg_free(config);
}

/* ---------------------------------------------------------------- what is usual */

static bool have_masks(const pg_data_list *list)
{
    static const pg_data_kind kinds[] = {PG_DATA_COCO_SEGMENT, PG_DATA_MASK_FOLDERS};
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; list->items[i].kind && k < sizeof kinds / sizeof *kinds; k++)
            if (!strcmp(list->items[i].kind, pg_data_kind_name(kinds[k])))
                return true;
    return false;
}

pg_status pg_train_config_complete(pg_train_config *config, const char *folder)
{
    bool pictures = config->objective == PG_OBJECTIVE_SIGLIP;
    if (!config->model && config->objective != PG_OBJECTIVE_MASKCODEC) {
        pg_status status = folder ? set_text(&config->model, folder, SIZE_MAX)
                                  : pg_default_model(&config->model, pictures ? PG_MODEL_SIGLIP : PG_MODEL_PALIGEMMA);
        if (status != PG_OK)
            return pg_fail_context(status, "model: not given; it is the folder of the model to start from");
    }
    if (!config->codec && config->model && (have_masks(&config->data) || have_masks(&config->validation))) {
        PG_TRY(pg_mask_codec_find(&config->codec, config->model));
        if (!config->codec)
            return pg_fail(PG_ERROR_FILE,
                           "codec: not given; it is the file of the mask codec that makes <seg> tokens, "
                           "and there is none in %s",
                           config->model);
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- JSON */

static pg_status value_text(char *out, size_t size, const char *key, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_INTEGER: snprintf(out, size, "%lld", (long long)json_integer_value(value)); return PG_OK;
    case JSON_REAL: pg_print(out, size, "%.17g", json_real_value(value)); return PG_OK;
    case JSON_TRUE: snprintf(out, size, "true"); return PG_OK;
    case JSON_FALSE: snprintf(out, size, "false"); return PG_OK;
    default: return pg_fail(PG_ERROR_FORMAT, "\"%s\" is neither text nor number nor true nor false", key);
    }
}

static pg_status set_data_object(pg_data_list *list, json_t *object)
{
    pg_data_setting *data;
    const char *key;
    json_t *value;
    PG_TRY(add_data(list, &data));
    json_object_foreach(object, key, value)
    {
        char number[64];
        const char *text = json_string_value(value);
        if (!text)
            PG_TRY(value_text(number, sizeof number, key, value));
        text = text ? text : number;
        PG_TRY(set_data_field(data, key, strlen(key), text, strlen(text)));
    }
    return data->path ? PG_OK : pg_fail(PG_ERROR_FORMAT, "data: an object without \"path\"");
}

/* A text, an object, or a list of them, instead of what is there. */
static pg_status set_data(pg_train_config *config, const setting *s, json_t *value)
{
    pg_data_list *list = (pg_data_list *)(void *)((char *)config + s->offset);
    free_list(list);
    for (size_t i = 0; i < (json_is_array(value) ? json_array_size(value) : 1); i++) {
        json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (json_is_object(item))
            PG_TRY(set_data_object(list, item));
        else if (json_is_string(item))
            PG_TRY(pg_train_config_set(config, s->shown.name, json_string_value(item)));
        else
            return pg_fail(PG_ERROR_FORMAT, "%s: expected file names, or objects with \"path\"", s->shown.name);
    }
    return PG_OK;
}

pg_status pg_train_config_set_json(pg_train_config *config, const char *key, json_t *value)
{
    const setting *s;
    char text[64];
    PG_TRY(find_setting(&s, key));
    if (json_is_null(value))
        return PG_OK;
    if (s->kind == DATA)
        return set_data(config, s, value);
    if (json_is_string(value))
        return pg_train_config_set(config, key, json_string_value(value));
    PG_TRY(value_text(text, sizeof text, key, value));
    return pg_train_config_set(config, key, text);
}

pg_status pg_train_config_use(pg_train_config *config, const char *recipe)
{
    const pg_recipe *pairs = pg_recipe_find(recipe);
    if (!pairs)
        return pg_fail(PG_ERROR_ARGUMENT, "there is no recipe \"%s\"; there are " PG_RECIPE_NAMES, recipe);
    for (; (*pairs)[0]; pairs++)
        PG_TRY(pg_train_config_set(config, (*pairs)[0], (*pairs)[1]));
    return set_text(&config->recipe, recipe, SIZE_MAX);
}

pg_status pg_train_config_load(pg_train_config *config, const char *path)
{
    json_t *object, *value;
    const char *key;
    PG_TRY(pg_json_load(&object, path));
    pg_status status = PG_OK;
    if (!json_is_object(object))
        status = pg_fail(PG_ERROR_FORMAT, "expected an object");
    const char *recipe = json_string_value(json_object_get(object, "recipe"));
    if (status == PG_OK && recipe)
        status = pg_train_config_use(config, recipe);
    json_object_foreach(object, key, value)
    {
        if (status == PG_OK)
            status = pg_train_config_set_json(config, key, value);
    }
    json_decref(object);
    return status == PG_OK ? PG_OK : pg_fail_context(status, "%s", path);
}

static json_t *data_json(const pg_data_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const pg_data_setting *d = &list->items[i];
        json_array_append_new(array,
                              json_pack("{s:s*,s:s*,s:s*,s:s*,s:s*,s:s*,s:s*,s:f,s:I,s:o*,s:o*}", "path", d->path,
                                        "kind", d->kind, "images", d->images, "split", d->split, "prefix", d->prefix,
                                        "annotations", d->annotations, "image_name", d->image_name, "weight", d->weight,
                                        "repeat", (json_int_t)d->repeat, "together", d->together ? json_true() : NULL,
                                        "bpe_dropout", d->bpe_dropout > 0 ? json_real(d->bpe_dropout) : NULL));
    }
    return array;
}

static json_t *choice_json(const char *choices, int index)
{
    for (; index > 0; index--)
        choices += strcspn(choices, "|") + 1;
    return json_stringn(choices, strcspn(choices, "|"));
}

pg_status pg_train_config_json(json_t **out, const pg_train_config *config)
{
    json_t *object = *out = json_object();
    for (size_t i = 0; object && i < SETTINGS; i++) {
        const setting *s = &settings[i];
        const char *field = (const char *)config + s->offset;
        const char *text = s->kind == TEXT ? *(char *const *)(const void *)field : NULL;
        json_t *value = NULL;
        switch (s->kind) {
        case TEXT: value = text ? json_string(text) : json_null(); break;
        case DATA: value = data_json((const pg_data_list *)(const void *)field); break;
        case CHOICE: value = choice_json(s->shown.argument, *(const int *)(const void *)field); break;
        case INTEGER: value = json_integer(*(const int64_t *)(const void *)field); break;
        case NUMBER: value = json_real(*(const double *)(const void *)field); break;
        case BOOLEAN: value = json_boolean(*(const bool *)field); break;
        }
        if (json_object_set_new(object, s->shown.name, value) != 0) {
            json_decref(object);
            object = *out = NULL;
        }
    }
    return object ? PG_OK : pg_fail(PG_ERROR_MEMORY, "out of memory");
}
