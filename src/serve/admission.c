/*
 * Which requests are answered at all. Besides keys: a server without them is for this machine alone, and browsers on
 * this machine show pages of others. So the name it is called by must be this machine's (else a page's own name could
 * be made to lead here: DNS rebinding), and a page of another origin gets nothing, even where a browser would not ask
 * before it sends (a form). No other origin is ever allowed (CORS).
 */
#include <string.h>

#include "serve/routes.h"
#include "serve/server.h"

/* The host of "host:port" or "[::1]:port", without brackets. */
static void cut_host(char out[256], const char *text)
{
    const char *end = *text == '[' ? strchr(text, ']') : strchr(text, ':');
    text += *text == '[';
    size_t size = end ? (size_t)(end - text) : strlen(text);
    size = size < 255 ? size : 255;
    memcpy(out, text, size);
    out[size] = 0;
}

static bool is_this_machine(const pg_server *server, const char *text)
{
    char host[256];
    cut_host(host, text);
    return strcasecmp(host, "localhost") == 0 || strcmp(host, server->options.host) == 0 || pg_host_is_loopback(host);
}

static bool is_own_origin(const pg_http_head *head)
{
    const char *rest = strstr(head->origin, "://");
    return rest && head->host && strcasecmp(rest + 3, head->host) == 0;
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    return type && strncasecmp(type, json, sizeof json - 1) == 0 && strchr(";, \t", type[sizeof json - 1]);
}

/* The number of the key that was given, or 0. */
static size_t find_key(pg_server *server, const pg_http_head *head)
{
    static const char bearer[] = "Bearer ";
    const char *given = head->api_key;
    if (head->authorization && strncasecmp(head->authorization, bearer, sizeof bearer - 1) == 0)
        given = head->authorization + sizeof bearer - 1;
    pthread_mutex_lock(&server->lock);
    size_t number = given ? pg_api_keys_find(server->keys, given) : 0;
    pthread_mutex_unlock(&server->lock);
    return number;
}

/* Whose request it is, and whether they may ask. */
static void check_client(pg_server *server, pg_exchange *exchange, const pg_http_head *head)
{
    bool asked = server->options.key_file != NULL;
    snprintf(exchange->client, sizeof exchange->client, "%s", head->address);
    if (!asked || exchange->route->flags & PG_ROUTE_OPEN)
        return;
    size_t number = find_key(server, head);
    if (number)
        snprintf(exchange->client, sizeof exchange->client, "key %zu", number);
    else
        pg_exchange_refuse(exchange, 401, "invalid_api_key",
                           "no valid key: send one of the server's as \"Authorization: Bearer KEY\"");
}

static void check_origin(const pg_server *server, pg_exchange *exchange, const pg_http_head *head)
{
    if (!server->options.key_file && (!head->host || !is_this_machine(server, head->host)))
        pg_exchange_refuse(exchange, 403, "wrong_host",
                           "this server has no keys and answers only to this machine's own names, such as localhost");
    else if (head->origin && !is_own_origin(head))
        pg_exchange_refuse(exchange, 403, "wrong_origin", "pages of other origins may not use this server");
}

static void check_body(const pg_server *server, pg_exchange *exchange, const pg_http_head *head)
{
    size_t most = server->options.max_body;
    if (!exchange->route)
        return;
    bool takes_forms = exchange->route->flags & PG_ROUTE_FORM;
    if (head->content_length && strtoull(head->content_length, NULL, 10) > most)
        pg_exchange_refuse(exchange, 413, "too_large", "the request has %s bytes, at most %zu are taken",
                           head->content_length, most);
    else if (strcmp(exchange->route->method, "POST") == 0 && !is_json(head->content_type) &&
             !(takes_forms && pg_http_is_form(head->content_type)))
        pg_exchange_refuse(exchange, 415, NULL, "the Content-Type is %.60s, expected application/json%s",
                           head->content_type ? head->content_type : "missing",
                           takes_forms ? " or multipart/form-data" : "");
}

void pg_admit(pg_server *server, pg_exchange *exchange, const pg_http_head *head)
{
    check_origin(server, exchange, head);
    if (exchange->status)
        return;
    exchange->route = pg_route_find(exchange, head->method);
    if (exchange->route)
        check_client(server, exchange, head);
    if (!exchange->status && exchange->route && !(exchange->route->flags & PG_ROUTE_OPEN) &&
        atomic_load(&server->draining)) {
        exchange->retry_after = 5;
        pg_exchange_refuse(exchange, 503, "stopping", "the server is being stopped");
    }
    if (!exchange->status)
        check_body(server, exchange, head);
}
