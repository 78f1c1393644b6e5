/* paligemma bench: how fast a model runs here, and how much of what the machine can do that is. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "fetching.h"
#include "progress.h"

typedef struct bench_settings {
    pg_cli_source source;
    int64_t image_size, prompt_tokens, new_tokens, batch, repeat;
    bool once, json, profile;
    pg_cli_arithmetic arithmetic;
} bench_settings;

static const pg_cli_option work_options[] = {
    {"image-size", 0, "N", PG_CLI_INTEGER, offsetof(bench_settings, image_size),
     "side of the picture in pixels (default: the model's)", 1, 65536},
    {"prompt-tokens", 'p', "N", PG_CLI_INTEGER, offsetof(bench_settings, prompt_tokens),
     "tokens of text in the prompt (default: 12 behind a picture, 268 without one)", 1, 1e6},
    {"new-tokens", 'n', "N", PG_CLI_INTEGER, offsetof(bench_settings, new_tokens), "tokens of the answer (default: 32)",
     1, 1e6},
    {"batch", 'b', "N", PG_CLI_INTEGER, offsetof(bench_settings, batch),
     "time N answers that are written together as well", 1, 4096},
    {"repeat", 'r', "N", PG_CLI_INTEGER, offsetof(bench_settings, repeat), "rounds (default: 5)", 1, 10000},
    {"once", 0, NULL, PG_CLI_FLAG, offsetof(bench_settings, once),
     "time the first request alone, unwarmed and unchecked", 0, 0},
    {0},
};

static const pg_cli_option output_options[] = {
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(bench_settings, json), "print one JSON object", 0, 0},
    {"profile", 0, NULL, PG_CLI_FLAG, offsetof(bench_settings, profile), "print the time of every operation", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_source_options, offsetof(bench_settings, source)},
    {"Work", work_options, 0},
    {"Output", output_options, 0},
    {"Speed", pg_cli_arithmetic_options, offsetof(bench_settings, arithmetic)},
    {0},
};

/* ---------------------------------------------------------------- JSON */

static json_t *describe_figure(const pg_figure *figure)
{
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "median", pg_cli_json_real(figure->median));
    pg_cli_json_set(object, "min", pg_cli_json_real(figure->low));
    pg_cli_json_set(object, "max", pg_cli_json_real(figure->high));
    return object;
}

static void describe_setup(json_t *object, const pg_bench *bench, const char *folder, const char *device)
{
    pg_cli_json_set(object, "model", pg_cli_json_text(folder));
    pg_cli_json_set(object, "device", pg_cli_json_text(device));
    pg_cli_json_set(object, "isa", pg_cli_json_text(pg_isa()));
    pg_cli_json_set(object, "compute", pg_cli_json_text(pg_cli_compute_text(bench->compute)));
    pg_cli_json_set(object, "threads", pg_cli_json_integer(bench->threads));
    pg_cli_json_set(object, "image_size", pg_cli_json_integer((int64_t)bench->image_size));
    pg_cli_json_set(object, "prompt_tokens", pg_cli_json_integer((int64_t)bench->prompt_tokens));
    pg_cli_json_set(object, "new_tokens", pg_cli_json_integer((int64_t)bench->new_tokens));
    pg_cli_json_set(object, "rounds", pg_cli_json_integer((int64_t)bench->rounds));
    pg_cli_json_set(object, "weight_bytes", pg_cli_json_integer((int64_t)bench->weight_bytes));
    pg_cli_json_set(object, "token_memory", pg_cli_json_integer((int64_t)bench->token_memory));
    pg_cli_json_set(object, "peak_memory", pg_cli_json_integer((int64_t)bench->peak_memory));
    pg_cli_json_set(object, "private_memory", pg_cli_json_integer((int64_t)bench->private_memory));
}

static void describe_times(json_t *object, const pg_bench *bench)
{
    pg_cli_json_set(object, "load", describe_figure(&bench->load));
    pg_cli_json_set(object, "first_answer", pg_cli_json_real(bench->first_answer));
    if (bench->image_size)
        pg_cli_json_set(object, "vision", describe_figure(&bench->vision.seconds));
    pg_cli_json_set(object, "prefill", describe_figure(&bench->prefill.seconds));
    pg_cli_json_set(object, "first_token", describe_figure(&bench->first_token));
    pg_cli_json_set(object, "decode", describe_figure(&bench->decode.seconds));
    pg_cli_json_set(object, "tokens_per_second", describe_figure(&bench->tokens_per_second));
    if (bench->batch > 1) {
        json_t *batch = describe_figure(&bench->batch_tokens_per_second);
        pg_cli_json_set(batch, "sequences", pg_cli_json_integer((int64_t)bench->batch));
        pg_cli_json_set(object, "batch_tokens_per_second", batch);
    }
}

