/* What the routes that generate text have in common: their fields, and the job that comes of them. */
#ifndef PG_SERVE_GENERATION_REQUEST_H
#define PG_SERVE_GENERATION_REQUEST_H

#include "serve/server_models.h"
#include "serve/fields.h"
#include "serve/pictures.h"

#define PG_TOP_LOGPROBS 20 /* at most */

/* A request to generate. Texts are borrowed from `document`. Start from {0} with pg_generation_init. */
typedef struct pg_generation {
    json_t *document, *warnings;
    const char *model;
    bool stream;
    const json_t *stream_options;
    int64_t answers; /* "n" */
    pg_texts stop;
    pg_request request; /* the prompt and pictures are the route's */
    int64_t seed;       /* -1: none is given */

    char *prompt; /* owned; the route sets it */
    pg_pictures pictures;
    pg_served *served;
    bool logprobs;
    int64_t top_logprobs;
} pg_generation;

/* "temperature", "max_tokens" and so on. */
extern const pg_field pg_generation_fields[];

void pg_generation_init(pg_generation *out);
void pg_generation_free(pg_generation *generation);

/* Reads the exchange's body by these fields and others of the route, which lie in the structure that begins with the
 * generation. fields: ends with an empty field. */
pg_status pg_generation_read(pg_generation *out, const pg_exchange *exchange, const pg_field *fields);

/* A line for the answer's "warnings". */
pg_status pg_generation_warn(pg_generation *generation, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Finds the model; false after a refusal. */
bool pg_generation_find_model(pg_generation *generation, pg_exchange *exchange, unsigned kinds);

/* The job; borrows from the generation. */
void pg_generation_job(pg_job *out, pg_generation *generation);

/* Whether the last event of a stream tells the usage: "stream_options": {"include_usage": true}. */
bool pg_generation_wants_usage(const pg_generation *generation);

#endif
