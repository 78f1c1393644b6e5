/* The table of what the server answers. */
#ifndef PG_SERVE_ROUTES_H
#define PG_SERVE_ROUTES_H

#include "serve/exchange.h"

/* Flags. */
#define PG_ROUTE_OPEN  1u /* answered without a key: health, the page; such a route tells nothing that needs one */
#define PG_ROUTE_QUIET 2u /* in the log only where it fails: probes */
#define PG_ROUTE_FORM  4u /* forms are taken, too */

typedef pg_status pg_route_run(pg_exchange *exchange);

typedef struct pg_route {
    const char *method, *path; /* "GET", also for HEAD; "POST" */
    unsigned flags;
    pg_route_run *run;
} pg_route;

/* Ends with a path of NULL. Files of the page (web_files.h) are looked for behind these. */
extern const pg_route pg_routes[];

/* The route of the exchange's path, or NULL with the answer that there is none: 404, or 405 for another method. */
const pg_route *pg_route_find(pg_exchange *exchange, const char *method);

/* The routes, one or a few a file. */
pg_status pg_route_chat(pg_exchange *exchange);
pg_status pg_route_completions(pg_exchange *exchange);
pg_status pg_route_embeddings(pg_exchange *exchange);
pg_status pg_route_models(pg_exchange *exchange);
pg_status pg_route_caption(pg_exchange *exchange);
pg_status pg_route_detect(pg_exchange *exchange);
pg_status pg_route_segment(pg_exchange *exchange);
pg_status pg_route_classify(pg_exchange *exchange);
pg_status pg_route_batch(pg_exchange *exchange);
pg_status pg_route_objects(pg_exchange *exchange);
pg_status pg_route_explain(pg_exchange *exchange);
pg_status pg_route_feedback(pg_exchange *exchange);
pg_status pg_route_page(pg_exchange *exchange);
pg_status pg_route_figures(pg_exchange *exchange);
pg_status pg_route_metrics(pg_exchange *exchange);
pg_status pg_route_health(pg_exchange *exchange);
pg_status pg_route_ready(pg_exchange *exchange);
pg_status pg_route_web_file(pg_exchange *exchange);

#endif
