/* What comes out of a run: models and adapters. */
#include <string.h>

#include "base/file.h"
#include "base/folder.h"
#include "train/mask_training.h"
#include "train/trainer.h"

static pg_status save_model(const char *folder, const pg_model *model, const pg_trainer *trainer)
{
    static const char *const dtypes[] = {[PG_SAVE_F32] = "F32", [PG_SAVE_BF16] = "BF16", [PG_SAVE_F16] = "F16"};
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
    pg_status status = trainer->codec                ? pg_mask_training_write(folder, trainer->codec, trainer->config)
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
