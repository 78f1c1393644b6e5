/*
 * Pictures fetched by URL, of hosts that the server's options name, and of no others. A name is resolved once, all its
 * addresses must be public ones, and the connection goes to the address that was checked; a redirect is looked at as if
 * it had been asked for. So nobody reaches what only this machine can reach (server-side request forgery), unless an
 * option names such an address in figures.
 */
#ifndef PG_SERVE_REMOTE_PICTURE_H
#define PG_SERVE_REMOTE_PICTURE_H

#include "serve/exchange.h"

/* Appends the file at an http: or https: URL, at most options->max_body bytes of it, within options->timeout seconds
 * for each hop, and no longer than anybody wants the exchange's answer (NULL: somebody does). */
pg_status pg_remote_picture_fetch(pg_buffer *out, const pg_server_options *options, const char *url,
                                  const pg_exchange *exchange);

/* Whether the address, as text, is one that anybody may reach: not private, local, shared, multicast or reserved. */
bool pg_address_is_public(const char *address);

#endif
