/* paligemma trace: every named intermediate of one forward pass into a safetensors file. */
#include "commands.h"
#include "engine.h"

typedef struct trace_settings {
    pg_cli_source source;
    const char *prompt, *out;
    pg_cli_list images;
    bool chat, special;
    pg_cli_looking looking;
    pg_cli_arithmetic arithmetic;
} trace_settings;

static const pg_cli_option trace_options[] = {
    {"image", 0, "FILE", PG_CLI_LIST, offsetof(trace_settings, images),
     "a picture; may be repeated; - is standard input", 0, 0},
    {"prompt", 'p', "TEXT", PG_CLI_TEXT, offsetof(trace_settings, prompt), "the prompt (default: empty)", 0, 0},
    {"chat", 0, NULL, PG_CLI_FLAG, offsetof(trace_settings, chat), "wrap the prompt in Gemma's turns", 0, 0},
    {"special", 0, NULL, PG_CLI_FLAG, offsetof(trace_settings, special), "let control tokens in the prompt count", 0,
     0},
    {"out", 'o', "FILE", PG_CLI_TEXT, offsetof(trace_settings, out), "the safetensors file to write", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_source_options, offsetof(trace_settings, source)},
    {"Trace", trace_options, 0},
    {"Pictures", pg_cli_looking_options, offsetof(trace_settings, looking)},
    {"Speed", pg_cli_arithmetic_options, offsetof(trace_settings, arithmetic)},
    {0},
};

static void init(void *memory)
{
    trace_settings *settings = memory;
    settings->prompt = "";
    settings->arithmetic.compute = PG_COMPUTE_F32;
}

static int save(const pg_cli_engine *engine, const trace_settings *settings)
{
    pg_cli_pictures pictures;
    pg_request request;
    int code = pg_cli_check(
        pg_cli_pictures_load(&pictures, settings->images.items, settings->images.count, &settings->looking));
    if (code != PG_CLI_DONE)
        return code;
    pg_request_init(&request);
    request.images = (const pg_image *const *)pictures.items;
    request.image_count = pictures.count;
    request.prompt = settings->prompt;
    request.style = settings->chat ? PG_PROMPT_CHAT : pictures.count ? PG_PROMPT_TASK : PG_PROMPT_TEXT;
    request.special = settings->special;
    code = pg_cli_check(pg_trace_save(engine->session, &request, settings->out));
    pg_cli_pictures_free(&pictures);
    return code;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    trace_settings *settings = memory;
    pg_cli_use use = {
        .source = settings->source,
        .kinds = 1u << PG_MODEL_PALIGEMMA | 1u << PG_MODEL_GEMMA | 1u << PG_MODEL_SIGLIP,
        .arithmetic = settings->arithmetic,
        .looking = settings->looking,
        .sequences = 1,
    };
    pg_cli_engine engine;
    (void)operands;
    if (!settings->out)
        return pg_cli_usage(command, "name the file to write with --out FILE.safetensors");
    int code = pg_cli_engine_open(&engine, command, &use);
    if (code != PG_CLI_DONE)
        return code;
    code = save(&engine, settings);
    pg_cli_engine_close(&engine);
    return code;
}

const pg_cli_command pg_cli_trace = {
    .name = "trace",
    .usage = "[-m MODEL] [--image FILE]... [--prompt TEXT] --out FILE",
    .summary = "write every intermediate of a forward pass to a file",
    .details = "Runs the prompt once and writes every named intermediate (input_ids, pixel_values, vision.layer.0, "
               "features, text.layer.0, logits, ...) to a safetensors file, to compare with another implementation. "
               "The arithmetic is f32 unless --compute says otherwise.",
    .groups = groups,
    .settings_size = sizeof(trace_settings),
    .init = init,
    .run = run,
};
