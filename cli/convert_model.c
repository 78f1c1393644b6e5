/* paligemma convert: a model in the layout of another program, or back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "commands.h"
#include "engine.h"
#include "fetching.h"
#include "saving.h"

typedef struct convert_settings {
    pg_cli_source source;
    pg_cli_saving saving;
    const char *tokenizer, *config;
    int to;
    bool compress, no_check, json;
    int64_t threads;
} convert_settings;

static const pg_cli_option result_options[] = {
    {"to", 0, "auto|safetensors|npz|gguf", PG_CLI_CHOICE, offsetof(convert_settings, to),
     "layout of the result (default: auto, by the name's ending)", 0, 0},
    {"compress", 0, NULL, PG_CLI_FLAG, offsetof(convert_settings, compress), "deflate an .npz", 0, 0},
    {"no-check", 0, NULL, PG_CLI_FLAG, offsetof(convert_settings, no_check),
     "do not read the result again to compare it", 0, 0},
    {0},
};

static const pg_cli_option source_options[] = {
    {"model", 'm', "MODEL", PG_CLI_TEXT, offsetof(convert_settings, source.model),
     "folder in the published layout, ORG/NAME on the hub, or an .npz file (default: $PALIGEMMA_MODEL)", 0, 0},
    {"adapter", 0, "FOLDER", PG_CLI_TEXT, offsetof(convert_settings, source.adapter),
     "a LoRA adapter in PEFT's layout, added to the model's weights", 0, 0},
    {"tokenizer", 0, "FOLDER", PG_CLI_TEXT, offsetof(convert_settings, tokenizer),
     "of an .npz: its tokenizer; all files there but weights and config.json are copied", 0, 0},
    {"config", 0, "FILE", PG_CLI_TEXT, offsetof(convert_settings, config),
     "of an .npz: config.json of the result (default: made from the shapes)", 0, 0},
    {0},
};

static const pg_cli_option output_options[] = {
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(convert_settings, json), "print one JSON object", 0, 0},
    {0},
};

static const pg_cli_option speed_options[] = {
    {"threads", 't', "N", PG_CLI_INTEGER, offsetof(convert_settings, threads),
     "threads (default: one per physical core)", 1, 1024},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", source_options, 0},  {"Result", pg_cli_saving_options, offsetof(convert_settings, saving)},
    {"Layout", result_options, 0}, {"Output", output_options, 0},
    {"Speed", speed_options, 0},   {0},
};

static void print_json(const convert_settings *settings, const pg_model_conversion *made)
{
    static const char *const layouts[] = {"auto", "safetensors", "npz", "gguf"};
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "model", pg_cli_json_text(settings->saving.out));
    pg_cli_json_set(object, "from", pg_cli_json_text(layouts[made->from]));
    pg_cli_json_set(object, "to", pg_cli_json_text(layouts[made->to]));
    pg_cli_json_set(object, "weights", pg_cli_json_integer((int64_t)made->weights));
    pg_cli_json_set(object, "checked", json_boolean(made->checked));
    if (!isnan(made->difference)) {
        pg_cli_json_set(object, "difference", pg_cli_json_real(made->difference));
        pg_cli_json_set(object, "largest", pg_cli_json_real(made->largest));
    }
    if (made->lost)
        pg_cli_json_set(object, "lost", pg_cli_json_text(made->lost));
    pg_cli_json_print(object);
}

static void print_text(const convert_settings *settings, const pg_model_conversion *made)
{
    pg_cli_print("%s: %zu weights%s\n", settings->saving.out, made->weights,
                 made->checked ? ", read again: every value is as it should be" : ", not read again");
    if (!isnan(made->difference) && made->difference > 0)
        pg_cli_print("logits: off by at most %.2g, the largest is %.3g\n", made->difference, made->largest);
    else if (!isnan(made->difference))
        pg_cli_print("logits: the same\n");
    if (made->lost)
        pg_cli_print("lost: %s\n", made->lost);
}

/* The file or folder to read: an .npz is no model that others open. */
static int find_source(const char **out, const pg_cli_command *command, const convert_settings *settings)
{
    *out = pg_cli_model_named(settings->source.model);
    return *out ? pg_cli_fetch(out) : pg_cli_usage(command, "no model: name its folder, or an .npz file, with -m");
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const convert_settings *settings = memory;
    pg_model_convert_options options;
    pg_model_conversion made = {0};
    pg_save_options saving;
    pg_cli_progress progress = {0};
    const char *from;
    int code;
    (void)operands;
    PG_CLI_TRY(pg_cli_saving_read(&saving, command, &settings->saving, &progress));
    PG_CLI_TRY(find_source(&from, command, settings));
    pg_model_convert_options_init(&options);
    options.to = (pg_model_layout)settings->to;
    options.adapter = settings->source.adapter;
    options.tokenizer = settings->tokenizer;
    PG_CLI_TRY(pg_cli_fetch(&options.adapter));
    PG_CLI_TRY(pg_cli_fetch(&options.tokenizer));
    options.config = settings->config;
    options.dtype = saving.dtype;
    options.shard_size = saving.shard_size;
    options.compress = settings->compress;
    options.unchecked = settings->no_check;
    options.threads = (int)settings->threads;
    options.on_progress = saving.on_progress;
    options.user = saving.user;
    PG_CLI_TRY(pg_cli_check(pg_model_convert(&made, settings->saving.out, from, &options)));
    if (settings->json)
        print_json(settings, &made);
    else
        print_text(settings, &made);
done:
    pg_cli_progress_clear(&progress);
    pg_model_conversion_free(&made);
    return code;
}

const pg_cli_command pg_cli_convert = {
    .name = "convert",
    .usage = "-m FOLDER|FILE.npz --out FOLDER|FILE.npz|FILE.gguf",
    .summary = "write a model in another layout, dtype or number of files",
    .details =
        "Three layouts are known: the published one, a folder with safetensors; big_vision's .npz, of PaliGemma, Gemma "
        "and SigLIP; and, "
        "written only, GGUF, the decoder with its tokenizer for llama.cpp. The result is read again and every value is "
        "compared with the original's; between folders, both models also run, and their logits are compared. What the "
        "result lacks is said in one line.\n\n"
        "An .npz has no tokenizer: --tokenizer names a folder that has the model's. Int8 and int4 are what `paligemma "
        "quantize` makes.",
    .groups = groups,
    .settings_size = sizeof(convert_settings),
    .run = run,
};