/* Three parts under their names, each by `value`; vision only where there are pictures. */
static json_t *describe_parts(const pg_bench *bench, double (*value)(const pg_bench_part *part))
{
    json_t *object = pg_cli_json_object();
    if (bench->image_size)
        pg_cli_json_set(object, "vision", pg_cli_json_real(value(&bench->vision)));
    pg_cli_json_set(object, "prefill", pg_cli_json_real(value(&bench->prefill)));
    pg_cli_json_set(object, "decode", pg_cli_json_real(value(&bench->decode)));
    return object;
}

static double work_of(const pg_bench_part *part)
{
    return part->work;
}

static double limit_of(const pg_bench_part *part)
{
    return part->limit.median * 1e-9;
}

static double share_of(const pg_bench_part *part)
{
    return part->share.median;
}

static json_t *describe_profile(const pg_bench *bench)
{
    json_t *array = pg_cli_json_array();
    for (size_t i = 0; i < bench->operation_count; i++) {
        const pg_bench_operation *operation = &bench->operations[i];
        json_t *object = pg_cli_json_object();
        pg_cli_json_set(object, "part", pg_cli_json_text(operation->part));
        pg_cli_json_set(object, "name", pg_cli_json_text(operation->name));
        pg_cli_json_set(object, "calls", pg_cli_json_integer(operation->calls));
        pg_cli_json_set(object, "seconds", pg_cli_json_real(operation->seconds));
        pg_cli_json_append(array, object);
    }
    return array;
}

static void print_json(const pg_bench *bench, const char *folder, const char *device)
{
    json_t *object = pg_cli_json_object();
    describe_setup(object, bench, folder, device);
    describe_times(object, bench);
    pg_cli_json_set(object, "work", describe_parts(bench, work_of));
    pg_cli_json_set(object, "roofline", describe_parts(bench, limit_of));
    pg_cli_json_set(object, "roofline_share", describe_parts(bench, share_of));
    if (bench->operation_count)
        pg_cli_json_set(object, "profile", describe_profile(bench));
    pg_cli_json_print(object);
}

/* ---------------------------------------------------------------- tables */

static void print_figure(const char *name, const pg_figure *figure, const char *unit)
{
    pg_cli_print("%-14s %9.3f %9.3f %9.3f  %s", name, figure->median, figure->low, figure->high, unit);
}

static void print_part(const char *name, const pg_bench_part *part, const char *unit)
{
    print_figure(name, &part->seconds, "s");
    if (!(part->limit.median > 0))
        pg_cli_print("\n");
    else
        pg_cli_print("         %9.1f %-6s %5.1f %%\n", part->limit.median * 1e-9, unit, part->share.median * 100);
}

static void print_line(const char *name, const pg_figure *figure, const char *unit)
{
    print_figure(name, figure, unit);
    pg_cli_print("\n");
}

static void print_times(const pg_bench *bench)
{
    pg_cli_print("%-14s %9s %9s %9s  %-8s  %16s %7s\n", "", "median", "min", "max", "", "roofline", "share");
    print_line("load", &bench->load, "s");
    if (bench->image_size)
        print_part("vision", &bench->vision, "Gop/s");
    print_part("prefill", &bench->prefill, "Gop/s");
    print_line("first token", &bench->first_token, "s");
    print_part("decode", &bench->decode, "GB/s");
    print_line("", &bench->tokens_per_second, "tokens/s");
    if (bench->batch > 1) {
        char *name = pg_cli_text("batch of %zu", bench->batch);
        print_line(name, &bench->batch_tokens_per_second, "tokens/s");
        free(name);
    }
}

