/* paligemma caption, ask, ocr: PaliGemma's own task prompts, "caption en", "answer en QUESTION" and "ocr". */
#include <stdlib.h>

#include "answer.h"
#include "commands.h"
#include "input.h"

typedef struct task_settings {
    pg_cli_answering answering;
    const char *language, *candidates;
} task_settings;

static const pg_cli_option language_options[] = {
    {"lang", 0, "LANG", PG_CLI_TEXT, offsetof(task_settings, language), "language of the answer (default: en)", 0, 0},
    {0},
};

static const pg_cli_option candidate_options[] = {
    {"candidates", 0, "FILE", PG_CLI_TEXT, offsetof(task_settings, candidates),
     "instead of an answer, print the lines of FILE by how likely they are as answers", 0, 0},
    {0},
};

/* ocr has no language: it begins at the second group. */
static const pg_cli_group groups[] = {
    {"Prompt", language_options, 0},
    {"Choice", candidate_options, 0},
    {"Model", pg_cli_source_options, offsetof(task_settings, answering.source)},
    {"Answer (what is left out is the model's own choice)", pg_cli_decoding_options,
     offsetof(task_settings, answering)},
    {"Output", pg_cli_printing_options, offsetof(task_settings, answering)},
    {"Pictures", pg_cli_looking_options, offsetof(task_settings, answering.looking)},
    {"Speed", pg_cli_arithmetic_options, offsetof(task_settings, answering.arithmetic)},
    {0},
};

static void init(void *memory)
{
    task_settings *settings = memory;
    pg_cli_answering_init(&settings->answering);
    settings->language = "en";
}

/* A run over prompts. */
typedef struct task {
    const task_settings *settings;
    pg_cli_engine engine;
    const char *prompt;
    pg_cli_list candidates;
} task;

/* ---------------------------------------------------------------- candidates */

/* A candidate and its score. */
typedef struct choice {
    const char *text;
    pg_text_score score;
} choice;

/* Likelier ones first; equal ones as they stand in the file, where their texts lie. */
static int compare_choices(const void *a, const void *b)
{
    const choice *x = a, *y = b;
    if (x->score.logprob != y->score.logprob)
        return x->score.logprob < y->score.logprob ? 1 : -1;
    return (x->text > y->text) - (x->text < y->text);
}

static void print_choices(const choice *choices, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (name)
            pg_cli_print("%s: ", name);
        pg_cli_print("%.4f\t%s\n", choices[i].score.probability, choices[i].text);
    }
}

static void print_choices_json(const choice *choices, size_t count, const char *name)
{
    json_t *object = pg_cli_json_object(), *list = pg_cli_json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *entry = pg_cli_json_object();
        pg_cli_json_set(entry, "text", pg_cli_json_text(choices[i].text));
        pg_cli_json_set(entry, "probability", pg_cli_json_real(choices[i].score.probability));
        pg_cli_json_set(entry, "logprob", pg_cli_json_real(choices[i].score.logprob));
        pg_cli_json_set(entry, "tokens", pg_cli_json_integer((int64_t)choices[i].score.tokens));
        pg_cli_json_append(list, entry);
    }
    if (name)
        pg_cli_json_set(object, "image", pg_cli_json_text(name));
    pg_cli_json_set(object, "text", pg_cli_json_text(choices[0].text));
    pg_cli_json_set(object, "candidates", list);
    pg_cli_json_print(object);
}

static int choose(const task *run, const pg_request *request, const char *name)
{
    size_t count = run->candidates.count;
    pg_text_score *scores = pg_cli_alloc(count, sizeof *scores);
    choice *choices = pg_cli_alloc(count, sizeof *choices);
    int code;
    PG_CLI_TRY(pg_cli_check(pg_score_texts(scores, run->engine.session, request, run->candidates.items, count)));
    for (size_t i = 0; i < count; i++)
        choices[i] = (choice){run->candidates.items[i], scores[i]};
    qsort(choices, count, sizeof *choices, compare_choices);
    (run->settings->answering.json ? print_choices_json : print_choices)(choices, count, name);
done:
    free(scores);
    free(choices);
    return code;
}

/* ---------------------------------------------------------------- answers */

