/* Options of decoding; streamed text, JSON and figures of an answer. */
#include "answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define IN_REQUEST(field) offsetof(pg_cli_answering, request.field)

const pg_cli_option pg_cli_decoding_options[] = {
    {"max-new-tokens", 'n', "N", PG_CLI_INTEGER, IN_REQUEST(max_new_tokens),
     "end the answer after N tokens (where neither the model nor --max-length has a limit: 256)", 1, INFINITY},
    {"max-length", 0, "N", PG_CLI_INTEGER, IN_REQUEST(max_length),
     "end it when pictures, prompt and answer have N tokens together", 1, INFINITY},
    {"min-new-tokens", 0, "N", PG_CLI_INTEGER, IN_REQUEST(min_new_tokens), "do not end it before N tokens", 0,
     INFINITY},
    {"stop", 0, "TEXT", PG_CLI_LIST, offsetof(pg_cli_answering, stop),
     "end it where TEXT appears, and leave TEXT out; may be repeated", 0, 0},
    {"temperature", 0, "T", PG_CLI_NUMBER, IN_REQUEST(temperature),
     "draw tokens at random, the more boldly the larger T is; 0: take the likeliest", 0, 1000},
    {"top-k", 0, "K", PG_CLI_INTEGER, IN_REQUEST(top_k), "draw from the K likeliest tokens; 0: from all", 0, INFINITY},
    {"top-p", 0, "P", PG_CLI_NUMBER, IN_REQUEST(top_p),
     "draw from the likeliest tokens that together have probability P; 1: from all", 0, 1},
    {"min-p", 0, "P", PG_CLI_NUMBER, IN_REQUEST(min_p),
     "draw from tokens at least P times as likely as the likeliest; 0: from all", 0, 1},
    {"seed", 0, "S", PG_CLI_INTEGER, IN_REQUEST(seed), "the same seed draws the same tokens (default: 0)", 0, INFINITY},
    {"repetition-penalty", 0, "R", PG_CLI_NUMBER, IN_REQUEST(repetition_penalty),
     "make tokens that occurred, also in the prompt, less likely; 1: off", 0.01, 100},
    {"no-repeat-ngram-size", 0, "N", PG_CLI_INTEGER, IN_REQUEST(no_repeat_ngram),
     "never repeat a run of N tokens; 0: off", 0, INFINITY},
    {"beams", 0, "N", PG_CLI_INTEGER, IN_REQUEST(beams), "follow the N best answers at a time; 1: only one", 1, 1024},
    {"beams-returned", 0, "N", PG_CLI_INTEGER, IN_REQUEST(beams_returned),
     "print the best N of them (default: 1, with --json all)", 1, 1024},
    {"length-penalty", 0, "L", PG_CLI_NUMBER, IN_REQUEST(length_penalty), "above 0 long beams gain, below 0 short ones",
     -100, 100},
    {"early-stopping", 0, NULL, PG_CLI_FLAG, IN_REQUEST(early_stopping),
     "end the search as soon as there are enough finished beams", 0, 0},
    {"speculate", 0, "N", PG_CLI_INTEGER, IN_REQUEST(speculate),
     "compute up to N tokens ahead where the text repeats itself, which changes no answer; 0: none (default: as many "
     "as "
     "make it faster)",
     0, 15},
    {"special", 0, NULL, PG_CLI_FLAG, IN_REQUEST(special),
     "let control tokens spelled out in the prompt (<bos>, <image>, ...) count; else they are plain text", 0, 0},
    {0},
};

const pg_cli_option pg_cli_printing_options[] = {
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(pg_cli_answering, json),
     "print one JSON object: text, tokens, logprobs, probability, finish_reason, timings, ...", 0, 0},
    {"scores", 0, NULL, PG_CLI_FLAG, offsetof(pg_cli_answering, scores),
     "print the answer's probability behind it, after a tab", 0, 0},
    {"top-logits", 0, "K", PG_CLI_INTEGER, offsetof(pg_cli_answering, top_logits),
     "with --json: the K best logits of every step", 1, 1000},
    {"stats", 0, NULL, PG_CLI_FLAG, offsetof(pg_cli_answering, stats), "print times and memory on stderr", 0, 0},
    {0},
};

bool pg_cli_on_text(void *user, size_t index, const char *text, size_t size)
{
    (void)user, (void)index, (void)text, (void)size;
    return !pg_cli_interrupted();
}

/* As above, but shows the text as it comes; a reader that went away ends the answer as well. */
static bool show_text(void *user, size_t index, const char *text, size_t size)
{
    (void)user, (void)index;
    pg_cli_put(text, size);
    return pg_cli_flush() && !pg_cli_interrupted();
}

void pg_cli_answering_init(pg_cli_answering *settings)
{
    pg_request_init(&settings->request);
}