/* Each part's operations, the longest first. */
static int compare_operations(const void *a, const void *b)
{
    const pg_bench_operation *x = a, *y = b;
    if (strcmp(x->part, y->part) != 0)
        return -strcmp(x->part, y->part); /* vision, prefill, decode */
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static double part_seconds(const pg_bench *bench, const char *part)
{
    double seconds = 0;
    for (size_t i = 0; i < bench->operation_count; i++)
        if (strcmp(bench->operations[i].part, part) == 0)
            seconds += bench->operations[i].seconds;
    return seconds;
}

static void print_profile(const pg_bench *bench)
{
    const char *part = "";
    qsort(bench->operations, bench->operation_count, sizeof *bench->operations, compare_operations);
    for (size_t i = 0; i < bench->operation_count; i++) {
        const pg_bench_operation *operation = &bench->operations[i];
        if (strcmp(part, operation->part) != 0)
            pg_cli_print("\n%-36s %8s %11s %7s\n", operation->part, "calls", "ms", "share");
        part = operation->part;
        pg_cli_print("  %-34s %8lld %11.3f %5.1f %%\n", operation->name, (long long)operation->calls,
                     operation->seconds * 1e3, operation->seconds / part_seconds(bench, part) * 100);
    }
}

static void print_tables(const pg_bench *bench, const char *folder, const char *device)
{
    const char *compute = pg_cli_compute_text(bench->compute);
    if (strcmp(device, "cpu") == 0)
        pg_cli_print("%s: %s, %s, threads: %d\n", folder, compute, pg_isa(), bench->threads);
    else
        pg_cli_print("%s: %s, %s\n", folder, compute, device);
    if (bench->image_size)
        pg_cli_print("picture of %zu x %zu, ", bench->image_size, bench->image_size);
    pg_cli_print("prompt of %zu tokens, answer of %zu; rounds: %zu\n\n", bench->prompt_tokens, bench->new_tokens,
                 bench->rounds);
    print_times(bench);
    pg_cli_print("\nfirst answer   %9.3f s, from opening the files, nothing warmed up\n", bench->first_answer);
    pg_cli_print("memory         %9.1f MB at most, %.1f beyond the weights' %.1f; %.1f KB of cache for every token\n",
                 (double)bench->peak_memory * 1e-6, (double)bench->private_memory * 1e-6,
                 (double)bench->weight_bytes * 1e-6, (double)bench->token_memory * 1e-3);
    print_profile(bench);
}

/* ---------------------------------------------------------------- the command */

static bool show_round(void *user, size_t rounds_done)
{
    pg_cli_progress_show(user, rounds_done);
    return true;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const bench_settings *settings = memory;
    const char *folder;
    pg_bench_options options;
    pg_bench *bench;
    pg_cli_progress progress;
    (void)operands;
    int code = pg_cli_model_find(&folder, command, settings->source.model, 1u << PG_MODEL_PALIGEMMA);
    if (code != PG_CLI_DONE)
        return code;
    pg_bench_options_init(&options);
    options.image_size = (size_t)settings->image_size;
    options.prompt_tokens = (size_t)settings->prompt_tokens;
    options.new_tokens = (size_t)settings->new_tokens;
    options.batch = (size_t)settings->batch;
    options.rounds = (size_t)settings->repeat;
    options.threads = (int)settings->arithmetic.threads;
    options.compute = (pg_compute)settings->arithmetic.compute;
    options.cache = (pg_cache_type)settings->arithmetic.cache;
    options.model = pg_cli_model_how(&settings->source, &settings->arithmetic);
    if ((code = pg_cli_fetch(&options.model.adapter)) != PG_CLI_DONE)
        return code;
    options.profile = settings->profile;
    options.once = settings->once;
    options.on_round = show_round;
    options.user = &progress;
    pg_cli_progress_start(&progress, 0, settings->repeat ? (size_t)settings->repeat : 5);
    pg_status status = pg_bench_run(&bench, folder, &options);
    pg_cli_progress_clear(&progress);
    code = pg_cli_check(status);
    if (code != PG_CLI_DONE)
        return code;
    if (settings->json)
        print_json(bench, folder, options.model.device);
    else
        print_tables(bench, folder, options.model.device);
    pg_bench_free(bench);
    return code;
}

const pg_cli_command pg_cli_bench = {
    .name = "bench",
    .usage = "[-m MODEL] [--json]",
    .summary = "time a model beside what this machine can do",
    .details =
        "Times loading, the vision tower, the prompt and the answer with random pixels and tokens, each once in every "
        "round. Beside each stands what the machine could do right before and after it, and the share of that which "
        "was reached: multiplications and additions from registers for picture and prompt, bytes read from memory for "
        "the answer (of a GPU the latter alone). An unwarmed request goes first; its result is checked, and must come "
        "again in every round. --once leaves it at that request, where pictures are so large that it takes minutes.\n"
        "Another size than the model's gets random positions, so that all sizes can be timed with one model. --json "
        "prints times in seconds; work in operations and bytes; roofline in 10^9 operations and bytes a second; "
        "roofline_share as parts of 1.",
    .groups = groups,
    .settings_size = sizeof(bench_settings),
    .run = run,
};
