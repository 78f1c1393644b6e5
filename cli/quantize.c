/* paligemma quantize: a model with smaller weights, and what that costs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "progress.h"

typedef struct quantize_settings {
    const char *model, *out, *keep;
    int to;
    int64_t block, threads;
    bool json;
} quantize_settings;

static const pg_cli_option result_options[] = {
    {"to", 0, "int8|int4", PG_CLI_CHOICE, offsetof(quantize_settings, to),
     "bits of the decoder's weights (default: int8); the vision tower's are int8", 0, 0},
    {"out", 'o', "FOLDER", PG_CLI_TEXT, offsetof(quantize_settings, out), "the new model's folder", 0, 0},
    {"keep", 0, "vision=bf16", PG_CLI_TEXT, offsetof(quantize_settings, keep),
     "leave the vision tower and the projector in bf16", 0, 0},
    {"block", 0, "N", PG_CLI_INTEGER, offsetof(quantize_settings, block),
     "inputs that share a scale: 32, 64, 128 or 256 (default: 256)", 32, 256},
    {0},
};

static const pg_cli_option output_options[] = {
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(quantize_settings, json), "print one JSON object", 0, 0},
    {0},
};

static const pg_cli_option speed_options[] = {
    {"threads", 't', "N", PG_CLI_INTEGER, offsetof(quantize_settings, threads),
     "threads (default: one per physical core)", 1, 1024},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_model_options, offsetof(quantize_settings, model)},
    {"Result", result_options, 0},
    {"Output", output_options, 0},
    {"Speed", speed_options, 0},
    {0},
};

/* What is printed, as it comes. */
typedef struct quantize_run {
    const quantize_settings *settings;
    pg_cli_progress progress;
    json_t *weights; /* with --json */
    size_t bytes_before, bytes_after;
} quantize_run;

static bool show_progress(void *user, size_t done, size_t total)
{
    quantize_run *run = user;
    if (done == 1)
        pg_cli_progress_start(&run->progress, 0, total);
    pg_cli_progress_show(&run->progress, done);
    if (done == total)
        pg_cli_progress_clear(&run->progress);
    return true;
}

static bool show_weight(void *user, const pg_quantized_weight *weight)
{
    quantize_run *run = user;
    run->bytes_before += weight->bytes_before;
    run->bytes_after += weight->bytes_after;
    if (run->settings->json) {
        json_t *object = pg_cli_json_object();
        pg_cli_json_set(object, "name", pg_cli_json_text(weight->name));
        pg_cli_json_set(object, "format", pg_cli_json_text(weight->format));
        pg_cli_json_set(object, "bytes", pg_cli_json_integer((int64_t)weight->bytes_after));
        pg_cli_json_set(object, "error", pg_cli_json_real(weight->error));
        pg_cli_json_append(run->weights, object);
    } else if (weight->error > 0)
        pg_cli_print("%-28s %-5s %8.5f\n", weight->name, weight->format, weight->error);
    return true;
}

static void print_sizes(const quantize_run *run)
{
    if (!run->settings->json) {
        pg_cli_print("\n%s: %.1f MB, %.1f before\n", run->settings->out, (double)run->bytes_after * 1e-6,
                     (double)run->bytes_before * 1e-6);
        return;
    }
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "model", pg_cli_json_text(run->settings->out));
    pg_cli_json_set(object, "bytes_before", pg_cli_json_integer((int64_t)run->bytes_before));
    pg_cli_json_set(object, "bytes", pg_cli_json_integer((int64_t)run->bytes_after));
    pg_cli_json_set(object, "weights", json_incref(run->weights));
    pg_cli_json_print(object);
}

static int check(const pg_cli_command *command, const quantize_settings *settings)
{
    if (!settings->out)
        return pg_cli_usage(command, "no result: name its folder with --out FOLDER");
    if (settings->keep && strcmp(settings->keep, "vision=bf16") != 0)
        return pg_cli_usage(command, "--keep: '%s' is none of vision=bf16", settings->keep);
    return PG_CLI_DONE;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const quantize_settings *settings = memory;
    pg_cli_use use = {.source = {.model = settings->model},
                      .kinds = 1u << PG_MODEL_PALIGEMMA | 1u << PG_MODEL_GEMMA | 1u << PG_MODEL_SIGLIP};
    quantize_run quantize = {.settings = settings, .weights = pg_cli_json_array()};
    pg_cli_engine engine = {0};
    pg_quantize_options options;
    int code;
    (void)operands;
    pg_quantize_options_init(&options);
    options.text = settings->to ? PG_WEIGHTS_INT4 : PG_WEIGHTS_INT8;
    options.vision = settings->keep ? PG_WEIGHTS_BF16 : PG_WEIGHTS_INT8;
    options.block = (size_t)settings->block;
    options.threads = (int)settings->threads;
    options.on_progress = show_progress;
    options.on_weight = show_weight;
    options.user = &quantize;
    PG_CLI_TRY(check(command, settings));
    PG_CLI_TRY(pg_cli_engine_load(&engine, command, &use));
    PG_CLI_TRY(pg_cli_check(pg_quantize(settings->out, engine.model, &options)));
    print_sizes(&quantize);
done:
    pg_cli_progress_clear(&quantize.progress);
    pg_cli_engine_close(&engine);
    json_decref(quantize.weights);
    return code;
}

const pg_cli_command pg_cli_quantize = {
    .name = "quantize",
    .usage = "[-m MODEL] --to int8|int4 --out FOLDER",
    .summary = "make a model smaller and faster",
    .details =
        "Writes the model into a new folder with its matrices, embeddings included, in 8 or 4 bits; everything else is "
        "copied. The result is read back, and for every matrix the error is printed: the root mean square of the "
        "differences as a part of that of the values.",
    .groups = groups,
    .settings_size = sizeof(quantize_settings),
    .run = run,
};