int pg_cli_answering_check(const pg_cli_command *command, pg_cli_answering *settings)
{
    pg_request *request = &settings->request;
    if (settings->top_logits && !settings->json)
        return pg_cli_usage(command, "--top-logits appear in JSON only: add --json");
    if (request->beams > 1 && (request->temperature > 0 || settings->stop.count))
        return pg_cli_usage(command, "--beams does not go with --temperature or --stop");
    if (request->beams > 1 && settings->scores)
        return pg_cli_usage(command, "--beams has scores of its own: leave out --scores");
    if (request->beams > 0 && request->beams_returned > request->beams)
        return pg_cli_usage(command, "--beams-returned is larger than --beams");
    request->stop = settings->stop.items;
    request->stop_count = settings->stop.count;
    request->top_logits = (size_t)settings->top_logits;
    return PG_CLI_DONE;
}

/* What the command line left open is the model's to choose; only then is it known how many beams there are. */
static int complete_request(pg_cli_answering *settings, const pg_model *model)
{
    pg_request *request = &settings->request;
    pg_request_complete(request, model);
    if (request->beams_returned > request->beams)
        return pg_cli_fail("--beams-returned is %lld, but there are %lld beams", (long long)request->beams_returned,
                           (long long)request->beams);
    if (settings->json && request->beams > 1 && request->beams_returned == 0)
        request->beams_returned = request->beams;
    return PG_CLI_DONE;
}

int pg_cli_answering_open(pg_cli_engine *out, const pg_cli_command *command, pg_cli_answering *settings, bool pictures,
                          size_t parallel)
{
    int code;
    pg_cli_use use = {
        .source = settings->source,
        .kinds = 1u << PG_MODEL_PALIGEMMA | (pictures ? 0 : 1u << PG_MODEL_GEMMA),
        .kind_names = pictures ? "PaliGemma to look at pictures" : "PaliGemma or Gemma",
        .arithmetic = settings->arithmetic,
        .looking = settings->looking,
        .sequences = parallel,
    };
    pg_cli_catch_interrupts(false);
    PG_CLI_TRY(pg_cli_engine_load(out, command, &use));
    PG_CLI_TRY(complete_request(settings, out->model));
    if (use.sequences < (size_t)settings->request.beams)
        use.sequences = (size_t)settings->request.beams;
    PG_CLI_TRY(pg_cli_engine_start(out, &use));
done:
    if (code != PG_CLI_DONE)
        pg_cli_engine_close(out);
    return code;
}

double pg_cli_answer_probability(const pg_answer *answer)
{
    double sum = 0;
    for (size_t i = 0; answer->logprobs && i < answer->count; i++)
        sum += (double)answer->logprobs[i];
    return answer->logprobs ? exp(sum) : NAN;
}

static double tokens_per_second(const pg_answer *answer)
{
    bool measured = answer->count > 1 && answer->timings.decode > 0;
    return measured ? (double)(answer->count - 1) / answer->timings.decode : NAN;
}

static json_t *describe_top(const pg_answer *answer, const pg_tokenizer *tokenizer)
{
    json_t *steps = pg_cli_json_array();
    for (size_t i = 0; i < answer->count; i++) {
        json_t *step = pg_cli_json_array();
        for (size_t j = 0; j < answer->top_count; j++) {
            const pg_candidate *candidate = &answer->top[i * answer->top_count + j];
            const char *piece = pg_tokenizer_piece(tokenizer, candidate->id);
            json_t *entry = pg_cli_json_object();
            pg_cli_json_set(entry, "id", pg_cli_json_integer(candidate->id));
            if (piece)
                pg_cli_json_set(entry, "piece", pg_cli_json_text(piece));
            pg_cli_json_set(entry, "logit", pg_cli_json_real(candidate->logit));
            pg_cli_json_append(step, entry);
        }
        pg_cli_json_append(steps, step);
    }
    return steps;
}

static json_t *describe_beams(const pg_answer *answer)
{
    json_t *beams = pg_cli_json_array();
    for (size_t i = 0; i < answer->beam_count; i++) {
        const pg_beam *beam = &answer->beams[i];
        json_t *entry = pg_cli_json_object();
        pg_cli_json_set(entry, "text", pg_cli_json_text(beam->text));
        pg_cli_json_set(entry, "tokens", pg_cli_json_ids(beam->tokens, beam->count));
        pg_cli_json_set(entry, "score", pg_cli_json_real(beam->score));
        pg_cli_json_append(beams, entry);
    }
    return beams;
}

static json_t *describe_timings(const pg_answer *answer, double load_seconds)
{
    const pg_timings *timings = &answer->timings;
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "load", pg_cli_json_real(load_seconds));
    pg_cli_json_set(object, "pictures", pg_cli_json_real(timings->pictures));
    pg_cli_json_set(object, "prefill", pg_cli_json_real(timings->prefill));
    pg_cli_json_set(object, "first_token", pg_cli_json_real(timings->first_token));
    pg_cli_json_set(object, "decode", pg_cli_json_real(timings->decode));
    pg_cli_json_set(object, "tokens_per_second", pg_cli_json_real(tokens_per_second(answer)));
    return object;
}

