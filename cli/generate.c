/* paligemma generate: pictures and a prompt in, text out; one request, or a file of them. */
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "commands.h"
#include "input.h"

typedef struct generate_settings {
    pg_cli_answering answering;
    pg_cli_list images;
    const char *prompt, *prompt_file;
    bool chat;
    const char *candidates;
    pg_cli_batch batch;
} generate_settings;

static const pg_cli_option prompt_options[] = {
    {"image", 0, "FILE", PG_CLI_LIST, offsetof(generate_settings, images),
     "a picture; may be repeated; - is standard input", 0, 0},
    {"prompt", 'p', "TEXT", PG_CLI_TEXT, offsetof(generate_settings, prompt), "the prompt", 0, 0},
    {"prompt-file", 0, "FILE", PG_CLI_TEXT, offsetof(generate_settings, prompt_file),
     "read the prompt from FILE; a newline at its very end does not count", 0, 0},
    {"chat", 0, NULL, PG_CLI_FLAG, offsetof(generate_settings, chat), "wrap the prompt in Gemma's turns", 0, 0},
    {"candidates", 0, "FILE", PG_CLI_TEXT, offsetof(generate_settings, candidates),
     "answer with one of the lines of FILE", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Prompt", prompt_options, 0},
    {"Many prompts", pg_cli_batch_options, offsetof(generate_settings, batch)},
    {"Model", pg_cli_source_options, offsetof(generate_settings, answering.source)},
    {"Answer (what is left out is the model's own choice)", pg_cli_decoding_options,
     offsetof(generate_settings, answering)},
    {"Output", pg_cli_printing_options, offsetof(generate_settings, answering)},
    {"Pictures", pg_cli_looking_options, offsetof(generate_settings, answering.looking)},
    {"Speed", pg_cli_arithmetic_options, offsetof(generate_settings, answering.arithmetic)},
    {0},
};

static void init(void *memory)
{
    generate_settings *settings = memory;
    pg_cli_answering_init(&settings->answering);
    pg_cli_batch_init(&settings->batch);
}

static int check(const pg_cli_command *command, generate_settings *settings)
{
    bool single = settings->prompt || settings->prompt_file || settings->images.count;
    if (settings->batch.path && single)
        return pg_cli_usage(command, "--batch names prompts and pictures itself: leave out --prompt and --image");
    if (settings->batch.output && !settings->batch.path)
        return pg_cli_usage(command, "--output holds the results of --batch, which is missing");
    if (!settings->batch.path && !settings->prompt == !settings->prompt_file)
        return pg_cli_usage(command, "give one prompt, with -p TEXT or --prompt-file FILE");
    if (settings->chat && settings->images.count)
        return pg_cli_usage(command, "--chat is Gemma's form of a prompt and takes no pictures");
    return pg_cli_answering_check(command, &settings->answering);
}

static int load_prompt(char **out, const char *path)
{
    size_t size;
    int code = pg_cli_text_load(out, &size, path);
    if (*out && size > 0 && (*out)[size - 1] == '\n')
        (*out)[size - 1] = 0;
    return code;
}

static int load_candidates(pg_constraint **out, const pg_model *model, const char *path)
{
    pg_cli_list lines = {0};
    char *text;
    int code = pg_cli_lines_load(&lines, &text, path, "candidates for the answer");
    if (code == PG_CLI_DONE)
        code = pg_cli_check(pg_constraint_new_texts(out, model, lines.items, lines.count));
    free(lines.items);
    free(text);
    return code;
}

static int answer_one(const pg_cli_engine *engine, const generate_settings *settings)
{
    pg_cli_pictures pictures = {0};
    pg_request request = settings->answering.request;
    char *text = NULL;
    int code;
    if (settings->prompt_file)
        PG_CLI_TRY(load_prompt(&text, settings->prompt_file));
    PG_CLI_TRY(pg_cli_check(
        pg_cli_pictures_load(&pictures, settings->images.items, settings->images.count, &settings->answering.looking)));
    request.prompt = text ? text : settings->prompt;
    request.style = settings->chat ? PG_PROMPT_CHAT : pictures.count ? PG_PROMPT_TASK : PG_PROMPT_TEXT;
    request.images = (const pg_image *const *)pictures.items;
    request.image_count = pictures.count;
    code = pg_cli_answer(engine, &settings->answering, &request, NULL);
done:
    pg_cli_pictures_free(&pictures);
    free(text);
    return code;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    generate_settings *settings = memory;
    pg_cli_engine engine = {0};
    pg_constraint *constraint = NULL;
    int code;
    (void)operands;
    PG_CLI_TRY(check(command, settings));
    size_t parallel = settings->batch.path ? (size_t)settings->batch.parallel : 1;
    PG_CLI_TRY(pg_cli_answering_open(&engine, command, &settings->answering, settings->images.count > 0, parallel));
    if (settings->candidates)
        PG_CLI_TRY(load_candidates(&constraint, engine.model, settings->candidates));
    settings->answering.request.constraint = constraint;
    if (settings->chat && pg_model_get_kind(engine.model) != PG_MODEL_GEMMA)
        code = pg_cli_fail("%s: found a PaliGemma model, but --chat needs Gemma", engine.folder);
    else if (settings->batch.path)
        code = pg_cli_batch_run(&engine, &settings->answering, &settings->batch, settings->chat);
    else
        code = answer_one(&engine, settings);
done:
    pg_constraint_free(constraint);
    pg_cli_engine_close(&engine);
    return code;
}

const pg_cli_command pg_cli_generate = {
    .name = "generate",
    .usage = "[-m MODEL] [--image FILE]... -p TEXT",
    .summary = "answer a prompt about pictures, or continue a text",
    .details =
        "Answers a prompt about one or more pictures. Without a picture, the text is continued; --chat makes it one "
        "turn of a conversation with Gemma. The answer is printed as it is made.\n"
        "With --candidates the answer is one of the lines of a file, as the model likes it best token by token; empty "
        "lines do not count, and log-probabilities are those among the candidates.\n"
        "--json prints text, tokens (ids, with the end token), logprobs, finish_reason (stop, length or cancelled), "
        "prompt_tokens, timings in seconds; with --beams, beams: text, tokens and score of each.\n"
        "--batch FILE answers many prompts: each line of FILE is a JSON object with \"prompt\" and, if there are "
        "pictures, \"image\": a file name or a list of them, seen from the folder of FILE. Results are JSON lines in "
        "the same order, with \"index\" counting from 0; one that failed has \"error\", and the exit code is 1 at "
        "the end. With --output, results are added to a file, and a run that was cut off goes on where it ended.",
    .groups = groups,
    .settings_size = sizeof(generate_settings),
    .init = init,
    .run = run,
};
