/* What comes out of a run: models and adapters, and the gradients of one batch. */
#include <string.h>

#include "base/file.h"
#include "base/folder.h"
#include "train/mask_training.h"
#include "train/trainer.h"

/* ---------------------------------------------------------------- models and adapters */

static pg_status save_model(const char *folder, const pg_model *model, const pg_trainer *trainer)
{
    static const char *const dtypes[] = {NULL, "F32", "BF16", "F16"};
    pg_save_options options;
    pg_save_options_init(&options);
    options.dtype = dtypes[trainer->config->dtype];
    options.threads = trainer->g.threads;
    options.replace = true;
    return pg_model_save(folder, model, &options);
}

static pg_status save_part(const char *folder, const char *name, const pg_trainer *trainer)
{
    pg_buffer path = {0};
    pg_status status = pg_file_join(&path, folder, name);
    if (status == PG_OK)
        status = trainer->head && !strcmp(name, PG_HEAD_FILE) ? pg_classifier_save(trainer->head, path.data)
                                                              : save_model(path.data, trainer->other, trainer);
    pg_buffer_free(&path);
    return status;
}

/* The head, and beside it those models or the adapter that were trained with it. */
static pg_status save_classifier(const char *folder, const pg_trainer *trainer)
{
    const pg_trainable *trained = trainer->trainable;
    if (trained->model_count)
        PG_TRY(save_model(folder, trainer->model, trainer));
    if (trained->adapter)
        PG_TRY(pg_adapter_write(trained->adapter, folder));
    if (trained->other_count)
        PG_TRY(save_part(folder, "text_model", trainer));
    return save_part(folder, PG_HEAD_FILE, trainer);
}

static pg_status replace_classifier(const char *folder, const pg_trainer *trainer)
{
    pg_folder_writer writer;
    PG_TRY(pg_folder_writer_replace(&writer, folder));
    pg_status status = save_classifier(writer.partial.data, trainer);
    if (status == PG_OK)
        return pg_folder_writer_commit(&writer);
    pg_folder_writer_abort(&writer);
    return status;
}

pg_status pg_trainer_write(const char *folder, pg_trainer *trainer)
{
    pg_trainable_use(trainer->trainable, trainer->optimizer);
    pg_status status = trainer->codec                ? pg_mask_training_write(folder, trainer->codec)
                       : trainer->head               ? replace_classifier(folder, trainer)
                       : trainer->trainable->adapter ? pg_adapter_save(trainer->trainable->adapter, folder, true)
                                                     : save_model(folder, trainer->model, trainer);
    pg_trainable_use(trainer->trainable, NULL);
    return status;
}

pg_status pg_trainer_export(const char *folder, pg_trainer *trainer)
{
    if (pg_file_exists(folder))
        return pg_fail(PG_ERROR_FILE, "%s: is there already", folder);
    return pg_trainer_write(folder, trainer);
}

/* ---------------------------------------------------------------- gradients */

/* All rows in their order are the batch. */
static pg_status open_all_rows(pg_trainer *trainer)
{
    PG_TRY(pg_trainer_open_parts(trainer));
    pg_mixture_free(trainer->train.mixture);
    trainer->train.mixture = NULL;
    PG_TRY(pg_mixture_new(&trainer->train.mixture, trainer->train.parts, trainer->train.count, 0, false));
    pg_free(trainer->batch);
    trainer->config->batch = (int64_t)pg_mixture_count(trainer->train.mixture);
    trainer->batch = pg_alloc((size_t)trainer->config->batch, sizeof *trainer->batch);
    return trainer->batch ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status take_all_rows(pg_trainer *trainer)
{
    pg_loader_options options;
    PG_TRY(pg_rows_options(&options, &trainer->objective, trainer->config, false));
    options.end = (uint64_t)trainer->config->batch;
    options.bad_share = 0;
    PG_TRY(pg_loader_open(&trainer->loader, trainer->train.mixture, &options));
    return pg_trainer_take_batch(trainer);
}

static pg_status save_gradients(const char *path, const pg_trainer *trainer, float loss)
{
    size_t count = trainer->trainable->count;
    pg_array *arrays = pg_alloc(count + 1, sizeof *arrays);
    char(*names)[192] = pg_alloc(count, sizeof *names);
    pg_status status = arrays && names ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; status == PG_OK && i < count; i++) {
        const pg_trained_place *place = &trainer->trainable->places[i];
        snprintf(names[i], sizeof names[i], "grad.%s", place->name);
        arrays[i] = (pg_array){.name = names[i],
                               .dtype = PG_F32,
                               .dimensions = place->dimensions,
                               .data = trainer->trainable->tensors[i].grad};
        memcpy(arrays[i].shape, place->shape, sizeof place->shape);
        pg_array_size(&arrays[i].bytes, &arrays[i]);
    }
    if (status == PG_OK) {
        arrays[count] = (pg_array){.name = "loss", .dtype = PG_F32, .data = &loss, .bytes = sizeof loss};
        status = pg_safetensors_save(path, arrays, count + 1);
    }
    pg_free(arrays);
    pg_free(names);
    return status;
}

pg_status pg_train_gradients(const char *path, const pg_train_config *config)
{
    pg_score score;
    PG_TRY(pg_train_config_check(config, false));
    pg_trainer *trainer = pg_alloc(1, sizeof *trainer);
    if (!trainer)
        return PG_ERROR_MEMORY;
    pg_status status = pg_train_config_copy(&trainer->config, config);
    if (status == PG_OK)
        status = open_all_rows(trainer);
    if (status == PG_OK)
        status = take_all_rows(trainer);
    if (status == PG_OK)
        status = pg_objective_run(&score, &trainer->g, &trainer->objective, trainer->batch,
                                  (size_t)trainer->config->batch, 0);
    if (status == PG_OK && trainer->codec)
        status = pg_mask_publish_gradients(trainer->trainable);
    if (status == PG_OK)
        status = save_gradients(path, trainer, (float)score.loss);
    pg_trainer_close(trainer);
    return status;
}
