/* paligemma eval: a model's answers to a data set, and how good they are. */
#include <math.h>

#include "commands.h"
#include "engine.h"
#include "evaluating.h"
#include "finding.h"
#include "interrupt.h"
#include "naming.h"
#include "progress.h"

typedef struct eval_settings {
    pg_cli_source source;
    pg_cli_evaluating evaluating;
    const char *data, *out, *labels;
    pg_cli_list templates;
    int64_t limit, parallel, max_new_tokens;
    bool blank, free, fit_scores;
    pg_cli_looking looking;
    pg_cli_arithmetic arithmetic;
} eval_settings;

static const pg_cli_option data_options[] = {
    {"data", 0, "FILE", PG_CLI_TEXT, offsetof(eval_settings, data),
     "what is asked and right: COCO captions or instances, VQA v2 questions, or JSONL {\"image\", \"prefix\", "
     "\"suffix\" or \"suffixes\"}",
     0, 0},
    {"limit", 0, "N", PG_CLI_INTEGER, offsetof(eval_settings, limit), "the first N cases (default: all)", 1, INFINITY},
    {"out", 'o', "FILE.jsonl", PG_CLI_TEXT, offsetof(eval_settings, out),
     "add answers to this file, which holds nothing else, as they come; those in it are not made again", 0, 0},
    {0},
};

static const pg_cli_option answer_options[] = {
    {"parallel", 0, "N", PG_CLI_INTEGER, offsetof(eval_settings, parallel),
     "cases that are answered at the same time (default: 8)", 1, 1024},
    {"max-new-tokens", 0, "N", PG_CLI_INTEGER, offsetof(eval_settings, max_new_tokens),
     "longest answer (default: the model's)", 1, INFINITY},
    {"blank", 0, NULL, PG_CLI_FLAG, offsetof(eval_settings, blank),
     "show grey pictures instead: how much does the model know without looking?", 0, 0},
    {"free", 0, NULL, PG_CLI_FLAG, offsetof(eval_settings, free),
     "let answers of detect, segment, refcoco and classify be anything", 0, 0},
    {"fit-scores", 0, NULL, PG_CLI_FLAG, offsetof(eval_settings, fit_scores),
     "detect, segment: correct the model's scores to the share of objects that is right, in its generation_config.json",
     0, 0},
    {"labels", 0, "LABELS", PG_CLI_TEXT, offsetof(eval_settings, labels),
     "detect, segment: look for all of \"cat,dog\" (or a file with one on each line) in every picture, instead of what "
     "the prompt names; classify: the classes (default: those of the data)",
     0, 0},
    {"template", 0, "TEXT", PG_CLI_LIST, offsetof(eval_settings, templates),
     "classify with SigLIP: what a label is put into, in the place of {} (default: {})", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_source_options, offsetof(eval_settings, source)},
    {"Data", data_options, 0},
    {"Task", pg_cli_evaluating_options, offsetof(eval_settings, evaluating)},
    {"Answers", answer_options, 0},
    {"Output", pg_cli_figures_options, offsetof(eval_settings, evaluating)},
    {"Pictures", pg_cli_looking_options, offsetof(eval_settings, looking)},
    {"Speed", pg_cli_arithmetic_options, offsetof(eval_settings, arithmetic)},
    {0},
};

static void init(void *memory)
{
    eval_settings *settings = memory;
    pg_cli_evaluating_init(&settings->evaluating);
    settings->parallel = 8;
}

static int check(const pg_cli_command *command, const eval_settings *settings)
{
    if (!settings->data)
        return pg_cli_usage(command, "--data is missing: what is the model asked?");
    int code = pg_cli_evaluating_check(command, &settings->evaluating);
    bool finds = settings->evaluating.task == PG_EVAL_DETECT || settings->evaluating.task == PG_EVAL_SEGMENT;
    if (code == PG_CLI_DONE && settings->fit_scores && !finds)
        return pg_cli_usage(command, "--fit-scores is for --task detect and segment");
    return code;
}

/* Shows progress once it is known where the run begins. */
typedef struct watch {
    pg_cli_progress progress;
    bool started;
    size_t done;
} watch;

static bool on_progress(void *user, size_t done, size_t total)
{
    watch *w = user;
    if (!w->started)
        pg_cli_progress_start(&w->progress, done, total);
    else if (done != w->done)
        pg_cli_progress_show(&w->progress, done);
    w->started = true;
    w->done = done;
    return !pg_cli_interrupted();
}

