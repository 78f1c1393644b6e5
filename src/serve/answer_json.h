/* Answers in OpenAI's form, whole or as pieces of a stream. The two routes that make them, chat and completions, differ
 * in names only. */
#ifndef PG_SERVE_ANSWER_JSON_H
#define PG_SERVE_ANSWER_JSON_H

#include "serve/generation_request.h"
#include "serve/telling.h"

typedef struct pg_answer_form {
    const char *id_prefix;                /* "chatcmpl-" */
    const char *object, *object_of_piece; /* "chat.completion", "chat.completion.chunk" */
    bool chat;
} pg_answer_form;

extern const pg_answer_form pg_chat_form, pg_completion_form;

/* Submits the job of a generation that is read, and answers the exchange with it, whole or as a stream. Takes the
 * generation, which was allocated by itself and is freed with pg_free, also on failure. */
pg_status pg_answer_generation(pg_exchange *exchange, pg_generation *generation, const pg_answer_form *form);

/* The whole answer around the text of its one choice, of a job that has ended some other way (detection). */
json_t *pg_answer_wrap(const pg_exchange *exchange, const pg_generation *generation, const pg_answer_form *form,
                       const char *text, pg_finish finish);

/* {"prompt_tokens", "completion_tokens", "total_tokens"} */
json_t *pg_usage_json(size_t prompt_tokens, size_t answer_tokens);

/* Appends an event of a stream; the document is freed, NULL is a lack of memory. */
pg_status pg_print_event(pg_buffer *out, json_t *document);

#endif
