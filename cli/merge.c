/* paligemma merge: a full model out of a model and an adapter, or of two models. */
#include <stdlib.h>

#include "commands.h"
#include "engine.h"
#include "saving.h"

/* --with, --share */
typedef struct mixing {
    const char *with; /* NULL: nothing */
    double share;     /* negative: not named */
} mixing;

static const pg_cli_option mixing_options[] = {
    {"with", 0, "MODEL", PG_CLI_TEXT, offsetof(mixing, with),
     "a model with the same weights, to be mixed in: one that began from the same ones and learned something else", 0,
     0},
    {"share", 0, "X", PG_CLI_NUMBER, offsetof(mixing, share), "part of --with in every weight, 0 to 1 (0.5)", 0, 1},
    {0},
};

typedef struct merge_settings {
    pg_cli_source source;
    mixing mixing;
    pg_cli_saving saving;
} merge_settings;

static const pg_cli_group groups[] = {
    {"Model", pg_cli_source_options, offsetof(merge_settings, source)},
    {"Mixture", mixing_options, offsetof(merge_settings, mixing)},
    {"Result", pg_cli_saving_options, offsetof(merge_settings, saving)},
    {0},
};

static void init(void *memory)
{
    ((merge_settings *)memory)->mixing.share = -1;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const merge_settings *settings = memory;
    pg_cli_use use = {.source = settings->source,
                      .kinds = 1u << PG_MODEL_PALIGEMMA | 1u << PG_MODEL_GEMMA | 1u << PG_MODEL_SIGLIP};
    pg_cli_use other_use = {.source.model = settings->mixing.with, .kinds = use.kinds};
    pg_cli_engine engine = {0}, other = {0};
    pg_save_options options;
    pg_cli_progress progress = {0};
    int code;
    (void)operands;
    if (!settings->mixing.with && settings->mixing.share >= 0)
        return pg_cli_usage(command, "--share is a part of a second model: name it with --with MODEL");
    PG_CLI_TRY(pg_cli_saving_read(&options, command, &settings->saving, &progress));
    PG_CLI_TRY(pg_cli_engine_load(&engine, command, &use));
    if (settings->mixing.with)
        PG_CLI_TRY(pg_cli_engine_load(&other, command, &other_use));
    options.mix = other.model;
    options.share = settings->mixing.share < 0 ? 0.5 : settings->mixing.share;
    PG_CLI_TRY(pg_cli_check(pg_model_save(settings->saving.out, engine.model, &options)));
done:
    pg_cli_progress_clear(&progress);
    pg_cli_engine_close(&other);
    pg_cli_engine_close(&engine);
    return code;
}

const pg_cli_command pg_cli_merge = {
    .name = "merge",
    .usage = "[-m MODEL] [--adapter FOLDER] [--with MODEL [--share X]] --out FOLDER",
    .summary = "write a full model, an adapter or another model merged into it",
    .details = "Writes a new folder in the published layout: weights, with the adapter's additions computed in f32 and "
               "rounded once, and everything else copied. With --with, each weight is (1 - share) of the model's and "
               "share of the other's: between a model and what training on something new has made of it lie ones that "
               "can do most of both. Without either, the model in another dtype or in other shards. Quantised weights "
               "become floats.",
    .groups = groups,
    .settings_size = sizeof(merge_settings),
    .init = init,
    .run = run,
};
