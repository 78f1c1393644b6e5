/*
 * Requests to the hub, any number at the same time on one thread: started, then answered while pg_http_wait runs.
 *
 * Redirects are followed here, hop by hop, because of two rules: the token goes to the endpoint's own scheme, host and
 * port and to nowhere else, and what began encrypted stays so. The addresses that the hub redirects to are signed, so
 * they are in no error text.
 */
#ifndef PG_HUB_HTTP_H
#define PG_HUB_HTTP_H

#include "hub/hub_place.h"

/* Headers that mean something here. */
typedef enum pg_http_header {
    PG_HTTP_ETAG,
    PG_HTTP_LINKED_ETAG,
    PG_HTTP_LINKED_SIZE,
    PG_HTTP_LENGTH,
    PG_HTTP_RANGE,
    PG_HTTP_ERROR_CODE,
    PG_HTTP_HEADERS,
} pg_http_header;

#define PG_HTTP_VALUE 256 /* longer values are empty */

typedef struct pg_http_answer {
    long code;                                    /* 0: none came */
    char headers[PG_HTTP_HEADERS][PG_HTTP_VALUE]; /* "": not given */
    const char *url;                              /* that answered */
    bool own_host;                                /* it is the endpoint's */
    const char *trouble;                          /* why there is no whole answer; NULL */
    bool unreachable;                             /* because there is no way to the host */
    bool hopeless;                                /* because of something that will not pass */
    bool stopped;                                 /* because on_body asked for that */
    double retry_after;                           /* seconds that the server asks to wait for; 0: it does not */
} pg_http_answer;

typedef struct pg_http_request {
    const char *url; /* copied */
    bool head;       /* headers alone; a redirect to another host is the answer */
    bool ranged;     /* bytes from..to */
    int64_t from, to;
    long timeout; /* seconds without a byte */

    /* A piece of a body with code 200 or 206; false: no more of it. */
    bool (*on_body)(void *user, const pg_http_answer *answer, const void *bytes, size_t size);
    /* Once at the end, whatever it is. The answer is valid during the call. */
    void (*on_done)(void *user, const pg_http_answer *answer);
    void *user;
} pg_http_request;

typedef struct pg_http pg_http;

/* The place is borrowed. */
pg_status pg_http_new(pg_http **out, const pg_hub_place *place);

/* Requests in flight end without a call; so they do when the client is freed (NULL is allowed). */
void pg_http_drop(pg_http *http);
void pg_http_free(pg_http *http);

pg_status pg_http_start(pg_http *http, const pg_http_request *request);

/* Lets requests go on for at most so long; callbacks are called from here, and may start requests. */
pg_status pg_http_wait(pg_http *http, int milliseconds);

/* Appends a text as a part of a path: all but letters, digits and -._~ (and /, where `slashes` stay) as %XX. */
pg_status pg_http_quote(pg_buffer *out, const char *text, bool slashes);

#endif
