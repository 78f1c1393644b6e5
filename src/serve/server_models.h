/*
 * The models that are served, and what answers with them: a scheduler for texts, sessions for what is computed at one
 * go (embeddings, classes, explanations). An engine is immutable once open; a reload opens a new one, and requests that
 * have begun keep theirs until they end.
 */
#ifndef PG_SERVE_SERVER_MODELS_H
#define PG_SERVE_SERVER_MODELS_H

#include <pthread.h>

#include "serve/exchange.h"

/* A model as clients name it: a base model, or a base model with an adapter. */
typedef struct pg_served {
    char *name;    /* what /v1/models lists */
    char *adapter; /* the adapter's name for the scheduler; NULL: the base */
    pg_model *model;
    char version[PG_FINGERPRINT]; /* pg_model_fingerprint */
    pg_session_options how;
    int threads;         /* as asked for; .how has those of the session */
    pg_session *session; /* made when it is borrowed, and anew when it is to have other threads */
    bool borrowed;
    size_t waiting, most_waiting;
    pthread_mutex_t lock; /* of all from `how` on */
    pthread_cond_t returned;
} pg_served;

typedef struct pg_engine {
    pg_served *models; /* those with a decoder first: the base, its adapters; then SigLIP */
    size_t count;
    pg_scheduler *scheduler; /* of the base with a decoder; NULL: there is none */
    pg_mask_codec *codec;    /* NULL: there is none */
    int64_t opened;          /* seconds since 1970 */
    size_t users;            /* requests that hold it, and the server; under the server's lock */
} pg_engine;

/* Requests that may wait for something. */
size_t pg_queue_of(const pg_server_options *options);

pg_status pg_engine_open(pg_engine **out, const pg_server_options *options);
void pg_engine_free(pg_engine *engine); /* NULL is allowed */

/* Kinds of models that a route can use, 1 << PG_MODEL_SIGLIP and so on. */
#define PG_KIND_READERS  ((1u << PG_MODEL_PALIGEMMA) | (1u << PG_MODEL_GEMMA))
#define PG_KIND_LOOKERS  (1u << PG_MODEL_PALIGEMMA)
#define PG_KIND_MATCHERS (1u << PG_MODEL_SIGLIP)

/* The model of this name, or the first of the kinds where name is NULL. NULL after a refusal: there is none (404), or
 * it is of another kind (400). */
pg_served *pg_engine_find(pg_exchange *exchange, const char *name, unsigned kinds);

/* The model's session, for the calling thread alone until it is given back. Waits its turn, but not behind more
 * requests than the queue may have (PG_ERROR_BUSY) nor longer than anybody wants the answer (PG_ERROR_CANCELLED). */
pg_status pg_served_borrow(pg_session **out, pg_served *served, const pg_exchange *exchange);
void pg_served_give_back(pg_served *served);

#endif
