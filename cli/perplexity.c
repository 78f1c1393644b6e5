/*
 * paligemma perplexity: how well a model predicts a text, exp(mean of -log p(token | those before it)).
 *
 * A text longer than the window is cut into windows that know nothing of each other; each begins with <bos>, which is
 * given and not predicted, so every token of the text is predicted once.
 */
#include <math.h>
#include <stdlib.h>

#include "commands.h"
#include "engine.h"
#include "input.h"
#include "progress.h"

typedef struct perplexity_settings {
    pg_cli_source source;
    int64_t window;
    bool json;
    pg_cli_arithmetic arithmetic;
} perplexity_settings;

typedef struct text_score {
    size_t tokens;
    double nll; /* sum, in nats */
} text_score;

static const pg_cli_option perplexity_options[] = {
    {"window", 'w', "N", PG_CLI_INTEGER, offsetof(perplexity_settings, window),
     "tokens in a window, <bos> included (default: the model's context)", 2, INFINITY},
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(perplexity_settings, json), "print one JSON object", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_source_options, offsetof(perplexity_settings, source)},
    {"Text", perplexity_options, 0},
    {"Speed", pg_cli_arithmetic_options, offsetof(perplexity_settings, arithmetic)},
    {0},
};

/* ids[0] is <bos>. Each window borrows the place of the token before it, which has been scored, for its own <bos>. */
static int score_windows(text_score *out, pg_session *session, int32_t *ids, size_t count, size_t window)
{
    int32_t bos = ids[0];
    float *nll = pg_cli_alloc(window, sizeof *nll);
    pg_cli_progress progress;
    int code = PG_CLI_DONE;
    pg_cli_progress_start(&progress, 0, count - 1);
    for (size_t start = 0; start + 1 < count && code == PG_CLI_DONE; start += window - 1) {
        size_t size = count - start < window ? count - start : window;
        ids[start] = bos;
        code = pg_cli_check(pg_perplexity(nll, session, ids + start, size));
        for (size_t i = 0; i + 1 < size; i++)
            out->nll += (double)nll[i];
        out->tokens += size - 1;
        pg_cli_progress_show(&progress, out->tokens);
    }
    pg_cli_progress_clear(&progress);
    free(nll);
    return code;
}

static int score_file(text_score *out, const pg_cli_engine *engine, const perplexity_settings *settings,
                      const char *path)
{
    char *text = NULL;
    int32_t *ids = NULL;
    size_t size, count, window = pg_model_context(engine->model);
    int code;
    if (settings->window && (size_t)settings->window < window)
        window = (size_t)settings->window;
    PG_CLI_TRY(pg_cli_file_load(&text, &size, path));
    if (pg_tokenizer_encode(&ids, &count, pg_model_tokenizer(engine->model), text, size, PG_ENCODE_BOS) != PG_OK)
        code = pg_cli_fail("%s: %s", path, pg_error_last());
    else if (count < 2)
        code = pg_cli_fail("%s: found no text", path);
    else
        code = score_windows(out, engine->session, ids, count, window);
done:
    pg_free(ids);
    free(text);
    return code;
}

static void print_score(const text_score *score, bool json)
{
    double mean = score->nll / (double)score->tokens;
    if (!json) {
        pg_cli_print("tokens      %zu\nmean_nll    %.6f\nperplexity  %.6g\n", score->tokens, mean, exp(mean));
        return;
    }
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "tokens", pg_cli_json_integer((int64_t)score->tokens));
    pg_cli_json_set(object, "mean_nll", pg_cli_json_real(mean));
    pg_cli_json_set(object, "perplexity", pg_cli_json_real(exp(mean)));
    pg_cli_json_print(object);
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    perplexity_settings *settings = memory;
    pg_cli_use use = {
        .source = settings->source,
        .kinds = 1u << PG_MODEL_PALIGEMMA | 1u << PG_MODEL_GEMMA,
        .kind_names = "PaliGemma or Gemma",
        .arithmetic = settings->arithmetic,
        .sequences = 1,
    };
    pg_cli_engine engine;
    text_score score = {0};
    int code = pg_cli_engine_open(&engine, command, &use);
    if (code != PG_CLI_DONE)
        return code;
    code = score_file(&score, &engine, settings, operands->items[0]);
    if (code == PG_CLI_DONE)
        print_score(&score, settings->json);
    pg_cli_engine_close(&engine);
    return code;
}

const pg_cli_command pg_cli_perplexity = {
    .name = "perplexity",
    .usage = "[-m MODEL] FILE",
    .summary = "measure how well a model predicts a text",
    .details = "Prints the number of tokens in FILE (- is standard input), the mean of their negative log-probability "
               "in nats, and e to the power of that mean. A text longer than the window is cut into windows that are "
               "scored independently, each begun with <bos>.",
    .groups = groups,
    .operands_min = 1,
    .operands_max = 1,
    .settings_size = sizeof(perplexity_settings),
    .run = run,
};
