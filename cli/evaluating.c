#include "evaluating.h"

#include <math.h>

const pg_cli_option pg_cli_evaluating_options[] = {
    {"task", 0, "caption|vqa|textvqa|docvqa|chartqa|ocr|detect|segment|refcoco|classify|retrieval", PG_CLI_CHOICE,
     offsetof(pg_cli_evaluating, task), "what the answers are, and so what is measured", 0, 0},
    {"annotations", 0, "FILE", PG_CLI_TEXT, offsetof(pg_cli_evaluating, annotations),
     "VQA v2: the file with the answers (of the questions, which are the data)", 0, 0},
    {"images", 0, "FOLDER", PG_CLI_TEXT, offsetof(pg_cli_evaluating, images),
     "what names of pictures are relative to (default: the data's folder)", 0, 0},
    {"codec", 0, "FILE.npz", PG_CLI_TEXT, offsetof(pg_cli_evaluating, codec),
     "the mask codec's weights, for <seg> tokens", 0, 0},
    {0},
};

const pg_cli_option pg_cli_figures_options[] = {
    {"report", 0, "FILE.html", PG_CLI_TEXT, offsetof(pg_cli_evaluating, report),
     "write figures and the worst cases with their pictures into one HTML file", 0, 0},
    {"title", 0, "TEXT", PG_CLI_TEXT, offsetof(pg_cli_evaluating, title), "of the report", 0, 0},
    {"worst", 0, "N", PG_CLI_INTEGER, offsetof(pg_cli_evaluating, worst), "cases in the report (default: 24)", 1,
     10000},
    {"each", 0, NULL, PG_CLI_FLAG, offsetof(pg_cli_evaluating, each), "print every case's score as well", 0, 0},
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(pg_cli_evaluating, json), "print one JSON object", 0, 0},
    {0},
};

void pg_cli_evaluating_init(pg_cli_evaluating *settings)
{
    settings->task = -1;
}

int pg_cli_evaluating_check(const pg_cli_command *command, const pg_cli_evaluating *settings)
{
    if (settings->task < 0)
        return pg_cli_usage(command, "--task is missing: what is to be measured?");
    if (settings->report && !pg_cli_has_suffix(settings->report, ".html"))
        return pg_cli_usage(command, "--report: '%s' does not end in .html", settings->report);
    return PG_CLI_DONE;
}

int pg_cli_evaluating_open(pg_evaluation **out, const pg_cli_evaluating *settings, const char *path,
                           const pg_mask_codec *codec, size_t limit)
{
    pg_evaluation_options options;
    pg_evaluation_options_init(&options);
    options.data.annotations = settings->annotations;
    options.data.images = settings->images;
    options.codec = codec;
    options.limit = limit;
    return pg_cli_check(pg_evaluation_open(out, (pg_eval_task)settings->task, path, &options));
}

/* Cases without an answer. */
static size_t count_failed(const pg_evaluation *evaluation)
{
    size_t failed = 0;
    for (size_t i = 0; i < pg_evaluation_cases(evaluation); i++)
        failed += pg_evaluation_case(evaluation, i).error != NULL;
    return failed;
}

static void print_table(const pg_evaluation *evaluation, bool each)
{
    size_t failed = count_failed(evaluation);
    for (size_t i = 0; each && i < pg_evaluation_cases(evaluation); i++) {
        pg_eval_case one = pg_evaluation_case(evaluation, i);
        pg_cli_print("%.4f\t%s\t%s\n", one.score, one.place, one.error ? one.error : one.prediction);
    }
    for (size_t i = 0; i < pg_evaluation_figures(evaluation); i++) {
        pg_eval_figure figure = pg_evaluation_figure(evaluation, i);
        pg_cli_print("%-24s %8.4f\n", figure.name, figure.value);
    }
    pg_cli_print("%-24s %8zu\n", "cases", pg_evaluation_cases(evaluation));
    if (failed)
        pg_cli_print("%-24s %8zu\n", "without an answer", failed);
}

static json_t *describe_cases(const pg_evaluation *evaluation)
{
    json_t *list = pg_cli_json_array();
    for (size_t i = 0; i < pg_evaluation_cases(evaluation); i++) {
        pg_eval_case one = pg_evaluation_case(evaluation, i);
        json_t *entry = pg_cli_json_object();
        pg_cli_json_set(entry, "place", pg_cli_json_text(one.place));
        if (one.image)
            pg_cli_json_set(entry, "image", pg_cli_json_text(one.image));
        pg_cli_json_set(entry, "prompt", pg_cli_json_text(one.prompt));
        pg_cli_json_set(entry, "prediction", pg_cli_json_text(one.prediction));
        if (one.error)
            pg_cli_json_set(entry, "error", pg_cli_json_text(one.error));
        if (isfinite(one.probability))
            pg_cli_json_set(entry, "probability", pg_cli_json_real(one.probability));
        pg_cli_json_set(entry, "score", pg_cli_json_real(one.score));
        pg_cli_json_append(list, entry);
    }
    return list;
}

static void print_json(const pg_evaluation *evaluation, const pg_cli_evaluating *settings)
{
    json_t *object = pg_cli_json_object(), *figures = pg_cli_json_object();
    pg_cli_json_set(object, "task", pg_cli_json_text(pg_eval_task_name((pg_eval_task)settings->task)));
    pg_cli_json_set(object, "cases", pg_cli_json_integer((int64_t)pg_evaluation_cases(evaluation)));
    pg_cli_json_set(object, "failed", pg_cli_json_integer((int64_t)count_failed(evaluation)));
    pg_cli_json_set(object, "figures", figures);
    for (size_t i = 0; i < pg_evaluation_figures(evaluation); i++) {
        pg_eval_figure figure = pg_evaluation_figure(evaluation, i);
        pg_cli_json_set(figures, figure.name, pg_cli_json_real(figure.value));
    }
    if (settings->each)
        pg_cli_json_set(object, "each", describe_cases(evaluation));
    pg_cli_json_print(object);
}

static int write_report(const pg_evaluation *evaluation, const pg_cli_evaluating *settings)
{
    pg_eval_report_options options;
    pg_eval_report_options_init(&options);
    options.title = settings->title;
    options.worst = (size_t)settings->worst;
    return pg_cli_check(pg_evaluation_report(evaluation, settings->report, &options));
}

int pg_cli_evaluating_finish(pg_evaluation *evaluation, const pg_cli_evaluating *settings)
{
    int code = pg_cli_check(pg_evaluation_measure(evaluation));
    if (code != PG_CLI_DONE)
        return code;
    if (settings->json)
        print_json(evaluation, settings);
    else
        print_table(evaluation, settings->each);
    return settings->report ? write_report(evaluation, settings) : PG_CLI_DONE;
}
