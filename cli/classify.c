/* paligemma classify: which of several classes pictures show, by the classes' names or by a trained head. */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "naming.h"

#define AT_ONCE 16 /* pictures that are in memory */

typedef struct classify_settings {
    pg_cli_source source;
    pg_cli_naming naming;
    int64_t top;
    bool softmax, json;
    pg_cli_looking looking;
    pg_cli_arithmetic arithmetic;
} classify_settings;

static const pg_cli_option output_options[] = {
    {"softmax", 0, NULL, PG_CLI_FLAG, offsetof(classify_settings, softmax),
     "scores that add up to 1, for classes that exclude each other (a head's always do)", 0, 0},
    {"top", 0, "N", PG_CLI_INTEGER, offsetof(classify_settings, top), "labels to show, best first (default: 5)", 1,
     1000000},
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(classify_settings, json), "print one JSON object a picture", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_siglip_source_options, offsetof(classify_settings, source)},
    {"Classes", pg_cli_naming_options, offsetof(classify_settings, naming)},
    {"Output", output_options, 0},
    {"Pictures", pg_cli_looking_options, offsetof(classify_settings, looking)},
    {"Speed", pg_cli_arithmetic_options, offsetof(classify_settings, arithmetic)},
    {0},
};

static void init(void *memory)
{
    ((classify_settings *)memory)->top = 5;
}

/* A label of a picture. */
typedef struct rank {
    size_t label;
    float logit, score;
} rank;

static int compare_ranks(const void *left, const void *right)
{
    const rank *a = left, *b = right;
    if (a->logit != b->logit)
        return a->logit > b->logit ? -1 : 1;
    return (a->label > b->label) - (a->label < b->label);
}

static void print_text(const char *path, const rank *ranks, size_t count, const pg_recognizer *recognizer)
{
    for (size_t i = 0; i < count; i++)
        pg_cli_print("%s\t%.5f\t%s\n", path, (double)ranks[i].score, pg_recognizer_label(recognizer, ranks[i].label));
}

static void print_json(const char *path, const rank *ranks, size_t count, const pg_recognizer *recognizer)
{
    json_t *object = pg_cli_json_object(), *labels = pg_cli_json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *label = pg_cli_json_object();
        pg_cli_json_set(label, "label", pg_cli_json_text(pg_recognizer_label(recognizer, ranks[i].label)));
        pg_cli_json_set(label, "score", pg_cli_json_real((double)ranks[i].score));
        pg_cli_json_set(label, "logit", pg_cli_json_real((double)ranks[i].logit));
        pg_cli_json_append(labels, label);
    }
    pg_cli_json_set(object, "image", pg_cli_json_text(path));
    pg_cli_json_set(object, "labels", labels);
    pg_cli_json_print(object);
}

static void print_picture(const char *path, const float *logits, const pg_recognizer *recognizer,
                          const classify_settings *settings)
{
    size_t count = pg_recognizer_count(recognizer), top = (size_t)settings->top < count ? (size_t)settings->top : count;
    rank *ranks = pg_cli_alloc(count, sizeof *ranks);
    float *scores = pg_cli_alloc(count, sizeof *scores);
    pg_class_scores(scores, logits, count, settings->softmax || pg_recognizer_exclusive(recognizer));
    for (size_t i = 0; i < count; i++)
        ranks[i] = (rank){i, logits[i], scores[i]};
    qsort(ranks, count, sizeof *ranks, compare_ranks);
    (settings->json ? print_json : print_text)(path, ranks, top, recognizer);
    free(ranks);
    free(scores);
}

/* Some pictures: those that cannot be read are named, and the others classified. */
static int classify_some(const pg_cli_engine *engine, const pg_recognizer *recognizer,
                         const classify_settings *settings, const char **paths, size_t count)
{
    pg_cli_pictures pictures;
    const pg_image *images[AT_ONCE];
    const char *names[AT_ONCE];
    size_t found = 0;
    int code = pg_cli_check(pg_cli_pictures_try(&pictures, paths, count, &settings->looking, engine->session));
    if (code != PG_CLI_DONE)
        return code;
    for (size_t i = 0; i < count; i++)
        if (pictures.items[i]) {
            names[found] = paths[i];
            images[found++] = pictures.items[i];
        }
    float *logits = pg_cli_alloc(found, pg_recognizer_count(recognizer) * sizeof *logits);
    code = pg_cli_check(pg_recognize(logits, engine->session, recognizer, images, found));
    for (size_t i = 0; i < found && code == PG_CLI_DONE; i++)
        print_picture(names[i], logits + i * pg_recognizer_count(recognizer), recognizer, settings);
    free(logits);
    pg_cli_pictures_free(&pictures);
    return code == PG_CLI_DONE && found < count ? PG_CLI_FAILURE : code;
}

/* A picture that cannot be read makes the exit code 1, at the end. */
static int classify_all(const pg_cli_engine *engine, const pg_recognizer *recognizer, const classify_settings *settings,
                        const pg_cli_list *operands)
{
    int code = PG_CLI_DONE;
    for (size_t i = 0; i < operands->count; i += AT_ONCE) {
        size_t some = operands->count - i < AT_ONCE ? operands->count - i : AT_ONCE;
        int outcome = classify_some(engine, recognizer, settings, operands->items + i, some);
        code = outcome == PG_CLI_DONE ? code : outcome;
        if (!pg_cli_flush())
            break;
    }
    return code;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    classify_settings *settings = memory;
    unsigned kinds = 1u << PG_MODEL_SIGLIP | (settings->naming.head ? 1u << PG_MODEL_PALIGEMMA : 0);
    pg_cli_use use = {settings->source,
                      kinds,
                      settings->naming.head ? "SigLIP or PaliGemma" : "SigLIP, or PaliGemma with a --head",
                      settings->arithmetic,
                      settings->looking,
                      1};
    pg_cli_engine engine = {0};
    pg_cli_list labels = {0};
    pg_recognizer *recognizer = NULL;
    int code;
    PG_CLI_TRY(pg_cli_naming_check(command, &settings->naming));
    if (!settings->naming.head && !settings->naming.labels)
        return pg_cli_usage(command, "no classes: name them with --labels \"cat,dog\", or give a --head");
    if (settings->naming.labels)
        PG_CLI_TRY(pg_cli_labels_read(&labels, settings->naming.labels));
    PG_CLI_TRY(pg_cli_engine_open(&engine, command, &use));
    PG_CLI_TRY(pg_cli_recognizer_open(&recognizer, &engine, &settings->naming, &labels));
    code = classify_all(&engine, recognizer, settings, operands);
done:
    pg_recognizer_free(recognizer);
    pg_cli_labels_free(&labels);
    pg_cli_engine_close(&engine);
    return code;
}

const pg_cli_command pg_cli_classify = {
    .name = "classify",
    .usage = "[-m MODEL] IMAGE... --labels \"cat,dog\"",
    .summary = "say which of some classes pictures show, by name or with a trained head",
    .details = "Prints a line for each picture and label: the picture, the score, the label. Scores of names are the "
               "probabilities that name and picture belong together, each by itself, as SigLIP gives them; those of a "
               "head add up to 1. Of a head that was trained together with a model or an adapter, name those too, with "
               "-m or --adapter.\n"
               "A picture that cannot be read is reported, the others are classified, and the exit code is 1.",
    .groups = groups,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .settings_size = sizeof(classify_settings),
    .init = init,
    .run = run,
};
