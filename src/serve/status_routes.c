/* How the server is: alive, ready, its figures, its models. */
#include "serve/routes.h"
#include "serve/server.h"

/* Whether the process answers at all. */
pg_status pg_route_health(pg_exchange *exchange)
{
    return pg_exchange_json(exchange, json_pack("{s:s}", "status", "ok"));
}

/* Whether requests should be sent here. */
pg_status pg_route_ready(pg_exchange *exchange)
{
    if (!atomic_load(&exchange->server->draining))
        return pg_exchange_json(exchange, json_pack("{s:s}", "status", "ready"));
    exchange->retry_after = 5;
    return pg_exchange_refuse(exchange, 503, "stopping", "the server is being stopped");
}

static const pg_scheduler_figures *look(pg_scheduler_figures *out, const pg_exchange *exchange)
{
    if (!exchange->engine->scheduler)
        return NULL;
    pg_scheduler_get_figures(out, exchange->engine->scheduler);
    return out;
}

pg_status pg_route_figures(pg_exchange *exchange)
{
    pg_scheduler_figures figures;
    return pg_exchange_json(exchange, pg_figures_describe(&exchange->server->figures, look(&figures, exchange)));
}

pg_status pg_route_metrics(pg_exchange *exchange)
{
    pg_scheduler_figures figures;
    if (!exchange->server->options.metrics)
        return pg_exchange_refuse(exchange, 404, "not_found", "the server was started without metrics");
    PG_TRY(pg_figures_print(&exchange->answer, &exchange->server->figures, look(&figures, exchange)));
    exchange->type = "text/plain; version=0.0.4; charset=utf-8";
    exchange->status = 200;
    return PG_OK;
}

static const char *kind_name(const pg_model *model)
{
    static const char *const names[] = {
        [PG_MODEL_PALIGEMMA] = "paligemma", [PG_MODEL_GEMMA] = "gemma", [PG_MODEL_SIGLIP] = "siglip"};
    return names[pg_model_get_kind(model)];
}

static json_t *describe(const pg_served *served, const pg_engine *engine)
{
    double slope, intercept;
    pg_model_get_score_correction(&slope, &intercept, served->model);
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:s?, s:I, s:I, s:{s:f, s:f}}", "id", served->name, "object",
                     "model", "created", (json_int_t)engine->opened, "owned_by", "local", "kind",
                     kind_name(served->model), "fingerprint", served->version, "base",
                     served->adapter ? engine->models[0].name : NULL, "context",
                     (json_int_t)pg_model_context(served->model), "image_size",
                     (json_int_t)pg_model_image_size(served->model), "score_correction", "slope", slope, "intercept",
                     intercept);
}

pg_status pg_route_models(pg_exchange *exchange)
{
    json_t *list = json_array();
    for (size_t i = 0; i < exchange->engine->count; i++)
        pg_json_add(&list, describe(&exchange->engine->models[i], exchange->engine));
    return pg_exchange_json(exchange, json_pack("{s:s, s:o}", "object", "list", "data", list));
}
