/* paligemma quantize: a model with smaller weights, and what that costs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "commands.h"
#include "progress.h"

typedef struct quantize_settings {
    const char *model, *out, *keep, *calibrate, *evaluate;
    int to;
    int64_t block, window, threads;
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

static const pg_cli_option example_options[] = {
    {"calibrate", 0, "FILE", PG_CLI_TEXT, offsetof(quantize_settings, calibrate),
     "round so that products with activations as in these examples change least", 0, 0},
    {"evaluate", 0, "FILE", PG_CLI_TEXT, offsetof(quantize_settings, evaluate),
     "let both models predict these examples (default: every eighth of --calibrate)", 0, 0},
    {"window", 0, "N", PG_CLI_INTEGER, offsetof(quantize_settings, window),
     "with --calibrate: inputs that make each other's errors good (default: 2048)", 32, 16384},
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
    {"Examples", example_options, 0},
    {"Output", output_options, 0},
    {"Speed", speed_options, 0},
    {0},
};

/* What is printed. */
typedef struct quantize_run {
    const quantize_settings *settings;
    pg_cli_progress progress;
    json_t *weights, *models; /* with --json */
    pg_quantized_model judged[3];
    size_t judged_count;
    size_t bytes_before, bytes_after;
} quantize_run;

static bool show_progress(void *user, size_t done, size_t total)
{
    quantize_run *run = user;
    if (!run->progress.total)
        pg_cli_progress_start(&run->progress, 0, total);
    pg_cli_progress_show(&run->progress, done);
    return !pg_cli_interrupted();
}

static json_t *error_numbers(const pg_quantized_error *error)
{
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "values", pg_cli_json_real(error->values));
    if (!isnan(error->products))
        pg_cli_json_set(object, "products", pg_cli_json_real(error->products));
    return object;
}

static void keep_weight(quantize_run *run, const pg_quantized_weight *weight)
{
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "name", pg_cli_json_text(weight->name));
    pg_cli_json_set(object, "format", pg_cli_json_text(weight->format));
    pg_cli_json_set(object, "bytes", pg_cli_json_integer((int64_t)weight->bytes_after));
    pg_cli_json_set(object, "error", pg_cli_json_real(weight->error.values));
    if (run->settings->calibrate) {
        pg_cli_json_set(object, "rounding", pg_cli_json_text(pg_rounding_name(weight->rounding)));
        pg_cli_json_set(object, "errors", error_numbers(&weight->error));
        pg_cli_json_set(object, "nearest_errors", error_numbers(&weight->nearest_error));
    }
    pg_cli_json_append(run->weights, object);
}

static void print_weight(const pg_quantized_weight *weight)
{
    const pg_quantized_error *error = &weight->error, *nearest = &weight->nearest_error;
    if (weight->rounding == PG_ROUNDING_COMPENSATED)
        pg_cli_print("%-28s %-5s %8.5f %8.5f   %8.5f %8.5f\n", weight->name, weight->format, error->values,
                     error->products, nearest->values, nearest->products);
    else if (error->values > 0)
        pg_cli_print("%-28s %-5s %8.5f\n", weight->name, weight->format, error->values);
}

static bool show_weight(void *user, const pg_quantized_weight *weight)
{
    quantize_run *run = user;
    pg_cli_progress_clear(&run->progress);
    run->bytes_before += weight->bytes_before;
    run->bytes_after += weight->bytes_after;
    if (run->settings->calibrate && !run->settings->json && weight->index == 0)
        pg_cli_print(
            "%-28s       compensated:        to the nearest:\n%-28s         values products     values products\n",
            "errors of", "");
    if (run->settings->json)
        keep_weight(run, weight);
    else
        print_weight(weight);
    return !pg_cli_interrupted();
}

static bool keep_model(void *user, const pg_quantized_model *model)
{
    quantize_run *run = user;
    run->judged[run->judged_count++] = *model;
    if (!run->settings->json)
        return !pg_cli_interrupted();
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "rounding", pg_cli_json_text(pg_rounding_name(model->rounding)));
    pg_cli_json_set(object, "examples", pg_cli_json_integer((int64_t)model->examples));
    pg_cli_json_set(object, "tokens", pg_cli_json_integer((int64_t)model->tokens));
    pg_cli_json_set(object, "mean_nll", pg_cli_json_real(model->nll));
    pg_cli_json_set(object, "perplexity", pg_cli_json_real(exp(model->nll)));
    pg_cli_json_set(object, "agreement", pg_cli_json_real(model->agreement));
    pg_cli_json_append(run->models, object);
    return !pg_cli_interrupted();
}