void pg_cli_answer_describe(json_t *object, const pg_answer *answer, const pg_cli_engine *engine)
{
    pg_cli_json_set(object, "text", json_stringn(answer->text, answer->text_size));
    pg_cli_json_set(object, "tokens", pg_cli_json_ids(answer->tokens, answer->count));
    if (answer->logprobs)
        pg_cli_json_set(object, "logprobs", pg_cli_json_reals(answer->logprobs, answer->count));
    if (answer->logprobs)
        pg_cli_json_set(object, "probability", pg_cli_json_real(pg_cli_answer_probability(answer)));
    pg_cli_json_set(object, "finish_reason", pg_cli_json_text(pg_finish_name(answer->finish)));
    pg_cli_json_set(object, "prompt_tokens", pg_cli_json_integer((int64_t)answer->prompt_tokens));
    if (answer->top_count)
        pg_cli_json_set(object, "top", describe_top(answer, pg_model_tokenizer(engine->model)));
    if (answer->beam_count)
        pg_cli_json_set(object, "beams", describe_beams(answer));
    pg_cli_json_set(object, "compute", pg_cli_json_text(pg_cli_compute_name(engine->session)));
    pg_cli_json_set(object, "isa", pg_cli_json_text(pg_isa()));
    pg_cli_json_set(object, "threads", pg_cli_json_integer(pg_session_threads(engine->session)));
    pg_cli_json_set(object, "timings", describe_timings(answer, engine->load_seconds));
}

void pg_cli_stats_machine(const pg_cli_engine *engine)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    fprintf(stderr, "peak memory  %8.1f MiB\n", (double)usage.ru_maxrss / 1024);
    fprintf(stderr, "compute      %s, %s, threads: %d\n", pg_cli_compute_name(engine->session), pg_isa(),
            pg_session_threads(engine->session));
}

static void print_stats(const pg_answer *answer, const pg_cli_engine *engine)
{
    const pg_timings *timings = &answer->timings;
    fprintf(stderr, "load         %8.3f s\n", engine->load_seconds);
    fprintf(stderr, "pictures     %8.3f s\n", timings->pictures);
    fprintf(stderr, "prefill      %8.3f s  %zu tokens\n", timings->prefill, answer->prompt_tokens);
    fprintf(stderr, "first token  %8.3f s\n", timings->first_token);
    fprintf(stderr, "decode       %8.3f s  %zu tokens", timings->decode, answer->count);
    if (isfinite(tokens_per_second(answer)))
        fprintf(stderr, ", %.2f a second", tokens_per_second(answer));
    if (answer->proposed)
        fprintf(stderr, ", %zu of %zu proposed ones taken", answer->accepted, answer->proposed);
    fputs("\n", stderr);
    pg_cli_stats_machine(engine);
}

static void print_json(const pg_answer *answer, const pg_cli_engine *engine, const char *picture)
{
    json_t *object = pg_cli_json_object();
    if (picture)
        pg_cli_json_set(object, "image", pg_cli_json_text(picture));
    pg_cli_answer_describe(object, answer, engine);
    pg_cli_json_print(object);
}

/* What the stream did not show: beams, the probability, and the end of the line. */
static void print_rest(const pg_answer *answer, const pg_request *request, bool scores)
{
    if (request->beams_returned > 1) {
        for (size_t i = 0; i < answer->beam_count; i++)
            pg_cli_print("%.6g\t%s\n", (double)answer->beams[i].score, answer->beams[i].text);
        return;
    }
    pg_cli_print("%s", request->on_text ? "" : answer->text);
    if (scores && answer->logprobs)
        pg_cli_print("\t%.4g", pg_cli_answer_probability(answer));
    pg_cli_put("\n", 1);
}

int pg_cli_answer(const pg_cli_engine *engine, const pg_cli_answering *settings, const pg_request *request,
                  const char *picture)
{
    pg_request streamed = *request;
    pg_answer *answer;
    if (request->beams <= 1)
        streamed.on_text = settings->json ? pg_cli_on_text : show_text;
    if (picture && !settings->json)
        pg_cli_print("%s: ", picture);
    int code = pg_cli_check(pg_generate(&answer, engine->session, &streamed, 1));
    if (code != PG_CLI_DONE)
        return code;
    if (settings->json)
        print_json(answer, engine, picture);
    else
        print_rest(answer, &streamed, settings->scores);
    pg_cli_flush();
    if (settings->stats)
        print_stats(answer, engine);
    pg_answer_free(answer);
    return pg_cli_interrupted() ? PG_CLI_INTERRUPTED : PG_CLI_DONE;
}
