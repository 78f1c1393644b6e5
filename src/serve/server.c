/* The server's life: options, models, requests that come and go, reload, the end. */
#include "serve/server.h"

#include <string.h>

#include "base/clock.h"
#include "serve/moment.h"
#include "serve/request_log.h"
#include "serve/routes.h"

#define BODIES_MOST    16 /* times the largest body: what all bodies together may take */
#define PICTURE_PLACES 4

/* ---------------------------------------------------------------- requests */

pg_engine *pg_server_hold_engine(pg_server *server)
{
    pthread_mutex_lock(&server->lock);
    pg_engine *engine = server->engine;
    engine->users++;
    pthread_mutex_unlock(&server->lock);
    return engine;
}

void pg_server_release_engine(pg_server *server, pg_engine *engine)
{
    pthread_mutex_lock(&server->lock);
    bool last = --engine->users == 0;
    pthread_mutex_unlock(&server->lock);
    if (last)
        pg_engine_free(engine);
}

static pg_exchange *begin_exchange(void *user, const pg_http_head *head)
{
    pg_server *server = user;
    pg_exchange *exchange = pg_exchange_new(server, head->path);
    if (!exchange)
        return NULL;
    exchange->socket = head->socket;
    pthread_mutex_lock(&server->lock);
    server->active++;
    pthread_mutex_unlock(&server->lock);
    pg_figures_begin_request(&server->figures);
    pg_admit(server, exchange, head);
    return exchange;
}

static bool receive_bytes(void *user, pg_exchange *exchange, size_t size)
{
    pg_server *server = user;
    exchange->received += size;
    size_t all = atomic_fetch_add(&server->body_bytes, size) + size;
    if (exchange->received > server->options.max_body)
        pg_exchange_refuse(exchange, 413, "too_large", "the request has more than %zu bytes", server->options.max_body);
    else if (all > BODIES_MOST * server->options.max_body) {
        pg_fail(PG_ERROR_BUSY, "too many large requests at the same time");
        pg_exchange_fail(exchange, PG_ERROR_BUSY);
    }
    return !exchange->status;
}

void pg_server_run(pg_server *server, pg_exchange *exchange)
{
    exchange->engine = pg_server_hold_engine(server);
    pg_status status = exchange->route->run(exchange);
    if (status != PG_OK)
        pg_exchange_fail(exchange, status);
}

static void run_exchange(void *user, pg_exchange *exchange)
{
    pg_server_run(user, exchange);
}

static void end_exchange(void *user, pg_exchange *exchange, bool sent)
{
    pg_server *server = user;
    pg_engine *engine = exchange->engine;
    pg_exchange_end_stream(exchange);
    pg_figures_end_request(&server->figures, exchange->status, pg_clock() - exchange->began, sent);
    pg_log_request(server, exchange, sent);
    atomic_fetch_sub(&server->body_bytes, exchange->received);
    pg_exchange_free(exchange);
    if (engine)
        pg_server_release_engine(server, engine);
    pthread_mutex_lock(&server->lock);
    if (--server->active == 0)
        pthread_cond_broadcast(&server->idle);
    pthread_mutex_unlock(&server->lock);
}

/* ---------------------------------------------------------------- starting */

static pg_status check_options(const pg_server_options *options)
{
    if (!options->model || !*options->model)
        return pg_fail(PG_ERROR_ARGUMENT, "no model is named that could be served");
    if (options->port < 0 || options->port > 65535)
        return pg_fail(PG_ERROR_ARGUMENT, "port %d is none: expected 0 to 65535", options->port);
    if (!pg_host_is_address(options->host))
        return pg_fail(PG_ERROR_ARGUMENT, "%s is no address to listen on: give one such as 127.0.0.1 or ::1",
                       options->host);
    if (!pg_host_is_loopback(options->host) && !options->key_file)
        return pg_fail(PG_ERROR_ARGUMENT,
                       "other machines could use the server at %s without a key: name a file of keys, or listen on "
                       "127.0.0.1",
                       options->host);
    return PG_OK;
}

/* Everything but the socket. */
static pg_status open_feedback(pg_server *server)
{
    pg_feedback_options options;
    pg_feedback_options_init(&options);
    options.max_bytes = server->options.feedback_bytes;
    return server->options.feedback ? pg_feedback_open(&server->feedback, server->options.feedback, &options) : PG_OK;
}

static pg_status prepare(pg_server *server, const pg_server_options *options)
{
    PG_TRY(pg_server_options_copy(&server->options, options));
    PG_TRY(check_options(&server->options));
    if (server->options.key_file)
        PG_TRY(pg_api_keys_load(&server->keys, server->options.key_file));
    PG_TRY(open_feedback(server));
    PG_TRY(pg_engine_open(&server->engine, &server->options));
    server->engine->users = 1;
    return PG_OK;
}