static void print_models(const quantize_run *run)
{
    if (run->judged_count)
        pg_cli_print("\nexamples: %zu, tokens: %zu\n%-12s %10s %10s\n", run->judged[0].examples, run->judged[0].tokens,
                     "rounding", "perplexity", "agreement");
    for (size_t i = 0; i < run->judged_count; i++) {
        const pg_quantized_model *model = &run->judged[i];
        pg_cli_print("%-12s %10.5g %9.2f%%\n", pg_rounding_name(model->rounding), exp(model->nll),
                     100 * model->agreement);
    }
}

static void print_result(const quantize_run *run)
{
    if (!run->settings->json) {
        print_models(run);
        pg_cli_print("\n%s: %.1f MB, %.1f before\n", run->settings->out, (double)run->bytes_after * 1e-6,
                     (double)run->bytes_before * 1e-6);
        return;
    }
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "model", pg_cli_json_text(run->settings->out));
    pg_cli_json_set(object, "bytes_before", pg_cli_json_integer((int64_t)run->bytes_before));
    pg_cli_json_set(object, "bytes", pg_cli_json_integer((int64_t)run->bytes_after));
    if (run->judged_count)
        pg_cli_json_set(object, "models", json_incref(run->models));
    pg_cli_json_set(object, "weights", json_incref(run->weights));
    pg_cli_json_print(object);
}

static int check(const pg_cli_command *command, const quantize_settings *settings)
{
    if (!settings->out)
        return pg_cli_usage(command, "no result: name its folder with --out FOLDER");
    if (settings->keep && strcmp(settings->keep, "vision=bf16") != 0)
        return pg_cli_usage(command, "--keep: '%s' is none of vision=bf16", settings->keep);
    if (settings->window && !settings->calibrate)
        return pg_cli_usage(command, "--window goes with --calibrate");
    return PG_CLI_DONE;
}

static pg_quantize_options quantize_options(quantize_run *run)
{
    const quantize_settings *settings = run->settings;
    pg_quantize_options options;
    pg_quantize_options_init(&options);
    options.text = settings->to ? PG_WEIGHTS_INT4 : PG_WEIGHTS_INT8;
    options.vision = settings->keep ? PG_WEIGHTS_BF16 : PG_WEIGHTS_INT8;
    options.block = (size_t)settings->block;
    options.threads = (int)settings->threads;
    options.calibrate = settings->calibrate;
    options.evaluate = settings->evaluate;
    options.window = (size_t)settings->window;
    options.on_progress = show_progress;
    options.on_weight = show_weight;
    options.on_model = keep_model;
    options.user = run;
    return options;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const quantize_settings *settings = memory;
    pg_cli_use use = {.source = {.model = settings->model},
                      .kinds = 1u << PG_MODEL_PALIGEMMA | 1u << PG_MODEL_GEMMA | 1u << PG_MODEL_SIGLIP};
    quantize_run quantize = {.settings = settings, .weights = pg_cli_json_array(), .models = pg_cli_json_array()};
    pg_quantize_options options = quantize_options(&quantize);
    pg_cli_engine engine = {0};
    int code;
    (void)operands;
    PG_CLI_TRY(check(command, settings));
    PG_CLI_TRY(pg_cli_engine_load(&engine, command, &use));
    pg_cli_catch_interrupts(true);
    pg_status status = pg_quantize(settings->out, engine.model, &options);
    pg_cli_progress_clear(&quantize.progress);
    code = status == PG_ERROR_CANCELLED ? PG_CLI_INTERRUPTED : pg_cli_check(status);
    if (code == PG_CLI_DONE)
        print_result(&quantize);
done:
    pg_cli_engine_close(&engine);
    json_decref(quantize.weights);
    json_decref(quantize.models);
    return code;
}

const pg_cli_command pg_cli_quantize = {
    .name = "quantize",
    .usage = "[-m MODEL] --to int8|int4 --out FOLDER",
    .summary = "make a model smaller and faster",
    .details =
        "Writes the model into a new folder with its matrices, embeddings included, in 8 or 4 bits; everything else is "
        "copied. The result is read back, and for every matrix the error is printed: the root mean square of the "
        "differences as a part of that of the values.\n\n"
        "With --calibrate, values are rounded so as to make good what the errors of others do to the layer's products "
        "(GPTQ); errors of values and of products are printed for this and for rounding to the nearest, and how well "
        "the original and both results predict examples that were not calibrated with: perplexity, and the share of "
        "tokens for which the likeliest one is the original's. --evaluate does the latter without calibration too.\n\n"
        "Examples are a data set as `paligemma data` reads it: JSON lines with \"prefix\" (or \"prompt\"), \"suffix\" "
        "and \"image\" (a path from the file's folder), of which suffix and image may be missing; COCO captions or "
        "instances, and so on. For Gemma they may be texts with blank lines between them. The suffix is predicted; "
        "without one, Gemma predicts the prompt, PaliGemma its own answer.",
    .groups = groups,
    .settings_size = sizeof(quantize_settings),
    .run = run,
};
