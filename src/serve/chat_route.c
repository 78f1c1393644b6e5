/* POST /v1/chat/completions and /v1/completions: OpenAI's routes. */
#include <string.h>

#include "serve/answer_json.h"
#include "serve/chat_request.h"
#include "serve/find_objects.h"
#include "serve/routes.h"
#include "serve/server.h"

/* ---------------------------------------------------------------- objects as JSON */

/* The text of the one choice: the objects, as they are or as one event of a stream. */
static pg_status answer_text(pg_exchange *exchange, const pg_chat_request *request, const char *text, pg_finish finish)
{
    const pg_generation *generation = &request->generation;
    json_t *document = pg_answer_wrap(exchange, generation, &pg_chat_form, text, finish);
    if (!generation->stream)
        return pg_exchange_json(exchange, document);
    json_t *choice = json_array_get(json_object_get(document, "choices"), 0);
    json_object_set(choice, "delta", json_object_get(choice, "message"));
    json_object_del(choice, "message");
    json_object_set_new(document, "object", json_string(pg_chat_form.object_of_piece));
    if (!pg_generation_wants_usage(generation))
        json_object_del(document, "usage");
    PG_TRY(pg_print_event(&exchange->answer, document));
    PG_TRY(pg_buffer_print(&exchange->answer, "data: [DONE]\n\n"));
    exchange->status = 200;
    exchange->type = "text/event-stream";
    return PG_OK;
}

static pg_status find_objects(pg_buffer *out, pg_finish *finish, pg_exchange *exchange, pg_object_query *query)
{
    json_t *found;
    char *text;
    PG_TRY(pg_find_objects(&found, &text, finish, exchange, query));
    pg_status status = pg_json_print(out, found);
    json_decref(found);
    pg_free(text);
    return status;
}

/* Objects are looked for greedily, once, and their tokens are not shown. */
static pg_status warn_of_fields(pg_generation *generation)
{
    static const char *const names[] = {"n",          "seed", "temperature", "max_tokens", "max_completion_tokens",
                                        "min_tokens", "stop", "top_p",       "top_k",      "min_p",
                                        "logprobs"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *value = json_object_get(generation->document, names[i]);
        if (value && !json_is_null(value) && !json_is_false(value))
            PG_TRY(pg_warn_of(generation->warnings, names[i], "is ignored with \"response_format\""));
    }
    return PG_OK;
}

static pg_status answer_objects(pg_exchange *exchange, pg_chat_request *request)
{
    pg_generation *generation = &request->generation;
    pg_object_query query = {.served = generation->served};
    pg_buffer json = {0};
    pg_texts labels = {0};
    char *block = NULL;
    const char *text;
    pg_finish finish = PG_FINISH_STOP;
    pg_detect_options_init(&query.options);
    if (!pg_object_prompt_read(&query.options.masks, &text, generation->prompt))
        return pg_fail(PG_ERROR_ARGUMENT, "\"response_format\": answers in JSON are for prompts that begin with "
                                          "\"detect \" or \"segment \"");
    if (generation->pictures.count != 1)
        return pg_fail(PG_ERROR_ARGUMENT, "found %zu pictures, expected one to find objects in",
                       generation->pictures.count);
    query.pictures = &generation->pictures;
    PG_TRY(warn_of_fields(generation));
    pg_status status = pg_texts_split(&labels, &block, text);
    query.options.labels = labels.items;
    query.options.label_count = labels.count;
    if (status == PG_OK)
        status = find_objects(&json, &finish, exchange, &query);
    if (status == PG_OK)
        status = answer_text(exchange, request, json.data, finish);
    pg_buffer_free(&json);
    pg_free(labels.items);
    pg_free(block);
    return status;
}

/* ---------------------------------------------------------------- chat */

static bool is_gemma(const pg_generation *generation)
{
    return pg_model_get_kind(generation->served->model) == PG_MODEL_GEMMA;
}

pg_status pg_route_chat(pg_exchange *exchange)
{
    pg_chat_request *request = pg_alloc(1, sizeof *request);
    if (!request)
        return PG_ERROR_MEMORY;
    pg_generation *generation = &request->generation;
    pg_status status = pg_chat_request_read(request, exchange);
    bool found = status == PG_OK &&
                 pg_generation_find_model(generation, exchange, request->objects ? PG_KIND_LOOKERS : PG_KIND_READERS);
    if (found && !request->objects) {
        generation->request.style = is_gemma(generation) ? PG_PROMPT_CHAT : PG_PROMPT_TASK;
        return pg_answer_generation(exchange, generation, &pg_chat_form);
    }
    if (found)
        status = answer_objects(exchange, request);
    pg_generation_free(generation);
    pg_free(request);
    return status;
}

/* ---------------------------------------------------------------- completions */

typedef struct completion_request {
    pg_generation generation; /* first */
    const json_t *prompt, *image;
    int64_t top; /* "logprobs", -1: not asked for */
} completion_request;

#define PLACE(member) offsetof(completion_request, member)

static const pg_field completion_fields[] = {
    {"prompt", PG_FIELD_VALUE, PLACE(prompt), 0, 0},
    {"image", PG_FIELD_VALUE, PLACE(image), 0, 0},
    {"logprobs", PG_FIELD_INTEGER, PLACE(top), 0, PG_TOP_LOGPROBS},
    {"echo", PG_FIELD_IGNORED, 0, 0, 0},
    {"suffix", PG_FIELD_IGNORED, 0, 0, 0},
    {0},
};

/* One text, or a list of one. */
static pg_status read_prompt(completion_request *request)
{
    const json_t *prompt = request->prompt;
    if (json_is_array(prompt) && json_array_size(prompt) == 1)
        prompt = json_array_get(prompt, 0);
    if (!json_is_string(prompt) || strlen(json_string_value(prompt)) != json_string_length(prompt))
        return pg_fail(PG_ERROR_FORMAT, "\"prompt\": expected one text (several go to /v1/batch)");
    request->generation.prompt = pg_copy_text(json_string_value(prompt), SIZE_MAX);
    return request->generation.prompt ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status read_completion(completion_request *request, pg_exchange *exchange)
{
    request->top = -1;
    pg_generation_init(&request->generation);
    PG_TRY(pg_generation_read(&request->generation, exchange, completion_fields));
    request->generation.logprobs = request->top >= 0;
    request->generation.top_logprobs = request->top > 0 ? request->top : 0;
    PG_TRY(read_prompt(request));
    return pg_pictures_add_field(&request->generation.pictures, exchange, request->image, "image");
}

pg_status pg_route_completions(pg_exchange *exchange)
{
    completion_request *request = pg_alloc(1, sizeof *request);
    if (!request)
        return PG_ERROR_MEMORY;
    pg_generation *generation = &request->generation;
    pg_status status = read_completion(request, exchange);
    if (status == PG_OK && pg_generation_find_model(generation, exchange, PG_KIND_READERS)) {
        generation->request.style = is_gemma(generation) ? PG_PROMPT_TEXT : PG_PROMPT_TASK;
        return pg_answer_generation(exchange, generation, &pg_completion_form);
    }
    pg_generation_free(generation);
    pg_free(request);
    return status;
}