static pg_status listen_on(pg_server *server)
{
    const pg_server_options *options = &server->options;
    const pg_httpd_options how = {options->host,    options->port,     options->connections,
                                  options->timeout, options->deadline, options->max_body};
    const pg_http_calls calls = {begin_exchange, receive_bytes, run_exchange, end_exchange, server};
    return pg_httpd_open(&server->httpd, &how, &calls);
}

static pg_status make_server(pg_server **out, const pg_server_options *options)
{
    *out = NULL;
    pg_server *server = pg_alloc(1, sizeof *server);
    if (!server)
        return PG_ERROR_MEMORY;
    pg_figures_init(&server->figures);
    sem_init(&server->picture_places, 0, PICTURE_PLACES);
    pthread_mutex_init(&server->log_lock, NULL);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->idle, NULL);
    pg_status status = prepare(server, options);
    if (status == PG_OK)
        *out = server;
    else
        pg_server_free(server);
    return status;
}

pg_status pg_server_check(const pg_server_options *options)
{
    pg_server *server;
    PG_TRY(make_server(&server, options));
    pg_server_free(server);
    return PG_OK;
}

pg_status pg_server_new(pg_server **out, const pg_server_options *options)
{
    PG_TRY(make_server(out, options));
    pg_status status = listen_on(*out);
    if (status == PG_OK) {
        pg_log_event(*out, "info", "started", NULL);
        return PG_OK;
    }
    pg_server_free(*out);
    *out = NULL;
    return status;
}

int pg_server_port(const pg_server *server)
{
    return pg_httpd_port(server->httpd);
}

/* ---------------------------------------------------------------- reload */

static pg_status replace(pg_server *server)
{
    pg_api_keys *keys = NULL, *old_keys;
    pg_engine *engine, *old_engine;
    if (server->options.key_file)
        PG_TRY(pg_api_keys_load(&keys, server->options.key_file));
    pg_status status = pg_engine_open(&engine, &server->options);
    if (status != PG_OK) {
        pg_api_keys_free(keys);
        return status;
    }
    engine->users = 1;
    pthread_mutex_lock(&server->lock);
    old_keys = server->keys;
    old_engine = server->engine;
    server->keys = keys;
    server->engine = engine;
    pthread_mutex_unlock(&server->lock);
    pg_api_keys_free(old_keys);
    pg_server_release_engine(server, old_engine);
    return PG_OK;
}

pg_status pg_server_reload(pg_server *server)
{
    pg_status status = replace(server);
    if (status == PG_OK)
        pg_log_event(server, "info", "reloaded", NULL);
    else
        pg_log_event(server, "error", "reload_failed", pg_error_last());
    return status;
}

/* ---------------------------------------------------------------- the end */

/* False when the time was over before. */
static bool wait_until_idle(pg_server *server, double seconds)
{
    struct timespec until = pg_moment_end(seconds < 0 ? 0 : seconds);
    int late = 0;
    pthread_mutex_lock(&server->lock);
    while (server->active && !late)
        late = seconds < 0 ? pthread_cond_wait(&server->idle, &server->lock)
                           : pthread_cond_timedwait(&server->idle, &server->lock, &until);
    bool idle = server->active == 0;
    pthread_mutex_unlock(&server->lock);
    return idle;
}

pg_status pg_server_drain(pg_server *server, double seconds)
{
    atomic_store(&server->draining, true);
    pg_httpd_quiet(server->httpd);
    pg_log_event(server, "info", "draining", NULL);
    if (wait_until_idle(server, seconds))
        return PG_OK;
    atomic_store(&server->stopping, true); /* whoever waits for an answer sees it */
    return pg_fail(PG_ERROR_DEADLINE, "requests were still being answered after %g seconds, and were cancelled",
                   seconds);
}

void pg_server_free(pg_server *server)
{
    if (!server)
        return;
    atomic_store(&server->draining, true);
    atomic_store(&server->stopping, true);
    pg_httpd_close(server->httpd);
    pg_engine_free(server->engine);
    pg_feedback_close(server->feedback);
    pg_api_keys_free(server->keys);
    pg_server_options_free(&server->options);
    pg_figures_reset(&server->figures);
    pthread_cond_destroy(&server->idle);
    pthread_mutex_destroy(&server->lock);
    pthread_mutex_destroy(&server->log_lock);
    sem_destroy(&server->picture_places);
    pg_free(server);
}
