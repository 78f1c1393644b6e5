/* paligemma merge: a full model out of a model and an adapter. */
#include <stdlib.h>

#include "commands.h"
#include "engine.h"
#include "saving.h"

typedef struct merge_settings {
    pg_cli_source source;
    pg_cli_saving saving;
} merge_settings;

static const pg_cli_group groups[] = {
    {"Model", pg_cli_source_options, offsetof(merge_settings, source)},
    {"Result", pg_cli_saving_options, offsetof(merge_settings, saving)},
    {0},
};

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const merge_settings *settings = memory;
    pg_cli_use use = {.source = settings->source,
                      .kinds = 1u << PG_MODEL_PALIGEMMA | 1u << PG_MODEL_GEMMA | 1u << PG_MODEL_SIGLIP};
    pg_cli_engine engine = {0};
    pg_save_options options;
    pg_cli_progress progress = {0};
    int code;
    (void)operands;
    PG_CLI_TRY(pg_cli_saving_read(&options, command, &settings->saving, &progress));
    PG_CLI_TRY(pg_cli_engine_load(&engine, command, &use));
    PG_CLI_TRY(pg_cli_check(pg_model_save(settings->saving.out, engine.model, &options)));
done:
    pg_cli_progress_clear(&progress);
    pg_cli_engine_close(&engine);
    return code;
}

const pg_cli_command pg_cli_merge = {
    .name = "merge",
    .usage = "[-m MODEL] --adapter FOLDER --out FOLDER",
    .summary = "write a full model, an adapter merged into it",
    .details = "Writes a new folder in the published layout: weights, with the adapter's additions computed in f32 and "
               "rounded once, and everything else copied. Without --adapter, the model in another dtype or in other "
               "shards; quantised weights become floats.",
    .groups = groups,
    .settings_size = sizeof(merge_settings),
    .run = run,
};
