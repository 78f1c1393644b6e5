/* A request to /v1/chat/completions. */
#ifndef PG_SERVE_CHAT_REQUEST_H
#define PG_SERVE_CHAT_REQUEST_H

#include "serve/generation_request.h"

typedef struct pg_chat_request {
    pg_generation generation; /* first */
    const json_t *messages, *response_format;
    bool objects; /* response_format asks for objects as JSON */
} pg_chat_request;

/* Reads the exchange's body, up to the pictures of the last user turn, which are decoded. The prompt is that turn's
 * text; what else the messages have is named in the warnings. */
pg_status pg_chat_request_read(pg_chat_request *out, pg_exchange *exchange);

#endif
