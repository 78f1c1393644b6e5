/*
 * One HTTP request and its answer, as routes see them. A route is a function: it runs on the thread of its connection
 * once the whole request is there, may take as long as it needs, and either fills the answer or fails; a failure
 * becomes an answer in OpenAI's form by itself, the status of HTTP from the kind of failure and the text from
 * pg_error_last.
 */
#ifndef PG_SERVE_EXCHANGE_H
#define PG_SERVE_EXCHANGE_H

#include "serve/fields.h"

struct pg_engine;
struct pg_route;

/* A field of a form (multipart/form-data). */
typedef struct pg_part {
    char *name;
    char *file_name; /* "" where the client gave one without text; NULL: a field without file */
    pg_buffer bytes;
} pg_part;

/* Appends the next piece of a streamed answer to `out`; may wait for it. *more becomes false with the last one. A
 * failure cuts the connection. */
typedef pg_status pg_stream_next(void *user, pg_buffer *out, bool *more);

/* Where the time of a request went, in seconds; 0: nowhere. For the log. */
typedef struct pg_stages {
    double read;    /* the request came in */
    double prepare; /* JSON, base64, pictures */
    double queued, pictures, prefill, decode;
} pg_stages;

typedef struct pg_exchange {
    struct pg_server *server;
    struct pg_engine *engine; /* the models as they were when the request came */

    /* The request. */
    const struct pg_route *route; /* NULL: there is none */
    char *path;                   /* "/v1/detect" */
    char id[28];                  /* "req_" and 22 letters and digits; it is in the log and in the answer's header */
    char client[64];              /* whose request it is, to be fair: the number of a key, or an address */
    pg_buffer body;               /* of everything but forms */
    pg_part *parts;               /* of forms */
    size_t part_count, part_capacity;
    bool form;
    int socket; /* -1: none, as in tests */

    /* The answer. */
    int status; /* of HTTP */
    const char *type;
    pg_buffer answer;
    const uint8_t *borrowed; /* bytes that outlive the server, in place of `answer` */
    size_t borrowed_size;
    const char *policy; /* content security policy (NULL: that of an API) */
    const char *allow;  /* of 405: the methods that there are */
    int retry_after;    /* seconds, of 429 and 503; 0: not said */
    pg_stream_next *next;
    void (*stream_free)(void *user);
    void *stream;

    /* For the log. */
    double began; /* on pg_clock */
    pg_stages stages;
    size_t prompt_tokens, answer_tokens;
    size_t received;    /* bytes of the body */
    char *asked, *told; /* prompt and answer, where the log may have them */
} pg_exchange;

/* An exchange for a request to `path`; NULL without memory. */
pg_exchange *pg_exchange_new(struct pg_server *server, const char *path);

/* The body as a JSON object: as sent or, of a form, its fields without file as texts. An empty body, and one that is no
 * object, is PG_ERROR_FORMAT. Freed with json_decref. */
pg_status pg_exchange_object(json_t **out, const pg_exchange *exchange);

/* The same document, and what its fields set in `out` by tables (pg_fields_read). *warnings: lines about fields without
 * effect, and about files of a form that are no "image". Both are freed with json_decref, also on failure. */
pg_status pg_exchange_fields(json_t **document, json_t **warnings, void *out, const pg_field *const *tables,
                             const pg_exchange *exchange);

/* Answers 200 with a document, which is freed (also on failure; NULL is a lack of memory). */
pg_status pg_exchange_json(pg_exchange *exchange, json_t *document);

/* Answers with bytes that outlive the server. type: "text/css; charset=utf-8". */
void pg_exchange_file_bytes(pg_exchange *exchange, const char *type, const uint8_t *bytes, size_t size);

/* Answers with a refusal of the route's own: status of HTTP, code ("model_not_found"; NULL: none) and text. */
pg_status pg_exchange_refuse(pg_exchange *exchange, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for a failure of the library, pg_error_last being the text. */
void pg_exchange_fail(pg_exchange *exchange, pg_status status);

/* Answers 200 with events (text/event-stream) as they are made. `user` is freed with `done` when all is over, also when
 * the client has gone. */
void pg_exchange_stream(pg_exchange *exchange, pg_stream_next *next, void (*done)(void *user), void *user);

/* True when nobody waits for the answer any more: the client has gone or the server is being stopped. */
bool pg_exchange_gone(const pg_exchange *exchange);

/* PG_OK as long as somebody waits for the answer and there is time for it: else PG_ERROR_CANCELLED, PG_ERROR_DEADLINE.
 */
pg_status pg_exchange_check(const pg_exchange *exchange);

/* Keeps prompt and answer for the log, if it may have them. */
void pg_exchange_note(pg_exchange *exchange, const char *asked, const char *told);

/* Frees what a streamed answer holds, if it is one; the log then knows what it took. */
void pg_exchange_end_stream(pg_exchange *exchange);

void pg_exchange_free(pg_exchange *exchange);

#endif