static pg_evaluation_run_options describe_run(const eval_settings *settings, const pg_cli_list *labels, watch *w)
{
    pg_evaluation_run_options options;
    pg_evaluation_run_options_init(&options);
    options.out = settings->out;
    options.max_new_tokens = settings->max_new_tokens;
    options.blank = settings->blank;
    options.free = settings->free;
    options.labels = labels->items;
    options.label_count = labels->count;
    options.templates = settings->templates.items;
    options.template_count = settings->templates.count;
    options.image.keep_orientation = settings->looking.keep_orientation;
    options.on_progress = on_progress;
    options.user = w;
    return options;
}

static int answer(pg_evaluation *evaluation, const pg_cli_engine *engine, const eval_settings *settings)
{
    pg_cli_list labels = {0};
    watch w = {0};
    int code = settings->labels ? pg_cli_labels_read(&labels, settings->labels) : PG_CLI_DONE;
    if (code != PG_CLI_DONE)
        return code;
    pg_evaluation_run_options options = describe_run(settings, &labels, &w);
    pg_status status = pg_evaluation_run(evaluation, engine->session, &options);
    pg_cli_progress_clear(&w.progress);
    pg_cli_labels_free(&labels);
    if (status != PG_ERROR_CANCELLED)
        return pg_cli_check(status);
    pg_cli_fail("stopped with %zu of %zu cases answered%s", w.done, pg_evaluation_cases(evaluation),
                settings->out ? "; the same command goes on" : "");
    return PG_CLI_INTERRUPTED;
}

static bool needs_codec(const eval_settings *settings)
{
    return settings->evaluating.task == PG_EVAL_SEGMENT || settings->evaluating.task == PG_EVAL_REFCOCO;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    eval_settings *settings = memory;
    bool compares = settings->evaluating.task == PG_EVAL_RETRIEVAL;
    pg_cli_use use = {
        .source = settings->source,
        .kinds =
            compares ? 1u << PG_MODEL_SIGLIP : 1u << PG_MODEL_PALIGEMMA | 1u << PG_MODEL_GEMMA | 1u << PG_MODEL_SIGLIP,
        .kind_names = compares ? "SigLIP" : "any",
        .arithmetic = settings->arithmetic,
        .looking = settings->looking,
        .sequences = (size_t)settings->parallel,
    };
    pg_cli_engine engine = {0};
    pg_mask_codec *codec = NULL;
    pg_evaluation *evaluation = NULL;
    int code;
    (void)operands;
    PG_CLI_TRY(check(command, settings));
    PG_CLI_TRY(pg_cli_model_find(&engine.folder, command, settings->source.model, use.kinds));
    PG_CLI_TRY(pg_cli_codec_open(&codec, settings->evaluating.codec, needs_codec(settings) ? engine.folder : NULL));
    PG_CLI_TRY(pg_cli_evaluating_open(&evaluation, &settings->evaluating, settings->data, codec,
                                      (size_t)settings->limit)); /* mistakes in the data show before the model loads */
    PG_CLI_TRY(pg_cli_engine_open(&engine, command, &use));
    pg_cli_catch_interrupts(true);
    PG_CLI_TRY(answer(evaluation, &engine, settings));
    PG_CLI_TRY(pg_cli_evaluating_finish(evaluation, &settings->evaluating));
    if (settings->fit_scores)
        code = pg_cli_check(pg_evaluation_fit_scores(evaluation, engine.folder));
done:
    pg_evaluation_close(evaluation);
    pg_mask_codec_close(codec);
    pg_cli_engine_close(&engine);
    return code;
}

const pg_cli_command pg_cli_eval = {
    .name = "eval",
    .usage = "[-m MODEL] --data FILE --task TASK",
    .summary = "measure how well a model does a task",
    .details =
        "The model answers every case of the data greedily, several at a time; what is measured is what `paligemma "
        "score` says. detect and segment answer with objects of the labels that the prompt names (\"detect cat ; "
        "dog\") "
        "and no others, with scores from the tokens' probabilities (segment: one label of COCO's instances after the "
        "other); classify with one of the classes. retrieval, and classify by comparing, need a SigLIP model.\n\n"
        "With --out, a run that was stopped goes on where it was. A picture that cannot be read is a case without an "
        "answer: it is counted as wrong, and named in the file.",
    .groups = groups,
    .settings_size = sizeof(eval_settings),
    .init = init,
    .run = run,
};
