#include "serve/answer_json.h"

#include <string.h>
#include <time.h>

#include "serve/logprobs.h"
#include "serve/server.h"

const pg_answer_form pg_chat_form = {"chatcmpl-", "chat.completion", "chat.completion.chunk", true};
const pg_answer_form pg_completion_form = {"cmpl-", "text_completion", "text_completion", false};

/* A generation that is being answered. */
typedef struct answering {
    pg_exchange *exchange;
    pg_generation *generation;
    const pg_answer_form *form;
    pg_telling telling;
    int64_t created;
    /* of a stream: */
    size_t seen;       /* events */
    bool begun;        /* the first pieces have gone out */
    size_t *told;      /* tokens of each answer that have, */
    size_t *text_told; /* and bytes */
} answering;

/* ---------------------------------------------------------------- parts */

json_t *pg_usage_json(size_t prompt_tokens, size_t answer_tokens)
{
    json_int_t prompt = (json_int_t)prompt_tokens, answer = (json_int_t)answer_tokens;
    return json_pack("{s:I, s:I, s:I}", "prompt_tokens", prompt, "completion_tokens", answer, "total_tokens",
                     prompt + answer);
}

static json_t *usage_of(const answering *run)
{
    return pg_usage_json(run->telling.usage.prompt_tokens, run->telling.usage.answer_tokens);
}

/* What every answer and piece begins with. */
static json_t *make_frame(const pg_exchange *exchange, const pg_generation *generation, const char *id_prefix,
                          const char *object, int64_t created)
{
    char id[48];
    snprintf(id, sizeof id, "%s%s", id_prefix, exchange->id + 4); /* without "req_" */
    return json_pack("{s:s, s:s, s:I, s:s, s:s}", "id", id, "object", object, "created", (json_int_t)created, "model",
                     generation->served->name, "system_fingerprint", generation->served->version);
}

static json_t *logprobs_of(const answering *run, const pg_told_answer *answer, size_t first, size_t end)
{
    if (!run->generation->logprobs)
        return json_null();
    return run->form->chat ? pg_chat_logprobs(run->generation, answer, first, end)
                           : pg_completion_logprobs(run->generation, answer, first, end);
}

static json_t *make_choice(const pg_answer_form *form, size_t index, const char *text, size_t size)
{
    json_t *content = json_stringn(text ? text : "", size);
    if (!form->chat)
        return json_pack("{s:I, s:o}", "index", (json_int_t)index, "text", content);
    return json_pack("{s:I, s:{s:s, s:o, s:n}}", "index", (json_int_t)index, "message", "role", "assistant", "content",
                     content, "refusal");
}

/* ---------------------------------------------------------------- whole answers */

static json_t *describe_answer(const answering *run, size_t index)
{
    const pg_told_answer *answer = &run->telling.answers[index];
    json_t *choice = make_choice(run->form, index, answer->text.data, answer->text.size);
    pg_json_put(&choice, "logprobs", logprobs_of(run, answer, 0, answer->count));
    pg_json_put(&choice, "finish_reason", json_string(pg_finish_name(answer->finish)));
    return choice;
}

static pg_status answer_whole(answering *run)
{
    PG_TRY(pg_telling_complete(&run->telling));
    json_t *document =
        make_frame(run->exchange, run->generation, run->form->id_prefix, run->form->object, run->created);
    json_t *choices = json_array();
    for (size_t i = 0; i < run->telling.count; i++)
        pg_json_add(&choices, describe_answer(run, i));
    pg_json_put(&document, "choices", choices);
    pg_json_put(&document, "usage", usage_of(run));
    pg_json_put(&document, "warnings", json_incref(run->generation->warnings));
    pg_exchange_note(run->exchange, run->generation->prompt, run->telling.answers[0].text.data);
    return pg_exchange_json(run->exchange, document);
}

json_t *pg_answer_wrap(const pg_exchange *exchange, const pg_generation *generation, const pg_answer_form *form,
                       const char *text, pg_finish finish)
{
    json_t *document = make_frame(exchange, generation, form->id_prefix, form->object, (int64_t)time(NULL));
    json_t *choice = make_choice(form, 0, text, strlen(text));
    pg_json_put(&choice, "logprobs", json_null());
    pg_json_put(&choice, "finish_reason", json_string(pg_finish_name(finish)));
    pg_json_put(&document, "choices", json_pack("[o]", choice));
    pg_json_put(&document, "usage", pg_usage_json(exchange->prompt_tokens, exchange->answer_tokens));
    pg_json_put(&document, "warnings", json_incref(generation->warnings));
    return document;
}

/* ---------------------------------------------------------------- streams */

pg_status pg_print_event(pg_buffer *out, json_t *document)
{
    if (!document)
        return pg_fail(PG_ERROR_MEMORY, "out of memory");
    pg_status status = pg_buffer_print(out, "data: ");
    if (status == PG_OK)
        status = pg_json_print(out, document);
    json_decref(document);
    return status == PG_OK ? pg_buffer_print(out, "\n\n") : status;
}

/* A piece of one answer: of chat a delta, else text. The values are taken. */
static json_t *make_piece(const answering *run, size_t index, json_t *said, json_t *logprobs, const char *finish)
{
    json_t *choice = json_pack("{s:I, s:o, s:o, s:s?}", "index", (json_int_t)index, run->form->chat ? "delta" : "text",
                               said, "logprobs", logprobs, "finish_reason", finish);
    json_t *document =
        make_frame(run->exchange, run->generation, run->form->id_prefix, run->form->object_of_piece, run->created);
    pg_json_put(&document, "choices", json_pack("[o]", choice));
    return document;
}