/* One prompt about some pictures; its output begins with `name` unless that is NULL. */
static int answer(const task *run, const char *const *paths, size_t count, const char *name)
{
    pg_request request = run->settings->answering.request;
    pg_cli_pictures pictures;
    int code = pg_cli_check(pg_cli_pictures_load(&pictures, paths, count, &run->settings->answering.looking));
    if (code != PG_CLI_DONE)
        return code;
    request.prompt = run->prompt;
    request.style = PG_PROMPT_TASK;
    request.images = (const pg_image *const *)pictures.items;
    request.image_count = pictures.count;
    code = run->candidates.count ? choose(run, &request, name)
                                 : pg_cli_answer(&run->engine, &run->settings->answering, &request, name);
    pg_cli_pictures_free(&pictures);
    return code;
}

/* The same prompt for each picture. One that fails does not keep the others from an answer. */
static int answer_each(const task *run, const char *const *paths, size_t count)
{
    int worst = PG_CLI_DONE;
    for (size_t i = 0; i < count && worst != PG_CLI_INTERRUPTED && pg_cli_flush(); i++) {
        int code = answer(run, &paths[i], 1, count > 1 ? paths[i] : NULL);
        worst = code > worst ? code : worst;
    }
    return worst;
}

/* together: one prompt about all pictures. */
static int run_task(const pg_cli_command *command, task_settings *settings, const char *const *paths, size_t count,
                    const char *prompt, bool together)
{
    task run = {.settings = settings, .prompt = prompt};
    char *lines = NULL;
    int code;
    PG_CLI_TRY(pg_cli_answering_check(command, &settings->answering));
    if (settings->candidates)
        PG_CLI_TRY(pg_cli_lines_load(&run.candidates, &lines, settings->candidates, "candidates for the answer"));
    PG_CLI_TRY(pg_cli_answering_open(&run.engine, command, &settings->answering, true, 1));
    code = together ? answer(&run, paths, count, NULL) : answer_each(&run, paths, count);
done:
    pg_cli_engine_close(&run.engine);
    free(run.candidates.items);
    free(lines);
    return code;
}

static int run_caption(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    task_settings *settings = memory;
    char *prompt = pg_cli_text("caption %s", settings->language);
    int code = run_task(command, settings, operands->items, operands->count, prompt, false);
    free(prompt);
    return code;
}

static int run_ask(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    task_settings *settings = memory;
    size_t pictures = operands->count - 1;
    char *prompt = pg_cli_text("answer %s %s", settings->language, operands->items[pictures]);
    int code = run_task(command, settings, operands->items, pictures, prompt, true);
    free(prompt);
    return code;
}

static int run_ocr(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    return run_task(command, memory, operands->items, operands->count, "ocr", false);
}

#define CHOICE                                                                                                 \
    "\n\nWith --candidates, each line of a file is scored as the whole answer, and they are printed with the " \
    "likeliest "                                                                                               \
    "first: its probability among them, and the line."

const pg_cli_command pg_cli_caption = {
    .name = "caption",
    .usage = "[-m MODEL] [--lang LANG] IMAGE...",
    .summary = "describe pictures",
    .details = "Describes each picture in a line, with PaliGemma's prompt \"caption LANG\". Where there are several, "
               "the line begins with the picture's name. - is standard input." CHOICE,
    .groups = groups,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .settings_size = sizeof(task_settings),
    .init = init,
    .run = run_caption,
};

const pg_cli_command pg_cli_ask = {
    .name = "ask",
    .usage = "[-m MODEL] [--lang LANG] IMAGE... QUESTION",
    .summary = "answer a question about pictures",
    .details = "Answers a question about a picture, or about several together, with PaliGemma's prompt \"answer LANG "
               "QUESTION\"." CHOICE,
    .groups = groups,
    .operands_min = 2,
    .operands_max = SIZE_MAX,
    .settings_size = sizeof(task_settings),
    .init = init,
    .run = run_ask,
};

const pg_cli_command pg_cli_ocr = {
    .name = "ocr",
    .usage = "[-m MODEL] IMAGE...",
    .summary = "read the text in pictures",
    .details = "Reads the text in each picture, with PaliGemma's prompt \"ocr\". Where there are several, the line "
               "begins with the picture's name. - is standard input." CHOICE,
    .groups = groups + 1,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .settings_size = sizeof(task_settings),
    .init = init,
    .run = run_ocr,
};
