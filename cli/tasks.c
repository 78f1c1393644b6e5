/* paligemma caption, ask, ocr: PaliGemma's own task prompts, "caption en", "answer en QUESTION" and "ocr". */
#include <stdlib.h>

#include "answer.h"
#include "commands.h"

typedef struct task_settings {
    pg_cli_answering answering;
    const char *language;
} task_settings;

static const pg_cli_option language_options[] = {
    {"lang", 0, "LANG", PG_CLI_TEXT, offsetof(task_settings, language), "language of the answer (default: en)", 0, 0},
    {0},
};

/* ocr has no language: it begins at the second group. */
static const pg_cli_group groups[] = {
    {"Prompt", language_options, 0},
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

static int answer_picture(const pg_cli_engine *engine, const task_settings *settings, const char *path, bool named,
                          const char *prompt)
{
    pg_request request = settings->answering.request;
    pg_cli_pictures pictures;
    int code = pg_cli_check(pg_cli_pictures_load(&pictures, &path, 1, &settings->answering.looking));
    if (code != PG_CLI_DONE)
        return code;
    request.prompt = prompt;
    request.style = PG_PROMPT_TASK;
    request.images = (const pg_image *const *)pictures.items;
    request.image_count = pictures.count;
    code = pg_cli_answer(engine, &settings->answering, &request, named ? path : NULL);
    pg_cli_pictures_free(&pictures);
    return code;
}

/* The same prompt for each picture. One that fails does not keep the others from an answer. */
static int answer_pictures(const pg_cli_command *command, task_settings *settings, const char *const *paths,
                           size_t count, const char *prompt)
{
    pg_cli_engine engine = {0};
    int code, worst = PG_CLI_DONE;
    PG_CLI_TRY(pg_cli_answering_check(command, &settings->answering));
    PG_CLI_TRY(pg_cli_answering_open(&engine, command, &settings->answering, true, 1));
    for (size_t i = 0; i < count && code != PG_CLI_INTERRUPTED && pg_cli_flush(); i++) {
        code = answer_picture(&engine, settings, paths[i], count > 1, prompt);
        worst = code > worst ? code : worst;
    }
    code = worst;
done:
    pg_cli_engine_close(&engine);
    return code;
}

static int run_caption(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    task_settings *settings = memory;
    char *prompt = pg_cli_text("caption %s", settings->language);
    int code = answer_pictures(command, settings, operands->items, operands->count, prompt);
    free(prompt);
    return code;
}

static int run_ask(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    task_settings *settings = memory;
    char *prompt = pg_cli_text("answer %s %s", settings->language, operands->items[1]);
    int code = answer_pictures(command, settings, operands->items, 1, prompt);
    free(prompt);
    return code;
}

static int run_ocr(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    return answer_pictures(command, memory, operands->items, operands->count, "ocr");
}

const pg_cli_command pg_cli_caption = {
    .name = "caption",
    .usage = "[-m MODEL] [--lang LANG] IMAGE...",
    .summary = "describe pictures",
    .details = "Describes each picture in a line, with PaliGemma's prompt \"caption LANG\". Where there are several, "
               "the line begins with the picture's name. - is standard input.",
    .groups = groups,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .settings_size = sizeof(task_settings),
    .init = init,
    .run = run_caption,
};

const pg_cli_command pg_cli_ask = {
    .name = "ask",
    .usage = "[-m MODEL] [--lang LANG] IMAGE QUESTION",
    .summary = "answer a question about a picture",
    .details = "Answers a question about a picture, with PaliGemma's prompt \"answer LANG QUESTION\".",
    .groups = groups,
    .operands_min = 2,
    .operands_max = 2,
    .settings_size = sizeof(task_settings),
    .init = init,
    .run = run_ask,
};

const pg_cli_command pg_cli_ocr = {
    .name = "ocr",
    .usage = "[-m MODEL] IMAGE...",
    .summary = "read the text in pictures",
    .details = "Reads the text in each picture, with PaliGemma's prompt \"ocr\". Where there are several, the line "
               "begins with the picture's name. - is standard input.",
    .groups = groups + 1,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .settings_size = sizeof(task_settings),
    .init = init,
    .run = run_ocr,
};
