/*
 * HTTP through libmicrohttpd: sockets, heads, bodies, forms, answers. A thread for each connection, so that a route
 * reads from top to bottom and may wait. The only place that knows the library.
 *
 * Time is kept by deadlines of our own: a connection that has not sent its request, or not read its answer, by then is
 * shut down. Each 16 KiB that arrive or leave add a second, so what counts is a least rate, and neither a client that
 * sends a byte now and then nor one that reads so holds a thread for long.
 */
#ifndef PG_SERVE_HTTPD_H
#define PG_SERVE_HTTPD_H

#include "serve/exchange.h"

/* What is known of a request before its body; texts are NULL where the client sent none. Borrowed for the call. */
typedef struct pg_http_head {
    const char *method, *path;
    const char *host, *origin, *authorization, *api_key, *content_type;
    const char *content_length;
    char address[64]; /* of the client */
    int socket;
} pg_http_head;

/* Who answers. Called on the connection's thread. */
typedef struct pg_http_calls {
    /* Makes an exchange; one whose status is not 0 afterwards is answered already, and its body is not kept. NULL: no
     * memory, the connection ends. */
    pg_exchange *(*begin)(void *user, const pg_http_head *head);

    /* Whether `size` more bytes of body may be kept; if not, the exchange has been answered. */
    bool (*receive)(void *user, pg_exchange *exchange, size_t size);

    /* The request is complete: fills the answer. */
    void (*run)(void *user, pg_exchange *exchange);

    /* All is over; `sent`: the client has the whole answer. Frees the exchange. */
    void (*end)(void *user, pg_exchange *exchange, bool sent);
    void *user;
} pg_http_calls;

typedef struct pg_httpd_options {
    const char *host; /* pg_host_is_address */
    int port;
    size_t connections;
    double timeout, deadline; /* as in pg_server_options */
    size_t max_body;
} pg_httpd_options;

typedef struct pg_httpd pg_httpd;

pg_status pg_httpd_open(pg_httpd **out, const pg_httpd_options *options, const pg_http_calls *calls);
int pg_httpd_port(const pg_httpd *httpd);

/* Takes no more connections. */
void pg_httpd_quiet(pg_httpd *httpd);

/* Ends all connections and waits for their threads. NULL is allowed. */
void pg_httpd_close(pg_httpd *httpd);

/* Whether a Content-Type is that of a form that can be read. NULL is allowed. */
bool pg_http_is_form(const char *type);

/* Whether it is an address of IPv4 or IPv6. */
bool pg_host_is_address(const char *host);

/* Whether an address is one that only this machine reaches; false for what is no address. */
bool pg_host_is_loopback(const char *host);

#endif