/* `size` bytes of text as a piece has them. */
static json_t *make_said(const answering *run, const char *text, size_t size)
{
    json_t *content = json_stringn(text, size);
    return run->form->chat ? json_pack("{s:o}", "content", content) : content;
}

/* Of chat the role of each answer, and what there is to say of the request; of texts only that, if there is any. */
static pg_status print_begin(pg_buffer *out, answering *run)
{
    bool chat = run->form->chat;
    size_t count = chat ? run->telling.count : json_array_size(run->generation->warnings) > 0;
    run->begun = true;
    for (size_t i = 0; i < count; i++) {
        json_t *said = chat ? json_pack("{s:s, s:s}", "role", "assistant", "content", "") : json_string("");
        json_t *piece = make_piece(run, i, said, json_null(), NULL);
        if (i == 0)
            pg_json_put(&piece, "warnings", json_incref(run->generation->warnings));
        PG_TRY(pg_print_event(out, piece));
    }
    return PG_OK;
}

/* What an answer has more than has gone out. Of its last characters some may have come without a token. */
static pg_status print_more(pg_buffer *out, answering *run, size_t index)
{
    const pg_told_answer *answer = &run->telling.answers[index];
    size_t from = run->text_told[index], to = answer->text.size, first = run->told[index];
    if (to > from || (run->generation->logprobs && answer->count > first))
        PG_TRY(pg_print_event(out, make_piece(run, index,
                                              make_said(run, to > from ? answer->text.data + from : "", to - from),
                                              logprobs_of(run, answer, first, answer->count), NULL)));
    run->text_told[index] = to;
    run->told[index] = answer->count;
    return PG_OK;
}

static pg_status print_end(pg_buffer *out, answering *run)
{
    if (run->telling.status != PG_OK) {
        json_t *error =
            json_pack("{s:s, s:s, s:n, s:n}", "message", run->telling.reason, "type", "server_error", "param", "code");
        PG_TRY(pg_print_event(out, json_pack("{s:o}", "error", error)));
        return pg_buffer_print(out, "data: [DONE]\n\n");
    }
    for (size_t i = 0; i < run->telling.count; i++) {
        json_t *nothing = run->form->chat ? json_object() : json_string("");
        PG_TRY(pg_print_event(out, make_piece(run, i, nothing, json_null(),
                                              pg_finish_name(run->telling.answers[i].finish))));
    }
    if (pg_generation_wants_usage(run->generation)) {
        json_t *last =
            make_frame(run->exchange, run->generation, run->form->id_prefix, run->form->object_of_piece, run->created);
        pg_json_put(&last, "choices", json_array());
        pg_json_put(&last, "usage", usage_of(run));
        PG_TRY(pg_print_event(out, last));
    }
    return pg_buffer_print(out, "data: [DONE]\n\n");
}

static pg_status print_news(pg_buffer *out, answering *run, bool *more)
{
    if (!run->begun)
        PG_TRY(print_begin(out, run));
    for (size_t i = 0; i < run->telling.count; i++)
        PG_TRY(print_more(out, run, i));
    run->seen = run->telling.events;
    *more = !run->telling.ended;
    return *more ? PG_OK : print_end(out, run);
}

static pg_status next_piece(void *user, pg_buffer *out, bool *more)
{
    answering *run = user;
    pg_telling_wait(&run->telling, run->seen);
    pg_status status = print_news(out, run, more);
    pg_telling_release(&run->telling);
    return status;
}

static void free_generation(pg_generation *generation)
{
    pg_generation_free(generation);
    pg_free(generation);
}

static void end_stream(void *user)
{
    answering *run = user;
    pg_telling_finish(&run->telling);
    pg_exchange_note(run->exchange, run->generation->prompt, NULL);
    free_generation(run->generation);
    pg_free(run->told);
    pg_free(run->text_told);
    pg_free(run);
}

/* Waits for the first token, so that a job that fails before has a failure's status of HTTP. */
static pg_status answer_stream(answering *run)
{
    run->told = pg_alloc(run->telling.count, sizeof *run->told);
    run->text_told = pg_alloc(run->telling.count, sizeof *run->text_told);
    if (!run->told || !run->text_told)
        return PG_ERROR_MEMORY;
    pg_telling_wait(&run->telling, 0);
    bool failed = run->telling.ended && run->telling.status != PG_OK;
    pg_telling_release(&run->telling);
    if (failed)
        return pg_telling_complete(&run->telling);
    pg_exchange_stream(run->exchange, next_piece, end_stream, run);
    return PG_OK;
}

pg_status pg_answer_generation(pg_exchange *exchange, pg_generation *generation, const pg_answer_form *form)
{
    pg_job job;
    answering *run = pg_alloc(1, sizeof *run);
    if (!run) {
        free_generation(generation);
        return PG_ERROR_MEMORY;
    }
    *run = (answering){exchange, generation, form, .created = (int64_t)time(NULL)};
    pg_generation_job(&job, generation);
    pg_status status = pg_telling_start(&run->telling, exchange, &job);
    pg_pictures_free(&generation->pictures); /* the job has its own */
    if (status != PG_OK) {
        free_generation(generation);
        pg_free(run);
        return status;
    }
    status = generation->stream ? answer_stream(run) : answer_whole(run);
    if (!exchange->next)
        end_stream(run);
    return status;
}
