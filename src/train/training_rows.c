/* The rows of a run: data sets as they were named, mixed. */
#include <string.h>

#include "base/threads.h"
#include "data/dataset.h"
#include "train/trainer.h"

#define AHEAD_MOST 32768 /* rows that are made ahead of a step */

static pg_status find_kind(pg_data_kind *out, const char *name)
{
    *out = PG_DATA_AUTO;
    for (int kind = 0; name && pg_data_kind_name((pg_data_kind)kind); kind++)
        if (!strcmp(name, pg_data_kind_name((pg_data_kind)kind))) {
            *out = (pg_data_kind)kind;
            return PG_OK;
        }
    return name ? pg_fail(PG_ERROR_ARGUMENT, "data: there is no kind \"%s\"", name) : PG_OK;
}

/* Masks become <seg> tokens through one codec for all sets, opened with the first that needs it. */
static pg_status use_codec(pg_dataset_options *options, pg_rows *rows, const pg_train_config *config)
{
    if (options->kind != PG_DATA_COCO_SEGMENT && options->kind != PG_DATA_MASK_FOLDERS)
        return PG_OK;
    if (!config->codec)
        return pg_fail(PG_ERROR_ARGUMENT, "codec: not given; it is the mask codec's file, through which masks become "
                                          "<seg> tokens");
    if (!rows->codec)
        PG_TRY(pg_mask_codec_open(&rows->codec, config->codec));
    options->encode_mask = pg_mask_codec_encode_view;
    options->user = rows->codec;
    return PG_OK;
}

/* Of a folder that has several parts, those who validate mean the one that is for it. */
static const char *split_of(const pg_data_setting *setting, bool training)
{
    static const char *const names[] = {"valid", "validation"};
    if (setting->split || training || setting->kind)
        return setting->split;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (pg_dataset_has_split(setting->path, names[i]))
            return names[i];
    return NULL;
}

static pg_status read_options(pg_dataset_options *options, const pg_data_setting *setting,
                              const pg_objective *objective, const pg_label_table *classes, bool training)
{
    pg_dataset_options_init(options);
    PG_TRY(find_kind(&options->kind, setting->kind));
    if (!setting->kind && objective->kind == PG_OBJECTIVE_MASKCODEC)
        options->kind = PG_DATA_MASKS;
    options->images = setting->images;
    options->split = split_of(setting, training);
    options->prefix = setting->prefix;
    options->annotations = setting->annotations;
    options->image_name = setting->image_name;
    options->together = setting->together;
    options->bpe_dropout = setting->bpe_dropout;
    options->labels = classes ? (const char *const *)classes->names : NULL;
    options->label_count = classes ? classes->count : 0;
    return PG_OK;
}

static pg_status open_set(pg_rows *rows, const pg_data_setting *setting, const pg_train_config *config,
                          const pg_objective *objective, const pg_label_table *classes, bool training)
{
    pg_dataset_options options;
    size_t i = rows->count++; /* at once: a set that was opened and does not fit is closed with the others */
    PG_TRY(read_options(&options, setting, objective, classes, training));
    PG_TRY(use_codec(&options, rows, config));
    PG_TRY(pg_dataset_open(&rows->sets[i], setting->path, &options));
    rows->parts[i] = (pg_mixture_part){.dataset = rows->sets[i],
                                       .weight = training ? setting->weight : 0, /* all are measured, once */
                                       .repeat = (uint64_t)setting->repeat};
    pg_status status = pg_objective_check(objective, pg_dataset_row_kind(rows->sets[i]));
    return status == PG_OK ? PG_OK : pg_fail_context(status, "%s", setting->path);
}

pg_status pg_rows_open(pg_rows *out, const pg_train_config *config, bool training, const pg_objective *objective,
                       const pg_label_table *classes)
{
    const pg_data_list *list = training ? &config->data : &config->validation;
    *out =
        (pg_rows){.sets = pg_alloc(list->count, sizeof *out->sets), .parts = pg_alloc(list->count, sizeof *out->parts)};
    if (!out->sets || !out->parts)
        return PG_ERROR_MEMORY;
    while (out->count < list->count)
        PG_TRY(open_set(out, &list->items[out->count], config, objective, classes, training));
    if (!out->count)
        return PG_OK;
    bool some = config->validation_rows > 0 && out->count > 1; /* of each set, then */
    return pg_mixture_new(&out->mixture, out->parts, out->count, training ? (uint64_t)config->seed : 0,
                          training || some);
}

void pg_rows_close(pg_rows *rows)
{
    pg_mixture_free(rows->mixture);
    for (size_t i = 0; i < rows->count; i++)
        pg_dataset_close(rows->sets[i]);
    pg_mask_codec_close(rows->codec);
    pg_free(rows->sets);
    pg_free(rows->parts);
    *rows = (pg_rows){0};
}

/* Of a row with a text for one model and a picture for another, each says how it takes its own. */
static pg_status use_models(pg_loader_options *out, const pg_objective *objective)
{
    if (!objective->model)
        return PG_OK;
    bool two = objective->kind == PG_OBJECTIVE_CLASSIFIER && objective->other;
    PG_TRY(pg_loader_options_use_model(out, two ? objective->other : objective->model));
    if (two)
        out->image_size = pg_model_image_size(objective->model);
    return PG_OK;
}

/* A device leaves the processor's cores to the rows; else they compute. */
static int row_threads(const pg_train_config *config)
{
    bool device = config->device && strcmp(config->device, "cpu") != 0;
    int64_t threads = config->loader_threads;
    if (!threads && device)
        threads = config->threads ? config->threads : pg_threads_default();
    return threads > PG_THREADS_MAX ? PG_THREADS_MAX : threads ? (int)threads : 1;
}

pg_status pg_rows_options(pg_loader_options *out, const pg_objective *objective, const pg_train_config *config,
                          bool training)
{
    pg_loader_options_init(out);
    PG_TRY(use_models(out, objective));
    out->text_length = (size_t)config->text_length;
    out->threads = row_threads(config);
    out->ahead = config->batch < AHEAD_MOST ? (size_t)config->batch * 2 + 16 : AHEAD_MOST;
    out->long_rows = config->long_rows ? PG_LONG_SKIP : PG_LONG_TRUNCATE;
    out->bad_share = config->bad_share;
    out->seed = (uint64_t)config->seed;
    out->style = (pg_prompt_style)config->style;
    if (training)
        out->augment = (pg_augmentation){.crop = config->crop,
                                         .flip = config->flip,
                                         .brightness = config->brightness,
                                         .contrast = config->contrast,
                                         .saturation = config->saturation};
    return PG_OK;
}
