#include "serve/generation_request.h"

#include <stdarg.h>
#include <string.h>
#include <sys/random.h>

#include "serve/server.h"

#define TOKENS_MOST   1e6
#define SEED_MOST     9.2e18
#define ANSWERS_MOST  16
#define STOPS_MOST    16
#define STOP_BYTES    256
#define PLACE(member) offsetof(pg_generation, member)

const pg_field pg_generation_fields[] = {
    {"model", PG_FIELD_TEXT, PLACE(model), 0, 0},
    {"stream", PG_FIELD_TRUTH, PLACE(stream), 0, 0},
    {"stream_options", PG_FIELD_VALUE, PLACE(stream_options), 0, 0},
    {"n", PG_FIELD_INTEGER, PLACE(answers), 1, ANSWERS_MOST},
    {"stop", PG_FIELD_TEXTS, PLACE(stop), 0, 0},
    {"seed", PG_FIELD_INTEGER, PLACE(seed), 0, SEED_MOST},
    {"max_tokens", PG_FIELD_INTEGER, PLACE(request.max_new_tokens), 1, TOKENS_MOST},
    {"max_completion_tokens", PG_FIELD_INTEGER, PLACE(request.max_new_tokens), 1, TOKENS_MOST},
    {"min_tokens", PG_FIELD_INTEGER, PLACE(request.min_new_tokens), 0, TOKENS_MOST},
    {"temperature", PG_FIELD_NUMBER, PLACE(request.temperature), 0, 100},
    {"top_p", PG_FIELD_NUMBER, PLACE(request.top_p), 0, 1},
    {"top_k", PG_FIELD_INTEGER, PLACE(request.top_k), 0, TOKENS_MOST},
    {"min_p", PG_FIELD_NUMBER, PLACE(request.min_p), 0, 1},
    {"repetition_penalty", PG_FIELD_NUMBER, PLACE(request.repetition_penalty), 0.01, 100},
    {"no_repeat_ngram_size", PG_FIELD_INTEGER, PLACE(request.no_repeat_ngram), 0, 1000},
    {"user", PG_FIELD_IGNORED, 0, 0, 0},
    {"frequency_penalty", PG_FIELD_IGNORED, 0, 0, 0},
    {"presence_penalty", PG_FIELD_IGNORED, 0, 0, 0},
    {"logit_bias", PG_FIELD_IGNORED, 0, 0, 0},
    {"best_of", PG_FIELD_IGNORED, 0, 1, 1},
    {"service_tier", PG_FIELD_IGNORED, 0, 0, 0},
    {"store", PG_FIELD_IGNORED, 0, 0, 0},
    {"metadata", PG_FIELD_IGNORED, 0, 0, 0},
    {0},
};

void pg_generation_init(pg_generation *out)
{
    *out = (pg_generation){.answers = 1, .seed = -1};
    pg_request_init(&out->request);
}

void pg_generation_free(pg_generation *generation)
{
    json_decref(generation->document);
    json_decref(generation->warnings);
    pg_free(generation->stop.items);
    pg_free(generation->prompt);
    pg_pictures_free(&generation->pictures);
}

/* They are looked for behind every token. */
static pg_status check_stops(const pg_texts *stop, json_t *warnings)
{
    if (stop->count > STOPS_MOST)
        return pg_fail(PG_ERROR_LIMIT, "\"stop\" has %zu texts, at most %d are taken", stop->count, STOPS_MOST);
    for (size_t i = 0; i < stop->count; i++) {
        size_t size = strlen(stop->items[i]);
        if (size > STOP_BYTES)
            return pg_fail(PG_ERROR_LIMIT, "\"stop\": text %zu has %zu bytes, at most %d are taken", i, size,
                           STOP_BYTES);
        if (!size)
            PG_TRY(pg_warn_of(warnings, "stop", "has an empty text, which ends no answer"));
    }
    return PG_OK;
}

pg_status pg_generation_read(pg_generation *out, const pg_exchange *exchange, const pg_field *fields)
{
    const pg_field *const tables[] = {fields, pg_generation_fields, NULL};
    PG_TRY(pg_exchange_fields(&out->document, &out->warnings, out, tables, exchange));
    return check_stops(&out->stop, out->warnings);
}

pg_status pg_generation_warn(pg_generation *generation, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    json_t *line = json_vsprintf(format, arguments);
    va_end(arguments);
    return pg_warn(generation->warnings, line);
}

bool pg_generation_find_model(pg_generation *generation, pg_exchange *exchange, unsigned kinds)
{
    generation->served = pg_engine_find(exchange, generation->model, kinds);
    return generation->served != NULL;
}

void pg_generation_job(pg_job *out, pg_generation *generation)
{
    pg_request *request = &generation->request;
    uint64_t chance = 0;
    request->prompt = generation->prompt;
    request->images = (const pg_image *const *)generation->pictures.items;
    request->image_count = generation->pictures.count;
    request->stop = generation->stop.items;
    request->stop_count = generation->stop.count;
    request->beams = 1;
    request->top_logits = (size_t)generation->top_logprobs;
    if (generation->seed < 0 && getrandom(&chance, sizeof chance, 0) < 0)
        chance = (uint64_t)(uintptr_t)generation; /* better than the same for all */
    request->seed = generation->seed < 0 ? chance : (uint64_t)generation->seed;
    pg_job_init(out);
    out->request = *request;
    out->answers = (size_t)generation->answers;
    out->adapter = generation->served->adapter;
}

bool pg_generation_wants_usage(const pg_generation *generation)
{
    return json_is_true(json_object_get(generation->stream_options, "include_usage"));
}
