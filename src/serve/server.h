/* The server itself: what its parts share. */
#ifndef PG_SERVE_SERVER_H
#define PG_SERVE_SERVER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "serve/api_keys.h"
#include "serve/server_models.h"
#include "serve/figures.h"
#include "serve/httpd.h"

struct pg_server {
    pg_server_options options; /* its texts belong to the server */
    pg_httpd *httpd;
    pg_figures figures;
    pg_feedback_store *feedback;    /* NULL: what people say is not stored */
    atomic_bool draining, stopping; /* no further requests; no further waiting */
    atomic_size_t body_bytes;       /* in memory, of all requests */
    sem_t picture_places;           /* for the decoded pictures of one request each */
    atomic_size_t places_waited_for;
    pthread_mutex_t log_lock;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t idle;  /* active is 0 */
    pg_engine *engine;
    pg_api_keys *keys; /* NULL: none are asked for */
    size_t active;     /* requests that are not over */
};

/* The engine of the moment, held until it is released. */
pg_engine *pg_server_hold_engine(pg_server *server);
void pg_server_release_engine(pg_server *server, pg_engine *engine);

/* Runs the route of an exchange whose request is complete; a failure becomes its answer. */
void pg_server_run(pg_server *server, pg_exchange *exchange);

/* pg_server_options with texts of their own. */
pg_status pg_server_options_copy(pg_server_options *out, const pg_server_options *options);
void pg_server_options_free(pg_server_options *options);

/* Checks a request's head: fills the answer where it is refused. */
void pg_admit(pg_server *server, pg_exchange *exchange, const pg_http_head *head);

#endif
