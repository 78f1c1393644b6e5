/* The log: a JSON object a line, for the one who runs the server. What clients ask and are answered is in it only where
 * the options say so. */
#ifndef PG_SERVE_REQUEST_LOG_H
#define PG_SERVE_REQUEST_LOG_H

#include "serve/server.h"

/* A request that is over. */
void pg_log_request(pg_server *server, const pg_exchange *exchange, bool sent);

/* Something else that happened: "started", "reloaded", "reload_failed"; text may be NULL. */
void pg_log_event(pg_server *server, const char *level, const char *event, const char *text);

#endif
