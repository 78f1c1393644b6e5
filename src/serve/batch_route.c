/*
 * POST /v1/batch: many requests in one, answered together.
 *     {"requests": [{"custom_id", "url": "/v1/caption", "body": {...}}, ...]}
 *  -> {"responses": [{"custom_id", "status", "body"}, ...]}, in the same order
 * As many at a time as the scheduler has sequences, each on a thread of its own: they join each other there.
 */
#include <stdatomic.h>
#include <string.h>

#include "serve/routes.h"
#include "serve/server.h"

#define REQUESTS_MOST 256
#define THREADS_MOST  16

typedef struct batch {
    pg_exchange *exchange;
    json_t *requests;
    json_t **answers; /* [count]; NULL: none could be made */
    size_t count;
    atomic_size_t next;
} batch;

/* Which route, or NULL after a refusal. */
static const pg_route *find_route(pg_exchange *inner, const json_t *body)
{
    const pg_route *route = pg_route_find(inner, "POST");
    if (route && route->run == pg_route_batch) {
        pg_exchange_refuse(inner, 400, NULL, "a batch takes no batches");
        return NULL;
    }
    if (route && (!json_is_object(body) || json_is_true(json_object_get(body, "stream")))) {
        pg_exchange_refuse(inner, 400, NULL, "\"body\": expected an object, and one that asks for no stream");
        return NULL;
    }
    return route;
}

static void run_inner(pg_exchange *inner, const pg_exchange *outer, const json_t *body)
{
    snprintf(inner->client, sizeof inner->client, "%s", outer->client);
    inner->socket = outer->socket;
    inner->began = outer->began;
    inner->engine = outer->engine;
    inner->route = find_route(inner, body);
    pg_status status = PG_OK;
    if (inner->route)
        status = pg_json_print(&inner->body, body);
    if (inner->route && status == PG_OK)
        status = inner->route->run(inner);
    if (status != PG_OK)
        pg_exchange_fail(inner, status);
}

static json_t *describe(const pg_exchange *inner, const json_t *id)
{
    json_error_t error;
    json_t *body = inner->borrowed ? json_loadb((const char *)inner->borrowed, inner->borrowed_size, 0, &error)
                                   : json_loadb(inner->answer.data, inner->answer.size, JSON_ALLOW_NUL, &error);
    return json_pack("{s:O?, s:i, s:o}", "custom_id", id, "status", inner->status, "body", body);
}

static json_t *answer_one(const pg_exchange *outer, const json_t *request)
{
    pg_exchange *inner = pg_exchange_new(outer->server, json_string_value(json_object_get(request, "url")));
    if (!inner)
        return NULL;
    run_inner(inner, outer, json_object_get(request, "body"));
    json_t *answer = describe(inner, json_object_get(request, "custom_id"));
    pg_exchange_free(inner);
    return answer;
}

static void *work(void *user)
{
    batch *of = user;
    for (size_t i = atomic_fetch_add(&of->next, 1); i < of->count; i = atomic_fetch_add(&of->next, 1))
        of->answers[i] = answer_one(of->exchange, json_array_get(of->requests, i));
    return NULL;
}

/* On this thread and others, if they can be started. */
static void run_all(batch *of)
{
    pthread_t threads[THREADS_MOST];
    size_t wanted = of->exchange->server->options.scheduler.session.sequences, started = 0;
    wanted = wanted ? wanted : THREADS_MOST;
    while (started + 1 < of->count && started + 1 < wanted && started < THREADS_MOST &&
           pthread_create(&threads[started], NULL, work, of) == 0)
        started++;
    work(of);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

static pg_status collect(pg_exchange *exchange, batch *of)
{
    json_t *list = json_array();
    bool whole = list != NULL;
    for (size_t i = 0; i < of->count; i++)
        whole = json_array_append_new(list, of->answers[i]) == 0 && whole;
    if (whole)
        return pg_exchange_json(exchange, json_pack("{s:o}", "responses", list));
    json_decref(list);
    return pg_fail(PG_ERROR_MEMORY, "out of memory");
}

static pg_status check_requests(const json_t *requests)
{
    size_t count = json_array_size(requests);
    if (!count || count > REQUESTS_MOST)
        return pg_fail(PG_ERROR_FORMAT, "\"requests\": expected a list of 1 to %d requests", REQUESTS_MOST);
    for (size_t i = 0; i < count; i++) {
        const json_t *request = json_array_get(requests, i), *id = json_object_get(request, "custom_id");
        if (!json_is_string(json_object_get(request, "url")))
            return pg_fail(PG_ERROR_FORMAT, "\"requests\": request %zu has no \"url\"", i);
        if (id && !json_is_null(id) && !json_is_string(id))
            return pg_fail(PG_ERROR_FORMAT, "\"requests\": the \"custom_id\" of request %zu is no string", i);
    }
    return PG_OK;
}

static pg_status answer(pg_exchange *exchange, json_t *document)
{
    batch of = {.exchange = exchange, .requests = json_object_get(document, "requests")};
    of.count = json_array_size(of.requests);
    PG_TRY(check_requests(of.requests));
    of.answers = pg_alloc(of.count, sizeof(json_t *));
    if (!of.answers)
        return PG_ERROR_MEMORY;
    run_all(&of);
    pg_status status = collect(exchange, &of);
    pg_free(of.answers);
    return status;
}

pg_status pg_route_batch(pg_exchange *exchange)
{
    json_t *document;
    PG_TRY(pg_exchange_object(&document, exchange));
    pg_status status = answer(exchange, document);
    json_decref(document);
    return status;
}
