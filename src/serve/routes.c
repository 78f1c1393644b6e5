#include "serve/routes.h"

#include <string.h>

#include "serve/web_files.h"

const pg_route pg_routes[] = {
    {"POST", "/v1/chat/completions", 0, pg_route_chat},
    {"POST", "/v1/completions", PG_ROUTE_FORM, pg_route_completions},
    {"POST", "/v1/embeddings", PG_ROUTE_FORM, pg_route_embeddings},
    {"GET", "/v1/models", 0, pg_route_models},
    {"POST", "/v1/caption", PG_ROUTE_FORM, pg_route_caption},
    {"POST", "/v1/detect", PG_ROUTE_FORM, pg_route_detect},
    {"POST", "/v1/segment", PG_ROUTE_FORM, pg_route_segment},
    {"POST", "/v1/classify", PG_ROUTE_FORM, pg_route_classify},
    {"POST", "/v1/batch", 0, pg_route_batch},
    {"POST", "/v1/objects", 0, pg_route_objects},
    {"POST", "/v1/explain", 0, pg_route_explain},
    {"POST", "/v1/feedback", 0, pg_route_feedback},
    {"GET", "/v1/page", PG_ROUTE_QUIET, pg_route_page},
    {"GET", "/v1/figures", PG_ROUTE_QUIET, pg_route_figures},
    {"GET", "/metrics", PG_ROUTE_QUIET, pg_route_metrics},
    {"GET", "/health", PG_ROUTE_OPEN | PG_ROUTE_QUIET, pg_route_health},
    {"GET", "/ready", PG_ROUTE_OPEN | PG_ROUTE_QUIET, pg_route_ready},
    {0},
};

/* What a file of the page is answered with. */
static const pg_route web_route = {"GET", "/", PG_ROUTE_OPEN | PG_ROUTE_QUIET, pg_route_web_file};

static const pg_web_file *find_file(const char *path)
{
    const char *name = path[1] ? path + 1 : "index.html";
    for (const pg_web_file *file = pg_web_files; *path == '/' && file->name; file++)
        if (strcmp(file->name, name) == 0)
            return file;
    return NULL;
}

static const pg_route *find_path(const char *path)
{
    for (const pg_route *route = pg_routes; route->path; route++)
        if (strcmp(route->path, path) == 0)
            return route;
    return find_file(path) ? &web_route : NULL;
}

const pg_route *pg_route_find(pg_exchange *exchange, const char *method)
{
    const pg_route *route = find_path(exchange->path);
    if (!route) {
        pg_exchange_refuse(exchange, 404, "not_found", "there is nothing at %.100s; /openapi.json lists what there is",
                           exchange->path);
        return NULL;
    }
    if (strcmp(method, route->method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0))
        return route;
    exchange->allow = strcmp(route->method, "GET") == 0 ? "GET, HEAD" : route->method;
    pg_exchange_refuse(exchange, 405, "method_not_allowed", "%s takes %s only", route->path, exchange->allow);
    return NULL;
}

static const char *type_of(const char *name)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".webmanifest", "application/manifest+json"},
    };
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].ending, ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

pg_status pg_route_web_file(pg_exchange *exchange)
{
    const pg_web_file *file = find_file(exchange->path);
    exchange->policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
                       "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
                       "frame-ancestors 'none'";
    pg_exchange_file_bytes(exchange, type_of(file->name), file->bytes, file->size);
    return PG_OK;
}
