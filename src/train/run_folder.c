/* The folder of a run: whose it is, and what killed runs left in it. */
#include <string.h>

#include "base/file.h"
#include "train/trainer.h"

char *pg_trainer_path(const pg_trainer *trainer, const char *name)
{
    pg_buffer path = {0};
    return pg_file_join(&path, trainer->config->out, name) == PG_OK ? path.data : NULL;
}

/* Settings that may differ between the parts of a run: they change nothing that is computed, or its rounding alone. */
static bool may_differ(const char *key)
{
    static const char *const keys[] = {"out",           "threads",        "loader_threads",  "save_every",
                                       "log_every",     "bad_share",      "patience",        "divergence",
                                       "checkpointing", "validate_every", "validation_rows", "validation",
                                       "device",        "micro_batch"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(key, keys[i]))
            return true;
    return false;
}

static pg_status compare_config(const json_t *now, const char *path)
{
    json_t *then, *value;
    const char *key;
    PG_TRY(pg_json_load(&then, path));
    pg_status status = PG_OK;
    json_object_foreach(then, key, value)
    {
        if (status == PG_OK && !may_differ(key) && !json_equal(value, json_object_get(now, key)))
            status =
                pg_fail(PG_ERROR_ARGUMENT,
                        "%s: the run was begun with another \"%s\"; go on with the same settings, or choose another "
                        "folder",
                        path, key);
    }
    json_decref(then);
    return status;
}

/* A new run writes its settings, but not over those of something else, such as a model. */
static pg_status save_config(json_t *now, const char *path)
{
    json_t *then = NULL;
    if (pg_file_exists(path))
        PG_TRY(pg_json_load(&then, path));
    bool foreign = then && !json_object_get(then, "save_every");
    json_decref(then);
    if (foreign)
        return pg_fail(PG_ERROR_FILE, "%s: is not of a run; choose another folder for \"out\"", path);
    return pg_json_save(now, path);
}

/* config.json of a run that goes on must say the same; a new one is written. */
static pg_status settle_config(const pg_trainer *trainer, bool goes_on)
{
    json_t *json = NULL;
    char *path = pg_trainer_path(trainer, "config.json");
    pg_status status = path ? pg_train_config_json(&json, trainer->config) : PG_ERROR_MEMORY;
    if (status == PG_OK)
        status = goes_on ? compare_config(json, path) : save_config(json, path);
    json_decref(json);
    pg_free(path);
    return status;
}

pg_status pg_run_folder_open(pg_trainer *trainer)
{
    const char *out = trainer->config->out;
    bool taken;
    PG_TRY(pg_folder_make(out));
    PG_TRY(pg_folder_lock_take(&trainer->lock, &taken, out));
    if (!taken)
        return pg_fail(PG_ERROR_FILE,
                       "%s: another run is writing into this folder; wait for its end, or choose another for \"out\"",
                       out);
    PG_TRY(settle_config(trainer, pg_file_exists(trainer->checkpoint)));
    pg_folder_clean(out);
    return PG_OK;
}
