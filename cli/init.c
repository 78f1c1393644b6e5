/* paligemma init: an untrained model, a PaliGemma joined from a SigLIP and a Gemma, or a model for other pictures. */
#include <stdlib.h>

#include "commands.h"
#include "fetching.h"
#include "saving.h"

typedef struct init_settings {
    const char *config, *tokenizer, *from, *vision, *text;
    uint64_t seed;
    int64_t image_size;
    bool smooth_locations;
    pg_cli_saving saving;
} init_settings;

static const pg_cli_option source_options[] = {
    {"config", 0, "FILE", PG_CLI_TEXT, offsetof(init_settings, config), "config.json of the model to be made", 0, 0},
    {"tokenizer", 0, "FOLDER", PG_CLI_TEXT, offsetof(init_settings, tokenizer),
     "its tokenizer; all files there but weights and config.json are copied", 0, 0},
    {"from", 0, "FOLDER", PG_CLI_TEXT, offsetof(init_settings, from),
     "take all of this model, files too, but for what other options name", 0, 0},
    {"from-vision", 0, "FOLDER", PG_CLI_TEXT, offsetof(init_settings, vision),
     "take the vision tower of this model (SigLIP or PaliGemma)", 0, 0},
    {"from-text", 0, "FOLDER", PG_CLI_TEXT, offsetof(init_settings, text),
     "take the decoder of this model (Gemma or PaliGemma)", 0, 0},
    {"image-size", 0, "PIXELS", PG_CLI_INTEGER, offsetof(init_settings, image_size),
     "side of the square picture; positions of patches are interpolated to it", 1, 0x1p14},
    {"smooth-locations", 0, NULL, PG_CLI_FLAG, offsetof(init_settings, smooth_locations),
     "new location tokens start out like their neighbours", 0, 0},
    {"seed", 0, "N", PG_CLI_INTEGER, offsetof(init_settings, seed), "where random values start (default: 0)", 0,
     0x1p63},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", source_options, 0},
    {"Result", pg_cli_saving_options, offsetof(init_settings, saving)},
    {0},
};

/* Models may be named by their names on the hub. */
static int fetch_parts(pg_create_options *options)
{
    const char **names[] = {&options->from, &options->vision, &options->text, &options->tokenizer};
    int code = PG_CLI_DONE;
    for (size_t i = 0; code == PG_CLI_DONE && i < sizeof names / sizeof *names; i++)
        code = pg_cli_fetch(names[i]);
    return code;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const init_settings *settings = memory;
    pg_save_options saving;
    pg_create_options options;
    pg_cli_progress progress = {0};
    int code;
    (void)operands;
    PG_CLI_TRY(pg_cli_saving_read(&saving, command, &settings->saving, &progress));
    if (!settings->config && !settings->from && !(settings->vision && settings->text && settings->tokenizer))
        return pg_cli_usage(command, "no model: give --config FILE, --from FOLDER, or --from-vision, --from-text and "
                                     "--tokenizer");
    pg_create_options_init(&options);
    options.config = settings->config;
    options.tokenizer = settings->tokenizer;
    options.from = settings->from;
    options.vision = settings->vision;
    options.text = settings->text;
    options.image_size = (size_t)settings->image_size;
    options.smooth_locations = settings->smooth_locations;
    options.seed = settings->seed;
    options.dtype = saving.dtype;
    options.shard_size = saving.shard_size;
    options.on_progress = saving.on_progress;
    options.user = saving.user;
    PG_CLI_TRY(fetch_parts(&options));
    PG_CLI_TRY(pg_cli_check(pg_model_create(settings->saving.out, &options)));
done:
    pg_cli_progress_clear(&progress);
    return code;
}

const pg_cli_command pg_cli_init = {
    .name = "init",
    .usage = "--config FILE|--from FOLDER|--from-vision FOLDER --from-text FOLDER [--tokenizer FOLDER] "
             "[--image-size PIXELS] --out FOLDER",
    .summary = "make an untrained model, or one for pictures of another size",
    .details =
        "Writes a model of random weights, as transformers starts them, that config.json describes. With --from-vision "
        "and --from-text, a PaliGemma of a SigLIP's vision tower and a Gemma's decoder: the projector is zero, the "
        "table of tokens grows to the tokenizer's size, and config.json is made where none is given. With --from and "
        "--image-size, the same model for pictures of another size, as PaliGemma's were made: 224 px, then 448 and "
        "896.",
    .groups = groups,
    .settings_size = sizeof(init_settings),
    .run = run,
};
