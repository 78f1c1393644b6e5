/* paligemma index: embeddings of a folder of pictures in a file, kept up to date; paligemma search searches it. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "interrupt.h"
#include "progress.h"

typedef struct index_settings {
    pg_cli_source source;
    const char *out;
    int dtype;
    bool compare, json;
    pg_cli_looking looking;
    pg_cli_arithmetic arithmetic;
} index_settings;

static const pg_cli_option index_options[] = {
    {"out", 'o', "INDEX", PG_CLI_TEXT, offsetof(index_settings, out),
     "the index: made, or brought up to date where it is there", 0, 0},
    {"dtype", 0, "auto|f32|bf16", PG_CLI_CHOICE, offsetof(index_settings, dtype),
     "how embeddings are stored; bf16 takes half the room (auto: as they are, f32 in a new index)", 0, 0},
    {"compare-contents", 0, NULL, PG_CLI_FLAG, offsetof(index_settings, compare),
     "read files whose size and time have not changed, too, and compare", 0, 0},
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(index_settings, json), "print one JSON object", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_siglip_source_options, offsetof(index_settings, source)},
    {"Index", index_options, 0},
    {"Pictures", pg_cli_looking_options, offsetof(index_settings, looking)},
    {"Speed", pg_cli_arithmetic_options, offsetof(index_settings, arithmetic)},
    {0},
};

static bool on_progress(void *user, size_t done, size_t total)
{
    pg_cli_progress *progress = user;
    progress->total = total;
    pg_cli_progress_show(progress, done);
    return !pg_cli_interrupted();
}

static void on_skipped(void *user, const char *path, const char *why)
{
    pg_cli_progress_clear(user);
    if (strncmp(path, why, strlen(path)) == 0)
        pg_cli_fail("%s (left out)", why);
    else
        pg_cli_fail("%s: %s (left out)", path, why);
}

static void print_report(const pg_index_report *report, const index_settings *settings)
{
    const struct {
        const char *name;
        size_t count;
    } counts[] = {{"pictures", report->kept + report->added + report->changed},
                  {"added", report->added},
                  {"changed", report->changed},
                  {"removed", report->removed},
                  {"unchanged", report->kept},
                  {"skipped", report->skipped}};
    json_t *object = pg_cli_json_object();
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        pg_cli_json_set(object, counts[i].name, pg_cli_json_integer((int64_t)counts[i].count));
        if (!settings->json)
            pg_cli_print("%s%zu %s", i == 0 ? "" : i == 1 ? ": " : ", ", counts[i].count, counts[i].name);
    }
    if (settings->json) {
        pg_cli_json_print(object);
        return;
    }
    pg_cli_print("\n");
    json_decref(object);
}

static int update(const pg_cli_engine *engine, const index_settings *settings, const pg_cli_list *operands)
{
    static const char *const dtypes[] = {NULL, "F32", "BF16"};
    pg_index_options options;
    pg_index_report report;
    pg_cli_progress progress;
    pg_index_options_init(&options);
    pg_cli_catch_interrupts(true);
    pg_cli_progress_start(&progress, 0, 0);
    options.dtype = dtypes[settings->dtype];
    options.compare_contents = settings->compare;
    options.image.keep_orientation = settings->looking.keep_orientation;
    options.on_progress = on_progress;
    options.on_skipped = on_skipped;
    options.user = &progress;
    pg_status status =
        pg_picture_index_update(&report, settings->out, engine->session, operands->items, operands->count, &options);
    pg_cli_progress_clear(&progress);
    if (status == PG_ERROR_CANCELLED) {
        fprintf(stderr, "paligemma: stopped; what was embedded is in %s, and the same command goes on\n",
                settings->out);
        return PG_CLI_INTERRUPTED;
    }
    int code = pg_cli_check(status);
    if (code == PG_CLI_DONE)
        print_report(&report, settings);
    return code;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    index_settings *settings = memory;
    pg_cli_use use = {settings->source, 1u << PG_MODEL_SIGLIP, "SigLIP", settings->arithmetic, settings->looking, 1};
    pg_cli_engine engine = {0};
    int code;
    if (!settings->out)
        return pg_cli_usage(command, "no index: name the file with --out INDEX");
    PG_CLI_TRY(pg_cli_engine_open(&engine, command, &use));
    code = update(&engine, settings, operands);
done:
    pg_cli_engine_close(&engine);
    return code;
}

const pg_cli_command pg_cli_index = {
    .name = "index",
    .usage = "[-m MODEL] FOLDER|IMAGE... --out INDEX",
    .summary = "embed folders of pictures into an index that can be searched",
    .details =
        "The index then holds exactly the pictures that are named, and those in folders and folders below. Where "
        "it is there already, only new and changed ones are embedded, and others go. It is saved now and then: a "
        "command that was stopped goes on when it is given again. Pictures below the index's folder can be moved "
        "together with it.\n"
        "The file is a safetensors file: embeddings [n, width] of length 1, and the names of the pictures.",
    .groups = groups,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .settings_size = sizeof(index_settings),
    .run = run,
};
